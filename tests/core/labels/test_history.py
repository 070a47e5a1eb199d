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
from core.labels.schema import Action, Attention, LabelEvent, Region
from tests.core.labels.support import HEMORRHAGE, OTHER, SERIES, SETS, SUBTYPES, Series, draft

State = dict[str, str | float]
"""Slice id → class id, and slice id with REGIONS before it → size of the box marked on it."""
REGIONS = "regions of "
Place = tuple[str, str]
PLACES: list[Place] = [(case.case_id, task) for case in (SERIES, OTHER) for task in SETS]
"""(case id, label set): within each a slice has one class and its regions."""

indices = st.integers(0, 3)
series = st.sampled_from([SERIES, OTHER])
tasks = st.sampled_from(list(SETS))
classes = st.sampled_from([(name, item.id) for name, of in SETS.items() for item in of.classes])
boxes = st.sampled_from([(name, size) for name in SETS for size in (0.0, 1.0, 2.0)])
steps = st.one_of(
    st.tuples(st.just("label"), series, indices, classes),
    st.tuples(st.just("label"), series, indices, classes),
    st.tuples(st.just("clear"), series, indices, tasks),
    st.tuples(st.just("series"), series, classes),
    st.tuples(st.just("mark"), series, indices, boxes),
    st.tuples(st.just("undo"), series, tasks),
    st.tuples(st.just("undo"), series, tasks),
    st.tuples(st.just("redo"), series, tasks),
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
        case ("label", Series() as case, int() as index, (str() as task, str() as class_id)):
            result = labelling.label(case, index, class_id, label_set=SETS[task])
        case ("clear", Series() as case, int() as index, str() as task):
            result = labelling.clear(case, index, label_set=SETS[task])
        case ("series", Series() as case, (str() as task, str() as class_id)):
            result = labelling.label_series(case, class_id, label_set=SETS[task])
        case ("adjudicate", Series() as case, int() as index, (str() as task, str() as class_id)):
            result = labelling.adjudicate(
                case, index, class_id, label_set=SETS[task], reason="agreed"
            )
        case ("mark", Series() as case, int() as index, (str() as task, float() as size)):
            result = labelling.mark(case, index, regions(size), label_set=SETS[task])
        case ("undo", Series() as case, str() as task):
            result = labelling.undo(case.case_id, task)
        case ("redo", Series() as case, str() as task):
            result = labelling.redo(case.case_id, task)
        case ("sign in", str() as reader):
            labelling.sign_in(reader)
        case _:
            raise AssertionError(step)
    return result


def regions(size: float) -> list[Region]:
    return [Region((0, 0, size, size), Attention.LOOK_HERE)] if size else []


def seen(labelling: Labelling, place: Place) -> State:
    """What is shown of a case while a label set is read for."""
    found: State = dict(labelling.current(*place))
    return found | {
        REGIONS + at: marked[0].box[3] for at, marked in labelling.regions(*place).items()
    }


class Expected:
    """What one reader expects: each step keeps a picture of the case, undo goes back to it.

    Of each label set apart: what is done while one is read for leaves the others as they are.
    """

    def __init__(self) -> None:
        self.state: defaultdict[Place, State] = defaultdict(dict)
        self.past: defaultdict[Place, list[State]] = defaultdict(list)
        self.future: defaultdict[Place, list[State]] = defaultdict(list)

    def do(self, step: tuple[object, ...]) -> None:
        case, last = step[1], step[-1]
        assert isinstance(case, Series)
        task, said = last if isinstance(last, tuple) else (str(last), "")
        place = (case.case_id, task)
        now = dict(self.state[place])
        match step:
            case ("undo", *_):
                self._travel(place, self.past, self.future)
                return
            case ("redo", *_):
                self._travel(place, self.future, self.past)
                return
            case ("label", _, int() as index, _):
                now[case.slice_ids[index]] = said
            case ("clear", _, int() as index, _):
                now.pop(case.slice_ids[index], None)
            case ("series", *_):
                now |= dict.fromkeys(case.slice_ids, said)
            case ("mark", _, int() as index, _):
                now.pop(REGIONS + case.slice_ids[index], None)
                now |= {REGIONS + case.slice_ids[index]: said} if said else {}
        if now != self.state[place]:
            self.past[place].append(self.state[place])
            self.future[place].clear()
            self.state[place] = now

    def _travel(
        self, place: Place, source: dict[Place, list[State]], sink: dict[Place, list[State]]
    ) -> None:
        if source[place]:
            sink[place].append(self.state[place])
            self.state[place] = source[place].pop()


def check_one_reader(path: Path | str, sequence: list[tuple[object, ...]]) -> None:
    expected = Expected()
    with Journal(path) as journal:
        labelling = Labelling(journal, "kim")
        for step in sequence:
            do(labelling, step)
            expected.do(step)
            for place in PLACES:
                assert seen(labelling, place) == expected.state[place]
                assert labelling.can_undo(*place) == bool(expected.past[place])
                assert labelling.can_redo(*place) == bool(expected.future[place])
        events = journal.events()
    check_replay(path, events, labelling)


def check_replay(path: Path | str, events: tuple[LabelEvent, ...], labelling: Labelling) -> None:
    """The same state three ways: on screen, by replay, and by the last word on each slice."""
    on_screen = {
        (*place, slice_id): class_id
        for place in PLACES
        for slice_id, class_id in labelling.current(*place).items()
    }
    with Journal(path, read_only=True) as again:
        assert again.events() == events
        assert current(again.events()) == on_screen
        history = History(again.events())
    for place in PLACES:
        assert history.regions(*place) == labelling.regions(*place)
    marked = {(*place, slice_id) for place in PLACES for slice_id in labelling.regions(*place)}
    marks = [event.draft for event in labelling.marks()]
    assert {(d.case_id, d.label_set, d.slice_id) for d in marks} == marked
    assert len(marks) == len(marked)
    standing = [event.draft for event in labelling.standing()]
    assert {(d.case_id, d.label_set, d.slice_id) for d in standing} == set(on_screen)
    if any(event.draft.action is Action.ADJUDICATE for event in events):
        return  # a label that was outweighed still states its own class
    last_word: dict[tuple[str, str, str], str | None] = {}
    for event in events:
        key = (event.draft.case_id, event.draft.label_set, event.draft.slice_id)
        assert event.draft.old == last_word.get(key), event
        last_word[key] = event.draft.new
    assert {key: class_id for key, class_id in last_word.items() if class_id} == on_screen


def check_two_readers(path: Path | str, sequence: list[tuple[object, ...]]) -> None:
    with Journal(path) as journal:
        labelling = Labelling(journal, "kim")
        for step in sequence:
            other = "lee" if labelling.reader == "kim" else "kim"
            others = [labelling.own(*place, other) for place in PLACES]
            reader, before = labelling.reader, [labelling.own(*place) for place in PLACES]
            shown = [seen(labelling, place) for place in PLACES]
            done = do(labelling, step)
            assert [labelling.own(*place, other) for place in PLACES] == others
            said_in = {event.draft.label_set for event in done}
            for place, own, was in zip(PLACES, before, shown, strict=True):
                assert place[1] in said_in or labelling.own(*place, reader) == own
                assert place[1] in said_in or seen(labelling, place) == was
            if step[0] == "undo" and done:
                assert do(labelling, ("redo", *step[1:]))
                assert [labelling.own(*place) for place in PLACES] == before
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
    assert history.current(SERIES.case_id, HEMORRHAGE.id) == {}
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
        assert labelling.current(SERIES.case_id, HEMORRHAGE.id) == {
            said.draft.slice_id: "hemorrhage"
        }
        assert labelling.can_undo()


def test_a_journal_of_one_class_a_slice_tells_each_label_set_its_own(store: Path | str) -> None:
    """As it was written before: `old` named the class that another label set had given."""
    with Journal(store) as journal:
        journal.append(draft(0), reader="kim")
        settled = draft(0, action=Action.ADJUDICATE, old="hemorrhage", reason="seen on MR")
        journal.append(settled, reader="chief")
        subtype = draft(0, "subdural", label_set=SUBTYPES.id, old="hemorrhage")
        journal.append(subtype, reader="kim")
        history = History(journal.events())
    (first,) = {event.draft.slice_id for event in history.events(SERIES.case_id)}
    assert history.label_sets() == (HEMORRHAGE.id, SUBTYPES.id)
    assert history.current(SERIES.case_id, HEMORRHAGE.id) == {first: "hemorrhage"}
    assert history.current(SERIES.case_id, SUBTYPES.id) == {first: "subdural"}
    assert [event.sequence for event in history.standing()] == [2, 3]


def test_a_journal_of_regions_a_slice_tells_each_label_set_its_own(store: Path | str) -> None:
    """As it was written before: those of every label set were stated, and undone, in any."""
    (one,), (two,) = regions(1.0), regions(2.0)
    with Journal(store) as journal:
        journal.append(draft(0, None, action=Action.MARK, regions=(one,)), reader="kim")
        both = draft(0, None, action=Action.MARK, regions=(one, two), label_set=SUBTYPES.id)
        journal.append(both, reader="kim")
        journal.append(draft(1, None, action=Action.MARK, regions=(one,)), reader="kim")
        undo = draft(1, None, action=Action.UNDO, target=3, label_set=SUBTYPES.id)
        journal.append(undo, reader="kim")
        history = History(journal.events())
    (first, _) = dict.fromkeys(event.draft.slice_id for event in history.events(SERIES.case_id))
    assert history.regions(SERIES.case_id, HEMORRHAGE.id) == {first: (one,)}
    assert history.regions(SERIES.case_id, SUBTYPES.id) == {first: (one, two)}
    assert [event.sequence for event in history.marks()] == [1, 2]
    assert history.label_sets() == ()
