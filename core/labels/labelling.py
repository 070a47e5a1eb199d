"""Labelling: the journal and its meaning together, as the window and the commands use it.

Every method that changes a label returns when the change is on the disk, and only then emits
`changed`. Calls may come from any thread; they are carried out one after the other. Questions
(`current`, `history`, `can_undo` …) never wait for the disk, so that a window can put the
writing on one writer thread and ask on its own (`core.labels.standing`). `changed` is emitted
on the thread that wrote.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.events import Signal
from core.labels.history import ASPECTS, Aspect, History, question_of
from core.labels.reader import default_reader
from core.labels.schema import (
    Action,
    LabelDraft,
    LabelEvent,
    Labelled,
    LabelSet,
    ModelOpinion,
    Region,
)
from core.labels.standing import Standing

if TYPE_CHECKING:  # it brings the database along, which a window needs only once it stands
    from core.labels.journal import Journal


@dataclass(frozen=True)
class LabelsChanged:
    """What changed and who did it. slice_ids: those that the entries name."""

    case_id: str
    slice_ids: tuple[str, ...]
    reader: str
    events: tuple[LabelEvent, ...]


class Labelling(Standing):
    """One reader's labels on one journal.

    A slice has one class and its regions in each label set; what is said of it in one leaves the
    others alone.
    Undo and redo reach back over what this reader did in the same case since signing in (or in
    the session that is named); a label given to a whole series is one step.
    """

    changed = Signal(object)
    """LabelsChanged, after the change is durable."""

    def __init__(self, journal: Journal, reader: str | None = None, *, session: str = "") -> None:
        super().__init__(
            History(journal.events()), reader or default_reader(), session or _new_session()
        )
        self._journal = journal
        self._writing = threading.Lock()

    @property
    def journal(self) -> Journal:
        """The journal underneath."""
        return self._journal

    def sign_in(self, reader: str) -> None:
        """Someone else labels from now on; their undo begins anew."""
        if not reader.strip():
            raise ValueError("a reader has a name")
        with self._writing:
            self._reader, self._session = reader.strip(), _new_session()

    def read_blind(self, blind: bool) -> None:
        """Hide what other readers said, as in a second reading, or show it again.

        Every entry states whether it was made blind. What trains (`standing`) is not affected.
        """
        with self._writing:
            self._blind = blind

    # ---- changing

    def label(
        self,
        series: Labelled,
        index: int,
        class_id: str,
        *,
        label_set: LabelSet,
        opinion: ModelOpinion | None = None,
        reason: str = "",
    ) -> tuple[LabelEvent, ...]:
        """Give slice `index` a class. Returns the entry; nothing if that was its label.

        Raises KeyError if the label set has no such class, NotDurableError.
        """
        opinions = {} if opinion is None else {index: opinion}
        return self.label_slices(
            series, [index], class_id, label_set=label_set, opinions=opinions, reason=reason
        )

    def label_series(
        self,
        series: Labelled,
        class_id: str,
        *,
        label_set: LabelSet,
        opinions: Mapping[int, ModelOpinion] | None = None,
        reason: str = "",
    ) -> tuple[LabelEvent, ...]:
        """Give all slices a class, as one step in one transaction."""
        return self.label_slices(
            series,
            range(len(series.slice_ids)),
            class_id,
            label_set=label_set,
            opinions=opinions,
            reason=reason,
        )

    def label_slices(
        self,
        series: Labelled,
        indices: Iterable[int],
        class_id: str | None,
        *,
        label_set: LabelSet,
        opinions: Mapping[int, ModelOpinion] | None = None,
        reason: str = "",
    ) -> tuple[LabelEvent, ...]:
        """Give some slices a class, or None to take it away, as one step.

        opinions: slice index → what the model had said there.
        """
        if class_id is not None:
            label_set.find(class_id)
        with self._writing:
            now = self._seen(series.case_id, label_set.id)
            own = self._now(series.case_id, label_set.id, self._reader)
            drafts = []
            for index in indices:
                slice_id = series.slice_ids[index]
                old = now.get(slice_id)
                # The same class again is nothing new, unless another reader had given it.
                if old == class_id and (class_id is None or own.get(slice_id) == class_id):
                    continue
                drafts.append(
                    LabelDraft(
                        Action.CLEAR if class_id is None else Action.LABEL,
                        series.case_id,
                        series.patient_id,
                        slice_id,
                        index,
                        label_set.id,
                        old,
                        class_id,
                        reason,
                        (opinions or {}).get(index),
                        blind=self._blind,
                    )
                )
            events = self._write(series.case_id, drafts)
        return self._tell(events)

    def clear(
        self, series: Labelled, index: int, *, label_set: LabelSet, reason: str = ""
    ) -> tuple[LabelEvent, ...]:
        """Take the label of slice `index` away. Returns nothing if it had none."""
        return self.label_slices(series, [index], None, label_set=label_set, reason=reason)

    def adjudicate(
        self,
        series: Labelled,
        index: int,
        class_id: str,
        *,
        label_set: LabelSet,
        reason: str,
        opinion: ModelOpinion | None = None,
    ) -> tuple[LabelEvent, ...]:
        """Settle slice `index` against whatever readers said or will say; needs a reason."""
        if not reason.strip():
            raise ValueError("an adjudication gives its reason")
        label_set.find(class_id)
        return self._state(
            Action.ADJUDICATE,
            series,
            index,
            label_set,
            new=class_id,
            reason=reason,
            opinion=opinion,
        )

    def mark(
        self,
        series: Labelled,
        index: int,
        regions: Sequence[Region],
        *,
        label_set: LabelSet,
        opinion: ModelOpinion | None = None,
        reason: str = "",
    ) -> tuple[LabelEvent, ...]:
        """State all regions of slice `index` in a label set; an empty sequence takes them away."""
        known = self.regions(series.case_id, label_set.id)
        if known.get(series.slice_ids[index], ()) == tuple(regions):
            return ()
        return self._state(
            Action.MARK,
            series,
            index,
            label_set,
            regions=tuple(regions),
            reason=reason,
            opinion=opinion,
        )

    def mark_slices(
        self,
        series: Labelled,
        regions: Mapping[int, Sequence[Region]],
        *,
        label_set: LabelSet,
        reason: str = "",
    ) -> tuple[LabelEvent, ...]:
        """State all regions of several slices (index → regions), as one step to undo."""
        with self._writing:
            now = self._seen(series.case_id, label_set.id)
            known = self.regions(series.case_id, label_set.id)
            drafts = []
            for index, stated in sorted(regions.items()):
                slice_id = series.slice_ids[index]
                if known.get(slice_id, ()) == tuple(stated):
                    continue
                old = now.get(slice_id)
                drafts.append(
                    LabelDraft(
                        Action.MARK,
                        series.case_id,
                        series.patient_id,
                        slice_id,
                        index,
                        label_set.id,
                        old,
                        old,
                        reason,
                        regions=tuple(stated),
                        blind=self._blind,
                    )
                )
            events = self._write(series.case_id, drafts)
        return self._tell(events)

    def note(
        self, series: Labelled, index: int, text: str, *, label_set: LabelSet
    ) -> tuple[LabelEvent, ...]:
        """State the comment on slice `index`; an empty text takes it away."""
        if self.notes(series.case_id).get(series.slice_ids[index], "") == text:
            return ()
        return self._state(Action.NOTE, series, index, label_set, note=text)

    def undo(
        self, case_id: str | None = None, label_set: str | None = None
    ) -> tuple[LabelEvent, ...]:
        """End this reader's last step in a case (default: the one labelled last).

        label_set: id of the one that is read for. The last step is then the last one that is
        seen: a class or regions of this label set, or a note. What was said in another is passed
        over, and waits to be undone until that one is read for again. Without it the last step of
        all is meant; its entries say of which label set it was.

        Returns the entries that say so; nothing if there is nothing to undo.
        """
        return self._turn_back(Action.UNDO, case_id, label_set)

    def redo(
        self, case_id: str | None = None, label_set: str | None = None
    ) -> tuple[LabelEvent, ...]:
        """Make the step stand again that was undone last; label_set: as in `undo`.

        Returns the entries that say so.
        """
        return self._turn_back(Action.REDO, case_id, label_set)

    def refresh(self) -> tuple[LabelEvent, ...]:
        """Take over what others wrote in the meantime; returns their entries."""
        with self._writing:
            events = self._journal.events(after=self._history.last)
            self._take(events)
        return self._tell(events)

    # ---- inside

    def _state(
        self,
        action: Action,
        series: Labelled,
        index: int,
        label_set: LabelSet,
        *,
        new: str | None = None,
        reason: str = "",
        opinion: ModelOpinion | None = None,
        regions: tuple[Region, ...] = (),
        note: str = "",
    ) -> tuple[LabelEvent, ...]:
        slice_id = series.slice_ids[index]
        with self._writing:
            old = self._seen(series.case_id, label_set.id).get(slice_id)
            draft = LabelDraft(
                action,
                series.case_id,
                series.patient_id,
                slice_id,
                index,
                label_set.id,
                old,
                # Regions and notes leave the class as it is.
                new if action is Action.ADJUDICATE else old,
                reason,
                opinion,
                regions=regions,
                note=note,
                blind=self._blind,
            )
            events = self._write(series.case_id, [draft])
        return self._tell(events)

    def _turn_back(
        self, action: Action, case_id: str | None, label_set: str | None
    ) -> tuple[LabelEvent, ...]:
        with self._writing:
            key, undoing = self._key(case_id), action is Action.UNDO
            with self._reading:
                find = self._history.undoable if undoing else self._history.redoable
                targets = find(key, label_set)
            drafts = self._turned(action, key[0], targets, label_set)
            events = self._write(key[0], drafts)
        return self._tell(events)

    def _turned(
        self, action: Action, case_id: str, targets: Sequence[LabelEvent], label_set: str | None
    ) -> list[LabelDraft]:
        """What ends the targets, or makes them stand again: they are one step."""
        if not targets:
            return []
        draft = targets[0].draft
        named = question_of(draft) or label_set or draft.label_set
        with self._reading:
            # Regions and notes leave the class as it is that is seen beside them.
            before = after = self._history.current(case_id, named, self._only)
            if ASPECTS[draft.action] is Aspect.LABEL_CLASS:
                after = self._history.current_if(
                    targets, stands=action is Action.REDO, reader=self._only
                )
        return [
            LabelDraft(
                action,
                target.draft.case_id,
                target.draft.patient_id,
                target.draft.slice_id,
                target.draft.slice_index,
                named,
                before.get(target.draft.slice_id),
                after.get(target.draft.slice_id),
                target=target.sequence,
                blind=self._blind,
            )
            for target in targets
        ]

    def _write(self, case_id: str, drafts: Sequence[LabelDraft]) -> tuple[LabelEvent, ...]:
        """Append, then apply. Called with the writing lock held."""
        if not drafts:
            return ()
        events = self._journal.append_many(drafts, reader=self._reader, session=self._session)
        self._case_id = case_id
        missed = events[0].sequence > self._history.last + 1
        self._take(self._journal.events(after=self._history.last) if missed else events)
        return events

    def _tell(self, events: tuple[LabelEvent, ...]) -> tuple[LabelEvent, ...]:
        """Emit `changed` once a case; called without locks, so that a listener may ask or label."""
        for case_id in dict.fromkeys(event.draft.case_id for event in events):
            mine = tuple(event for event in events if event.draft.case_id == case_id)
            slice_ids = tuple(dict.fromkeys(event.draft.slice_id for event in mine))
            self.changed.emit(LabelsChanged(case_id, slice_ids, mine[-1].reader, mine))
        return events


def _new_session() -> str:
    from core.labels.journal import new_session

    return new_session()
