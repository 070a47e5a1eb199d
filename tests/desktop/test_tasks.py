"""Reading for one task and for another: each has its labels, undo and history."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QListWidget
from pytestqt.qtbot import QtBot

from core.imaging.geometry import Plane
from core.labels.schema import Attention, Region
from core.labels.sets import load_label_set
from core.reading.areas import Edit
from core.reading.burnt_in import BurntIn
from core.reading.measurements import Kind, Measurement
from core.session import Reading
from desktop.dialogs.retrain import what_is_new
from desktop.operations.picturing import request_of
from desktop.operations.planning import make_plan
from tests.desktop.conftest import Bench
from tests.desktop.test_review import answered, settle
from tests.desktop.test_window import CTRL, press

FIRST, SECOND = "hemorrhage", "hemorrhage-subtypes"
LINE = Measurement(Kind.LENGTH, Plane.SLICE, 6, ((0.0, 0.0, 30.0), (3.0, 4.0, 30.0)))
BOX, OTHER = (Region((5.0, 5.0, size, size), Attention.LOOK_HERE) for size in (6.0, 9.0))


@pytest.fixture
def reading(qtbot: QtBot, bench: Bench) -> Iterator[Reading]:
    """A series of which slice 3 has a finding; its subtype is given, too, and read for."""
    reading = answered(qtbot, bench)
    label(qtbot, bench, reading, "hemorrhage", 3)
    read_for(bench, SECOND)
    assert reading.case.labels == {} and reading.labelled == 0
    label(qtbot, bench, reading, "subdural", 3)
    yield reading


def label(qtbot: QtBot, bench: Bench, reading: Reading, class_id: str, index: int) -> None:
    bench.app.operations.labels.label(reading, class_id, index)
    settle(qtbot, bench)


def draw(qtbot: QtBot, bench: Bench, reading: Reading, region: Region, *indices: int) -> None:
    for index in indices:
        bench.app.operations.labels.edit_regions(reading, index, Edit(region))
    settle(qtbot, bench)


def shown(reading: Reading) -> dict[int, tuple[Region, ...]]:
    """Slice index → the regions on it, as pictures and the report show them."""
    request = request_of(reading, BurntIn(regions=True))
    assert request is not None
    assert {reading.summary.slice_ids[index] for index in request.regions} == set(
        reading.case.regions
    )
    return dict(request.regions)


def read_for(bench: Bench, task: str) -> None:
    bench.app.label_commands._read_for(task)


def rows(found: QListWidget) -> list[str]:
    return [found.item(row).text() for row in range(found.count())]


def test_labels_are_there_again_whenever_their_task_is_read_for(
    bench: Bench, reading: Reading
) -> None:
    panel = bench.app.window.findings.labels
    both = (FIRST, "Hemorrhage", "hemorrhage"), (SECOND, "Subdural", "subdural")
    for task, name, class_id in both * 2:
        read_for(bench, task)
        assert reading.case.label_at(3) == class_id
        assert reading.labelled == 1
        assert len(rows(panel.history)) == len(rows(panel.jumps)) == 1
        assert rows(panel.history)[0].endswith(f"slice 4: {name}")
        assert rows(panel.jumps)[0].split() == ["4", name]
        reading.case.navigation.go(3)
        assert panel.buttons[class_id].isChecked()


def test_undo_leaves_what_is_not_seen_and_says_why(
    qtbot: QtBot, bench: Bench, reading: Reading
) -> None:
    press(qtbot, bench, Qt.Key.Key_Z, CTRL)
    settle(qtbot, bench)
    assert reading.case.labels == {}
    press(qtbot, bench, Qt.Key.Key_Z, CTRL)
    notice = bench.app.window.banner.notice
    assert notice is not None and "for another task" in notice.text
    read_for(bench, FIRST)
    assert reading.case.label_at(3) == "hemorrhage"
    assert not bench.app.window.findings.labels.redo.isEnabled()
    read_for(bench, SECOND)
    press(qtbot, bench, Qt.Key.Key_Y, CTRL)
    settle(qtbot, bench)
    assert reading.case.label_at(3) == "subdural"
    read_for(bench, FIRST)
    press(qtbot, bench, Qt.Key.Key_Z, CTRL)
    settle(qtbot, bench)
    assert reading.case.labels == {}


def test_undo_keeps_the_order_of_what_is_seen(qtbot: QtBot, bench: Bench, reading: Reading) -> None:
    book, labels = reading.case.measurements, bench.app.operations.labels
    book.add(LINE)
    labels.note(reading, 3, "thin")
    settle(qtbot, bench)
    read_for(bench, FIRST)
    left = []
    for _ in range(3):
        press(qtbot, bench, Qt.Key.Key_Z, CTRL)
        settle(qtbot, bench)
        left.append((len(labels.notes(reading)), len(book), len(reading.case.labels)))
    assert left == [(0, 1, 1), (0, 0, 1), (0, 0, 0)]
    assert rows(bench.app.window.findings.labels.history)[1].endswith("note undone")
    read_for(bench, SECOND)
    assert reading.case.label_at(3) == "subdural"


def test_a_slice_settled_for_one_task_is_labelled_for_another(
    qtbot: QtBot, bench: Bench, reading: Reading
) -> None:
    labels = bench.app.operations.labels
    reading.case.navigation.go(3)
    labels.adjudicate(reading, "epidural", "Seen on MR.")
    settle(qtbot, bench)
    assert list(labels.said_of(reading, 3).values()) == ["epidural"]
    read_for(bench, FIRST)
    assert list(labels.said_of(reading, 3).values()) == ["hemorrhage"]
    label(qtbot, bench, reading, "no_hemorrhage", 3)
    assert reading.case.label_at(3) == "no_hemorrhage"
    assert labels.labelling is not None
    standing = labels.labelling.standing()
    plan = make_plan(bench.app.session.label_set, standing, None, [])
    assert (plan.slices, plan.positives) == (1, 0)


def test_regions_are_there_again_whenever_their_task_is_read_for(
    qtbot: QtBot, bench: Bench, reading: Reading
) -> None:
    stage, drawn = bench.app.window.stage, bench.app.window.drawn
    jumps = bench.app.window.findings.labels.jumps
    read_for(bench, FIRST)
    draw(qtbot, bench, reading, BOX, 3, 5)
    read_for(bench, SECOND)
    assert shown(reading) == {}
    draw(qtbot, bench, reading, OTHER, 3)
    assert stage.fill_between() == {}, "between a slice of this task and one of another is nothing"
    for _ in range(2):
        read_for(bench, FIRST)
        assert shown(reading) == {3: (BOX,), 5: (BOX,)}
        assert [row[:7] for row in rows(drawn)] == ["Slice 4", "Slice 6"]
        assert [row.split() for row in rows(jumps)] == [
            ["4", "Hemorrhage", "1", "region"],
            ["6", "1", "region"],
        ]
        read_for(bench, SECOND)
        assert shown(reading) == {3: (OTHER,)}
        assert [row[:7] for row in rows(drawn)] == ["Slice 4"]
        assert [row.split() for row in rows(jumps)] == [["4", "Subdural", "1", "region"]]
    bench.app.operations.labels.edit_regions(reading, 3, Edit(taken=OTHER))
    settle(qtbot, bench)
    read_for(bench, FIRST)
    filled = stage.fill_between()
    assert list(filled) == [4]
    bench.app.operations.labels.mark_slices(reading, filled)
    settle(qtbot, bench)
    assert sorted(shown(reading)) == [3, 4, 5]
    read_for(bench, SECOND)
    assert shown(reading) == {}
    assert bench.app.operations.labels.labelling is not None
    marks = bench.app.operations.labels.labelling.marks()
    assert {(mark.draft.label_set, mark.draft.slice_index) for mark in marks} == {
        (FIRST, index) for index in (3, 4, 5)
    }
    standing = bench.app.operations.labels.labelling.standing()
    read_for(bench, FIRST)
    plan = make_plan(bench.app.session.label_set, standing, None, [], marks)
    assert (plan.marked, plan.marked_since) == (3, 3)
    assert "3 slices have regions; 3 newer" in what_is_new(plan)
    other = make_plan(load_label_set(SECOND), standing, None, [], marks)
    assert other.marked == 0 and "regions" not in what_is_new(other)


def test_regions_are_undone_only_where_they_are_seen(
    qtbot: QtBot, bench: Bench, reading: Reading
) -> None:
    def turn(key: Qt.Key) -> None:
        press(qtbot, bench, key, CTRL)
        settle(qtbot, bench)

    book, history = reading.case.measurements, bench.app.window.findings.labels.history
    read_for(bench, FIRST)
    draw(qtbot, bench, reading, BOX, 3)
    book.add(LINE)
    read_for(bench, SECOND)
    left = []
    for _ in range(3):
        turn(Qt.Key.Key_Z)
        left.append((len(book), len(reading.case.labels)))
    assert left == [(0, 1), (0, 0), (0, 0)]
    notice = bench.app.window.banner.notice
    assert notice is not None and "for another task" in notice.text
    read_for(bench, FIRST)
    assert shown(reading) == {3: (BOX,)}
    turn(Qt.Key.Key_Z)
    assert shown(reading) == {} and rows(history)[0].endswith("regions undone")
    read_for(bench, SECOND)
    draw(qtbot, bench, reading, OTHER, 3)
    assert not bench.app.operations.labels.can_redo(reading)
    read_for(bench, FIRST)
    turn(Qt.Key.Key_Y)
    assert shown(reading) == {3: (BOX,)} and rows(history)[0].endswith("regions redone")
    assert reading.case.label_at(3) == "hemorrhage"


def test_what_learnt_is_asked_of_the_label_and_regions_that_are_seen(
    qtbot: QtBot, bench: Bench, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def learnt_from(sequence: int, **_: object) -> list[object]:
        asked.append(sequence)
        return []

    monkeypatch.setattr("core.retraining.lineage.learnt_from", learnt_from)
    draw(qtbot, bench, reading, BOX, 3)
    read_for(bench, FIRST)
    draw(qtbot, bench, reading, BOX, 3)
    found = []
    for task in (FIRST, SECOND):
        read_for(bench, task)
        bench.app.operations.tracing.learnt(reading, reading.summary.slice_ids[3])
        qtbot.waitUntil(lambda: len(asked) == 2)
        settle(qtbot, bench)
        found.append(sorted(asked))
        asked.clear()
    assert found == [[1, 4], [2, 3]]
