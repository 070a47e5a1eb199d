"""One decoder process from the outside: it is handed pictures, watched, ended and replaced.

Used by `core.imaging.decoding` only. While one picture is decoded the next one waits at the
process already, and its result has a place of its own: a decoder never waits for this side.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import pickle
import secrets
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
import psutil
from numpy.typing import NDArray

from core.errors import DecoderDiedError, UnreadableImageError
from core.imaging.decoder_process import PREFIX, Task, open_slot, size_of
from core.imaging.together import Shared
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
_AT_ONCE = 2
"""Jobs at one process: the one at work and the one that follows."""
_LARGEST_AHEAD = 4000
"""Bytes of a task that is handed over ahead: a pipe takes them while nobody reads."""
_LARGEST_PLACE = 1 << 25
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # glibc keeps what a picture needed for the next one, instead of asking the system again.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 25),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 26),
}


@dataclass(frozen=True)
class Job:
    """A task with the file that it is about and where its result belongs."""

    index: int
    file: str
    task: Task

    @property
    def path(self) -> Path:
        """Where the file is; a thousand of them would hold up a load if each job kept one."""
        return Path(self.file)


@dataclass(slots=True)
class _Sent:
    """A job at the process, and where in the slot its result will stand."""

    job: Job
    size: int
    payload: bytes
    offset: int = 0
    is_second_try: bool = False


Taken = Callable[[int, NDArray[np.generic]], None]
"""What is called with the index of a job and its result, a view of shared memory."""


class _LostError(Exception):
    """A decoder process ended for no reason that lies in what it decoded."""


_WANTS_TO_RUN = (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)
_BY_THE_PICTURE = frozenset({"SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL", "SIGTRAP"})
"""Signals of a codec that went wrong; any other end is the computer's doing."""


class Decoder:
    """One decoder process and its slot of shared memory."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._size = 0  # of the slot
        self._place = 0  # of one result in it
        self._ready = False
        self._spent_before = 0.0  # seconds of its own time, as its last answer told
        self._slot: mmap.mmap | None = None
        if sys.platform == "win32":
            self._handle = -1
            self._name = ""  # a larger slot is another mapping: named when it is made
        else:
            self._handle = _anonymous_file()
            self._name = str(self._handle)
        environment = os.environ | _ENVIRONMENT
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

    def decode_each(
        self,
        jobs: Shared[Job],
        take: Taken,
        *,
        spare: int = 0,
    ) -> None:
        """Run tasks in turn and hand their results over.

        take: called with a job's index and its result, which is gone when it returns.
        spare: jobs left from which on none is taken before it is needed: another process may
        be free sooner. Raises CoreError, and what `take` raises; then ask `is_alive`.
        """
        sent: deque[_Sent] = deque()  # the oldest first: that one is at work
        following = jobs.next()
        try:
            while following is not None or sent:
                if following is not None and self._send(following, sent):
                    following = jobs.next(spare)
                    if following is not None and len(sent) < _AT_ONCE:
                        continue
                self._receive(sent, take)
                if following is None:
                    following = jobs.next()
        finally:
            self._drain(sent)

    def _send(self, job: Job, sent: deque[_Sent]) -> bool:
        """Hand over a task; False where it has to wait until the others are done."""
        size = size_of(job.task)
        payload = pickle.dumps(job.task, pickle.HIGHEST_PROTOCOL)
        if sent and (len(sent) >= _AT_ONCE or size > self._place or len(payload) > _LARGEST_AHEAD):
            return False
        one = _Sent(job, size, payload)
        sent.append(one)
        if len(sent) == 1:
            self._reserve(size)
        else:
            one.offset = self._place - sent[0].offset
        self._hand_over(one, sent)
        return True

    def _hand_over(self, one: _Sent, sent: deque[_Sent]) -> None:
        try:
            if not self._ready:
                if self._reply(START_SECONDS) is None:
                    # Its late "I am up" must never be taken for the answer to a task.
                    raise _LostError(f"did not come up within {START_SECONDS:.0f} s")
                self._ready = True
                self._spent_before = self._spent()
            name = self._name.encode()
            prefix = struct.pack(PREFIX, len(name), len(one.payload), self._size, one.offset)
            self._stdin.write(prefix + name + one.payload)
            self._stdin.flush()
        except _LostError as error:
            self._replace(sent, error)
        except (OSError, ValueError, EOFError) as error:
            self._replace(sent, self._end(sent, error))

    def _receive(self, sent: deque[_Sent], take: Taken) -> None:
        """Wait for the oldest task and hand its result over."""
        while True:
            one = sent[0]
            deadline = DEADLINE_SECONDS + one.size / 10e6
            try:
                answer = self._reply(deadline)
            except (OSError, ValueError, EOFError) as error:
                self._replace(sent, self._end(sent, error))
                continue
            if answer is None:
                self.close()
                raise DecoderDiedError(
                    one.job.path, f"took longer than {deadline:.0f} s and was stopped"
                )
            self._spent_before = float(answer.get("spent", self._spent_before))
            if "lost" in answer:
                self._replace(sent, _LostError(answer["lost"]))
                continue
            break
        sent.popleft()
        if "died" in answer:
            self.close()
            raise DecoderDiedError(one.job.path, answer["died"])
        if "reason" in answer:
            raise UnreadableImageError(one.job.path, answer["reason"])
        self._take(one, take)

    def _take(self, one: _Sent, take: Taken) -> None:
        task = one.job.task
        dtype = np.dtype(task.dtype)
        if self._slot is None:
            raise DecoderDiedError(one.job.path, "ended")
        result = np.frombuffer(self._slot, dtype, one.size // dtype.itemsize, one.offset)
        take(one.job.index, result.reshape(task.shape))

    def _end(self, sent: deque[_Sent], error: Exception) -> _LostError:
        """Why the process is lost; raises DecoderDiedError where the picture is to blame."""
        how, is_the_pictures = self._how()
        if is_the_pictures:
            raise DecoderDiedError(sent[0].job.path, how) from error
        return _LostError(how)

    def _replace(self, sent: deque[_Sent], error: _LostError) -> None:
        """Go on with a new process, once a picture: the picture is not to blame."""
        self.close()
        one = sent[0]
        if one.is_second_try:
            raise DecoderDiedError(one.job.path, str(error)) from error
        one.is_second_try = True
        self._start()
        self._reserve(max(each.size for each in sent))
        for place, each in enumerate(sent):
            each.offset = place * self._place
        for each in list(sent):
            self._hand_over(each, sent)

    def _drain(self, sent: deque[_Sent]) -> None:
        """No answer of what is given up may ever be taken for another's."""
        for one in sent:
            try:
                if self.is_alive and self._reply(DEADLINE_SECONDS + one.size / 10e6) is None:
                    self.close()
            except (OSError, ValueError, EOFError):
                self.close()
                return

    def _reserve(self, size: int) -> None:
        """A slot with a place for a result of this size, and a second one where it is small."""
        if self._slot is not None and size <= self._place:
            return
        page = mmap.ALLOCATIONGRANULARITY
        self._place = -(-size // page) * page
        wanted = self._place * (_AT_ONCE if self._place <= _LARGEST_PLACE else 1)
        if self._slot is not None:
            self._slot.close()
        if self._handle >= 0:
            os.ftruncate(self._handle, wanted)
        else:
            self._name = f"sliceloop-{os.getpid()}-{secrets.token_hex(8)}"
        self._size = wanted
        self._slot = open_slot(self._name, wanted)

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
