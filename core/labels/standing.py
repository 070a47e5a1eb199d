"""What stands now: the history's answers, asked from any thread without waiting for the disk."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from core.labels.history import History, HistoryEntry
from core.labels.schema import LabelEvent, Region


class Standing:
    """What the journal's entries mean now, as one reader sees it.

    Written by `core.labels.labelling.Labelling`, which takes each entry over once it is durable.
    """

    def __init__(self, history: History, reader: str, session: str) -> None:
        self._history = history
        self._reading = threading.Lock()
        self._reader = reader
        self._session = session
        self._case_id = ""
        self._blind = False

    @property
    def reader(self) -> str:
        """Who labels."""
        return self._reader

    @property
    def is_blind(self) -> bool:
        """Whether what other readers said is hidden."""
        return self._blind

    def label_sets(self, case_id: str) -> tuple[str, ...]:
        """Ids of the label sets of which anybody gave classes in a case, in order."""
        with self._reading:
            return self._history.label_sets(case_id)

    def current(self, case_id: str, label_set: str) -> dict[str, str]:
        """Slice id → class id of a case in a label set (its id), as all readers have it.

        This reader's own alone if blind.
        """
        return self._seen(case_id, label_set)

    def own(self, case_id: str, label_set: str, reader: str | None = None) -> dict[str, str]:
        """Slice id → class id that one reader (default: this one) gave, as if alone."""
        return self._now(case_id, label_set, reader or self._reader)

    def regions(self, case_id: str, label_set: str) -> dict[str, tuple[Region, ...]]:
        """Slice id → regions marked on it in a label set (its id)."""
        with self._reading:
            return self._history.regions(case_id, label_set, self._only)

    def notes(self, case_id: str) -> dict[str, str]:
        """Slice id → comment on it."""
        with self._reading:
            return self._history.notes(case_id, self._only)

    def history(self, case_id: str, label_set: str | None = None) -> list[HistoryEntry]:
        """What was done to a case, step by step, the last step last; own steps if blind.

        label_set: only what concerns it: its classes and regions, and notes.
        """
        with self._reading:
            entries = self._history.entries(case_id, label_set)
        return [entry for entry in entries if self._only in (None, entry.reader)]

    def counts(self, label_set: str) -> dict[str, int]:
        """Case id → number of slices labelled now in a label set, of every case that has any."""
        with self._reading:
            found = {
                case_id: len(self._history.current(case_id, label_set, self._only))
                for case_id in self._history.cases()
            }
        return {case_id: count for case_id, count in found.items() if count}

    def standing(self) -> tuple[LabelEvent, ...]:
        """The entries that give all current labels, in order: what a training set is made of.

        Of every label set; a training set takes those of its own.
        """
        with self._reading:
            return self._history.standing()

    def marks(self) -> tuple[LabelEvent, ...]:
        """The entries that give all regions marked now, in order; of every label set."""
        with self._reading:
            return self._history.marks()

    def can_undo(self, case_id: str | None = None, label_set: str | None = None) -> bool:
        """Whether `undo` would do something."""
        with self._reading:
            return bool(self._history.undoable(self._key(case_id), label_set))

    def can_redo(self, case_id: str | None = None, label_set: str | None = None) -> bool:
        """Whether `redo` would do something."""
        with self._reading:
            return bool(self._history.redoable(self._key(case_id), label_set))

    # ---- inside

    def _key(self, case_id: str | None) -> tuple[str, str, str]:
        return (case_id or self._case_id, self._reader, self._session)

    @property
    def _only(self) -> str | None:
        """Whose entries are shown: all, or in a blind reading this reader's."""
        return self._reader if self._blind else None

    def _seen(self, case_id: str, label_set: str) -> dict[str, str]:
        return self._now(case_id, label_set, self._only)

    def _now(self, case_id: str, label_set: str, reader: str | None = None) -> dict[str, str]:
        with self._reading:
            return self._history.current(case_id, label_set, reader)

    def _take(self, events: Iterable[LabelEvent]) -> None:
        with self._reading:
            for event in events:
                self._history.apply(event)
