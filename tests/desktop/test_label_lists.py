"""The list of labelled slices: numbers that line up, and the slice looked at in sight."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries
from tests.desktop.test_review import answered, settle


def test_the_slice_looked_at_is_in_sight_after_another_theme(qtbot: QtBot, bench: Bench) -> None:
    reading = answered(qtbot, bench, MemorySeries("a", slices=60))
    bench.app.operations.labels.label_series(reading, "no_hemorrhage")
    settle(qtbot, bench)
    reading.case.navigation.go(49)
    bench.app.settings.change_looks(theme="light")
    qtbot.waitUntil(lambda: bench.app.window.findings.labels.jumps.currentRow() == 49)
    jumps = bench.app.window.findings.labels.jumps

    def in_sight() -> bool:
        return jumps.viewport().rect().contains(jumps.visualItemRect(jumps.currentItem()))

    qtbot.waitUntil(in_sight)


def test_numbers_are_as_wide_as_the_longest(qtbot: QtBot, bench: Bench) -> None:
    reading = answered(qtbot, bench, MemorySeries("a"))
    for index in (1, 10):
        bench.app.operations.labels.label(reading, "hemorrhage", index)
    settle(qtbot, bench)
    jumps = bench.app.window.findings.labels.jumps
    widths = {jumps.fontMetrics().horizontalAdvance(jumps.item(row).text()) for row in range(2)}
    assert [jumps.item(row).text()[:2].strip() for row in range(2)] == ["2", "11"]
    assert len(widths) == 1


def test_tab_reaches_the_classes_between_judging_and_clearing(qtbot: QtBot, bench: Bench) -> None:
    answered(qtbot, bench)
    labels = bench.app.window.findings.labels
    follows, widget = [], labels.reject.nextInFocusChain()
    while widget is not labels.clear:
        follows.append(widget)
        widget = widget.nextInFocusChain()
    assert follows == list(labels.buttons.values())
