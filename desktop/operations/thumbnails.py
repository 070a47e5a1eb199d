"""Small pictures for the list of studies: one after the other, behind what is looked at."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from core.events import Signal
from core.session import LoadState, Reading, Session, initial_window, thumbnail
from desktop.jobs import Job, Jobs, Task


class Thumbnails:
    """Owner of the pictures that are still to be made.

    A study may have a hundred series: their pictures must not stand in line before the slices
    that somebody waits for. None is begun while a series has not shown its first slice, and no
    two are made at once.
    """

    made = Signal(str, object)
    """(key of a reading, RGB array)"""

    def __init__(self, session: Session, jobs: Jobs) -> None:
        self._session = session
        self._jobs = jobs
        self._wanted: deque[Reading] = deque()
        self._is_at_work = False

    def want(self, readings: Iterable[Reading]) -> None:
        """Make a picture of each, soon."""
        self._wanted.extend(readings)
        self.go_on()

    def go_on(self) -> None:
        """Make the next one, if nobody waits for slices: called whenever that may have changed."""
        if self._is_at_work or self._is_waited_for():
            return
        open_now = set(map(id, self._session))
        while self._wanted:
            reading = self._wanted.popleft()
            if id(reading) in open_now:
                self._make(reading)
                return

    def _is_waited_for(self) -> bool:
        current = self._session.current
        if current is None or current.load_state is not LoadState.LOADING:
            return False
        return current.case.volume is None

    def _make(self, reading: Reading) -> None:
        series, key = reading.series, reading.key
        middle = reading.summary.shape[0] // 2

        def make(_task: Task) -> object:
            return thumbnail(series.read_slice(middle), initial_window(series.summary))

        def end(picture: object = None) -> None:
            self._is_at_work = False
            if picture is not None:
                self.made.emit(key, picture)
            self.go_on()

        self._is_at_work = True
        self._jobs.submit(
            Job(f"thumbnail:{key}", "", make),
            on_done=end,
            on_failed=lambda _failure: end(),  # told when the series itself is read
        )
