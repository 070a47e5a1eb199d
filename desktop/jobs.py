"""The one job runner: slow work off the GUI thread, its results applied in one place.

A job is a frozen request. It runs on a worker thread, reports through its `Task`, and whatever
it reports is delivered on the GUI thread, in order, by `Jobs._deliver`. A newer job replaces an
older one of the same key: the older is asked to stop and nothing of it is delivered any more.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from core import crash_reports
from core.errors import CancelledError, CoreError
from core.sentences import Sentence, sentence
from core.workers import let_the_drawing_thread_go_first

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """Why a job could not be done: for a person, and in *details* for whoever helps them."""

    sentence: Sentence
    details: str = ""
    error: BaseException | None = field(default=None, compare=False, repr=False)


def explain(error: BaseException) -> Failure:
    """An exception as a sentence. A defect is logged and reported, without its message.

    The message of an unforeseen exception may hold a path or a value with a patient's name;
    only its type and our own lines of code are written down.
    """
    if isinstance(error, CoreError):
        return Failure(sentence(error), type(error).__name__, error)
    kind = crash_reports.type_of(error)
    where = "\n".join(f"  {place}" for place in crash_reports.places_of(error))
    details = f"{kind}\n{where}"
    _log.error("Unforeseen error: %s", details)
    crash_reports.note_exception(error)
    return Failure(
        Sentence(
            f"Something went wrong inside Sliceloop ({kind})",
            "",
            "Labels already marked as saved are safe. Try again; if it happens once "
            "more, report it with the details.",
        ),
        details,
        error,
    )


@dataclass(frozen=True)
class Job:
    """A request for slow work.

    key: what it is for; a newer job of that key replaces this one.
    title: for the footer, such as "Reading 300 slices"; empty for work not worth showing.
    work: called with its Task on a worker thread; what it needs is captured, not shared.
    lane: jobs of one lane run one after the other, in order, and are never replaced.
    """

    key: str
    title: str
    work: Callable[[Task], Any]
    lane: str = ""


@dataclass(frozen=True)
class Running:
    """What the footer shows of a job. done and total are 0 until the job reports them."""

    id: int
    title: str
    done: int = 0
    total: int = 0
    seconds_left: float | None = None


class _Kind(Enum):
    PARTIAL = 1
    PROGRESS = 2
    DONE = 3
    FAILED = 4


@dataclass
class _Entry:
    job: Job
    number: int
    on_done: Callable[[Any], None] | None
    on_failed: Callable[[Failure], None] | None
    on_partial: Callable[[Any], None] | None
    on_cancelled: Callable[[], None] | None
    started: float
    cancelled: bool = False
    cancel_hook: Callable[[], None] | None = None
    running: Running | None = None
    future: Future[None] | None = None


@dataclass
class _Outside:
    running: Running
    cancel: Callable[[], None]
    started: float


class Task:
    """A job's line to the window, used on the worker thread."""

    def __init__(self, entry: _Entry, send: Callable[[_Kind, Any], None]) -> None:
        self._entry = entry
        self._send = send
        self._told = 0.0

    def cancelled(self) -> bool:
        """Whether the work is no longer wanted."""
        return self._entry.cancelled

    def check(self) -> None:
        """Raise CancelledError if the work is no longer wanted."""
        if self._entry.cancelled:
            raise CancelledError(self._entry.job.title.lower() or "work")

    def when_cancelled(self, act: Callable[[], None]) -> None:
        """Have something done, on the GUI thread, as soon as the work is no longer wanted."""
        self._entry.cancel_hook = act
        if self._entry.cancelled:
            act()

    def progress(self, done: int, total: int) -> None:
        """Tell how far the work is; told to the window at most 20 times a second."""
        now = time.monotonic()
        if now - self._told > 0.05 or done >= total:
            self._told = now
            self._send(_Kind.PROGRESS, (done, total))

    def post(self, value: Any) -> None:
        """Hand a part of the result to `on_partial`, on the GUI thread, in order."""
        self._send(_Kind.PARTIAL, value)


class Jobs(QObject):
    """Runs jobs; lives on the GUI thread."""

    changed = Signal()
    """The list of running jobs, or their progress, changed."""
    _arrived = Signal(int, object, object)

    def __init__(self, parent: QObject | None = None, workers: int = 3) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(
            workers, thread_name_prefix="sliceloop-job", initializer=let_the_drawing_thread_go_first
        )
        self._lanes: dict[str, ThreadPoolExecutor] = {}
        self._numbers = itertools.count(1)
        self._entries: dict[int, _Entry] = {}
        self._outside: dict[int, _Outside] = {}
        self._closed = False
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def submit(
        self,
        job: Job,
        *,
        on_done: Callable[[Any], None] | None = None,
        on_failed: Callable[[Failure], None] | None = None,
        on_partial: Callable[[Any], None] | None = None,
        on_cancelled: Callable[[], None] | None = None,
    ) -> int:
        """Start a job; the callbacks are called on the GUI thread. Returns its number.

        Of one that is cancelled, `on_cancelled` is called at once and nothing else any more.
        """
        if self._closed:
            return 0
        if not job.lane:
            self.cancel_key(job.key)
        entry = _Entry(
            job,
            next(self._numbers),
            on_done,
            on_failed,
            on_partial,
            on_cancelled,
            time.monotonic(),
        )
        entry.running = Running(entry.number, job.title)
        self._entries[entry.number] = entry
        pool = self._pool
        if job.lane:
            pool = self._lanes.setdefault(
                job.lane,
                ThreadPoolExecutor(
                    1,
                    thread_name_prefix=f"sliceloop-{job.lane}",
                    initializer=let_the_drawing_thread_go_first,
                ),
            )
        entry.future = pool.submit(self._work, entry)
        self.changed.emit()
        return entry.number

    def running(self) -> list[Running]:
        """Work with a title that is not done, the window's own before that elsewhere."""
        own = [
            entry.running
            for entry in self._entries.values()
            if entry.running is not None and entry.job.title and not entry.cancelled
        ]
        return own + [outside.running for outside in self._outside.values()]

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._entries

    def has_wanted(self, beginning: str) -> bool:
        """Whether a job whose key begins so is under way and was not cancelled."""
        return any(
            entry.job.key.startswith(beginning) and not entry.cancelled
            for entry in self._entries.values()
        )

    def begin_outside(self, title: str, cancel: Callable[[], None]) -> int:
        """Show work that goes on elsewhere, such as in the engine. Returns its number."""
        number = next(self._numbers)
        self._outside[number] = _Outside(Running(number, title), cancel, time.monotonic())
        self.changed.emit()
        return number

    def progress_outside(self, number: int, done: int, total: int) -> None:
        """Tell how far work elsewhere is; nothing happens if it is not shown any more."""
        outside = self._outside.get(number)
        if outside is not None:
            spent = time.monotonic() - outside.started
            left = spent * (total - done) / done if done and spent > 1.0 else None
            outside.running = Running(number, outside.running.title, done, total, left)
            self.changed.emit()

    def end_outside(self, number: int) -> None:
        """Work elsewhere has ended, one way or another."""
        if self._outside.pop(number, None) is not None:
            self.changed.emit()

    def cancel(self, number: int) -> None:
        """Ask a job to stop; nothing of it is delivered any more, apart from its end."""
        outside = self._outside.pop(number, None)
        if outside is not None:
            outside.cancel()
            self.changed.emit()
            return
        entry = self._entries.get(number)
        if entry is None or entry.job.lane or entry.cancelled:
            return
        entry.cancelled = True
        if entry.on_cancelled is not None and not self._closed:
            entry.on_cancelled()
        if entry.cancel_hook is not None:
            entry.cancel_hook()
        if entry.future is not None and entry.future.cancel():
            self._entries.pop(number, None)
        self.changed.emit()

    def cancel_key(self, key: str) -> None:
        """Ask every job of a key to stop."""
        for number, entry in tuple(self._entries.items()):
            if entry.job.key == key and not entry.job.lane:
                self.cancel(number)

    def close(self) -> None:
        """Stop what can be stopped, finish what must be (lanes), and end the threads."""
        self._closed = True
        for number in tuple(self._entries):
            self.cancel(number)
        for lane in self._lanes.values():
            lane.shutdown(wait=True)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._entries.clear()

    # ---- on the worker thread

    def _work(self, entry: _Entry) -> None:
        def send(kind: _Kind, value: Any) -> None:
            if not self._closed:
                with suppress(RuntimeError):  # Qt has gone already; there is nobody to tell
                    self._arrived.emit(entry.number, kind, value)

        try:
            result = entry.job.work(Task(entry, send))
        except Exception as error:  # noqa: BLE001 - the one place where defects become sentences
            send(_Kind.FAILED, error)
        else:
            send(_Kind.DONE, result)

    # ---- on the GUI thread

    def _deliver(self, number: int, kind: _Kind, value: Any) -> None:
        entry = self._entries.get(number)
        if entry is None or self._closed:
            return
        if kind in (_Kind.DONE, _Kind.FAILED):
            del self._entries[number]
            self._end(entry, kind, value)
            self.changed.emit()
        elif entry.cancelled:
            return
        elif kind is _Kind.PROGRESS:
            done, total = value
            spent = time.monotonic() - entry.started
            left = spent * (total - done) / done if done and spent > 1.0 else None
            entry.running = Running(number, entry.job.title, done, total, left)
            self.changed.emit()
        elif entry.on_partial is not None:
            entry.on_partial(value)

    @staticmethod
    def _end(entry: _Entry, kind: _Kind, value: Any) -> None:
        if entry.cancelled:
            return
        if kind is _Kind.DONE:
            if entry.on_done is not None:
                entry.on_done(value)
        elif not isinstance(value, CancelledError):
            failure = explain(value)
            if entry.on_failed is not None:
                entry.on_failed(failure)


class Mailbox(QObject):
    """Takes values on any thread and hands them to one receiver on the GUI thread, in order."""

    _arrived = Signal(object)

    def __init__(self, receive: Callable[[Any], None], parent: QObject) -> None:
        super().__init__(parent)
        self._receive = receive
        self._closed = False
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def post(self, value: Any) -> None:
        """Called on any thread."""
        if not self._closed:
            with suppress(RuntimeError):  # Qt has gone already; there is nobody to tell
                self._arrived.emit(value)

    def close(self) -> None:
        """Hand nothing over any more."""
        self._closed = True

    def _deliver(self, value: Any) -> None:
        if not self._closed:
            self._receive(value)
