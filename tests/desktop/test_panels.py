"""What the panels draw from what they are told."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPixmap
from pytestqt.qtbot import QtBot

from desktop import appearance
from desktop.notices import Level, Notice
from desktop.operations.comparing import ChangedCase, ComparisonView, Contender
from desktop.panels.banner import Banner
from desktop.panels.bars import ProbabilityBar, percent
from desktop.panels.comparison import ComparisonPage
from desktop.panels.footer import duration
from desktop.panels.plot import Curve, LinePlot, nice_ticks
from desktop.panels.studies import two_lines
from desktop.panels.training import TrainingPanel
from desktop.run_watcher import Epoch, RunView


@pytest.fixture(autouse=True)
def _dressed(qapp: object) -> None:
    appearance.apply(qapp)  # type: ignore[arg-type]


@given(st.floats(0, 1))
def test_percent_is_never_falsely_certain(probability: float) -> None:
    said = percent(probability)
    assert (said == "0 %") == (probability == 0)
    assert (said == "100 %") == (probability == 1)


@given(st.floats(0, 1e6))
def test_durations_are_short_words(seconds: float) -> None:
    assert len(duration(seconds)) <= 14
    assert duration(30) == "30 s" and duration(150) == "2 min" and duration(7800) == "2 h 10 min"


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 10))
def test_ticks_are_round_and_inside(low: float, span: float, wanted: int) -> None:
    high = low + span
    ticks = nice_ticks(low, high, wanted)
    assert all(low - span * 1e-6 <= value <= high + span * 1e-6 for value in ticks)
    assert len(ticks) <= wanted + 1
    steps = np.diff(ticks)
    if len(steps):
        power = 10 ** math.floor(math.log10(steps[0]) + 1e-9)
        assert any(abs(steps[0] / power - factor) < 1e-3 for factor in (1, 2, 5, 10))


def test_a_series_is_named_by_its_patient_or_else_over_two_lines() -> None:
    def fits(words: str) -> bool:
        return len(words) <= 12

    title = "SYNTHETIC PHANTOM head 5 mm"
    assert two_lines("Phantom One", title, fits) == ("Phantom One", title)
    assert two_lines("", "T1 sagittal", fits) == ("T1 sagittal", "")
    assert two_lines("", title, fits) == ("SYNTHETIC", "PHANTOM head 5 mm")
    assert two_lines("", "one-long-word-alone", fits) == ("one-long-word-alone", "")
    assert two_lines("", "one-long-word-first then", fits) == ("one-long-word-first then", "")


def test_a_bar_is_as_long_as_its_probability_and_marks_the_threshold(qtbot: QtBot) -> None:
    bar = ProbabilityBar("Hemorrhage", "#ff0000")
    qtbot.addWidget(bar)
    bar.resize(400, 44)
    for probability in (0.25, 0.75):
        bar.show_answer(probability, 0.5)
        image = bar.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
        row = 27
        red = [x for x in range(400) if image.pixelColor(x, row).red() > 200
               and image.pixelColor(x, row).green() < 80]  # fmt: skip
        assert max(red) == pytest.approx(400 * probability, abs=5)
        mark = image.pixelColor(200, row)
        assert mark.green() > 150, "the threshold's mark stands in the middle"


def test_curves_are_drawn_where_their_values_are(qtbot: QtBot) -> None:
    plot = LinePlot("Loss")
    qtbot.addWidget(plot)
    plot.resize(300, 200)
    empty = plot.grab().toImage()
    plot.draw((Curve("", "#00ff00", ((1, 0.1), (2, 0.9)), dots=True),), (0.8, 2.2), (0.0, 1.0))
    drawn = plot.grab().toImage()
    green = [
        (x, y)
        for x in range(300)
        for y in range(200)
        if drawn.pixelColor(x, y).green() > 200 and drawn.pixelColor(x, y).red() < 60
    ]
    assert empty != drawn
    left, right = min(green), max(green)
    assert left[1] > right[1], "the line rises from left to right"


@pytest.mark.usefixtures("qapp")
@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_an_axis_of_a_share_does_not_reach_beyond_one(values: list[float]) -> None:
    plot = LinePlot("AUROC")
    curve = Curve("", "#00ff00", tuple(enumerate(values)))
    plot.draw((curve,), (0, 9), within=(0.0, 1.0))
    low, high = plot.y_range
    assert 0 <= low <= min(values) and max(values) <= high <= 1 and low < high
    plot.draw((curve,), (0, 9))
    assert plot.y_range[0] < min(values) and plot.y_range[1] > max(values)
    plot.deleteLater()


def contender(name: str, area: float) -> Contender:
    return Contender(
        name, f"Model {name}", (0.0, 0.1, 1.0), (0.0, area, 1.0), 0.4, ((8, 2), (1, 9)),
        {"AUROC": f"{area:.3f} (0.1 – 1.0)"},
    )  # fmt: skip


def view() -> ComparisonView:
    changed = (
        ChangedCase("p1", 3, "Hemorrhage", 0.3, 0.8, is_worse=False, slice_id="s3"),
        ChangedCase("p2", 5, "No hemorrhage", 0.3, 0.5, is_worse=True, slice_id="s5"),
        ChangedCase("p3", 7, "No hemorrhage", 0.1, 0.9, is_worse=True),
    )
    return ComparisonView(
        contender("a", 0.8), contender("b", 0.9), 20, 4, "no hemorrhage", "hemorrhage",
        "It is 0.1 higher.", True, ("Mind this.",), changed,
    )  # fmt: skip


@pytest.mark.parametrize("width", [520, 900])
def test_the_comparison_lists_what_got_worse_first(qtbot: QtBot, width: int) -> None:
    page = ComparisonPage()
    qtbot.addWidget(page)
    page.resize(width, 800)
    page.show()
    page.show_comparison(view())
    words = [page.changed.table.item(row, 0).text() for row in range(3)]
    assert words == ["p3", "p2", "p1"]
    asked: list[str] = []
    page.case_wanted.connect(asked.append)
    page.changed.table.itemClicked.emit(page.changed.table.item(0, 0))
    page.changed.table.itemClicked.emit(page.changed.table.item(1, 0))
    assert asked == ["s5"], "a slice whose series is not open leads nowhere"


def test_each_changed_case_shows_what_both_models_looked_at(qtbot: QtBot, tmp_path: Path) -> None:
    drawn = QPixmap(900, 290)
    drawn.fill(QColor("red"))
    assert drawn.save(str(tmp_path / "p3.png"))
    shown = view()
    *others, worst = shown.changed
    page = ComparisonPage()
    qtbot.addWidget(page)
    page.resize(900, 1200)
    page.show()
    page.show_comparison(
        replace(shown, changed=(*others, replace(worst, picture=tmp_path / "p3.png")))
    )
    picture = page.changed.picture
    assert picture.isVisible(), "that of the case which got worst, without a click"
    assert picture.pixmap().deviceIndependentSize().width() <= picture.width()
    assert "p3, slice 8" in picture.accessibleName()
    page.changed.table.setCurrentCell(1, 0)
    assert not picture.isVisible(), "nothing was drawn of this one"
    page.changed.table.setCurrentCell(0, 0)
    assert picture.isVisible()


def test_nothing_is_promoted_without_a_reason(qtbot: QtBot) -> None:
    page = ComparisonPage()
    qtbot.addWidget(page)
    page.show_comparison(view())
    assert not page.promote.isEnabled()
    page.reason.setText("   ")
    assert not page.promote.isEnabled()
    page.reason.setText("better on my cases")
    with qtbot.waitSignal(page.promote_wanted) as promoted:
        page.promote.click()
    assert promoted.args == ["better on my cases"]


def test_the_training_panel_offers_what_can_be_done(qtbot: QtBot) -> None:
    panel = TrainingPanel()
    qtbot.addWidget(panel)
    epochs = (Epoch(1, 0.6, 0.7, 0.8), Epoch(2, 0.5, 0.6, 0.85))
    offered = {
        "running": (True, False, False),
        "stopped": (False, True, False),
        "failed": (False, True, False),
        "finished": (False, False, True),
    }
    for state, (stop, resume, result) in offered.items():
        panel.show_run(RunView(Path("run"), state, epochs, of=4))  # type: ignore[arg-type]
        assert panel._stop.isVisibleTo(panel) is stop
        assert panel._resume.isVisibleTo(panel) is resume
        assert panel._result.isVisibleTo(panel) is result
    assert [curve.points for curve in panel.auroc.curves] == [((1, 0.8), (2, 0.85))]


def test_a_banner_offers_details_and_a_way_on(qtbot: QtBot) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    done: list[str] = []
    banner.tell(Notice(Level.ERROR, "It failed.", "line 3", {"Again": lambda: done.append("x")}))
    assert banner._details_button.isVisibleTo(banner)
    assert not banner._details.isVisibleTo(banner)
    banner._details_button.click()
    assert banner._details.isVisibleTo(banner)
    banner._copy.click()
    assert QGuiApplication.clipboard().text() == "It failed.\nline 3"
    banner._buttons.itemAt(0).widget().click()  # type: ignore[union-attr]
    assert done == ["x"] and banner.notice is None


def test_a_message_that_asks_nothing_goes_by_itself(qtbot: QtBot) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    for notice, goes in (
        (Notice(Level.INFO, "This was the last one."), True),
        (Notice(Level.DONE, "Saved."), True),
        (Notice(Level.INFO, "One file was left out.", "its name"), False),
        (Notice(Level.INFO, "It can be undone.", "", {"Undo": lambda: None}), False),
        (Notice(Level.CAUTION, "It was not asked."), False),
        (Notice(Level.ERROR, "It cannot be read."), False),
    ):
        banner.tell(notice)
        banner._rest.timeout.emit()
        assert (banner.notice is None) is goes and banner.isHidden() is goes
