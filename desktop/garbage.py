"""When Python looks for garbage: not while somebody reads.

A full look goes through every object that came after the start, 20 to 45 ms with a series open,
and whatever thread allocates next sets it off: a scroll step may wait for it. Here full looks are
taken out of Python's hands and made when nothing has moved for a while, or when too much has
piled up. What is freed by counting references, which is nearly everything, is not concerned.
"""

from __future__ import annotations

import gc
import time

from PySide6.QtCore import QObject, QTimer

from core.session import Reading, Session

QUIET_SECONDS = 2.0
"""Without a movement or a changed display after which a full look disturbs nobody."""
_INTERVAL_MS = 500
_YOUNG, _MIDDLE, _NEVER = 700, 10, 1 << 30
_DUE, _TOO_MANY = 10, 1000
"""Looks at the middle generation (one in some 7,000 new objects) from which a full one is due, and
from which it is made although somebody reads."""


class QuietCollector(QObject):
    """Owner of full looks, from its making to `close`; what stands already is never gone through.

    It listens to the series that is looked at.
    """

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._reading: Reading | None = None
        self._moved = time.monotonic()
        self._before = gc.get_threshold()
        gc.freeze()
        gc.set_threshold(_YOUNG, _MIDDLE, _NEVER)
        gc.enable()
        session.current_changed.connect(self._follow)
        self._follow(session.current)
        self._timer = QTimer(self, interval=_INTERVAL_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def close(self) -> None:
        """Give full looks back to Python."""
        self._timer.stop()
        self._session.current_changed.disconnect(self._follow)
        self._follow(None)
        gc.set_threshold(*self._before)

    def look(self) -> None:
        """Collect if it is due and nobody reads, or if it is long overdue."""
        piled = gc.get_count()[2]
        quiet = time.monotonic() - self._moved >= QUIET_SECONDS
        if piled >= _TOO_MANY or (piled >= _DUE and quiet):
            gc.collect()

    def _follow(self, reading: Reading | None) -> None:
        self._note()
        if self._reading is not None:
            self._reading.case.navigation.moved.disconnect(self._note)
            self._reading.case.display_changed.disconnect(self._note)
        self._reading = reading
        if reading is not None:
            reading.case.navigation.moved.connect(self._note)
            reading.case.display_changed.connect(self._note)

    def _note(self, *_what: object) -> None:
        self._moved = time.monotonic()
