"""What leaves the window: pictures, movies, tables, the report; nobody is named unasked."""

from __future__ import annotations

import csv
import io
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QDialog, QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from core.imaging.geometry import Plane
from core.imaging.volume import Opened
from core.labels.schema import Attention, Region
from core.reading.areas import Edit
from core.reading.burnt_in import BurntIn
from core.reading.drawings import Drawing
from core.reading.measurements import Kind, Measurement, to_patient
from core.session import AnswerState, Reading
from core.settings import OpenSeries
from desktop.command_names import Command
from desktop.dialogs.export import ExportDialog, Leaving
from desktop.operations import opening
from desktop.operations.exporting import measurements_table
from desktop.operations.picturing import as_array, draw, picture_size, request_of
from desktop.operations.report import Report, draw_page, report_of
from desktop.viewer.grey import GreyRenderer
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries
from tests.desktop.test_window import opened

PRIVATE = ("DOE", "JANE", "patient-head", "1.2.head")


def answered(qtbot: QtBot, bench: Bench) -> Reading:
    reading = opened(qtbot, bench)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    return reading


def told(report: Report) -> str:
    parts = [report.title, *report.identity, *report.small, report.program]
    parts += [word for pair in report.facts for word in pair]
    parts += [image.caption for image in report.images]
    return "\n".join(parts)


def test_a_picture_shows_the_window_and_the_heat_map_burnt_in(qtbot: QtBot, bench: Bench) -> None:
    reading = answered(qtbot, bench)
    plain = request_of(reading, BurntIn())
    warm = request_of(reading, BurntIn(heat_map=True))
    assert plain is not None and warm is not None
    grey, coloured = as_array(draw(plain, 6)), as_array(draw(warm, 6))
    assert (grey[..., 0] == grey[..., 2]).all(), "grey values are grey"
    assert (coloured[..., 0] > coloured[..., 2]).mean() > 0.9, "the heat map covers the slice"
    size = picture_size(plain)
    assert grey.shape[:2] == (size.height(), size.width())
    assert size.width() % 2 == 0 and size.height() % 2 == 0 and size.height() >= 512


def test_words_are_burnt_in_on_demand_and_name_nobody(qtbot: QtBot, bench: Bench) -> None:
    reading = answered(qtbot, bench)
    named = request_of(reading, BurntIn(words=True, identity=True))
    unnamed = request_of(reading, BurntIn(words=True))
    assert named is not None and unnamed is not None
    assert named.identity[0] == "DOE JANE" and unnamed.identity == ()
    assert not any(word in str(unnamed.words) for word in PRIVATE)
    bare = request_of(reading, BurntIn())
    assert bare is not None and draw(bare, 3) != draw(unnamed, 3)


def with_everything(qtbot: QtBot, bench: Bench, index: int = 6) -> Reading:
    """A series that has all that can be burnt in on one slice, which is shown."""
    reading = answered(qtbot, bench)
    case, geometry = reading.case, reading.summary.geometry
    rows, columns = case.summary.shape[1:]
    ends = tuple(to_patient(geometry, Plane.SLICE, index, x, 4.0) for x in (4.0, columns - 6.0))
    case.measurements.add(Measurement(Kind.LENGTH, Plane.SLICE, index, ends))
    mask = np.zeros((rows, columns), bool)
    mask[rows - 3, 2 : columns - 2] = True
    drawing = Drawing.of([mask])
    assert drawing is not None
    case.drawing_arrived(index, drawing)
    region = Region((8.0, 3.0, 5.0, 6.0), Attention.LOOK_HERE)
    bench.app.operations.labels.edit_regions(reading, index, Edit(added=region))
    qtbot.waitUntil(lambda: bool(case.regions_at(index)))
    case.navigation.go(index)
    return reading


OVERLAYS = [item.name for item in fields(BurntIn)]


def test_nothing_is_burnt_into_a_series_but_what_was_asked_for(qtbot: QtBot, bench: Bench) -> None:
    reading = with_everything(qtbot, bench)
    bare = request_of(reading, BurntIn())
    assert bare is not None
    values = as_array(draw(bare, 6))
    plain = GreyRenderer()(bare.volume, Plane.SLICE, 6, bare.window, inverted=False)
    assert set(np.unique(values)) <= set(range(256)) and (np.ptp(values, axis=2) == 0).all()
    assert abs(values[..., 0].mean() - (plain & 0xFF).mean()) < 1, "the slice, and nothing else"
    for name in OVERLAYS:
        asked = request_of(reading, BurntIn(**{name: True}))
        assert asked is not None
        assert draw(asked, 6) != draw(bare, 6), name
    measured = request_of(reading, BurntIn(measurements=True))
    assert measured is not None
    assert draw(measured, 5) == draw(bare, 5), "a measurement stays on its slice"


def test_nothing_is_burnt_into_a_view_but_what_was_asked_for(qtbot: QtBot, bench: Bench) -> None:
    reading = with_everything(qtbot, bench)
    stage, before = bench.app.window.stage, reading.case.display

    def taken(burnt: BurntIn) -> NDArray[np.uint8]:
        return as_array(stage.picture(burnt).toImage().convertToFormat(QImage.Format.Format_RGB32))

    bare = taken(BurntIn())
    for name in OVERLAYS:
        asked = taken(BurntIn(**{name: True}))
        assert asked.shape != bare.shape or (asked != bare).any(), name
    # Words without the patient differ from words with him only where he would be named.
    unnamed, named = taken(BurntIn(words=True)), taken(BurntIn(words=True, identity=True))
    rows, columns = np.nonzero((unnamed != named).any(axis=2))
    assert rows.max() < named.shape[0] / 2 and columns.max() < named.shape[1] / 2
    assert reading.case.display == before, "the screen is as it was"
    assert (taken(BurntIn()) == bare).all()


def test_what_is_burnt_in_is_asked_and_nothing_is_ticked_at_first(
    qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reading = with_everything(qtbot, bench)
    seen: list[BurntIn] = []

    def agree(dialog: ExportDialog) -> int:
        seen.append(dialog.burnt)
        dialog.box("measurements").click()
        dialog.box("identity").click()
        seen.append(dialog.burnt)
        return int(QDialog.DialogCode.Accepted)

    monkeypatch.setattr(ExportDialog, "exec", agree)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "view.png"), ""))
    trigger = bench.app.window.actions_[Command.EXPORT_PICTURE].trigger
    trigger()
    assert seen == [BurntIn(), BurntIn(measurements=True, identity=True)]
    asked = bench.app.window.stage.picture(seen[1]).toImage()
    assert QImage(str(tmp_path / "view.png")) == asked.convertToFormat(
        QImage(str(tmp_path / "view.png")).format()
    )
    trigger()
    assert seen[2] == BurntIn(measurements=True), "the choice is kept, but for the name"
    dialog = ExportDialog(bench.app.window, Leaving.SERIES, BurntIn(words=True), seen[1])
    enabled = [name for name in OVERLAYS if dialog.box(name).isEnabled()]
    assert enabled == ["words"] and dialog.burnt == BurntIn(), "what is not there cannot be ticked"
    dialog.deleteLater()
    assert reading.case.display.annotations


def test_pictures_and_movie_are_written_whole(qtbot: QtBot, bench: Bench, tmp_path: Path) -> None:
    reading = answered(qtbot, bench)
    exporting, window = bench.app.operations.exporting, bench.app.window
    exporting.pictures(reading, tmp_path, BurntIn())
    qtbot.waitUntil(lambda: bench.app.jobs.is_idle)
    files = sorted(file.name for file in tmp_path.glob("*.png"))
    assert files[0] == "slice-001.png" and len(files) == 12
    exporting.movie(reading, tmp_path / "series.mp4", BurntIn(), 8)
    qtbot.waitUntil(lambda: bench.app.jobs.is_idle)
    data = (tmp_path / "series.mp4").read_bytes()
    assert data[4:8] == b"ftyp" and b"avcC" in data
    assert window.banner.notice is not None and "12 pictures" in window.banner.notice.text
    assert not any(word.encode() in data for word in PRIVATE)


def test_pictures_go_into_a_folder_and_have_no_speed(qtbot: QtBot) -> None:
    dialog = ExportDialog()
    qtbot.addWidget(dialog)
    words = lambda: [button.text() for button in dialog.findChildren(QPushButton)]  # noqa: E731
    assert "Choose a file…" in words() and dialog.rate.isEnabled()
    dialog.pictures.setChecked(True)
    assert "Choose a folder…" in words() and not dialog.rate.isEnabled()


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(
    qtbot: QtBot, bench: Bench, tmp_path: Path
) -> None:
    reading = answered(qtbot, bench)
    (tmp_path / "file").write_text("no folder")
    for act in (
        lambda: bench.app.operations.exporting.movie(
            reading, tmp_path / "file" / "a.mp4", BurntIn(), 8
        ),
        lambda: bench.app.operations.exporting.report(
            reading, tmp_path / "file" / "a.pdf", None, identity=False
        ),
        lambda: bench.app.operations.exporting.pictures(reading, tmp_path / "file", BurntIn()),
    ):
        bench.app.window.banner.dismiss()
        act()
        qtbot.waitUntil(lambda: bench.app.window.banner.notice is not None)
        notice = bench.app.window.banner.notice
        assert notice is not None and "could not be saved" in notice.text


def test_measurements_leave_in_their_unit(qtbot: QtBot, bench: Bench) -> None:
    reading = answered(qtbot, bench)
    book = reading.case.measurements
    book.add(Measurement(Kind.LENGTH, Plane.SLICE, 6, ((0.0, 0.0, 30.0), (3.0, 4.0, 30.0))))
    book.add(Measurement(Kind.RECTANGLE, Plane.SLICE, 6, ((1.0, 1.0, 30.0), (4.0, 5.0, 30.0))))
    text = measurements_table(reading)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert (rows[0]["kind"], rows[0]["value"], rows[0]["unit"]) == ("length", "5.000", "mm")
    assert rows[1]["area"] == "12.000" and float(rows[1]["mean"]) == 6.0
    assert not any(word in text for word in PRIVATE)


def test_the_report_says_answers_labels_and_the_model_and_names_nobody(
    qtbot: QtBot, bench: Bench, tmp_path: Path
) -> None:
    reading = answered(qtbot, bench)
    bench.app.operations.labels.label(reading, "hemorrhage", 3)
    qtbot.waitUntil(lambda: reading.case.label_at(3) == "hemorrhage")
    model = bench.app.operations.asking.models.model
    assert model is not None
    start, end = (6 * 0.5, 0.0, 0.0), (26 * 0.5, 0.0, 0.0)  # millimetres of slice 1
    reading.case.measurements.add(Measurement(Kind.LENGTH, Plane.SLICE, 0, (start, end)))
    report = report_of(reading, model.card, identity=False)
    assert report is not None
    words = told(report)
    assert "Slice 1: 10.0 mm" in words and "PixelSpacing (0028,0030)" in words
    assert not any(word in words for word in PRIVATE)
    assert "4, 5" in words and "Label: Hemorrhage" in words and "plain version 1" in words
    named = report_of(reading, model.card, identity=True)
    assert named is not None and "DOE JANE" in told(named)
    file = tmp_path / "report.pdf"
    bench.app.operations.exporting.report(reading, file, model.card, identity=False)
    qtbot.waitUntil(lambda: bench.app.jobs.is_idle)
    data = file.read_bytes()
    assert (
        data.startswith(b"%PDF")
        and data.count(b"/Type /Page\n") + data.count(b"/Type /Page ") + data.count(b"/Type/Page/")
        <= 1
    )
    assert not any(word.encode() in data for word in PRIVATE)


def test_the_page_fits_on_one_sheet_in_both_languages(qtbot: QtBot, bench: Bench) -> None:
    from desktop import language

    reading = answered(qtbot, bench)
    for code in ("en", "ko"):
        language.use(code)
        report = report_of(reading, None, identity=True)
        assert report is not None
        page = QImage(1240, 1754, QImage.Format.Format_RGB32)
        page.fill(0xFFFFFFFF)
        painter = QPainter(page)
        draw_page(painter, report, QRectF(88, 76, 1064, 1600))
        painter.end()
        ink = as_array(page).min(axis=2) < 200
        assert ink[200:1400].any() and not ink[1690:].any(), "the margin at the foot is free"
        assert not ink[:, :80].any() and not ink[:, 1165:].any()
    language.use("en")


def test_hidden_answers_do_not_leave(qtbot: QtBot, bench: Bench) -> None:
    bench.app.operations.read_first(True)
    reading = answered(qtbot, bench)
    report = report_of(reading, None, identity=False)
    assert report is not None and report.small == ()
    assert not any("%" in image.caption for image in report.images)
    request = request_of(reading, BurntIn(heat_map=True, words=True))
    assert request is not None and request.heat_maps == {}
    assert "Model" not in str(request.words)


# ----------------------------------------------------------------- the session


def test_what_was_open_is_open_again(
    qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bench.add(MemorySeries("first"), MemorySeries("second"), MemorySeries("third"))
    bench.app.operations.opening.open_paths([path])
    qtbot.waitUntil(lambda: len(bench.app.session) == 3)
    second = list(bench.app.session)[1]
    bench.app.operations.opening.show(second)
    second.case.navigation.go(9)
    bench.app.operations.close_series(list(bench.app.session)[2])
    kept = bench.app.operations.opening.session_now()
    assert [(item.index, item.is_current) for item in kept] == [(6, False), (9, True)]
    # Written while the window is open, so that a crash loses nothing; then once more at its end.
    bench.app.window.keep_session()
    qtbot.waitUntil(lambda: type(bench.app.settings)().values.session == kept)
    bench.app.window.close()
    assert type(bench.app.settings)().values.session == kept
    for reading in list(bench.app.session):
        bench.app.operations.close_series(reading)
    monkeypatch.setattr(Path, "exists", lambda _self: True)
    bench.app.operations.opening.restore(kept)
    qtbot.waitUntil(lambda: len(bench.app.session) == 2)
    current = bench.app.session.current
    assert current is not None and current.summary.description == "Head second"
    assert current.case.navigation.index() == 9
    qtbot.waitUntil(lambda: bench.app.jobs.is_idle)


def test_what_was_open_comes_back_in_its_order(
    qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [bench.add(MemorySeries(name)) for name in ("first", "second")]
    bench.app.operations.opening.open_paths(paths[:1])
    qtbot.waitUntil(lambda: len(bench.app.session) == 1)
    bench.app.operations.opening.open_paths(paths[1:])
    qtbot.waitUntil(lambda: len(bench.app.session) == 2)
    kept = bench.app.operations.opening.session_now()
    for reading in list(bench.app.session):
        bench.app.operations.close_series(reading)
    qtbot.waitUntil(lambda: bench.app.jobs.is_idle)
    go_on, looked, plain = threading.Event(), [], opening.open_path

    def look(path: Path, **how: Any) -> Opened:
        looked.append(path)
        if path == paths[0]:  # a slow disk
            assert go_on.wait(30)
        return plain(path, **how)

    monkeypatch.setattr(opening, "open_path", look)
    monkeypatch.setattr(Path, "exists", lambda _self: True)
    bench.app.operations.opening.restore(kept)
    qtbot.waitUntil(lambda: bool(looked))
    assert looked == paths[:1]
    go_on.set()
    qtbot.waitUntil(lambda: len(bench.app.session) == 2)
    assert [r.summary.description for r in bench.app.session] == ["Head first", "Head second"]
    qtbot.waitUntil(lambda: bench.app.jobs.is_idle)


def test_a_folder_that_has_gone_is_told_and_costs_no_start(qtbot: QtBot, bench: Bench) -> None:
    gone = OpenSeries(path="/no/such/folder", key="a/b")
    bench.app.operations.opening.restore([gone])
    notice = bench.app.window.banner.notice
    assert notice is not None and "/no/such/folder" in notice.text
    assert len(bench.app.session) == 0


def test_numbers_in_pictures_are_not_changed_by_the_movies_colours() -> None:
    from core.imaging.h264 import to_ycbcr

    grey = np.full((16, 16, 3), 100, np.uint8)
    luma, _ = to_ycbcr(grey)
    assert abs((float(luma[0, 0]) - 16) * 255 / 219 - 100) < 1


def test_a_window_whose_screen_has_gone_comes_back_into_sight(qtbot: QtBot, bench: Bench) -> None:
    import base64

    from PySide6.QtGui import QGuiApplication

    window = bench.app.window
    window.move(50_000, 50_000)
    kept = base64.b64encode(window.saveGeometry().data()).decode()
    window.move(0, 0)
    bench.app.settings.values.window_geometry = kept
    window._restore()
    screens = [screen.availableGeometry() for screen in QGuiApplication.screens()]
    assert any(screen.intersects(window.geometry()) for screen in screens)
