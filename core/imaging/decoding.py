"""Decoding outside of this process: a small pool of decoder processes with limits.

Whatever C code parses runs there. A crash, a hang or a bomb becomes DecoderDiedError, which
names the file; the process that asked lives on. Workers stay warm between loads and end with
this process, because their standard input does.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import CancelledError
from core.imaging.decoder_client import Decoder, Job, Taken
from core.imaging.decoder_process import Task
from core.imaging.together import Shared, work_together
from core.imaging.volume import Cancelled, Looks

__all__ = ["Job", "decode_all", "decode_in_turn", "decode_one", "processes", "shut_down", "warm_up"]

_SPARE_JOBS = 8


class _Pool:
    """Idle workers, at most `limit` alive at once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._idle: list[Decoder] = []
        self._busy = 0
        self._changed = threading.Condition()

    def warm_up(self, count: int) -> None:
        with self._changed:
            count = min(count, self._limit) - self._busy - len(self._idle)
            self._idle += [Decoder() for _ in range(max(count, 0))]

    def take(self) -> Decoder:
        """An idle worker or a new one; waits until there may be one."""
        worker = self.try_take(wait=True)
        if worker is None:
            raise RuntimeError("a waiting take gave no worker")
        return worker

    def try_take(self, *, wait: bool = False) -> Decoder | None:
        """As `take`, or None if all are busy."""
        with self._changed:
            while True:
                while self._idle:
                    worker = self._idle.pop()
                    if worker.is_alive:
                        self._busy += 1
                        return worker
                    worker.close()
                if self._busy < self._limit:
                    self._busy += 1
                    break
                if not wait:
                    return None
                self._changed.wait()
        try:
            return Decoder()
        except OSError:
            with self._changed:
                self._busy -= 1
            raise

    def give(self, worker: Decoder) -> None:
        with self._changed:
            self._busy -= 1
            if worker.is_alive:
                self._idle.append(worker)
            else:
                worker.close()
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            for worker in self._idle:
                worker.close()
            self._idle.clear()

    @property
    def limit(self) -> int:
        return self._limit


_pool = _Pool(max(1, min(4, os.cpu_count() or 1)))
atexit.register(_pool.close)


def processes() -> int:
    """How many pictures are decoded at once, at most."""
    return _pool.limit


def warm_up(count: int = 1) -> None:
    """Start decoder processes now, so that the first compressed picture need not wait."""
    _pool.warm_up(count)


def shut_down() -> None:
    """End the idle decoder processes; the next task starts new ones."""
    _pool.close()


def decode_one(path: Path, task: Task) -> NDArray[np.generic]:
    """Decode one picture in a decoder process.

    Raises UnreadableImageError or DecoderDiedError.
    """
    target = np.empty(task.shape, task.dtype)
    worker = _pool.take()
    try:
        worker.decode_each(
            Shared([Job(0, str(path), task)]), lambda _, result: np.copyto(target, result)
        )
    finally:
        _pool.give(worker)
    return target


def decode_in_turn(work: Shared[Job], take: Taken, cancelled: Cancelled | None = None) -> None:
    """Run tasks one after the other in one decoder process, in their order.

    take: called with a job's index and its result, which is gone when it returns. It may stop
    the work. Raises UnreadableImageError, DecoderDiedError, CancelledError.
    """

    def taken(index: int, result: NDArray[np.generic]) -> None:
        if cancelled is not None and cancelled():
            raise CancelledError("loading")
        take(index, result)

    worker = _pool.take()
    try:
        worker.decode_each(work, taken)
    finally:
        _pool.give(worker)


def decode_all(
    jobs: Iterable[Job],
    target: Callable[[int], NDArray[np.generic]],
    done: Callable[[int], None],
    cancelled: Cancelled | None = None,
    looks: Looks | None = None,
) -> None:
    """Decode many pictures, about in their order, in as many processes as there are cores.

    target: where the result of a job's index goes. done: called on the caller's thread after
    each. looks: the index that somebody looks at now; what is nearest to it comes next. Raises
    the first CoreError; what was decoded stays.
    """
    work = Shared(jobs, looks, lambda job: job.index)

    def serve(number: int, finished: Callable[[int], None]) -> None:
        def taken(index: int, result: NDArray[np.generic]) -> None:
            np.copyto(target(index), result, casting="same_kind")
            finished(index)

        worker = _pool.try_take(wait=number == 0)
        if worker is None:
            return
        try:
            worker.decode_each(work, taken, spare=_SPARE_JOBS)
        finally:
            _pool.give(worker)

    work_together(_pool.limit, serve, work, done, cancelled)
