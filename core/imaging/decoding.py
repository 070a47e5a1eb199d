"""Decoding outside of this process: a small pool of decoder processes with limits.

Whatever C code parses runs there. A crash, a hang or a bomb becomes DecoderDiedError, which
names the file; the process that asked lives on. Workers stay warm between loads and end with
this process, because their standard input does.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import mmap
import os
import pickle
import queue
import secrets
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
import psutil
from numpy.typing import NDArray

from core.errors import CancelledError, CoreError, DecoderDiedError, UnreadableImageError
from core.imaging.decoder_process import Task, open_slot, size_of
from core.imaging.volume import Cancelled
from core.workers import worker_command

DEADLINE_SECONDS = 8.0
"""For one picture, besides a tenth of a second for each MB of it: of the decoder's own time.

A decoder that waits for a busy computer is not hanging; one that waits for nothing is.
"""
_PATIENCE = 6
"""Times the deadline by the clock after which even a starved decoder is given up."""
START_SECONDS = 60.0
"""For a decoder process to come up on a busy computer."""
_LARGEST_REPLY = 1 << 14


@dataclass(frozen=True)
class Job:
    """A task with the file that it is about and where its result belongs."""

    index: int
    path: Path
    task: Task


class _LostError(Exception):
    """A decoder process ended for no reason that lies in what it decoded."""


_WANTS_TO_RUN = (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)
_BY_THE_PICTURE = frozenset({"SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL", "SIGTRAP"})
"""Signals of a codec that went wrong; any other end is the computer's doing."""


class _Worker:
    """One decoder process and its slot of shared memory."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._size = 0
        self._ready = False
        self._spent_before = 0.0  # seconds of its own time, as its last answer told
        self._slot: mmap.mmap | None = None
        if sys.platform == "win32":
            self._handle = -1
            self._name = ""  # a larger slot is another mapping: named when it is made
        else:
            self._handle = _anonymous_file()
            self._name = str(self._handle)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            worker_command("decode"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=() if self._handle < 0 else (self._handle,),
            env=environment,
            # Ctrl+C at the keyboard is for the program, not for its decoders.
            start_new_session=sys.platform != "win32",
        )
        self._stdin = cast(IO[bytes], self._process.stdin)
        self._stdout = cast(IO[bytes], self._process.stdout)

    def decode(self, job: Job, target: NDArray[np.generic]) -> None:
        """Run one task and copy its result. Raises CoreError; then ask `is_alive`.

        A process that is lost for no reason of the picture's (killed from outside, or it could
        not come up) is replaced, once: the picture is not to blame.
        """
        try:
            self._attempt(job, target)
        except _LostError:
            self.close()
            self._start()
            try:
                self._attempt(job, target)
            except _LostError as error:
                self.close()
                raise DecoderDiedError(job.path, str(error)) from error

    def _attempt(self, job: Job, target: NDArray[np.generic]) -> None:
        size = size_of(job.task)
        slot = self._reserve(size)
        payload = pickle.dumps((self._name, job.task), pickle.HIGHEST_PROTOCOL)
        deadline = DEADLINE_SECONDS + size / 10e6
        try:
            if not self._ready:
                if self._reply(START_SECONDS) is None:
                    # Its late "I am up" must never be taken for the answer to a task.
                    raise _LostError(f"did not come up within {START_SECONDS:.0f} s")
                self._ready = True
                self._spent_before = self._spent()
            self._stdin.write(struct.pack("<QQ", len(payload), self._size) + payload)
            self._stdin.flush()
            answer = self._reply(deadline)
        except (OSError, ValueError, EOFError) as error:
            how, is_the_pictures = self._how()
            if is_the_pictures:
                raise DecoderDiedError(job.path, how) from error
            raise _LostError(how) from error
        if answer is None:
            self.close()
            raise DecoderDiedError(job.path, f"took longer than {deadline:.0f} s and was stopped")
        self._spent_before = float(answer.get("spent", self._spent_before))
        if "lost" in answer:
            raise _LostError(answer["lost"])
        if "died" in answer:
            self.close()
            raise DecoderDiedError(job.path, answer["died"])
        if "reason" in answer:
            raise UnreadableImageError(job.path, answer["reason"])
        result = np.frombuffer(slot, job.task.dtype, size // np.dtype(job.task.dtype).itemsize)
        np.copyto(target, result.reshape(job.task.shape), casting="same_kind")
        del result

    def _reserve(self, size: int) -> mmap.mmap:
        if self._slot is not None and size <= self._size:
            return self._slot
        page = mmap.ALLOCATIONGRANULARITY
        wanted = -(-size // page) * page
        if self._slot is not None:
            self._slot.close()
        if self._handle >= 0:
            os.ftruncate(self._handle, wanted)
        else:
            self._name = f"sliceloop-{os.getpid()}-{secrets.token_hex(8)}"
        self._size = wanted
        self._slot = open_slot(self._name, wanted)
        return self._slot

    def _reply(self, deadline: float) -> dict[str, str] | None:
        """The answer; None if it does not come in time. Raises EOFError on death."""
        stream = self._stdout
        if sys.platform == "win32":
            timer = threading.Timer(deadline, self._process.kill)
            timer.start()
            try:
                return self._read(stream.fileno())
            except EOFError:
                if timer.finished.is_set():
                    return None
                raise
            finally:
                timer.cancel()
        begin, wait = time.monotonic(), deadline
        while True:
            ready, _, _ = select.select([stream], [], [], wait)
            if ready:
                return self._read(stream.fileno())
            if not self._is_starved(deadline, time.monotonic() - begin):
                return None
            wait = 0.5

    def _spent(self) -> float:
        """Seconds of processor time that the process has used in all."""
        try:
            times = psutil.Process(self._process.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)

    def _is_starved(self, deadline: float, waited: float) -> bool:
        """Whether the process is late only because the computer has no time for it."""
        if waited >= deadline * _PATIENCE or self._spent() - self._spent_before >= deadline:
            return False
        try:
            return psutil.Process(self._process.pid).status() in _WANTS_TO_RUN
        except psutil.Error:
            return True  # it has just ended: the next look finds its pipe closed

    @staticmethod
    def _read(handle: int) -> dict[str, str]:
        def exactly(count: int) -> bytes:
            parts = b""
            while len(parts) < count:
                part = os.read(handle, count - len(parts))
                if not part:
                    raise EOFError
                parts += part
            return parts

        (length,) = struct.unpack("<I", exactly(4))
        if length > _LARGEST_REPLY:
            raise EOFError
        answer = json.loads(exactly(length))
        if not isinstance(answer, dict):
            raise EOFError
        return {str(key): str(value) for key, value in answer.items()}

    def _how(self) -> tuple[str, bool]:
        """How the process ended, and whether what it decoded is to blame."""
        try:
            code = self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.close()
            return "stopped answering", True
        if code >= 0:
            return f"ended unexpectedly (exit code {code})", False
        try:
            name = signal.Signals(-code).name
        except ValueError:
            return "crashed", True
        return f"crashed ({name})", name in _BY_THE_PICTURE

    @property
    def is_alive(self) -> bool:
        """Whether the process can take another task."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process and free the slot."""
        self._process.kill()
        self._process.wait()
        for stream in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                stream.close()
        if self._slot is not None:
            with contextlib.suppress(BufferError):  # a failed copy may still look at it
                self._slot.close()
            self._slot = None
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("sliceloop-slot", os.MFD_CLOEXEC)
    handle, name = tempfile.mkstemp()
    Path(name).unlink()
    return handle


class _Pool:
    """Idle workers, at most `limit` alive at once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._idle: list[_Worker] = []
        self._busy = 0
        self._changed = threading.Condition()

    def warm_up(self, count: int) -> None:
        with self._changed:
            count = min(count, self._limit) - self._busy - len(self._idle)
            self._idle += [_Worker() for _ in range(max(count, 0))]

    def take(self) -> _Worker:
        """An idle worker or a new one; waits until there may be one."""
        worker = self.try_take(wait=True)
        if worker is None:
            raise RuntimeError("a waiting take gave no worker")
        return worker

    def try_take(self, *, wait: bool = False) -> _Worker | None:
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
            return _Worker()
        except OSError:
            with self._changed:
                self._busy -= 1
            raise

    def give(self, worker: _Worker) -> None:
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
        worker.decode(Job(0, path, task), target)
    finally:
        _pool.give(worker)
    return target


def decode_all(
    jobs: Iterable[Job],
    target: Callable[[int], NDArray[np.generic]],
    done: Callable[[int], None],
    cancelled: Cancelled | None = None,
) -> None:
    """Decode many pictures, about in their order, in as many processes as there are cores.

    target: where the result of a job's index goes. done: called on the caller's thread after
    each. Raises the first CoreError; what was decoded stays.
    """
    work = _Shared(iter(jobs))
    finished: queue.SimpleQueue[int | CoreError | BaseException | None] = queue.SimpleQueue()

    def serve(first: bool) -> None:
        try:
            worker = _pool.try_take(wait=first)
            if worker is None:
                return
            try:
                while (job := work.next()) is not None:
                    worker.decode(job, target(job.index))
                    finished.put(job.index)
            finally:
                _pool.give(worker)
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            work.stop()
            finished.put(error)
        finally:
            finished.put(None)

    threads = _pool.limit
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as executor:
        for number in range(threads):
            executor.submit(serve, number == 0)
        open_ends = threads
        trouble: BaseException | None = None
        while open_ends:
            answer = finished.get()
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


class _Shared:
    """An iterator that several threads draw from."""

    def __init__(self, jobs: Iterator[Job]) -> None:
        self._jobs: Iterator[Job] | None = jobs
        self._lock = threading.Lock()

    def next(self) -> Job | None:
        with self._lock:
            return None if self._jobs is None else next(self._jobs, None)

    def stop(self) -> None:
        with self._lock:
            self._jobs = None
