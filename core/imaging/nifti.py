"""NIfTI-1 and NIfTI-2 headers, single files and pairs, plain and gzipped.

Source: the NIfTI-1 standard's header file (nifti1.h); NIfTI's RAS becomes LPS here.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UnreadableImageError
from core.imaging.hounsfield import sidecar_modality
from core.imaging.inflation import inflated
from core.imaging.intensity import Window, WindowFunction
from core.imaging.volume import ImageWarning
from core.imaging.volume_files import VolumeFile, check_length, checked_sizes

Matrix = NDArray[np.float64]

_TYPES = {
    2: ("u1", 1),
    4: ("i2", 1),
    8: ("i4", 1),
    16: ("f4", 1),
    64: ("f8", 1),
    128: ("u1", 3),
    256: ("i1", 1),
    512: ("u2", 1),
    768: ("u4", 1),
    1024: ("i8", 1),
    1280: ("u8", 1),
    2304: ("u1", 4),
}
_REFUSED = {1: "single bits", 32: "complex numbers", 1536: "128-bit floats"}
_REFUSED |= {1792: "complex numbers", 2048: "complex numbers"}
_UNITS = {1: 1000.0, 2: 1.0, 3: 0.001}

_TO_LPS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class _Fields:
    order: Literal["<", ">"]
    dim: tuple[int, ...]
    datatype: int
    bits: int
    pixdim: tuple[float, ...]
    offset: float
    slope: float
    intercept: float
    high: float
    low: float
    units: int
    qform: int
    sform: int
    quaternion: tuple[float, ...]
    rows: tuple[float, ...]
    magic: bytes


def looks_like_nifti(start: bytes) -> bool:
    """Whether (inflated) data that begin with these bytes are a NIfTI header."""
    return start[344:348] in (b"n+1\0", b"ni1\0") or start[4:8] in (b"n+2\0", b"ni2\0")


def looks_like_gzip(start: bytes) -> bool:
    """Whether a file that begins with these bytes is gzipped."""
    return start[:3] == b"\x1f\x8b\x08"


def inflated_start(path: Path) -> bytes:
    """The first bytes of a gzipped file, or b"" if they are damaged."""
    try:
        return inflated(path, 0, "gzip", 1024)
    except UnreadableImageError:
        return b""


def read_nifti(path: Path) -> list[VolumeFile]:
    """The volumes of a NIfTI file or pair (given by its header): one a time point.

    Raises UnreadableImageError or TooLargeError.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(1 << 16)
    except OSError as error:
        raise UnreadableImageError(path, (error.strerror or "unreadable").lower()) from error
    packed = looks_like_gzip(start)
    if packed:
        start = inflated_start(path)
    if not looks_like_nifti(start):
        raise UnreadableImageError(path, "it is not a NIfTI file")
    try:
        fields = _fields(start)
    except struct.error as error:
        raise UnreadableImageError(path, "it ends inside its header") from error
    return _volumes(path, fields, packed)


def _fields(start: bytes) -> _Fields:
    second = start[4:8] in (b"n+2\0", b"ni2\0")
    size = 540 if second else 348
    order: Literal["<", ">"] = "<" if struct.unpack_from("<i", start)[0] == size else ">"

    def get(layout: str, at: int) -> tuple[float, ...]:
        return struct.unpack_from(order + layout, start, at)

    if second:
        return _Fields(
            order=order,
            dim=tuple(int(v) for v in get("8q", 16)),
            datatype=int(get("h", 12)[0]),
            bits=int(get("h", 14)[0]),
            pixdim=get("8d", 104),
            offset=float(get("q", 168)[0]),
            slope=get("d", 176)[0],
            intercept=get("d", 184)[0],
            high=get("d", 192)[0],
            low=get("d", 200)[0],
            units=int(get("i", 500)[0]),
            qform=int(get("i", 344)[0]),
            sform=int(get("i", 348)[0]),
            quaternion=get("6d", 352),
            rows=get("12d", 400),
            magic=start[4:8],
        )
    return _Fields(
        order=order,
        dim=tuple(int(v) for v in get("8h", 40)),
        datatype=int(get("h", 70)[0]),
        bits=int(get("h", 72)[0]),
        pixdim=get("8f", 76),
        offset=get("f", 108)[0],
        slope=get("f", 112)[0],
        intercept=get("f", 116)[0],
        high=get("f", 124)[0],
        low=get("f", 128)[0],
        units=int(get("B", 123)[0]),
        qform=int(get("h", 252)[0]),
        sform=int(get("h", 254)[0]),
        quaternion=get("6f", 256),
        rows=get("12f", 280),
        magic=start[344:348],
    )


def _volumes(path: Path, f: _Fields, packed: bool) -> list[VolumeFile]:
    if not 1 <= f.dim[0] <= 7:
        raise UnreadableImageError(path, "its header states an impossible size")
    sizes = [max(v, 1) if i >= 3 else v for i, v in enumerate(f.dim[1 : f.dim[0] + 1])]
    sizes += [1] * (7 - len(sizes))
    checked_sizes(path, sizes)
    if f.datatype not in _TYPES:
        what = _REFUSED.get(f.datatype, f"the unknown data type {f.datatype}")
        raise UnreadableImageError(path, f"it holds {what}, which are not shown as images")
    code, components = _TYPES[f.datatype]
    dtype = np.dtype(code)
    if f.bits not in (0, dtype.itemsize * 8 * components):
        raise UnreadableImageError(path, "its header contradicts itself about the voxel size")
    if math.prod(sizes[4:]) > 1:
        raise UnreadableImageError(path, "it holds vectors or matrices, not grey levels")
    if not math.isfinite(f.offset) or f.offset < 0:
        raise UnreadableImageError(path, "its header states an impossible data offset")
    data, offset = path, int(f.offset)
    if f.magic in (b"ni1\0", b"ni2\0"):
        data = _partner(path)
    elif offset < (544 if f.magic == b"n+2\0" else 352):
        offset = 544 if f.magic == b"n+2\0" else 352
    axes, origin, has_spacing, has_orientation = _placement(f)
    slope, intercept = (f.slope, f.intercept) if f.slope else (1.0, 0.0)
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        slope, intercept = 1.0, 0.0
    windows: tuple[Window, ...] = ()
    if math.isfinite(f.high) and math.isfinite(f.low) and f.high > f.low:
        middle, width = (f.high + f.low) / 2, f.high - f.low
        windows = (Window(middle, width, "Header", WindowFunction.LINEAR_EXACT),)
    modality = sidecar_modality(path)
    warnings = tuple(_two_places(f, sizes))
    volumes = sizes[3]
    each = math.prod(sizes[:3]) * components * dtype.itemsize
    lead = offset if packed else 0
    name = path.name
    for ending in (".gz", ".nii", ".hdr", ".img"):
        name = name[: -len(ending)] if name.lower().endswith(ending) else name
    found = [
        VolumeFile(
            path=path,
            name=name,
            format="NIfTI",
            parts=((data, 0 if packed else offset),),
            compression="gzip" if packed else "",
            dtype=dtype.newbyteorder(f.order),
            sizes=(sizes[0], sizes[1], sizes[2]),
            components=components,
            axes=axes,
            origin=origin,
            has_spacing=has_spacing,
            has_orientation=has_orientation,
            slope=float(slope),
            intercept=float(intercept),
            skip=lead + each * number,
            total=lead + each * volumes,
            number=number,
            volumes=volumes,
            modality=modality,
            windows=windows,
            warnings=warnings,
        )
        for number in range(min(volumes, 4096))
    ]
    check_length(found[0])
    return found


def header_beside(image: Path) -> Path | None:
    """The NIfTI header that an .img file belongs to, by its own name; None if there is none."""
    if image.suffix.lower() != ".img":
        return None
    for ending in (".hdr", ".HDR"):
        header = image.with_suffix(ending)
        try:
            with header.open("rb") as stream:
                if looks_like_nifti(stream.read(1024)):
                    return header
        except OSError:
            continue
    return None


def _partner(path: Path) -> Path:
    """The .img file that belongs to a header, by its own name; the header names no path."""
    name = path.name
    for ending, other in ((".hdr", ".img"), (".HDR", ".IMG"), (".hdr.gz", ".img.gz")):
        if name.endswith(ending):
            partner = path.with_name(name[: -len(ending)] + other)
            if partner.is_file():
                return partner
    raise UnreadableImageError(
        path, "its .img file is missing", "Put the .hdr and .img files into one folder."
    )


def _two_places(f: _Fields, sizes: list[int]) -> Iterator[ImageWarning]:
    """A warning where the header's two placements put the volume's corners at different places."""
    places = [_by_sform(f), _by_qform(f)]
    if any(place is None for place in places):
        return
    ends = np.array([size - 1 for size in sizes[:3]], float)
    corners = ends * np.array(list(itertools.product((0, 1), repeat=3)), float)
    there = [corners @ place[0].T + place[1] for place in places if place is not None]
    apart = float(np.linalg.norm(there[0] - there[1], axis=1).max())
    pixel = float(np.abs(np.array(f.pixdim[1:4])).max()) * _UNITS.get(f.units & 7, 1.0)
    if apart > max(0.5 * pixel, 0.1):
        yield ImageWarning(
            "contradicting-tags",
            f"The header places the volume in two ways (sform and qform) that lie up to "
            f"{apart:.1f} mm apart: the sform is used.",
        )


def _by_sform(f: _Fields) -> tuple[Matrix, Matrix] | None:
    if f.sform <= 0:
        return None
    rows = np.array(f.rows, float).reshape(3, 4) * _UNITS.get(f.units & 7, 1.0)
    if not np.isfinite(rows).all() or not _usable(rows[:, :3]):
        return None
    return _TO_LPS @ rows[:, :3], _TO_LPS @ rows[:, 3]


def _placement(f: _Fields) -> tuple[Matrix, Matrix, bool, bool]:
    """Axes and origin in LPS millimetres, whether spacing and orientation are stated."""
    by_sform = _by_sform(f)
    if by_sform is not None:
        return *by_sform, True, True
    by_qform = _by_qform(f)
    steps, has_spacing = _steps(f)
    if by_qform is not None:
        return *by_qform, has_spacing, True
    return np.diag(steps), np.zeros(3), has_spacing, False


def _steps(f: _Fields) -> tuple[Matrix, bool]:
    """Millimetres between voxels, 1 where none are stated; and whether all are."""
    scale = _UNITS.get(f.units & 7, 1.0)
    steps = np.array([abs(v) for v in f.pixdim[1:4]], float)
    has_spacing = bool(np.isfinite(steps).all() and (steps > 0).all())
    return np.where(np.isfinite(steps) & (steps > 0), steps, 1.0) * scale, has_spacing


def _by_qform(f: _Fields) -> tuple[Matrix, Matrix] | None:
    if f.qform <= 0 or not np.isfinite(f.quaternion).all():
        return None
    b, c, d, x, y, z = f.quaternion
    a = math.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * b * c - 2 * a * d, 2 * b * d + 2 * a * c],
            [2 * b * c + 2 * a * d, a * a + c * c - b * b - d * d, 2 * c * d - 2 * a * b],
            [2 * b * d - 2 * a * c, 2 * c * d + 2 * a * b, a * a + d * d - b * b - c * c],
        ]
    )
    facing = -1.0 if f.pixdim[0] < 0 else 1.0
    axes = rotation * (_steps(f)[0] * np.array([1.0, 1.0, facing]))
    if not _usable(axes):
        return None
    return _TO_LPS @ axes, _TO_LPS @ (np.array([x, y, z]) * _UNITS.get(f.units & 7, 1.0))


def _usable(axes: Matrix) -> bool:
    lengths = np.linalg.norm(axes, axis=0)
    if not (lengths > 1e-6).all() or not (lengths < 1e5).all():
        return False
    return bool(abs(np.linalg.det(axes / lengths)) > 1e-3)
