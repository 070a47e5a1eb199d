"""What all readers share: the order of loading, and refusing what does not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import TooLargeError
from core.imaging.geometry import Geometry
from core.imaging.volume import SeriesSummary, Volume

_SPARE = 256 << 20
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


def check_memory(path: Path, needed: int) -> None:
    """Raise TooLargeError if an array of `needed` bytes would not fit into free memory."""
    import psutil

    free = int(psutil.virtual_memory().available) - _SPARE
    if needed > free:
        raise TooLargeError(path, needed, max(free, 0))


def check_frame(path: Path, rows: int, columns: int, bytes_each: int) -> None:
    """Raise TooLargeError if one compressed frame of this size cannot be meant or held."""
    if rows * columns > _LARGEST_FRAME:
        raise TooLargeError(path, rows * columns * bytes_each, _LARGEST_FRAME * bytes_each)
    check_memory(path, rows * columns * bytes_each * 2)


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
