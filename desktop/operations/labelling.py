"""Labelling from the window: every label goes to the journal on one writer thread, in order.

The screen shows a label as saved only after the journal has acknowledged it; until then it is
pending, and what is shown as the label is what the journal has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from core.errors import CoreError, NotDurableError
from core.events import Signal
from core.imaging.geometry import Plane
from core.labels.history import HistoryEntry
from core.labels.labelling import Labelling
from core.labels.schema import LabelEvent, Region
from core.places import journal_file
from core.reading.areas import Edit
from core.retraining.sources import Sources
from core.session import Reading, Session
from desktop.jobs import Failure, Job, Jobs, Task
from desktop.language import say, say_sentence
from desktop.notices import Level, Notice, Tell
from desktop.operations.journal import LANE, Saved, opened_journal, read_only
from desktop.operations.labelled import (
    LabelledSlice,
    is_settled,
    labelled_slices,
    next_of,
    opinion_of,
    opposite_of,
    said_of,
)


class LabelOperations:
    """What the label keys, undo and redo do."""

    changed = Signal(object)
    """A Reading whose labels are now as the journal has them."""
    stepped = Signal(object, object)
    """A Reading about which something was stated that can be undone, and the id of the label set
    in which alone it is seen; None for a note."""
    turned = Signal(object, object)
    """A Reading, and the indices of the slices that an undo or redo has just changed."""
    saved_changed = Signal(object)
    """The new Saved."""

    def __init__(
        self, session: Session, jobs: Jobs, tell: Tell, reader: str, *, journal: Any = None
    ) -> None:
        self._session = session
        self._jobs = jobs
        self._tell = tell
        self._reader = reader
        self._make_journal: Any = journal
        self._labelling: Labelling | None = None
        self._sources = Sources()
        self._broken: Failure | None = None
        self.saved = Saved()
        session.added.connect(self.refresh)
        session.label_set_changed.connect(self._refresh_all)

    def start(self) -> None:
        """Open the journal, off the GUI thread: it verifies its whole chain first."""
        self._submit(self._open, self._opened, self._cannot_open)

    def close(self) -> None:
        """Let go of the journal; called after the jobs have ended."""
        self._session.added.disconnect(self.refresh)
        self._session.label_set_changed.disconnect(self._refresh_all)
        if self._labelling is not None:
            self._labelling.journal.close()

    # ---- opening the journal

    def _open(self) -> CoreError | None:
        journal, unwritable = opened_journal(self._make_journal)
        self._labelling = Labelling(journal, self._reader)
        return unwritable

    def _opened(self, unwritable: CoreError | None) -> None:
        from core.sentences import sentence

        self._say(Saved(is_ready=True, can_write=unwritable is None))
        no_backup = self._labelling.journal.backup_problem if self._labelling else None
        for problem in (unwritable, no_backup):
            if problem is not None:
                self._tell(Notice(Level.CAUTION, say_sentence(sentence(problem))))
        self._refresh_all()

    def _cannot_open(self, failure: Failure) -> None:
        self._broken = failure
        self._say(Saved(failed=True))
        self._tell(Notice.of(failure))

    # ---- changing labels

    @property
    def labelling(self) -> Labelling | None:
        """The labels of this journal, once it is open; to be asked, not changed."""
        return self._labelling

    @property
    def reader(self) -> str:
        """Who labels."""
        return self._reader

    def sign_in(self, reader: str) -> None:
        """Someone else labels from now on."""
        self._reader = reader

        def work(labelling: Labelling) -> None:
            labelling.sign_in(reader)

        self._write(None, work)

    @property
    def is_blind(self) -> bool:
        """Whether what others said is hidden."""
        return self._labelling is not None and self._labelling.is_blind

    def read_blind(self, wanted: bool) -> None:
        """Hide what others said, or show it again; each label says whether it was given blind."""

        def work() -> None:
            if self._labelling is not None:
                self._labelling.read_blind(wanted)

        def done(_result: object) -> None:
            self._say(is_blind=self.is_blind)
            self._refresh_all()

        self._submit(work, done, lambda failure: self._tell(Notice.of(failure)))

    def adjudicate(self, reading: Reading, class_id: str, reason: str) -> None:
        """Settle the slice looked at between readers, with a reason."""
        at = reading.case.navigation.index(Plane.SLICE)
        label_set, summary = self._session.label_set, reading.summary
        opinion = opinion_of(reading, at)

        def work(labelling: Labelling) -> None:
            labelling.adjudicate(
                summary, at, class_id, label_set=label_set, reason=reason, opinion=opinion
            )

        self._write(reading, work, question=label_set.id)

    def label(self, reading: Reading, class_id: str | None, index: int | None = None) -> None:
        """Give a slice (default: the one looked at) a class, or None to take it away."""
        at = reading.case.navigation.index(Plane.SLICE) if index is None else index
        label_set, summary = self._session.label_set, reading.summary
        opinion = opinion_of(reading, at)

        def work(labelling: Labelling) -> None:
            if class_id is None:
                labelling.clear(summary, at, label_set=label_set)
            else:
                labelling.label(summary, at, class_id, label_set=label_set, opinion=opinion)

        def written(_result: object) -> None:
            if self._session.label_set != label_set:
                return  # what is shown by now is of another
            is_mine = reading.case.label_at(at) == class_id
            if not is_mine and is_settled(reading.summary.slice_ids[at], self.history(reading)):
                self._tell(
                    Notice(
                        Level.INFO,
                        say(
                            "This slice was settled: your label is kept, but does not overrule it."
                        ),
                    )
                )

        self._write(reading, work, on_done=written, question=label_set.id)

    def label_series(self, reading: Reading, class_id: str) -> None:
        """Give all slices of a series a class, as one step."""
        self.label_slices(reading, range(reading.summary.shape[0]), class_id)

    def label_slices(self, reading: Reading, indices: Iterable[int], class_id: str) -> None:
        """Give some slices of a series a class, as one step."""
        label_set, summary, wanted = self._session.label_set, reading.summary, tuple(indices)
        opinions = {
            index: opinion
            for index in wanted
            if (opinion := opinion_of(reading, index)) is not None
        }

        def work(labelling: Labelling) -> None:
            labelling.label_slices(
                summary, wanted, class_id, label_set=label_set, opinions=opinions
            )

        self._write(reading, work, question=label_set.id)

    def accept(self, reading: Reading) -> str | None:
        """Label the slice looked at with what the model says of it. Returns the class, or None."""
        said = opinion_of(reading, reading.case.navigation.index(Plane.SLICE))
        if said is not None:
            self.label(reading, said.class_id)
        return said.class_id if said is not None else None

    def reject(self, reading: Reading) -> str | None:
        """Label the slice looked at with the opposite of what the model says.

        A finding becomes the absence of one; the absence becomes the finding, if there is one
        kind of finding alone. Returns the class, or None where a person must choose it.
        """
        said = opinion_of(reading, reading.case.navigation.index(Plane.SLICE))
        opposite = opposite_of(self._session.label_set, said.class_id) if said else None
        if opposite is not None:
            self.label(reading, opposite)
        return opposite

    def mark(self, reading: Reading, index: int, regions: Sequence[Region]) -> None:
        """State all regions of a slice for the task read for; an empty sequence takes them away."""
        label_set, summary, stated = self._session.label_set, reading.summary, tuple(regions)
        opinion = opinion_of(reading, index)

        def work(labelling: Labelling) -> None:
            labelling.mark(summary, index, stated, label_set=label_set, opinion=opinion)

        self._write(reading, work, question=label_set.id)

    def edit_regions(self, reading: Reading, index: int, edit: Edit) -> None:
        """Change the regions of a slice, as they stand when the change is written."""
        label_set, summary = self._session.label_set, reading.summary
        opinion, size = opinion_of(reading, index), (summary.shape[1], summary.shape[2])

        def work(labelling: Labelling) -> None:
            known = labelling.regions(summary.case_id, label_set.id)
            stated = edit.apply(known.get(summary.slice_ids[index], ()), size)
            labelling.mark(summary, index, stated, label_set=label_set, opinion=opinion)

        self._write(reading, work, question=label_set.id)

    def mark_slices(self, reading: Reading, regions: Mapping[int, Sequence[Region]]) -> None:
        """State all regions of several slices, as one step."""
        label_set, summary, stated = self._session.label_set, reading.summary, dict(regions)

        def work(labelling: Labelling) -> None:
            labelling.mark_slices(summary, stated, label_set=label_set)

        self._write(reading, work, question=label_set.id)

    def note(self, reading: Reading, index: int, text: str) -> None:
        """State the comment on a slice; an empty text takes it away."""
        label_set, summary = self._session.label_set, reading.summary

        def work(labelling: Labelling) -> None:
            labelling.note(summary, index, text.strip(), label_set=label_set)

        self._write(reading, work)

    def notes(self, reading: Reading) -> dict[str, str]:
        """Slice id → comment on it."""
        if self._labelling is None:
            return {}
        return self._labelling.notes(reading.summary.case_id)

    def undo(self, reading: Reading) -> None:
        """End the last step of this reader on the series that is seen: see `Labelling.undo`."""
        self._turn(reading, Labelling.undo)

    def redo(self, reading: Reading) -> None:
        """Make the step stand again that was undone last."""
        self._turn(reading, Labelling.redo)

    def _turn(
        self, reading: Reading, act: Callable[[Labelling, str, str], tuple[LabelEvent, ...]]
    ) -> None:
        case_id, label_set = reading.summary.case_id, self._session.label_set.id

        def turned(events: tuple[LabelEvent, ...]) -> None:
            changed = {event.draft.slice_id for event in events}
            ids = reading.summary.slice_ids
            self.turned.emit(
                reading, [at for at, slice_id in enumerate(ids) if slice_id in changed]
            )

        self._write(
            reading,
            lambda labelling: act(labelling, case_id, label_set),
            is_step=False,
            on_done=turned,
        )

    def _write(
        self,
        reading: Reading | None,
        work: Callable[[Labelling], Any],
        *,
        is_step: bool = True,
        question: str | None = None,
        on_done: Callable[[Any], None] | None = None,
    ) -> None:
        if self.saved.is_ready and not self.saved.can_write:
            self._tell(read_only())
            return

        if self._broken is not None:
            self._tell(Notice.of(self._broken))
            return

        def change() -> Any:
            if self._labelling is None:  # the lane opens it first; it could not
                raise NotDurableError(journal_file(), "the label journal could not be opened")
            if reading is not None:
                # A training set opens the study again: note its place before the first label.
                self._sources.remember(reading.summary)
            return work(self._labelling)

        def done(result: Any) -> None:
            self._say(pending=self.saved.pending - 1, failed=False)
            if reading is not None:
                self.refresh(reading)
            if on_done is not None:
                on_done(result)

        def failed(failure: Failure) -> None:
            self._say(pending=self.saved.pending - 1, failed=True)
            self._tell(Notice.of(failure))
            if reading is not None:
                self.refresh(reading)

        self._say(pending=self.saved.pending + 1)
        if reading is not None and is_step:
            self.stepped.emit(reading, question)
        self._submit(change, done, failed)

    def _submit(
        self,
        work: Callable[[], Any],
        on_done: Callable[[Any], None],
        on_failed: Callable[[Failure], None],
    ) -> None:
        def run(_task: Task) -> Any:
            return work()

        self._jobs.submit(Job(LANE, "", run, lane=LANE), on_done=on_done, on_failed=on_failed)

    def _say(self, saved: Saved | None = None, **changes: Any) -> None:
        now = saved or Saved(**{**vars(self.saved), **changes})
        if now != self.saved:
            self.saved = now
            self.saved_changed.emit(now)

    # ---- what holds now

    def refresh(self, reading: Reading) -> None:
        """Show a series' labels and regions of the label set read for, as the journal has them."""
        if self._labelling is None:
            return
        label_set = self._session.label_set
        known = {item.id for item in label_set.classes}
        given = self._labelling.current(reading.summary.case_id, label_set.id)
        # A label set of one's own may have lost a class since.
        labels = {slice_id: name for slice_id, name in given.items() if name in known}
        reading.case.relabel(labels)
        reading.case.remark(self._labelling.regions(reading.summary.case_id, label_set.id))
        self._session.mark(reading, labelled=len(labels))
        self.changed.emit(reading)

    def _refresh_all(self, _what: object = None) -> None:
        for reading in self._session:
            self.refresh(reading)

    def labelled(self, reading: Reading) -> list[LabelledSlice]:
        """The slices about which something stands: label, regions or note; in order."""
        return labelled_slices(reading, self._labelling) if self._labelling is not None else []

    def history(self, reading: Reading) -> list[HistoryEntry]:
        """What was done to a series in the label set read for, the last step first."""
        if self._labelling is None:
            return []
        return self._labelling.history(reading.summary.case_id, self._session.label_set.id)[::-1]

    def said_of(self, reading: Reading, index: int) -> dict[str, str]:
        """See `said_of`."""
        return said_of(reading.summary.slice_ids[index], self.history(reading))

    def can_undo(self, reading: Reading, *, unseen: bool = False) -> bool:
        """Whether there is a step of this reader to undo; unseen: also of another label set."""
        case_id, label_set = reading.summary.case_id, None if unseen else self._session.label_set.id
        return self._labelling is not None and self._labelling.can_undo(case_id, label_set)

    def can_redo(self, reading: Reading) -> bool:
        """Whether there is a step of this reader to redo, of what is seen."""
        case_id, label_set = reading.summary.case_id, self._session.label_set.id
        return self._labelling is not None and self._labelling.can_redo(case_id, label_set)

    def next_labelled(self, reading: Reading, direction: int) -> int | None:
        """See `next_of`: the next slice that `labelled` lists."""
        here = reading.case.navigation.index()
        return next_of([item.index for item in self.labelled(reading)], here, direction)
