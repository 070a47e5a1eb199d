"""The window's side of the engine: starts it, feeds it, hears it, starts it again if it dies.

Nothing here imports torch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from core.errors import DamagedModelError, NotEnoughMemoryError
from core.imaging.volume import Volume
from core.models.ahead import Slot, near_slices
from core.models.card import read_card
from core.models.engine_start import EngineProcess, start_engine
from core.models.messages import (
    Cancel,
    EngineDied,
    EngineMessage,
    LookAt,
    PredictionFinished,
    PredictionStarted,
    PredictRequest,
    PrepareModel,
    RequestFailed,
    SharedVoxels,
    SlicesAhead,
    Work,
)
from core.models.shared import make_memory

_AHEAD_SECONDS = 0.25
"""How long the rest of a series waits for the answer to what went ahead."""
_RESTARTS = 3
"""Deaths in a row, without an answer between them, after which it is not started again."""


class EngineClient:
    """Owner of the engine process.

    post: called with each message, on the client's reader thread; hand it over to your own.
    ready: a process that was started before; else `start` makes one.
    Methods are called from one thread. After `close` nothing is posted any more.
    """

    def __init__(
        self, post: Callable[[EngineMessage], None], ready: EngineProcess | None = None
    ) -> None:
        self._post = post
        self._lock = threading.Lock()
        self._process: BaseProcess | None = ready.process if ready else None
        self._channel: Connection | None = ready.channel if ready else None
        self._reader: threading.Thread | None = None
        self._memory: dict[int, SharedMemory] = {}
        self._deaths = 0
        self._closing = False
        self._came = threading.Event()
        self._slot = Slot()
        self._glanced = 0

    def start(self) -> None:
        """Start the process, unless it runs; returns at once. EngineReady comes when it is warm."""
        with self._lock:
            runs = self._process is not None and self._process.is_alive()
            if self._closing or (runs and self._reader is not None):
                return
            if self._process is None or self._channel is None or not runs:
                started = start_engine()
                self._process, self._channel = started.process, started.channel
            reader = threading.Thread(
                target=self._listen,
                args=(self._channel, self._process),
                name="engine-reader",
                daemon=True,
            )
            self._reader = reader
            reader.start()

    @property
    def pid(self) -> int | None:
        """Process id of the engine, if it runs."""
        return self._process.pid if self._process is not None else None

    def prepare(self, model: PrepareModel) -> None:
        """Have a model loaded before it is asked; returns at once."""
        self.start()
        self._send(model)

    def predict(self, request: PredictRequest, volume: Volume) -> None:
        """Ask about a volume. Copies the voxels into shared memory once; a newer request wins."""
        self.start()
        is_ahead = request.id != self._glanced and self._send_ahead(
            request, volume, is_glance=False
        )
        try:
            memory = make_memory(volume.voxels.nbytes, request.model_folder.name)
        except NotEnoughMemoryError as error:
            self._post(RequestFailed(request.id, error))
            return
        shared = SharedVoxels(
            memory.name,
            volume.voxels.shape,
            volume.voxels.dtype.str,
            tuple(volume.slope.tolist()),
            tuple(volume.intercept.tolist()),
            volume.summary,
        )
        if is_ahead:
            # Copying would take the processor from the network that answers.
            self._came.wait(_AHEAD_SECONDS)
        np.ndarray(shared.shape, shared.dtype, memory.buf)[...] = volume.voxels
        with self._lock:
            self._release()
            self._memory[request.id] = memory  # from now on the reader may free it
        self._send(Work(request, shared))

    def glance(self, request: PredictRequest, volume: Volume) -> None:
        """Ask about the visible slice alone, of a series that is still being read.

        The slices that `near_slices` names must be there. `predict` may follow with the same
        request; what the engine works on meanwhile is not interrupted.
        """
        self.start()
        if self._send_ahead(request, volume, is_glance=True):
            self._glanced = request.id

    def _send_ahead(self, request: PredictRequest, volume: Volume, *, is_glance: bool) -> bool:
        """Whether there was something to send; what is wrong, the whole request will say."""
        try:
            spec = read_card(request.model_folder).preprocessing
            near = near_slices(spec, request.first, volume)
            if near is None:
                return False
            voxels = self._slot.put(request, volume, near)
        except (DamagedModelError, NotEnoughMemoryError):
            return False
        self._came.clear()
        self._send(SlicesAhead(request, voxels, near.start, is_glance))
        return True

    def cancel(self, request_id: int) -> None:
        """Stop working on a request at its next batch."""
        self._send(Cancel(request_id))

    def look_at(self, request_id: int, index: int) -> None:
        """Have another slice of a request's series answered next."""
        self._send(LookAt(request_id, index))

    def _send(self, message: Work | SlicesAhead | Cancel | LookAt | PrepareModel) -> None:
        with self._lock:
            channel = self._channel
        if channel is not None:
            with suppress(OSError):  # a death is told by the reader
                channel.send(message)

    def close(self) -> None:
        """End the process and give everything back."""
        with self._lock:
            self._closing = True
            process, channel, reader = self._process, self._channel, self._reader
        if process is not None:
            process.terminate()
            process.join(10)
            if process.is_alive():
                process.kill()
                process.join()
        if reader is not None and reader is not threading.current_thread():
            reader.join(10)
        if channel is not None:
            channel.close()
        with self._lock:
            self._release()
            self._slot.close()
            if process is not None:
                process.close()
            self._process = self._channel = self._reader = None

    # ---- the reader thread

    def _listen(self, channel: Connection, process: BaseProcess) -> None:
        while True:
            try:
                message: EngineMessage = channel.recv()
            except (EOFError, OSError):
                break
            if isinstance(message, PredictionFinished | RequestFailed):
                self._deaths = 0
                with self._lock:
                    self._release(message.request_id)
            if not isinstance(message, PredictionStarted):
                self._came.set()
            if not self._closing:
                self._post(message)
        self._came.set()
        process.join()
        with self._lock:
            if self._closing or self._process is not process:
                return
            self._release()
            how = _how(process.exitcode)
            channel.close()
            self._process = self._channel = None
            self._deaths += 1
            again = self._deaths <= _RESTARTS
        self._post(EngineDied(how))
        if again:
            self.start()

    def _release(self, request_id: int | None = None) -> None:
        """Free the pixels of one request, or of all."""
        ids = list(self._memory) if request_id is None else [request_id]
        for key in ids:
            memory = self._memory.pop(key, None)
            if memory is not None:
                memory.close()
                memory.unlink()


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was ended by signal {-exit_code}"
    return f"ended with exit code {exit_code}"
