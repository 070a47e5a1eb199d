"""Reading a series that somebody stops, and goes on with."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.session import LoadState
from desktop.notices import Level
from tests.desktop.conftest import Bench
from tests.desktop.series import Paused


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_reading_that_was_stopped_is_said_and_goes_on_when_the_series_is_chosen_again(
    qtbot: QtBot, bench: Bench, by: str
) -> None:
    series, window, jobs = Paused(), bench.app.window, bench.app.jobs
    bench.app.operations.opening.open_paths([bench.add(series)])
    qtbot.waitUntil(lambda: series.read == 3)
    reading = bench.app.session.current
    assert reading is not None
    work = next(item for item in jobs.running() if item.title == "Reading 60 slices")
    jobs.cancel(work.id)
    jobs.cancel(work.id)  # twice is once
    series.goes_on.set()
    qtbot.waitUntil(lambda: jobs.is_idle)
    assert reading.load_state is LoadState.HEADERS
    notice = window.banner.notice
    assert notice is not None and notice.level is Level.INFO and "stopped" in notice.text
    assert bench.engine.requests == []

    view = window.studies.view
    if by == "mouse":
        place = view.visualRect(view.currentIndex()).center()
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    else:
        qtbot.keyClick(view, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: reading.load_state is LoadState.LOADED)
    assert reading.case.is_complete


def test_what_the_reader_goes_on_to_is_read_next(qtbot: QtBot, bench: Bench) -> None:
    series = Paused()
    bench.app.operations.opening.open_paths([bench.add(series)])
    qtbot.waitUntil(lambda: series.read == 3)
    reading = bench.app.session.current
    assert reading is not None and series.looks is not None
    assert series.looks() == 30
    reading.case.navigation.go(55)
    assert series.looks() == 55
    series.goes_on.set()
    qtbot.waitUntil(lambda: reading.load_state is LoadState.LOADED)


def test_closing_what_is_being_read_is_no_stop_that_is_told(qtbot: QtBot, bench: Bench) -> None:
    series = Paused()
    bench.app.operations.opening.open_paths([bench.add(series)])
    qtbot.waitUntil(lambda: series.read == 3)
    reading = bench.app.session.current
    assert reading is not None
    bench.app.operations.close_series(reading)
    series.goes_on.set()
    qtbot.waitUntil(lambda: bench.app.jobs.is_idle)
    assert len(bench.app.session) == 0 and bench.app.window.banner.notice is None
