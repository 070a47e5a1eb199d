"""What all readers share: the order of loading, and refusing what does not fit into memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import CancelledError, TooLargeError
from core.imaging.geometry import Geometry
from core.imaging.together import Shared, work_together
from core.imaging.volume import Cancelled, Looks, SeriesSummary, Volume

_SPARE = 256 << 20
_SMALL = 8 << 20
"""Bytes that are always there, because _SPARE is left alone: for them nobody is asked, as each of a
series' slices would ask."""
_FILES_AHEAD = 64
"""Files whose headers a disk is asked for at once: it serves them in the order that suits it."""
_READERS = 4
SLOW_READ = 1.5e-3
"""Seconds beyond which a slice came from a disk and not from the cache."""
_LARGEST_FRAME = 1 << 29
"""Pixels of one compressed frame, 23,000 × 23,000: more is a header that lies."""


def outward(count: int, first: int | None) -> Iterator[int]:
    """Indices 0 … count − 1 from `first` (default: the middle) outwards."""
    start = count // 2 if first is None else max(0, min(first, count - 1))
    yield start
    for offset in range(1, count):
        if start + offset < count:
            yield start + offset
        if start - offset >= 0:
            yield start - offset


class LookAhead:
    """Asks the system for the next files' headers while one is read, where the disk is slow.

    files: in the order in which they are read. size: bytes that are wanted from the beginning
    of each. slow: seconds beyond which a read came from the disk: from the cache asking would
    only cost time. Does nothing on systems without `posix_fadvise`.
    """

    def __init__(self, files: Sequence[str], size: int, slow: float = 4e-4) -> None:
        self._files = files
        self._size = size
        self._slow = slow
        self._asked = 0  # places up to which was asked
        self._begin = 0.0

    def begin(self) -> None:
        """A file is about to be read."""
        self._begin = time.perf_counter()

    def done(self, place: int) -> None:
        """The file at a place of the list has been read."""
        if time.perf_counter() - self._begin < self._slow:
            return
        end = min(place + 1 + _FILES_AHEAD, len(self._files))
        for file in self._files[max(self._asked, place + 1) : end]:
            _ask_for(file, self._size)
        self._asked = max(self._asked, end)


def _ask_for(file: str, size: int) -> None:
    if not hasattr(os, "posix_fadvise"):
        return
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return  # reading it will say why
    try:
        os.posix_fadvise(handle, 0, size, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(handle)


def read_each(
    indices: Sequence[int],
    read: Callable[[int], None],
    done: Callable[[int], None],
    cancelled: Cancelled | None = None,
    slow: float = SLOW_READ,
    looks: Looks | None = None,
) -> None:
    """Call `read` for each index, about in their order, and `done` on this thread after each.

    From the system's cache one read follows the other: nothing is faster. Once two in a row
    have taken longer than `slow` seconds, a disk is waited for, and the rest is read by a few
    threads at once: `read` is called on any thread. looks: the index that somebody looks at now;
    what is nearest to it comes next. Raises CancelledError, and what both raise.
    """
    work, waits, left = Shared(indices, looks, int), 0, len(indices)
    while (index := work.next()) is not None:
        if cancelled is not None and cancelled():
            raise CancelledError("loading")
        begin = time.perf_counter()
        read(index)
        waits = waits + 1 if time.perf_counter() - begin > slow else 0
        done(index)
        left -= 1
        if waits == 2 and left > 1:
            _read_together(work, read, done, cancelled)
            return


def _read_together(
    work: Shared[int],
    read: Callable[[int], None],
    done: Callable[[int], None],
    cancelled: Cancelled | None,
) -> None:
    def serve(_number: int, finished: Callable[[int], None]) -> None:
        while (index := work.next()) is not None:
            read(index)
            finished(index)

    work_together(_READERS, serve, work, done, cancelled)


def check_memory(path: Path, needed: int) -> None:
    """Raise TooLargeError if an array of `needed` bytes would not fit into free memory."""
    import psutil

    free = int(psutil.virtual_memory().available) - _SPARE
    if needed > free:
        raise TooLargeError(path, needed, max(free, 0))


def check_frame(file: str, rows: int, columns: int, bytes_each: int) -> None:
    """Raise TooLargeError if one compressed frame of this size cannot be meant or held."""
    if rows * columns > _LARGEST_FRAME:
        raise TooLargeError(Path(file), rows * columns * bytes_each, _LARGEST_FRAME * bytes_each)
    needed = rows * columns * bytes_each * 2
    if needed > _SMALL:
        check_memory(Path(file), needed)


def allocate(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[np.generic]
) -> NDArray[np.generic]:
    """An uninitialised array, refused if it does not fit into memory. Raises TooLargeError."""
    needed = dtype.itemsize
    for length in shape:
        needed *= length
    check_memory(path, needed)
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError) as error:
        raise TooLargeError(path, needed, 0) from error


def single_slice(
    summary: SeriesSummary,
    index: int,
    voxels: NDArray[np.generic],
    slope: float,
    intercept: float,
    padding: tuple[float, float] | None = None,
) -> Volume:
    """One slice of a series as a volume of its own, at its place in space."""
    geometry = summary.geometry
    affine = geometry.affine.copy()
    affine[:3, 3] = geometry.to_patient(np.array([index, 0, 0], float))
    one = Geometry((1, *geometry.shape[1:]), affine, geometry.has_spacing, geometry.has_orientation)
    return Volume(
        replace(summary, geometry=one, slice_ids=(summary.slice_ids[index],)),
        voxels[None],
        np.array([slope]),
        np.array([intercept]),
        padding,
    )
