"""A few threads that draw from one list of work, and one caller who hears of each piece done."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from core.errors import CancelledError
from core.imaging.volume import Cancelled, Looks

T = TypeVar("T")


class Shared(Generic[T]):
    """Work that several threads draw from, in its order.

    looks: the slice that somebody looks at now, asked before each piece. Once it is another one,
    what lies nearest to it comes first. slice_of: the slice that a piece is of.
    """

    def __init__(
        self,
        work: Iterable[T],
        looks: Looks | None = None,
        slice_of: Callable[[T], int] | None = None,
    ) -> None:
        self._work = deque(work)
        self._lock = threading.Lock()
        self._looks, self._slice_of = looks, slice_of
        self._centre = looks() if looks is not None else 0

    def next(self, spare: int = 0) -> T | None:
        """The next piece, if more than `spare` are left; else None."""
        with self._lock:
            if self._looks is not None and self._slice_of is not None:
                self._gather(self._looks(), self._slice_of)
            return self._work.popleft() if len(self._work) > spare else None

    def _gather(self, centre: int, slice_of: Callable[[T], int]) -> None:
        """Put what is left into the order of its distance from a slice, if that is another one."""
        if centre != self._centre:
            self._centre = centre
            self._work = deque(sorted(self._work, key=lambda one: abs(slice_of(one) - centre)))

    def stop(self) -> None:
        """Nothing is left from now on."""
        with self._lock:
            self._work.clear()


def work_together(
    threads: int,
    serve: Callable[[int, Callable[[int], None]], None],
    work: Shared[T],
    done: Callable[[int], None],
    cancelled: Cancelled | None = None,
) -> None:
    """Run `serve(number, finished)` on some threads until all of them return.

    finished: called by `serve` with the index of each piece. done: called with it on the
    caller's thread. After the first error, or when cancelled, `work` is stopped; the error is
    raised when all threads have ended. Raises CancelledError, and what `serve` and `done` raise.
    """
    answers: queue.SimpleQueue[int | BaseException | None] = queue.SimpleQueue()

    def run(number: int) -> None:
        try:
            serve(number, answers.put)
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            work.stop()
            answers.put(error)
        finally:
            answers.put(None)

    with ThreadPoolExecutor(threads, thread_name_prefix="together") as executor:
        for number in range(threads):
            executor.submit(run, number)
        open_ends = threads
        trouble: BaseException | None = None
        while open_ends:
            answer = answers.get()
            if answer is None:
                open_ends -= 1
            elif isinstance(answer, BaseException):
                trouble = trouble or answer
            elif trouble is None:
                try:
                    if cancelled is not None and cancelled():
                        raise CancelledError("loading")
                    done(answer)
                except BaseException as error:  # noqa: BLE001 - the threads end first
                    work.stop()
                    trouble = error
    if trouble is not None:
        raise trouble
