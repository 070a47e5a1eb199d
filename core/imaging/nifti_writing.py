"""Writes NIfTI-1, single file and gzipped: for training sets that leave, without a library.

Source: NIfTI-1 data format, nifti1.h (https://nifti.nimh.nih.gov/nifti-1).
"""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

_TYPES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512, "u4": 768}
_RGB24 = 128
_HEADER, _OFFSET = 348, 352
_MILLIMETRES = 2
_SCANNER = 1


def along_the_patient(spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """Affine of a volume whose axes lie along the patient's, its first voxel in the origin.

    spacing: millimetres between slices, rows, columns; columns go towards the left, rows
    backwards, slices upwards.
    """
    affine = np.zeros((4, 4))
    affine[[2, 1, 0, 3], [0, 1, 2, 3]] = (*spacing, 1.0)
    return affine


def write_nifti(path: Path, voxels: NDArray[np.generic], affine: NDArray[np.float64]) -> None:
    """Write a volume as `.nii.gz`.

    voxels: (slices, rows, columns), or with a last axis of three 8-bit colours. affine: (4, 4),
    from (slice, row, column, 1) to LPS millimetres. Raises ValueError for a type that NIfTI-1
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
    header = _header(voxels.shape[:3], _RGB24 if is_colour else _TYPES[kind], affine)
    little = np.ascontiguousarray(voxels, voxels.dtype.newbyteorder("<"))
    # No name and no time in the gzip header: the same volume gives the same bytes.
    with path.open("wb") as plain, gzip.GzipFile("", "wb", 6, plain, mtime=0) as stream:
        stream.write(header + bytes(_OFFSET - _HEADER))
        stream.write(little.tobytes())


def _header(shape: tuple[int, ...], datatype: int, affine: NDArray[np.float64]) -> bytes:
    bits = {_RGB24: 24, 2: 8, 256: 8, 4: 16, 512: 16, 64: 64}.get(datatype, 32)
    slices, rows, columns = shape
    # NIfTI counts x to the right and y forwards, and names the columns' index first.
    turned = np.diag([-1.0, -1.0, 1.0]) @ affine[:3, [2, 1, 0, 3]]
    steps = np.linalg.norm(turned[:, :3], axis=0)
    header = bytearray(_HEADER)
    struct.pack_into("<i", header, 0, _HEADER)
    struct.pack_into("<8h", header, 40, 3, columns, rows, slices, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, datatype, bits)
    rotation = turned[:, :3] / steps
    sign = -1.0 if np.linalg.det(rotation) < 0 else 1.0
    struct.pack_into("<8f", header, 76, sign, *steps, 0, 0, 0, 0)
    struct.pack_into("<fff", header, 108, _OFFSET, 1, 0)
    header[123] = _MILLIMETRES
    # A sheared volume (a tilted gantry) has no rotation: then the matrix alone counts.
    is_square = bool(np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-5))
    struct.pack_into("<hh", header, 252, _SCANNER if is_square else 0, _SCANNER)
    if is_square:
        quaternion = Rotation.from_matrix(rotation * [1.0, 1.0, sign]).as_quat(canonical=True)
        struct.pack_into("<6f", header, 256, *quaternion[:3], *turned[:, 3])
    struct.pack_into("<12f", header, 280, *turned.ravel())
    header[344:348] = b"n+1\0"
    return bytes(header)
