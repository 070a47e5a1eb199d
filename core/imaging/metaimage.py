"""MetaImage headers: MHA (data inside) and MHD (data beside).

Source: the MetaIO documentation (ITK). Its directions and origin are LPS as they stand.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from core.errors import UnreadableImageError
from core.imaging.volume import ImageWarning
from core.imaging.volume_files import VolumeFile, check_length, checked_sizes, data_file

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_LONGEST_HEADER = 1 << 20


def looks_like_metaimage(start: bytes) -> bool:
    """Whether a file that begins with these bytes is a MetaImage header."""
    return re.match(rb"\s*(Comment|ObjectType|NDims)\s*=", start) is not None and (
        b"DimSize" in start or b"ObjectType" in start
    )


def read_metaimage(path: Path) -> list[VolumeFile]:  # noqa: PLR0915 - one header, top to bottom
    """The volumes of a MetaImage. Raises UnreadableImageError or TooLargeError."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_LONGEST_HEADER)
    except OSError as error:
        raise UnreadableImageError(path, (error.strerror or "unreadable").lower()) from error
    fields, data_at, listed = _header(path, start)

    def numbers(*names: str) -> list[float]:
        for name in names:
            if name in fields:
                try:
                    values = [float(part) for part in fields[name].split()]
                except ValueError:
                    raise UnreadableImageError(path, f"its {name} is no number") from None
                if not all(map(math.isfinite, values)):
                    raise UnreadableImageError(path, f"its {name} is no finite number")
                return values
        return []

    def truth(*names: str) -> bool:
        return any(fields.get(name, "").lower() in ("true", "1") for name in names)

    dimensions = [int(v) for v in numbers("NDims")] or [0]
    sizes = [int(v) for v in numbers("DimSize")]
    if len(sizes) != dimensions[0] or not 2 <= len(sizes) <= 4:
        raise UnreadableImageError(path, "its header states an impossible size")
    checked_sizes(path, sizes)
    code = _TYPES.get(fields.get("ElementType", ""))
    if code is None:
        raise UnreadableImageError(path, "its element type is unknown")
    channels = int((numbers("ElementNumberOfChannels") or [1])[0])
    if channels not in (1, 3, 4) or (channels > 1 and code != "u1"):
        raise UnreadableImageError(path, "it holds vectors, not grey levels")
    big = truth("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
    dtype = np.dtype((">" if big else "<") + code)
    spatial = [*sizes[:3], *([1] * (3 - len(sizes)))]
    volumes = sizes[3] if len(sizes) == 4 else 1
    each = math.prod(spatial) * channels * dtype.itemsize
    if fields.get("BinaryData", "True").lower() not in ("true", "1"):
        raise UnreadableImageError(path, "its data are written as text", "Save it as binary.")
    compressed = truth("CompressedData")
    parts = _parts(path, fields, data_at, listed, volumes, spatial[2])
    if compressed and len(parts) > 1:
        raise UnreadableImageError(path, "its data are compressed in several files")
    warnings: list[ImageWarning] = []
    header_size = int((numbers("HeaderSize") or [0])[0])
    if header_size and not compressed:
        parts = tuple((p, _after_header(p, o, header_size, each * volumes)) for p, o in parts)
    if compressed:
        _check_compressed(path, parts[0], numbers("CompressedDataSize"))
    n = len(sizes)
    spacing = numbers("ElementSpacing", "ElementSize")
    has_spacing = len(spacing) >= min(n, 3) and all(v > 0 for v in spacing[:3])
    steps = np.ones(3)
    if has_spacing:
        steps[: min(n, 3)] = spacing[: min(n, 3)]
    matrix = numbers("TransformMatrix", "Rotation", "Orientation")
    directions = np.eye(3)
    stated = len(matrix) == n * n
    if stated:
        rows = np.array(matrix).reshape(n, n)
        directions[: min(n, 3), : min(n, 3)] = rows[: min(n, 3), : min(n, 3)].T
        if abs(np.linalg.det(directions)) < 1e-3:
            directions, stated = np.eye(3), False
    origin = np.zeros(3)
    offset = numbers("Offset", "Position", "Origin")
    origin[: min(len(offset), 3)] = offset[:3]
    found = [
        VolumeFile(
            path=path,
            name=path.stem,
            format="MetaImage",
            parts=parts,
            compression="zlib" if compressed else "",
            dtype=dtype,
            sizes=(spatial[0], spatial[1], spatial[2]),
            components=channels,
            axes=directions * steps,
            origin=origin,
            has_spacing=has_spacing,
            has_orientation=stated and n >= 3,
            skip=each * number,
            total=each * volumes,
            number=number,
            volumes=volumes,
            modality=_MODALITIES.get(fields.get("Modality", "").upper(), ""),
            warnings=tuple(warnings),
        )
        for number in range(min(volumes, 4096))
    ]
    check_length(found[0])
    return found


_MODALITIES = {"MET_MOD_CT": "CT", "MET_MOD_MR": "MR", "MET_MOD_NM": "NM", "MET_MOD_US": "US"}


def _header(path: Path, start: bytes) -> tuple[dict[str, str], int, list[str]]:
    """Fields, the offset behind the header, and the files of a LIST."""
    fields: dict[str, str] = {}
    at = 0
    while at < len(start):
        end = start.find(b"\n", at)
        line = start[at : end if end >= 0 else len(start)]
        at = end + 1 if end >= 0 else len(start)
        if not line.strip():
            continue
        key, equals, value = line.partition(b"=")
        if not equals or len(key) > 80:
            break
        name = key.strip().decode("latin-1")
        fields[name] = value.strip().decode("utf-8", "replace")
        if name == "ElementDataFile":
            listed: list[str] = []
            if fields[name].upper().startswith("LIST"):
                listed = [
                    text.strip()
                    for text in start[at:].decode("utf-8", "replace").splitlines()
                    if text.strip()
                ]
            return fields, at, listed
    raise UnreadableImageError(path, "its header names no data")


def _parts(
    path: Path, fields: dict[str, str], at: int, listed: list[str], volumes: int, slices: int
) -> tuple[tuple[Path, int], ...]:
    named = fields["ElementDataFile"]
    if named.upper() == "LOCAL":
        return ((path, at),)
    if listed:
        names = listed
    elif "%" in named:
        pieces = named.split()
        match = re.fullmatch(r"(.*?)%(0?\d*)d(.*)", pieces[0])
        if match is None or len(pieces) < 3 or not all(p.isdigit() for p in pieces[1:4]):
            raise UnreadableImageError(path, "its pattern of data files is damaged")
        first, last = int(pieces[1]), int(pieces[2])
        step = int(pieces[3]) if len(pieces) > 3 else 1
        if not step > 0 or not 0 <= last - first < 1 << 20:
            raise UnreadableImageError(path, "its pattern of data files is damaged")
        width = int(match[2] or 0)
        fill = "0" if match[2].startswith("0") else " "
        names = [
            match[1] + str(i).rjust(width, fill) + match[3] for i in range(first, last + 1, step)
        ]
    else:
        return ((data_file(path, named), 0),)
    if len(names) != slices or volumes != 1:
        raise UnreadableImageError(path, f"it lists {len(names)} data files for {slices} slices")
    return tuple((data_file(path, name), 0) for name in names)


def _after_header(path: Path, offset: int, header_size: int, total: int) -> int:
    """HeaderSize: bytes to pass over; −1 means that the data stand at the end of the file."""
    if header_size > 0:
        return offset + header_size
    return max(path.stat().st_size - total, offset)


def _check_compressed(path: Path, part: tuple[Path, int], stated: list[float]) -> None:
    file, offset = part
    have = file.stat().st_size - offset
    if stated and stated[0] > 0 and int(stated[0]) > have:
        raise UnreadableImageError(
            path,
            "the file ends before its pixel data are complete "
            f"({have:,} of {int(stated[0]):,} bytes)",
        )
