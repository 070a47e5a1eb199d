"""Keeping measurements: read when a series is opened, written down after every change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from core.reading.kept import Item, Kept, KeptMeasurements
from core.session import Reading, Session
from desktop.jobs import Failure, Job, Jobs
from desktop.notices import Notice, Tell

_LANE = "measurements"
"""What is written in a session is read again after it was written: one after the other."""


@dataclass
class _Open:
    """A series that is open. key: of its file, by the reader who opened it."""

    key: str
    changed: partial[None]
    is_being_read: bool = False


class Measuring:
    """Hears of series and of what is measured; the disk's part is done beside the window.

    reader: who reads now. Measurements are the reader's own: who reads after another, blind,
    opens the series without them.
    """

    def __init__(
        self,
        session: Session,
        jobs: Jobs,
        tell: Tell,
        kept: KeptMeasurements,
        reader: Callable[[], str],
    ) -> None:
        self._session = session
        self._jobs = jobs
        self._tell = tell
        self._kept = kept
        self._reader = reader
        self._open: dict[str, _Open] = {}
        self._elsewhere: dict[str, tuple[Item, ...]] = {}
        """Of files written or read in this session: what is measured on slices not there."""
        session.added.connect(self._added)
        session.removed.connect(self._removed)

    def close(self) -> None:
        """Stop listening. What is still to be written is written when the jobs end."""
        self._session.added.disconnect(self._added)
        self._session.removed.disconnect(self._removed)
        for reading in self._session:
            self._removed(reading)

    def _added(self, reading: Reading) -> None:
        key, slice_ids = f"{self._reader()}\n{reading.key}", reading.summary.slice_ids
        one = self._open[reading.key] = _Open(key, partial(self._changed, reading))
        reading.case.measurements.changed.connect(one.changed)
        if key not in self._elsewhere and not self._kept.might_have(key):
            return
        one.is_being_read = True
        self._jobs.submit(
            Job("measurements", "", lambda _task: self._kept.read(key, slice_ids), lane=_LANE),
            on_done=lambda kept: self._was_read(reading, one, kept),
            on_failed=lambda failure: self._was_not_read(reading, one, failure),
        )

    def _removed(self, reading: Reading) -> None:
        one = self._open.pop(reading.key, None)
        if one is not None:
            reading.case.measurements.changed.disconnect(one.changed)

    def _was_read(self, reading: Reading, one: _Open, kept: Kept) -> None:
        is_newer = len(reading.case.measurements) > 0  # measured before the disk had answered
        reading.case.measurements.fill(kept.placed)
        self._elsewhere[one.key] = kept.elsewhere
        one.is_being_read = False
        if is_newer:
            self._changed(reading)

    def _was_not_read(self, reading: Reading, one: _Open, failure: Failure) -> None:
        self._tell(Notice.of(failure))
        self._was_read(reading, one, Kept())

    def _changed(self, reading: Reading) -> None:
        one = self._open.get(reading.key)
        if one is None or one.is_being_read:
            return
        items, slice_ids = tuple(reading.case.measurements), reading.summary.slice_ids
        elsewhere = self._elsewhere.setdefault(one.key, ())

        def write(_task: object) -> None:
            self._kept.write(one.key, slice_ids, items, elsewhere)

        self._jobs.submit(
            Job("measurements", "", write, lane=_LANE),
            on_failed=lambda failure: self._tell(Notice.of(failure)),
        )
