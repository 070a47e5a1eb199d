"""Prepared pixels of a training set on disk: decoded and cropped once, read by row ever after.

Rows are read from the file, not mapped: pages of a map that were touched count as resident memory,
and a set of 100,000 slices would fill it within an epoch.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core import durable, places
from core.errors import NotDurableError
from core.models.card import Preprocessing
from core.models.rows import row_pixels
from core.retraining.dataset import Dataset

VERSION = 1
"""Raised whenever `core.models.preprocessing` changes what it gives."""


class Pixels(Protocol):
    """Prepared pixels of all rows of a set: an array, or a file that is read by row."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, channels, size, size), or (n, 1, size, size, size) of series."""

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[np.uint8]:
        """The pixels of some rows, in their order: a copy."""


class PreparedFile:
    """A .npy file of uint8 whose rows are read when they are asked for.

    Raises ValueError or OSError if it is no such file. May be sent to other processes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as stream:
            if np.lib.format.read_magic(stream) != (1, 0):
                raise ValueError(f"{path.name} is of another version")
            shape, is_fortran, kind = np.lib.format.read_array_header_1_0(stream)
            self._start = stream.tell()
        self.shape: tuple[int, ...] = shape
        self._row = math.prod(shape[1:])
        whole = self._start + shape[0] * self._row
        if kind != np.uint8 or is_fortran or path.stat().st_size != whole:
            raise ValueError(f"{path.name} is not whole")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[np.uint8]:
        found = np.empty((len(rows), *self.shape[1:]), np.uint8)
        with self.path.open("rb", buffering=0) as stream:
            for place, row in enumerate(rows):
                stream.seek(self._start + int(row) * self._row)
                target: Any = found[place].data
                if stream.readinto(target) != self._row:
                    raise OSError(f"{self.path.name} was cut short while it was read")
        return found


def prepared_pixels(
    dataset: Dataset,
    spec: Preprocessing,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PreparedFile:
    """All rows of a set as the network sees them.

    (n, channels, size, size) of slices, (n, 1, size, size, size) of series.

    Kept under what the pixels are and the preprocessing, so that the next run starts at once, even
    if labels changed.
    The whole set is never in memory. Raises NotDurableError where it cannot be kept.
    """
    digest = hashlib.sha256(f"{VERSION} {spec.model_dump_json()}".encode())
    for pixels in dataset.pixel_keys(spec.reach):
        digest.update(pixels.encode())
    key = digest.hexdigest()[:24]
    path = (folder or places.cache_folder() / "prepared") / f"{key}.npy"
    shape = (len(dataset), *spec.input_shape)
    found = _open(path, shape)
    if found is not None:
        return found
    temporary = path.with_name(f".{key}.{os.getpid()}.part")
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            for row in range(len(dataset)):
                stream.write(np.ascontiguousarray(row_pixels(dataset, row, spec)).data)
                if progress and row % 50 == 0:
                    progress(row, len(dataset))
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise NotDurableError(path, error.strerror or str(error)) from error
    durable.fsync_folder(path.parent)
    made = _open(path, shape)
    if made is None:
        raise OSError(f"{path.name} vanished after it was written")
    return made


def _open(path: Path, shape: tuple[int, ...]) -> PreparedFile | None:
    try:
        pixels = PreparedFile(path)
    except (OSError, ValueError, EOFError):
        return None
    return pixels if pixels.shape == shape else None
