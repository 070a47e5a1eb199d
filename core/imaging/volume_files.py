"""Volumes in one file: what a header states, and what is checked before anything is allocated.

The module of each format (`nifti`, `nrrd`, `metaimage`) parses its header in Python and gives a
`VolumeFile`; `medical` reads the voxels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import TooLargeError, UnreadableImageError
from core.imaging.intensity import Window
from core.imaging.volume import ImageWarning

Matrix = NDArray[np.float64]

_BEST_RATIO = 1040
"""Deflate cannot shrink anything further than about 1032 : 1."""


@dataclass(frozen=True, eq=False)
class VolumeFile:
    """One volume as its header describes it.

    path: the header's file. parts: (file, offset) of the data: one, or one a slice.
    sizes: (columns, rows, slices) as stored: the first runs fastest.
    components: 1, or 3 or 4 for colours that stand side by side.
    axes: 3 × 3, column k is the millimetre step (LPS) along stored axis k.
    skip: bytes of (inflated) data that come before this volume's voxels.
    total: bytes that the (inflated) data must have in all, all volumes of the file together.
    modality: as the file states it, in DICOM's words; "" where it is silent.
    """

    path: Path
    name: str
    format: str
    parts: tuple[tuple[Path, int], ...]
    compression: str
    dtype: np.dtype[np.generic]
    sizes: tuple[int, int, int]
    components: int
    axes: Matrix
    origin: Matrix
    has_spacing: bool = True
    has_orientation: bool = True
    slope: float = 1.0
    intercept: float = 0.0
    skip: int = 0
    total: int = 0
    number: int = 0
    volumes: int = 1
    modality: str = ""
    windows: tuple[Window, ...] = ()
    warnings: tuple[ImageWarning, ...] = field(default=())

    @property
    def slice_bytes(self) -> int:
        """Bytes of one stored slice."""
        return self.sizes[0] * self.sizes[1] * self.components * self.dtype.itemsize

    @property
    def size_bytes(self) -> int:
        """Bytes of all voxels."""
        return self.slice_bytes * self.sizes[2]


def data_file(header: Path, named: str) -> Path:
    """The data file that a header names, if it lies in the header's folder; else refused.

    Raises UnreadableImageError for absolute paths, drive letters, "..", and links that lead out.
    """
    outside = UnreadableImageError(
        header,
        "its header points to a data file outside of its folder",
        "Put header and data into one folder, and only if you trust their source.",
    )
    plain = named.replace("\\", "/")
    if plain.startswith("/") or "\0" in plain or (len(plain) > 1 and plain[1] == ":"):
        raise outside
    folder = header.parent.resolve()
    path = (folder / plain).resolve()
    if ".." in plain.split("/") or not path.is_relative_to(folder):
        raise outside
    if not path.is_file():
        raise UnreadableImageError(
            header, f"its data file {path.name} is missing", "Put the two files into one folder."
        )
    return path


def checked_sizes(header: Path, sizes: list[int]) -> None:
    """Raise UnreadableImageError unless all sizes are positive and of this world."""
    if not sizes or any(size < 1 or size > 1 << 24 for size in sizes):
        raise UnreadableImageError(header, "its header states an impossible size")
    if math.prod(sizes) > 1 << 44:
        raise TooLargeError(header, math.prod(sizes), 1 << 44)


def check_length(volume: VolumeFile) -> None:
    """Compare the declared size with the files, before anything is allocated.

    Raises UnreadableImageError or TooLargeError.
    """
    total = volume.total or volume.skip + volume.size_bytes
    try:
        sizes = [path.stat().st_size for path, _ in volume.parts]
    except OSError as error:
        raise UnreadableImageError(volume.path, (error.strerror or "unreadable").lower()) from error
    have = sum(max(size - offset, 0) for size, (_, offset) in zip(sizes, volume.parts, strict=True))
    if volume.compression:
        ratio = _BEST_RATIO if volume.compression != "bz2" else 50_000
        if total > have * ratio + 4096:
            raise UnreadableImageError(
                volume.path, "its header states more data than its compressed data can hold"
            )
    elif have < total:
        raise UnreadableImageError(
            volume.path,
            f"the file ends before its pixel data are complete ({have:,} of {total:,} bytes)",
        )
