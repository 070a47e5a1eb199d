"""The list of all that is drawn on a series: each row leads to its slice and can be taken away."""

from __future__ import annotations

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.imaging.geometry import Plane
from core.labels.schema import Attention, Region
from core.reading.areas import Edit
from core.reading.measurements import Kind, Measurement
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries
from tests.desktop.test_window import opened


def test_regions_and_measurements_are_listed_singly_gone_to_and_deleted(
    qtbot: QtBot, bench: Bench
) -> None:
    reading = opened(qtbot, bench, MemorySeries("head"))
    case, drawn = reading.case, bench.app.window.drawn
    assert drawn.count() == 1 and not drawn.item(0).flags() & Qt.ItemFlag.ItemIsEnabled
    labels = bench.app.operations.labels
    for index, attention in ((2, Attention.LOOK_HERE), (8, Attention.NOT_HERE)):
        region = Region((5.0, 5.0, 4.0, 6.0), attention)
        labels.edit_regions(reading, index, Edit(added=region))
    qtbot.waitUntil(lambda: len(case.regions) == 2)
    ends = (
        case.summary.geometry.to_patient((4, 2, 2)),
        case.summary.geometry.to_patient((4, 2, 22)),
    )
    points = tuple(tuple(float(v) for v in end) for end in ends)
    case.measurements.add(Measurement(Kind.LENGTH, Plane.SLICE, 4, points))  # type: ignore[arg-type]
    words = [drawn.item(row).text() for row in range(drawn.count())]
    assert words == [
        "Slice 3 · look here · box",
        "Slice 5 · length · 10.0 mm",
        "Slice 9 · not here · box",
    ]
    lists = bench.app.window.findings.labels.lists
    lists.setCurrentWidget(drawn)
    assert lists.tabText(lists.indexOf(drawn)) == "Drawn (3)"
    place = drawn.visualItemRect(drawn.item(2)).center()
    qtbot.mouseClick(drawn.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert case.navigation.index() == 8
    drawn.setFocus()
    qtbot.keyClick(drawn, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: len(case.regions) == 1)
    place = drawn.visualItemRect(drawn.item(1)).center()
    qtbot.mouseClick(drawn.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert case.navigation.index() == 4
    drawn.delete_current()
    assert len(case.measurements) == 0
    assert [drawn.item(row).text() for row in range(drawn.count())] == ["Slice 3 · look here · box"]
    bench.app.operations.undoing.undo(reading)  # the measurement comes back
    assert drawn.count() == 2
