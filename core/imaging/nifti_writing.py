"""Writes NIfTI-1, single file and gzipped: for training sets that leave, without a library.

Source: NIfTI-1 data format, nifti1.h (https://nifti.nimh.nih.gov/nifti-1).
"""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_TYPES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512, "u4": 768}
_RGB24 = 128
_HEADER, _OFFSET = 348, 352
_MILLIMETRES = 2
_SCANNER = 1


def write_nifti(
    path: Path, voxels: NDArray[np.generic], spacing: tuple[float, float, float]
) -> None:
    """Write a volume as `.nii.gz`.

    voxels: (slices, rows, columns), or with a last axis of three 8-bit colours. spacing:
    millimetres between slices, rows, columns. The axes lie along the patient's (LPS): columns
    towards the left, rows backwards, slices upwards. Raises ValueError for a type that NIfTI-1
    lacks, or a volume with a side beyond 32,767.
    """
    is_colour = voxels.ndim == 4
    kind = voxels.dtype.str[1:]
    if is_colour and (kind != "u1" or voxels.shape[3] != 3):
        raise ValueError(f"colours are three 8-bit values, not {voxels.shape[3]} of {kind}")
    if kind == "b1":
        voxels, kind = voxels.view(np.uint8), "u1"
    if kind not in _TYPES or max(voxels.shape) > 32767:
        raise ValueError(f"NIfTI-1 cannot hold {voxels.shape} of {voxels.dtype}")
    header = _header(voxels.shape[:3], _RGB24 if is_colour else _TYPES[kind], spacing)
    little = np.ascontiguousarray(voxels, voxels.dtype.newbyteorder("<"))
    # No name and no time in the gzip header: the same volume gives the same bytes.
    with path.open("wb") as plain, gzip.GzipFile("", "wb", 6, plain, mtime=0) as stream:
        stream.write(header + bytes(_OFFSET - _HEADER))
        stream.write(memoryview(little).cast("B"))


def _header(shape: tuple[int, ...], datatype: int, spacing: tuple[float, float, float]) -> bytes:
    bits = {_RGB24: 24, 2: 8, 256: 8, 4: 16, 512: 16, 64: 64}.get(datatype, 32)
    slices, rows, columns = shape
    dz, dy, dx = spacing
    header = bytearray(_HEADER)
    struct.pack_into("<i", header, 0, _HEADER)
    struct.pack_into("<8h", header, 40, 3, columns, rows, slices, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, datatype, bits)
    # NIfTI counts x to the right and y forwards: both turn round, which is half a turn about z.
    struct.pack_into("<8f", header, 76, 1, dx, dy, dz, 0, 0, 0, 0)
    struct.pack_into("<fff", header, 108, _OFFSET, 1, 0)
    header[123] = _MILLIMETRES
    struct.pack_into("<hh", header, 252, _SCANNER, _SCANNER)
    struct.pack_into("<6f", header, 256, 0, 0, 1, 0, 0, 0)
    rows_of_affine = (-dx, 0, 0, 0, 0, -dy, 0, 0, 0, 0, dz, 0)
    struct.pack_into("<12f", header, 280, *rows_of_affine)
    header[344:348] = b"n+1\0"
    return bytes(header)
