"""Replay: whatever was done, in whatever order, the journal gives the state on screen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.labels.history import History, current
from core.labels.journal import Journal
from core.labels.labelling import Labelling
from core.labels.schema import Action, LabelEvent
from tests.core.labels.support import CLASSES, HEMORRHAGE, OTHER, SERIES, Series

State = dict[str, str]

indices = st.integers(0, 3)
series = st.sampled_from([SERIES, OTHER])
classes = st.sampled_from(CLASSES)
steps = st.one_of(
    st.tuples(st.just("label"), series, indices, classes),
    st.tuples(st.just("label"), series, indices, classes),
    st.tuples(st.just("clear"), series, indices),
    st.tuples(st.just("series"), series, classes),
    st.tuples(st.just("undo"), series),
    st.tuples(st.just("undo"), series),
    st.tuples(st.just("redo"), series),
)
second_reader = st.tuples(st.just("sign in"), st.sampled_from(["kim", "lee"]))
adjudication = st.tuples(st.just("adjudicate"), series, indices, classes)
FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(
    max_examples=1000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def do(labelling: Labelling, step: tuple[object, ...]) -> tuple[LabelEvent, ...]:
    """Carry out one step by its name."""
    result: tuple[LabelEvent, ...] = ()
    match step:
        case ("label", Series() as case, int() as index, str() as class_id):
            result = labelling.label(case, index, class_id, label_set=HEMORRHAGE)
        case ("clear", Series() as case, int() as index):
            result = labelling.clear(case, index, label_set=HEMORRHAGE)
        case ("series", Series() as case, str() as class_id):
            result = labelling.label_series(case, class_id, label_set=HEMORRHAGE)
        case ("adjudicate", Series() as case, int() as index, str() as class_id):
            result = labelling.adjudicate(
                case, index, class_id, label_set=HEMORRHAGE, reason="agreed"
            )
        case ("undo", Series() as case):
            result = labelling.undo(case.case_id)
        case ("redo", Series() as case):
            result = labelling.redo(case.case_id)
        case ("sign in", str() as reader):
            labelling.sign_in(reader)
        case _:
            raise AssertionError(step)
    return result


class Expected:
    """What one reader expects: each step keeps a picture of the case, undo goes back to it."""

    def __init__(self) -> None:
        self.state: defaultdict[str, State] = defaultdict(dict)
        self.past: defaultdict[str, list[State]] = defaultdict(list)
        self.future: defaultdict[str, list[State]] = defaultdict(list)

    def do(self, step: tuple[object, ...]) -> None:
        case = step[1]
        assert isinstance(case, Series)
        case_id, now = case.case_id, dict(self.state[case.case_id])
        match step:
            case ("undo", _):
                self._travel(case_id, self.past, self.future)
                return
            case ("redo", _):
                self._travel(case_id, self.future, self.past)
                return
            case ("label", _, int() as index, str() as class_id):
                now[case.slice_ids[index]] = class_id
            case ("clear", _, int() as index):
                now.pop(case.slice_ids[index], None)
            case ("series", _, str() as class_id):
                now = dict.fromkeys(case.slice_ids, class_id)
        if now != self.state[case_id]:
            self.past[case_id].append(self.state[case_id])
            self.future[case_id].clear()
            self.state[case_id] = now

    def _travel(
        self, case_id: str, source: dict[str, list[State]], sink: dict[str, list[State]]
    ) -> None:
        if source[case_id]:
            sink[case_id].append(self.state[case_id])
            self.state[case_id] = source[case_id].pop()


def check_one_reader(path: Path | str, sequence: list[tuple[object, ...]]) -> None:
    expected = Expected()
    with Journal(path) as journal:
        labelling = Labelling(journal, "kim")
        for step in sequence:
            do(labelling, step)
            expected.do(step)
            for case in (SERIES, OTHER):
                assert labelling.current(case.case_id) == expected.state[case.case_id]
                assert labelling.can_undo(case.case_id) == bool(expected.past[case.case_id])
                assert labelling.can_redo(case.case_id) == bool(expected.future[case.case_id])
        events = journal.events()
    check_replay(path, events, labelling)


def check_replay(path: Path | str, events: tuple[LabelEvent, ...], labelling: Labelling) -> None:
    """The same state three ways: on screen, by replay, and by the last word on each slice."""
    on_screen = {
        (case.case_id, slice_id): class_id
        for case in (SERIES, OTHER)
        for slice_id, class_id in labelling.current(case.case_id).items()
    }
    with Journal(path, read_only=True) as again:
        assert again.events() == events
        assert current(again.events()) == on_screen
    if any(event.draft.action is Action.ADJUDICATE for event in events):
        return  # a label that was outweighed still states its own class
    last_word: dict[tuple[str, str], str | None] = {}
    for event in events:
        key = (event.draft.case_id, event.draft.slice_id)
        assert event.draft.old == last_word.get(key), event
        last_word[key] = event.draft.new
    assert {key: class_id for key, class_id in last_word.items() if class_id} == on_screen


def check_two_readers(path: Path | str, sequence: list[tuple[object, ...]]) -> None:
    with Journal(path) as journal:
        labelling = Labelling(journal, "kim")
        for step in sequence:
            cases = (SERIES.case_id, OTHER.case_id)
            other = "lee" if labelling.reader == "kim" else "kim"
            others = [labelling.own(case_id, other) for case_id in cases]
            before = [labelling.own(case_id) for case_id in cases]
            done = do(labelling, step)
            assert [labelling.own(case_id, other) for case_id in cases] == others
            if step[0] == "undo" and done:
                assert do(labelling, ("redo", step[1]))
                assert [labelling.own(case_id) for case_id in cases] == before
                do(labelling, step)
        events = journal.events()
    check_replay(path, events, labelling)


@FEW
@given(sequence=st.lists(steps, max_size=20))
def test_one_reader_sees_what_they_expect(
    stores: Iterator[Path | str], sequence: list[tuple[object, ...]]
) -> None:
    check_one_reader(next(stores), sequence)


@FEW
@given(sequence=st.lists(st.one_of(steps, second_reader), max_size=20))
def test_two_readers_never_undo_each_other(
    stores: Iterator[Path | str], sequence: list[tuple[object, ...]]
) -> None:
    check_two_readers(next(stores), sequence)


@FEW
@given(sequence=st.lists(st.one_of(steps, second_reader, adjudication), max_size=20))
def test_replay_holds_with_adjudication(
    stores: Iterator[Path | str], sequence: list[tuple[object, ...]]
) -> None:
    check_two_readers(next(stores), sequence)


@pytest.mark.slow
@MANY
@given(sequence=st.lists(st.one_of(steps, second_reader, adjudication), max_size=30))
def test_a_thousand_sequences(
    stores: Iterator[Path | str], sequence: list[tuple[object, ...]]
) -> None:
    check_two_readers(next(stores), sequence)


def test_history_passes_over_what_it_has_seen(store: Path | str) -> None:
    with Journal(store) as journal:
        labelling = Labelling(journal, "kim")
        labelling.label_series(SERIES, "hemorrhage", label_set=HEMORRHAGE)
        labelling.undo()
        events = journal.events()
    history = History(events)
    for event in events:
        history.apply(event)
    assert history.current(SERIES.case_id) == {}
    assert len(history.events(SERIES.case_id)) == len(events) == 2 * len(SERIES.slice_ids)


def test_an_undo_of_what_somebody_else_said_changes_nothing(store: Path | str) -> None:
    with Journal(store) as journal:
        labelling = Labelling(journal, "kim")
        (said,) = labelling.label(SERIES, 0, "hemorrhage", label_set=HEMORRHAGE)
        forged = said.draft.__class__(
            Action.UNDO, SERIES.case_id, "", said.draft.slice_id, 0, "hemorrhage",
            "hemorrhage", None, target=said.sequence,
        )  # fmt: skip
        journal.append(forged, reader="eve")
        labelling.refresh()
        assert labelling.current(SERIES.case_id) == {said.draft.slice_id: "hemorrhage"}
        assert labelling.can_undo()
