"""What the journal's entries mean now: current labels, undo and redo, by replay.

Each LABEL, CLEAR, MARK, NOTE or ADJUDICATE is a *statement* by one reader about one slice.
UNDO ends a statement, REDO makes it stand again; both are entries themselves. What counts is
the standing statement that was made (or made again) last, whoever made it; an adjudication
counts more than any label. A reader's undo therefore never takes away what a colleague said.

A slice has one class and its regions *in each label set*: whether there is a hemorrhage, and of
which subtype, are two questions. The answer to one neither replaces nor settles the other, and
where to look for one is not where to look for the other. Notes are about the slice, whatever it
is read for.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from core.labels.schema import Action, LabelDraft, LabelEvent, ModelOpinion, Region


class Aspect(Enum):
    """What a statement is about; statements on different aspects do not replace each other."""

    LABEL_CLASS = "class"
    REGIONS = "regions"
    NOTE = "note"


ASPECTS = {
    Action.LABEL: Aspect.LABEL_CLASS,
    Action.CLEAR: Aspect.LABEL_CLASS,
    Action.ADJUDICATE: Aspect.LABEL_CLASS,
    Action.MARK: Aspect.REGIONS,
    Action.NOTE: Aspect.NOTE,
}
"""The actions that are statements, and their aspect."""

PER_LABEL_SET = (Aspect.LABEL_CLASS, Aspect.REGIONS)
"""Aspects of which a slice has one in each label set."""


def question_of(draft: LabelDraft) -> str | None:
    """The label set within which a statement counts; None for a note.

    A note is seen, replaced and undone whichever label set is read for.
    """
    return draft.label_set if ASPECTS.get(draft.action) in PER_LABEL_SET else None


@dataclass
class Statement:
    """One statement and whether it stands.

    rank: the sequence number at which it was made or, after a redo, made again.
    """

    event: LabelEvent
    rank: int
    stands: bool = True

    @property
    def weight(self) -> tuple[bool, int]:
        """Adjudications outweigh; among equals the later one counts."""
        return (self.event.draft.action is Action.ADJUDICATE, self.rank)


@dataclass(frozen=True)
class SliceChange:
    """What one entry did to one slice; classes by id, None for unlabelled."""

    slice_index: int
    slice_id: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class HistoryEntry:
    """One step as a person made it: one slice, or all slices of a series at once.

    action: what was done; for UNDO and REDO, `of` is the action that they refer to.
    stands: False for a statement that was undone since. note, regions: after a NOTE or MARK.
    """

    sequence: int
    at: str
    reader: str
    action: Action
    of: Action | None
    changes: tuple[SliceChange, ...]
    reason: str
    opinion: ModelOpinion | None
    stands: bool
    note: str = ""
    regions: tuple[Region, ...] = ()


@dataclass
class _Steps:
    """Batches that one reader can undo and redo in one case and session, the last one last."""

    undo: list[int] = field(default_factory=list)
    redo: list[int] = field(default_factory=list)


StepKey = tuple[str, str, str]
"""(case id, reader, session): undo reaches back within these."""


About = tuple[str, Aspect, str | None]
"""(case id, aspect, label set or None): slices' statements replace each other within these."""


class History:
    """The state of all labels after the entries applied so far, in order."""

    def __init__(self, events: Iterable[LabelEvent] = ()) -> None:
        self._last = 0
        self._statements: dict[int, Statement] = {}
        self._about: defaultdict[About, defaultdict[str, list[Statement]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self._label_sets: defaultdict[tuple[str, Aspect], dict[str, None]] = defaultdict(dict)
        self._events: defaultdict[str, list[LabelEvent]] = defaultdict(list)
        self._steps: defaultdict[StepKey, _Steps] = defaultdict(_Steps)
        self._batches: defaultdict[tuple[int, str], list[Statement]] = defaultdict(list)
        for event in events:
            self.apply(event)

    @property
    def last(self) -> int:
        """Sequence number of the last entry applied; 0 before the first."""
        return self._last

    def apply(self, event: LabelEvent) -> None:
        """Take the next entry. Entries come in order; one that was seen is passed over."""
        if event.sequence <= self._last:
            return
        self._last = event.sequence
        draft = event.draft
        self._events[draft.case_id].append(event)
        steps = self._steps[(draft.case_id, event.reader, event.session)]
        aspect = ASPECTS.get(draft.action)
        if aspect is not None:
            statement = Statement(event, event.sequence)
            self._statements[event.sequence] = statement
            question = question_of(draft)
            self._about[(draft.case_id, aspect, question)][draft.slice_id].append(statement)
            if question is not None:
                self._label_sets[(draft.case_id, aspect)][question] = None
            self._batches[(event.batch, draft.case_id)].append(statement)
            if event.batch not in steps.undo[-1:]:
                steps.undo.append(event.batch)
            steps.redo = [
                batch
                for batch in steps.redo
                if not self._is_shown(batch, draft.case_id, draft.label_set)
            ]
            return
        target = self._statements.get(draft.target or 0)
        if target is None or target.event.reader != event.reader:
            return  # it refers to nothing that this reader said: it changes nothing
        undoing = draft.action is Action.UNDO
        target.stands = not undoing
        target.rank = target.rank if undoing else event.sequence
        source, sink = (steps.undo, steps.redo) if undoing else (steps.redo, steps.undo)
        if target.event.batch in source:
            source.remove(target.event.batch)
            sink.append(target.event.batch)

    # ---- what holds now

    def label_sets(self, case_id: str | None = None) -> tuple[str, ...]:
        """Ids of the label sets of which classes were given in a case, or in any, in order."""
        cases = self.cases() if case_id is None else (case_id,)
        about = ((case, Aspect.LABEL_CLASS) for case in cases)
        named = (name for each in about for name in self._label_sets.get(each, ()))
        return tuple(dict.fromkeys(named))

    def current(self, case_id: str, label_set: str, reader: str | None = None) -> dict[str, str]:
        """Slice id → class id of one case in a label set; of one reader's own, if named."""
        return {
            slice_id: statement.event.draft.new
            for slice_id, statement in self._standing(_classes(case_id, label_set), reader)
            if statement.event.draft.new is not None
        }

    def regions(
        self, case_id: str, label_set: str, reader: str | None = None
    ) -> dict[str, tuple[Region, ...]]:
        """Slice id → the regions marked on it in a label set."""
        about = (case_id, Aspect.REGIONS, label_set)
        return {
            slice_id: statement.event.draft.regions
            for slice_id, statement in self._standing(about, reader)
            if statement.event.draft.regions
        }

    def notes(self, case_id: str, reader: str | None = None) -> dict[str, str]:
        """Slice id → its comment."""
        return {
            slice_id: statement.event.draft.note
            for slice_id, statement in self._standing((case_id, Aspect.NOTE, None), reader)
            if statement.event.draft.note
        }

    def ratings(self, case_id: str, label_set: str) -> dict[str, dict[str, LabelEvent]]:
        """Slice id → reader → the label that this reader gives it now in a label set.

        Adjudications are told apart, by `adjudicated`.
        """
        found: dict[str, dict[str, LabelEvent]] = {}
        for slice_id, statements in self._about.get(_classes(case_id, label_set), {}).items():
            said: dict[str, Statement] = {}
            for statement in statements:
                reader = statement.event.reader
                if not statement.stands or statement.event.draft.action is Action.ADJUDICATE:
                    continue
                if reader not in said or statement.rank > said[reader].rank:
                    said[reader] = statement
            labels = {r: s.event for r, s in said.items() if s.event.draft.new is not None}
            if labels:
                found[slice_id] = labels
        return found

    def adjudicated(self, case_id: str, label_set: str) -> dict[str, str]:
        """Slice id → the class of a label set that an adjudication gave it, where one stands."""
        return {
            slice_id: str(statement.event.draft.new)
            for slice_id, statement in self._standing(_classes(case_id, label_set), None)
            if statement.event.draft.action is Action.ADJUDICATE
        }

    def cases(self) -> tuple[str, ...]:
        """All cases that have entries, in the order of their first."""
        return tuple(self._events)

    def events(self, case_id: str) -> tuple[LabelEvent, ...]:
        """The entries about a case, in order."""
        return tuple(self._events.get(case_id, ()))

    def standing(self, case_id: str | None = None) -> tuple[LabelEvent, ...]:
        """The entries that give the current classes of a case, or of all, in order.

        Of every label set: a slice has as many as it has classes in them.
        """
        found = self._last_words(Aspect.LABEL_CLASS, case_id)
        return tuple(event for event in found if event.draft.new is not None)

    def marks(self, case_id: str | None = None) -> tuple[LabelEvent, ...]:
        """The entries that give the regions marked now in a case, or in all, in order.

        Of every label set, as in `standing`.
        """
        found = self._last_words(Aspect.REGIONS, case_id)
        return tuple(event for event in found if event.draft.regions)

    def _last_words(self, aspect: Aspect, case_id: str | None) -> list[LabelEvent]:
        """What counts of each slice in each label set, in order."""
        events = [
            statement.event
            for case in (self.cases() if case_id is None else (case_id,))
            for label_set in self._label_sets.get((case, aspect), ())
            for _, statement in self._standing((case, aspect, label_set), None)
        ]
        return sorted(events, key=lambda event: event.sequence)

    def _standing(self, about: About, reader: str | None) -> Iterator[tuple[str, Statement]]:
        for slice_id, statements in self._about.get(about, {}).items():
            said = [
                statement
                for statement in statements
                if statement.stands and (reader is None or statement.event.reader == reader)
            ]
            if said:
                yield slice_id, max(said, key=_weight)

    # ---- undo and redo

    def undoable(self, key: StepKey, label_set: str | None = None) -> tuple[LabelEvent, ...]:
        """The entries that an undo would end now; empty if there is nothing to undo.

        label_set: the one read for. What was said in another is passed over: whoever reads for
        this one would not see it go. None: the last step, whatever it was about.
        """
        return self._step(key, lambda steps: steps.undo, label_set)

    def redoable(self, key: StepKey, label_set: str | None = None) -> tuple[LabelEvent, ...]:
        """The entries that a redo would make stand again; empty if there are none.

        label_set: as in `undoable`. A statement ends the redo of what is seen beside it alone.
        """
        return self._step(key, lambda steps: steps.redo, label_set)

    def _step(
        self, key: StepKey, stack: Callable[[_Steps], list[int]], label_set: str | None
    ) -> tuple[LabelEvent, ...]:
        steps = self._steps.get(key)
        for batch in reversed(stack(steps)) if steps is not None else ():
            if self._is_shown(batch, key[0], label_set):
                return tuple(statement.event for statement in self._batches[(batch, key[0])])
        return ()

    def _is_shown(self, batch: int, case_id: str, label_set: str | None) -> bool:
        """Whether a step is seen by whoever reads for a label set; None: for any."""
        question = question_of(self._batches[(batch, case_id)][0].event.draft)
        return label_set is None or question in (None, label_set)

    def current_if(
        self, targets: Iterable[LabelEvent], *, stands: bool, reader: str | None = None
    ) -> dict[str, str]:
        """Slice id → class id of the targets' slices, if the targets stood or were undone.

        In the label set of each target, which gave a class. A redo would make them the last to
        be said. reader: as in `current`.
        """
        after: dict[str, str] = {}
        changed = {target.sequence: target.draft for target in targets}
        for draft in changed.values():
            said: list[tuple[tuple[bool, float], str | None]] = []
            slices = self._about.get(_classes(draft.case_id, draft.label_set))
            for statement in slices.get(draft.slice_id, ()) if slices is not None else ():
                if reader not in (None, statement.event.reader):
                    continue
                is_target = statement.event.sequence in changed
                if stands if is_target else statement.stands:
                    outweighs, rank = statement.weight
                    weight = (outweighs, math.inf if is_target else rank)
                    said.append((weight, statement.event.draft.new))
            new = max(said, key=lambda item: item[0])[1] if said else None
            if new is not None:
                after[draft.slice_id] = new
        return after

    # ---- for people

    def entries(self, case_id: str, label_set: str | None = None) -> list[HistoryEntry]:
        """What was done to a case, step by step, the last step last.

        label_set: only what is seen by whoever reads for it: its classes and regions, and notes.
        """
        steps: dict[int, list[LabelEvent]] = {}
        for event in self._events.get(case_id, ()):
            about = self._statements.get(event.draft.target or 0)
            draft = about.event.draft if about is not None else event.draft
            if label_set is None or question_of(draft) in (None, label_set):
                steps.setdefault(event.batch, []).append(event)
        return [self._entry(events) for events in steps.values()]

    def _entry(self, events: list[LabelEvent]) -> HistoryEntry:
        first = events[0]
        target = self._statements.get(first.draft.target or 0)
        own = self._statements.get(first.sequence)
        return HistoryEntry(
            sequence=first.sequence,
            at=first.at,
            reader=first.reader,
            action=first.draft.action,
            of=target.event.draft.action if target else None,
            changes=tuple(
                SliceChange(e.draft.slice_index, e.draft.slice_id, e.draft.old, e.draft.new)
                for e in events
            ),
            reason=first.draft.reason,
            opinion=first.draft.opinion if len(events) == 1 else None,
            stands=own.stands if own else True,
            note=first.draft.note,
            regions=first.draft.regions,
        )


def _weight(statement: Statement) -> tuple[bool, int]:
    return statement.weight


def _classes(case_id: str, label_set: str) -> About:
    return (case_id, Aspect.LABEL_CLASS, label_set)


def current(
    events: Iterable[LabelEvent], reader: str | None = None
) -> dict[tuple[str, str, str], str]:
    """(case id, label set, slice id) → class id after these entries; unlabelled ones are absent.

    reader: only what this reader said, as in a blind second reading.
    """
    history = History(events)
    return {
        (case_id, label_set, slice_id): class_id
        for case_id in history.cases()
        for label_set in history.label_sets(case_id)
        for slice_id, class_id in history.current(case_id, label_set, reader).items()
    }
