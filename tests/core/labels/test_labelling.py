"""The labelling service: what the window asks and is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import NotDurableError
from core.labels.history import HistoryEntry
from core.labels.journal import Journal
from core.labels.labelling import Labelling, LabelsChanged
from core.labels.reader import default_reader
from core.labels.schema import Action, Attention, Region
from tests.core.labels.support import HEMORRHAGE, OPINION, OTHER, SERIES, SUBTYPES, draft

FIRST, SECOND = SERIES.slice_ids[:2]
BOX = Region((10, 20, 30, 40), Attention.NOT_HERE, "hemorrhage")


@pytest.fixture
def journal(store: Path | str) -> Iterator[Journal]:
    with Journal(store) as journal:
        yield journal


@pytest.fixture
def labelling(journal: Journal) -> Labelling:
    return Labelling(journal, "kim")


def label(labelling: Labelling, index: int, class_id: str = "hemorrhage") -> None:
    labelling.label(SERIES, index, class_id, label_set=HEMORRHAGE)


def test_a_label_states_what_the_model_had_said(labelling: Labelling) -> None:
    (event,) = labelling.label(
        SERIES, 1, "no_hemorrhage", label_set=HEMORRHAGE, opinion=OPINION, reason="calcified"
    )
    assert event.draft.opinion == OPINION
    assert event.draft.reason == "calcified"
    assert (event.draft.old, event.draft.new) == (None, "no_hemorrhage")
    assert event.draft.slice_id == SECOND
    assert labelling.current(SERIES.case_id, HEMORRHAGE.id) == {SECOND: "no_hemorrhage"}
    assert labelling.counts(HEMORRHAGE.id) == {SERIES.case_id: 1}
    assert labelling.standing() == (event,)


def test_the_window_is_told_once_a_step_and_only_when_durable(
    journal: Journal, labelling: Labelling
) -> None:
    told: list[LabelsChanged] = []

    def hear(change: LabelsChanged) -> None:
        assert change.events == journal.events()[-len(change.events) :]
        told.append(change)

    labelling.changed.connect(hear)
    labelling.label_series(SERIES, "hemorrhage", label_set=HEMORRHAGE)
    label(labelling, 0)  # that is its label already
    labelling.undo()
    assert [len(change.slice_ids) for change in told] == [6, 6]
    assert {change.reader for change in told} == {"kim"}
    assert told[0].case_id == SERIES.case_id


def test_a_listener_may_label_in_turn(labelling: Labelling) -> None:
    def follow(change: LabelsChanged) -> None:
        if FIRST in change.slice_ids:
            label(labelling, 1)

    labelling.changed.connect(follow)
    label(labelling, 0)
    assert set(labelling.current(SERIES.case_id, HEMORRHAGE.id)) == {FIRST, SECOND}


def test_undo_stays_in_the_case(labelling: Labelling) -> None:
    label(labelling, 0)
    labelling.label(OTHER, 0, "hemorrhage", label_set=HEMORRHAGE)
    assert labelling.undo(SERIES.case_id)
    assert labelling.current(SERIES.case_id, HEMORRHAGE.id) == {}
    assert labelling.current(OTHER.case_id, HEMORRHAGE.id)
    assert not labelling.undo(SERIES.case_id)
    assert labelling.undo(OTHER.case_id)
    assert labelling.redo()  # the case touched last
    assert labelling.current(OTHER.case_id, HEMORRHAGE.id)


def test_undo_begins_anew_with_the_program(journal: Journal, labelling: Labelling) -> None:
    label(labelling, 0)
    again = Labelling(journal, "kim")
    assert again.current(SERIES.case_id, HEMORRHAGE.id) == {FIRST: "hemorrhage"}
    assert not again.can_undo(SERIES.case_id)
    assert again.undo(SERIES.case_id) == ()


def test_a_new_label_ends_redo(labelling: Labelling) -> None:
    label(labelling, 0)
    labelling.undo()
    assert labelling.can_redo()
    label(labelling, 1)
    assert not labelling.can_redo()
    assert labelling.redo() == ()


def test_a_second_reader_reads_blind_and_confirms(labelling: Labelling) -> None:
    label(labelling, 0)
    labelling.sign_in("lee")
    assert labelling.own(SERIES.case_id, HEMORRHAGE.id) == {}
    assert not labelling.can_undo(SERIES.case_id)
    (same,) = labelling.label(SERIES, 0, "hemorrhage", label_set=HEMORRHAGE)
    assert (same.draft.old, same.draft.new) == ("hemorrhage", "hemorrhage")
    place = (SERIES.case_id, HEMORRHAGE.id)
    assert labelling.own(*place) == labelling.own(*place, "kim")
    labelling.clear(SERIES, 0, label_set=HEMORRHAGE)
    assert labelling.current(SERIES.case_id, HEMORRHAGE.id) == {}
    assert labelling.own(SERIES.case_id, HEMORRHAGE.id, "kim") == {FIRST: "hemorrhage"}
    labelling.undo()
    assert labelling.current(SERIES.case_id, HEMORRHAGE.id) == {FIRST: "hemorrhage"}


def test_an_adjudication_outweighs_later_labels(labelling: Labelling) -> None:
    label(labelling, 0)
    labelling.sign_in("chief")
    labelling.adjudicate(SERIES, 0, "no_hemorrhage", label_set=HEMORRHAGE, reason="calcification")
    labelling.sign_in("lee")
    label(labelling, 0)
    assert labelling.current(SERIES.case_id, HEMORRHAGE.id) == {FIRST: "no_hemorrhage"}
    assert labelling.own(SERIES.case_id, HEMORRHAGE.id) == {FIRST: "hemorrhage"}
    with pytest.raises(ValueError, match="reason"):
        labelling.adjudicate(SERIES, 0, "hemorrhage", label_set=HEMORRHAGE, reason=" ")


def test_regions_and_notes_are_undone_like_labels(labelling: Labelling) -> None:
    label(labelling, 0)
    labelling.mark(SERIES, 0, [BOX], label_set=HEMORRHAGE, opinion=OPINION)
    labelling.note(SERIES, 0, "choroid plexus", label_set=HEMORRHAGE)
    assert labelling.mark(SERIES, 0, [BOX], label_set=HEMORRHAGE) == ()
    assert labelling.note(SERIES, 0, "choroid plexus", label_set=HEMORRHAGE) == ()
    assert labelling.regions(SERIES.case_id, HEMORRHAGE.id) == {FIRST: (BOX,)}
    assert labelling.notes(SERIES.case_id) == {FIRST: "choroid plexus"}
    labelling.undo()
    labelling.undo()
    assert (labelling.regions(SERIES.case_id, HEMORRHAGE.id), labelling.notes(SERIES.case_id)) == (
        {},
        {},
    )
    assert labelling.current(SERIES.case_id, HEMORRHAGE.id) == {FIRST: "hemorrhage"}
    labelling.redo()
    assert labelling.regions(SERIES.case_id, HEMORRHAGE.id) == {FIRST: (BOX,)}
    labelling.mark(SERIES, 0, [], label_set=HEMORRHAGE)
    assert labelling.regions(SERIES.case_id, HEMORRHAGE.id) == {}


def test_the_history_reads_step_by_step(labelling: Labelling) -> None:
    label(labelling, 0)
    labelling.label_series(SERIES, "no_hemorrhage", label_set=HEMORRHAGE, reason="all clear")
    labelling.undo()
    first, second, third = labelling.history(SERIES.case_id)

    def told(entry: HistoryEntry) -> tuple[Action, Action | None, int, bool]:
        return (entry.action, entry.of, len(entry.changes), entry.stands)

    assert told(first) == (Action.LABEL, None, 1, True)
    assert told(second) == (Action.LABEL, None, 6, False)
    assert told(third) == (Action.UNDO, Action.LABEL, 6, True)
    assert second.reason == "all clear"
    assert (third.changes[0].old, third.changes[0].new) == ("no_hemorrhage", "hemorrhage")
    assert labelling.history("unknown") == []


def test_an_unknown_class_is_refused_before_anything_is_written(
    journal: Journal, labelling: Labelling
) -> None:
    with pytest.raises(KeyError):
        label(labelling, 0, "fracture")
    with pytest.raises(IndexError):
        label(labelling, 99)
    assert journal.events() == ()


def test_what_could_not_be_saved_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with Journal(path) as journal:
        labelling = Labelling(journal, "kim")
        label(labelling, 0)
        told: list[object] = []
        labelling.changed.connect(told.append)
        path.rename(tmp_path / "moved.db")
        with pytest.raises(NotDurableError):
            label(labelling, 1)
        with pytest.raises(NotDurableError):
            labelling.undo()
        assert labelling.current(SERIES.case_id, HEMORRHAGE.id) == {FIRST: "hemorrhage"}
        assert told == []
        (tmp_path / "moved.db").rename(path)
        label(labelling, 1)
        assert len(told) == 1


def test_what_others_wrote_is_taken_over(journal: Journal, labelling: Labelling) -> None:
    journal.append(draft(0), reader="lee")
    told: list[LabelsChanged] = []
    labelling.changed.connect(told.append)
    assert len(labelling.refresh()) == 1
    assert told[0].reader == "lee"
    journal.append(draft(1), reader="lee")
    label(labelling, 2)  # finds lee's second label on the way
    assert len(labelling.current(SERIES.case_id, HEMORRHAGE.id)) == 3
    assert labelling.refresh() == ()


def test_questions_are_answered_while_the_disk_is_busy(
    journal: Journal, labelling: Labelling
) -> None:
    label(labelling, 0)
    with journal._turn:  # as if an append were waiting for the disk
        writer = threading.Thread(target=label, args=(labelling, 1))
        writer.start()
        assert labelling.current(SERIES.case_id, HEMORRHAGE.id) == {FIRST: "hemorrhage"}
        assert labelling.can_undo()
        assert labelling.history(SERIES.case_id)
    writer.join()
    assert len(labelling.current(SERIES.case_id, HEMORRHAGE.id)) == 2


def test_the_reader_has_a_name(labelling: Labelling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICELOOP_READER", " Dr. Kim ")
    assert default_reader() == "Dr. Kim"
    monkeypatch.delenv("SLICELOOP_READER")
    assert default_reader()
    with pytest.raises(ValueError, match="name"):
        labelling.sign_in("  ")


def test_a_blind_reader_sees_and_states_only_their_own(
    journal: Journal, labelling: Labelling
) -> None:
    label(labelling, 0)
    labelling.mark(SERIES, 0, [BOX], label_set=HEMORRHAGE)
    labelling.sign_in("lee")
    labelling.read_blind(True)
    assert labelling.is_blind
    assert labelling.current(SERIES.case_id, HEMORRHAGE.id) == {}
    assert labelling.regions(SERIES.case_id, HEMORRHAGE.id) == {}
    assert labelling.history(SERIES.case_id) == []
    assert labelling.counts(HEMORRHAGE.id) == {}
    (said,) = labelling.label(SERIES, 0, "no_hemorrhage", label_set=HEMORRHAGE)
    assert (said.draft.old, said.draft.new, said.draft.blind) == (None, "no_hemorrhage", True)
    (undone,) = labelling.undo()
    assert (undone.draft.old, undone.draft.new) == ("no_hemorrhage", None)
    labelling.redo()
    assert labelling.current(SERIES.case_id, HEMORRHAGE.id) == {FIRST: "no_hemorrhage"}
    assert len(labelling.standing()) == 1
    labelling.read_blind(False)
    assert len(labelling.history(SERIES.case_id)) == 5
    assert journal.events()[0].draft.blind is False


def test_a_class_of_one_label_set_leaves_those_of_the_others(labelling: Labelling) -> None:
    case = SERIES.case_id
    label(labelling, 0)
    (other,) = labelling.label(SERIES, 0, "no_hemorrhage", label_set=SUBTYPES)
    assert (other.draft.old, other.draft.new) == (None, "no_hemorrhage")
    assert labelling.current(case, HEMORRHAGE.id) == {FIRST: "hemorrhage"}
    assert labelling.current(case, SUBTYPES.id) == {FIRST: "no_hemorrhage"}
    assert labelling.label_sets(case) == (HEMORRHAGE.id, SUBTYPES.id)
    (same,) = labelling.label(SERIES, 1, "no_hemorrhage", label_set=HEMORRHAGE)
    assert same.draft.old is None, "a class of the same name in another label set is another class"
    everything = labelling.label_series(SERIES, "subdural", label_set=SUBTYPES)
    assert [event.draft.old for event in everything] == ["no_hemorrhage", *[None] * 5]
    assert labelling.counts(HEMORRHAGE.id) == {case: 2}
    assert labelling.counts(SUBTYPES.id) == {case: 6}
    assert len(labelling.standing()) == 8
    labelling.clear(SERIES, 0, label_set=SUBTYPES)
    assert labelling.clear(SERIES, 0, label_set=SUBTYPES) == ()
    assert labelling.current(case, HEMORRHAGE.id)[FIRST] == "hemorrhage"
    told = [entry.changes[0].new for entry in labelling.history(case, HEMORRHAGE.id)]
    assert told == ["hemorrhage", "no_hemorrhage"]
    assert len(labelling.history(case, SUBTYPES.id)) == 3
    assert len(labelling.history(case)) == 5


def test_a_slice_settled_in_one_label_set_is_open_in_the_others(labelling: Labelling) -> None:
    label(labelling, 0)
    labelling.adjudicate(SERIES, 0, "no_hemorrhage", label_set=HEMORRHAGE, reason="calcified")
    labelling.sign_in("lee")
    labelling.read_blind(True)
    (said,) = labelling.label(SERIES, 0, "subdural", label_set=SUBTYPES)
    assert said.draft.old is None
    labelling.read_blind(False)
    assert labelling.current(SERIES.case_id, SUBTYPES.id) == {FIRST: "subdural"}
    assert labelling.current(SERIES.case_id, HEMORRHAGE.id) == {FIRST: "no_hemorrhage"}
    label(labelling, 0)
    assert labelling.current(SERIES.case_id, HEMORRHAGE.id) == {FIRST: "no_hemorrhage"}


def test_undo_takes_back_nothing_that_is_not_seen(labelling: Labelling) -> None:
    case, here, there = SERIES.case_id, HEMORRHAGE.id, SUBTYPES.id
    labelling.note(SERIES, 0, "thin", label_set=HEMORRHAGE)
    label(labelling, 0)
    labelling.label_series(SERIES, "subdural", label_set=SUBTYPES)
    (undone,) = labelling.undo(case, here)  # the last step was of the other label set
    assert (undone.draft.label_set, undone.draft.old, undone.draft.new) == (
        here,
        "hemorrhage",
        None,
    )
    assert len(labelling.current(case, there)) == 6
    (note,) = labelling.undo(case, here)
    assert (note.draft.old, note.draft.new) == (None, None)
    assert labelling.notes(case) == {}
    assert not labelling.can_undo(case, here) and labelling.undo(case, here) == ()
    (note,) = labelling.redo(case, there)  # a note is seen whatever is read for
    assert (note.draft.label_set, note.draft.old, note.draft.new) == (there, *["subdural"] * 2)
    assert labelling.notes(case) == {FIRST: "thin"}
    labelling.clear(SERIES, 5, label_set=SUBTYPES)  # and ends no redo of what it does not replace
    assert not labelling.can_redo(case, there) and labelling.can_redo(case, here)
    labelling.redo(case, here)
    assert labelling.current(case, here) == {FIRST: "hemorrhage"}
    assert labelling.history(case, here)[-1].of is Action.LABEL


def test_undo_without_a_label_set_takes_back_the_last_step_and_says_whose_it_was(
    labelling: Labelling,
) -> None:
    label(labelling, 0)
    labelling.label(SERIES, 0, "subdural", label_set=SUBTYPES)
    for task in (SUBTYPES.id, HEMORRHAGE.id):
        (undone,) = labelling.undo()
        assert undone.draft.label_set == task
        assert labelling.current(SERIES.case_id, task) == {}
    assert labelling.undo() == ()


def test_regions_of_one_label_set_leave_those_of_the_others(labelling: Labelling) -> None:
    case, here, there = SERIES.case_id, HEMORRHAGE.id, SUBTYPES.id
    wide = Region((0, 0, 60, 60), Attention.LOOK_HERE)
    label(labelling, 0)
    (first,) = labelling.mark(SERIES, 0, [BOX], label_set=HEMORRHAGE)
    assert labelling.label_sets(case) == (here,)
    assert labelling.mark(SERIES, 0, [], label_set=SUBTYPES) == (), "there is none to take away"
    (same,) = labelling.mark(SERIES, 0, [BOX], label_set=SUBTYPES)
    assert (same.draft.label_set, same.draft.old, same.draft.new) == (there, None, None)
    labelling.mark_slices(SERIES, {0: [wide], 1: [wide]}, label_set=SUBTYPES)
    assert labelling.regions(case, here) == {FIRST: (BOX,)}
    assert labelling.regions(case, there) == {FIRST: (wide,), SECOND: (wide,)}
    assert labelling.label_sets(case) == (here,), "no class was given in the other"
    marks = [(mark.draft.label_set, mark.draft.slice_id) for mark in labelling.marks()]
    assert marks == [(here, FIRST), (there, FIRST), (there, SECOND)]
    assert [len(labelling.history(case, name)) for name in (here, there)] == [2, 2]
    labelling.mark(SERIES, 0, [], label_set=SUBTYPES)
    assert labelling.regions(case, here) == {FIRST: (BOX,)}
    assert labelling.marks()[0] == first


def test_undo_takes_back_no_regions_that_are_not_seen(labelling: Labelling) -> None:
    case, here, there = SERIES.case_id, HEMORRHAGE.id, SUBTYPES.id
    label(labelling, 0)
    labelling.mark(SERIES, 0, [BOX], label_set=HEMORRHAGE)
    labelling.label(SERIES, 0, "subdural", label_set=SUBTYPES)
    labelling.mark(SERIES, 0, [BOX], label_set=SUBTYPES)
    (undone,) = labelling.undo(case, here)
    told = (undone.draft.label_set, undone.draft.old, undone.draft.new)
    assert told == (here, "hemorrhage", "hemorrhage")
    assert (labelling.regions(case, here), len(labelling.regions(case, there))) == ({}, 1)
    labelling.mark(SERIES, 1, [BOX], label_set=SUBTYPES)
    assert labelling.can_redo(case, here), "what was marked elsewhere replaces nothing here"
    labelling.redo(case, here)
    assert labelling.regions(case, here) == {FIRST: (BOX,)}
    for task in (there, there, there, here, here):
        labelling.undo(case, task)
    assert not labelling.can_undo(case)
    assert labelling.regions(case, here) == labelling.regions(case, there) == {}
    assert labelling.current(case, here) == labelling.current(case, there) == {}
