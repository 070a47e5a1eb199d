"""Measurements outlive a series that is closed, and the window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core import places
from core.imaging.geometry import Plane
from core.models.catalogue import Catalogue
from core.reading.measurements import Kind, Measurement
from core.session import Reading
from desktop.app import Application
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries, PlainEngine
from tests.desktop.test_window import CTRL, opened, press

LENGTH = Measurement(Kind.LENGTH, Plane.SLICE, 4, ((1.0, 2.0, 20.0), (9.0, 2.0, 20.0)))


def shown(reading: Reading) -> list[tuple[Kind, int]]:
    return [(one.kind, one.index) for one in reading.case.measurements]


def test_what_was_measured_is_there_when_the_series_is_opened_again(
    qtbot: QtBot, bench: Bench, tmp_path: Path
) -> None:
    app, series = bench.app, MemorySeries("measured")
    reading = opened(qtbot, bench, series)
    reading.case.measurements.add(LENGTH)
    app.operations.close_series(reading)

    again = opened(qtbot, bench, series)
    assert again is not reading
    qtbot.waitUntil(lambda: shown(again) == [(Kind.LENGTH, 4)])
    press(qtbot, bench, Qt.Key.Key_Z, CTRL)
    assert shown(again) == [(Kind.LENGTH, 4)], "it is no step of this reading"
    again.case.measurements.add(LENGTH.moved((0, 0, 0)))
    press(qtbot, bench, Qt.Key.Key_Z, CTRL)
    assert shown(again) == [(Kind.LENGTH, 4)]
    again.case.measurements.add(Measurement(Kind.LENGTH, Plane.ROW, 7, LENGTH.points))
    app.close()

    engines: list[PlainEngine] = []

    def make_engine(post: object) -> PlainEngine:
        engines.append(PlainEngine(post))  # type: ignore[arg-type]
        return engines[0]

    later = Application(make_engine, Catalogue(shipped=tmp_path / "weights"))
    qtbot.addWidget(later.window)
    try:
        fewer = later.session.add(series)
        qtbot.waitUntil(lambda: len(shown(fewer)) == 2)
        assert shown(fewer) == [(Kind.LENGTH, 4), (Kind.LENGTH, 7)]
        fewer.case.measurements.clear()
    finally:
        later.close()
    assert not list(places.measurements().iterdir()), "what was taken away is not kept"


def test_another_reader_does_not_see_them(qtbot: QtBot, bench: Bench) -> None:
    series, labels = MemorySeries("measured"), bench.app.operations.labels
    first, second = labels.reader, "somebody else"
    for reader, expected in ((first, 0), (second, 0), (first, 1), (second, 1)):
        labels.sign_in(reader)
        reading = opened(qtbot, bench, series)
        qtbot.waitUntil(lambda: len(shown(reading)) == expected)  # noqa: B023
        qtbot.waitUntil(lambda: bench.app.jobs.is_idle)
        assert len(shown(reading)) == expected
        if not expected:
            reading.case.measurements.add(LENGTH)
        bench.app.operations.close_series(reading)


def test_a_damaged_file_is_told_and_kept_aside(qtbot: QtBot, bench: Bench) -> None:
    series = MemorySeries("damaged")
    reading = opened(qtbot, bench, series)
    reading.case.measurements.add(LENGTH)
    bench.app.operations.close_series(reading)
    folder = places.measurements()
    qtbot.waitUntil(lambda: folder.is_dir() and len(list(folder.glob("*.json"))) == 1)
    (file,) = folder.glob("*.json")
    file.write_text("{")
    again = opened(qtbot, bench, series)
    qtbot.waitUntil(lambda: bench.app.window.banner.notice is not None)
    notice = bench.app.window.banner.notice
    assert notice is not None and "measurements" in notice.text
    assert shown(again) == []
    assert file.with_suffix(".damaged").read_text() == "{"
