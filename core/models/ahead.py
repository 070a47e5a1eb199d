"""What goes ahead of a series to the engine: its visible slice, in memory of its own.

The memory is made once and written again and again: fresh pages take longer to be given by the
system than to be filled. What it holds now is told by the number at its beginning.
"""

from __future__ import annotations

from multiprocessing.shared_memory import SharedMemory

import numpy as np
from numpy.typing import NDArray

from core.imaging.volume import Volume
from core.models.card import Preprocessing
from core.models.messages import PredictRequest, SharedVoxels, SlicesAhead
from core.models.shared import make_memory, open_memory

_FROM, _AT_MOST = 4_000_000, 8_000_000
"""Bytes of a series from which its visible slice is sent ahead, and that may go ahead."""
_HEAD = 64
"""Bytes before the voxels; the first eight are the number of the request that they belong to."""


def near_slices(spec: Preprocessing, first: int, volume: Volume) -> slice | None:
    """Slice `first` with the neighbours that a model reads: what goes ahead of a series.

    None where the whole series is as quickly there, and for models of volumes.
    """
    near = slice(max(0, first - spec.reach), min(volume.slices, first + spec.reach + 1))
    if spec.dimensions == 3 or volume.voxels.nbytes < _FROM:
        return None
    return near if volume.voxels[near].nbytes <= _AT_MOST else None


class Slot:
    """The asker's side: owner of the memory."""

    def __init__(self) -> None:
        self._memory: SharedMemory | None = None

    def put(self, request: PredictRequest, volume: Volume, near: slice) -> SharedVoxels:
        """Write some slices of a volume for a request; what was there is gone.

        Raises NotEnoughMemoryError.
        """
        if self._memory is None:
            self._memory = make_memory(_HEAD + _AT_MOST, request.model_folder.name)
        _number(self._memory)[0] = request.id
        voxels = volume.voxels[near]
        np.ndarray(voxels.shape, voxels.dtype, self._memory.buf, _HEAD)[...] = voxels
        return SharedVoxels(
            self._memory.name,
            voxels.shape,
            voxels.dtype.str,
            tuple(volume.slope[near].tolist()),
            tuple(volume.intercept[near].tolist()),
            volume.summary,
        )

    def close(self) -> None:
        """Give the memory back."""
        if self._memory is not None:
            self._memory.close()
            self._memory.unlink()
            self._memory = None


class SlotReader:
    """The engine's side: the memory stays open from one look to the next."""

    def __init__(self) -> None:
        self._memory: SharedMemory | None = None

    def volume(self, ahead: SlicesAhead) -> Volume:
        """The slices that were sent, as a volume of their own. Raises FileNotFoundError."""
        sent = ahead.voxels
        if self._memory is None or self._memory.name != sent.name:
            self.close()
            self._memory = open_memory(sent.name)
        array: NDArray[np.generic] = np.ndarray(sent.shape, sent.dtype, self._memory.buf, _HEAD)
        return Volume(sent.summary, array, np.asarray(sent.slope), np.asarray(sent.intercept))

    def holds(self, ahead: SlicesAhead) -> bool:
        """Whether the memory still is that of a request: a newer one may have written over it."""
        return self._memory is not None and int(_number(self._memory)[0]) == ahead.request.id

    def close(self) -> None:
        """Let the memory go; its owner gives it back."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None


def _number(memory: SharedMemory) -> NDArray[np.int64]:
    return np.ndarray((1,), np.int64, memory.buf)
