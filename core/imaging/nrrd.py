"""NRRD headers: attached (.nrrd) and detached (.nhdr).

Source: the NRRD format definition, teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import UnreadableImageError
from core.imaging.volume_files import VolumeFile, check_length, checked_sizes, data_file

_TYPES = {
    "signed char": "i1",
    "int8": "i1",
    "int8_t": "i1",
    "uchar": "u1",
    "unsigned char": "u1",
    "uint8": "u1",
    "uint8_t": "u1",
    "short": "i2",
    "short int": "i2",
    "signed short": "i2",
    "signed short int": "i2",
    "int16": "i2",
    "int16_t": "i2",
    "ushort": "u2",
    "unsigned short": "u2",
    "unsigned short int": "u2",
    "uint16": "u2",
    "uint16_t": "u2",
    "int": "i4",
    "signed int": "i4",
    "int32": "i4",
    "int32_t": "i4",
    "uint": "u4",
    "unsigned int": "u4",
    "uint32": "u4",
    "uint32_t": "u4",
    "longlong": "i8",
    "long long": "i8",
    "long long int": "i8",
    "signed long long": "i8",
    "signed long long int": "i8",
    "int64": "i8",
    "int64_t": "i8",
    "ulonglong": "u8",
    "unsigned long long": "u8",
    "unsigned long long int": "u8",
    "uint64": "u8",
    "uint64_t": "u8",
    "float": "f4",
    "double": "f8",
}
_COMPRESSIONS = {"raw": "", "gzip": "gzip", "gz": "gzip", "bzip2": "bz2", "bz2": "bz2"}
_SPACES = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}
_COLOURS = frozenset({"rgb-color", "3-color", "rgba-color", "4-color"})
_ASIDE = frozenset({"list", "vector", "time", "scalar", "none", "???", "point"})
_LONGEST_HEADER = 1 << 20


def looks_like_nrrd(start: bytes) -> bool:
    """Whether a file that begins with these bytes is a NRRD header."""
    return re.match(rb"NRRD000\d\r?\n", start) is not None


class _Header:
    """Fields by their lower-case name, with complaints that name the file."""

    def __init__(self, path: Path, start: bytes) -> None:
        self.path = path
        self.fields: dict[str, str] = {}
        self.listed: list[str] = []
        end = re.search(rb"\r?\n\r?\n", start)
        text = (start[: end.start()] if end else start).decode("latin-1")
        self.data_at = end.end() if end else len(start)
        lines = text.splitlines()[1:]
        for i, line in enumerate(lines):
            if line.startswith("#") or ":=" in line:
                continue
            name, colon, value = line.partition(": ")
            if not colon:
                name, colon, value = line.partition(":")
            if not colon:
                raise self.bad("its header is damaged")
            self.fields[name.strip().lower()] = value.strip()
            if name.strip().lower() in ("data file", "datafile") and value.strip()[:4] == "LIST":
                self.listed = [other.strip() for other in lines[i + 1 :] if other.strip()]
                break

    def bad(self, reason: str) -> UnreadableImageError:
        return UnreadableImageError(self.path, reason)

    def get(self, *names: str) -> str:
        return next((self.fields[name] for name in names if name in self.fields), "")

    def integers(self, name: str) -> list[int]:
        try:
            return [int(part) for part in self.get(name).split()]
        except ValueError:
            raise self.bad(f"its {name} are no integers") from None

    def integer(self, *names: str) -> int:
        text = self.get(*names) or "0"
        try:
            return int(text)
        except ValueError:
            raise self.bad(f"its {names[0]} is no integer") from None


def read_nrrd(path: Path) -> list[VolumeFile]:
    """The volumes of a NRRD file. Raises UnreadableImageError or TooLargeError."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_LONGEST_HEADER)
    except OSError as error:
        raise UnreadableImageError(path, (error.strerror or "unreadable").lower()) from error
    if not looks_like_nrrd(start):
        raise UnreadableImageError(path, "it is not a NRRD file")
    header = _Header(path, start)
    sizes = header.integers("sizes")
    if len(sizes) != header.integer("dimension") or not 2 <= len(sizes) <= 4:
        raise header.bad("its header states an impossible size")
    checked_sizes(path, sizes)
    code = _TYPES.get(header.get("type").lower())
    if code is None:
        raise header.bad(f"its type “{header.get('type')[:40]}” is not shown as an image")
    encoding = header.get("encoding").lower()
    if encoding not in _COMPRESSIONS:
        raise header.bad(f"its encoding “{encoding[:40]}” is not supported")
    order = {"big": ">", "little": "<"}.get(header.get("endian").lower())
    if order is None and np.dtype(code).itemsize > 1:
        raise header.bad("its header does not state the byte order")
    dtype = np.dtype((order or "<") + code)
    spatial, components, volumes = _roles(header, sizes)
    axes, origin, has_spacing, has_orientation = _placement(header, spatial, len(sizes))
    kept = [sizes[axis] for axis in spatial] + [1] * (3 - len(spatial))
    each = math.prod(kept) * components * dtype.itemsize
    compression = _COMPRESSIONS[encoding]
    parts = _parts(header, volumes, kept[2], each * volumes, compression)
    found = [
        VolumeFile(
            path=path,
            name=header.get("content") or path.stem,
            format="NRRD",
            parts=parts,
            compression=compression,
            dtype=dtype,
            sizes=(kept[0], kept[1], kept[2]),
            components=components,
            axes=axes,
            origin=origin,
            has_spacing=has_spacing,
            has_orientation=has_orientation,
            skip=each * number,
            total=each * volumes,
            number=number,
            volumes=volumes,
        )
        for number in range(min(volumes, 4096))
    ]
    check_length(found[0])
    return found


def _roles(header: _Header, sizes: list[int]) -> tuple[list[int], int, int]:
    """Which axes are spatial, how many colour components there are, how many volumes."""
    kinds = [kind.lower() for kind in header.get("kinds").split()] or [""] * len(sizes)
    if len(kinds) != len(sizes):
        raise header.bad("its kinds do not fit its dimension")
    aside = [i for i, kind in enumerate(kinds) if kind in _COLOURS or kind in _ASIDE]
    vectors = re.findall(r"none|\([^)]*\)", header.get("space directions"))
    if len(vectors) == len(sizes):
        aside = sorted(set(aside) | {i for i, vector in enumerate(vectors) if vector == "none"})
    if not aside and len(sizes) == 4:
        aside = [3]
    if len(aside) > 1 or (aside and aside[0] not in (0, len(sizes) - 1)):
        raise header.bad("its axes are not those of a volume")
    spatial = [i for i in range(len(sizes)) if i not in aside]
    if not 2 <= len(spatial) <= 3:
        raise header.bad("its axes are not those of a volume")
    if not aside:
        return spatial, 1, 1
    count = sizes[aside[0]]
    if aside[0] == 0:
        if count in (3, 4) and _TYPES[header.get("type").lower()] == "u1":
            return spatial, count, 1
        if count == 1:
            return spatial, 1, 1
        raise header.bad("it holds vectors, not grey levels")
    return spatial, 1, count


def _placement(
    header: _Header, spatial: list[int], dimension: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], bool, bool]:
    signs = _SPACES.get(header.get("space").lower())
    vectors = re.findall(r"none|\([^)]*\)", header.get("space directions"))
    axes, origin = np.eye(3), np.zeros(3)
    if len(vectors) == dimension:
        rows = [_vector(header, vectors[axis]) for axis in spatial]
        if any(row is None or len(row) != len(rows[0] or ()) for row in rows):
            raise header.bad("its space directions are damaged")
        width = len(rows[0] or ())
        for k, row in enumerate(rows):
            axes[:, k] = 0
            axes[: min(width, 3), k] = (row or [])[:3]
        where = re.findall(r"\([^)]*\)", header.get("space origin"))
        point = _vector(header, where[0]) if where else None
        if point is not None:
            origin[: min(len(point), 3)] = point[:3]
        lengths = np.linalg.norm(axes, axis=0)
        if not (lengths > 1e-9).all() or abs(np.linalg.det(axes / lengths)) < 1e-3:
            raise header.bad("its space directions are damaged")
        known = signs is not None and width == 3
        turn = np.diag(np.array(signs or (1, 1, 1), float))
        return turn @ axes, turn @ origin, True, known
    try:
        steps = [float(part) for part in header.get("spacings").split()]
    except ValueError:
        raise header.bad("its spacings are no numbers") from None
    wanted = [steps[axis] for axis in spatial] if len(steps) == dimension else []
    if wanted and all(math.isfinite(v) and v > 0 for v in wanted):
        return np.diag([*wanted, *([1.0] * (3 - len(wanted)))]), origin, True, False
    return axes, origin, False, False


def _vector(header: _Header, text: str) -> list[float] | None:
    if text == "none":
        return None
    try:
        values = [float(part) for part in text.strip("()").split(",")]
    except ValueError:
        raise header.bad("its space directions are no numbers") from None
    if not all(map(math.isfinite, values)):
        raise header.bad("its space directions are no finite numbers")
    return values


def _parts(
    header: _Header, volumes: int, slices: int, total: int, compression: str
) -> tuple[tuple[Path, int], ...]:
    named = header.get("data file", "datafile")
    lines, skip = header.integer("line skip", "lineskip"), header.integer("byte skip", "byteskip")
    if not named:
        parts = [(header.path, header.data_at)]
    elif header.listed or "%" in named:
        names = header.listed
        if not names:
            pieces = named.split()
            match = re.fullmatch(r"(.*?)%(0?\d*)d(.*)", pieces[0])
            if match is None or len(pieces) < 4 or not all(p.isdigit() for p in pieces[1:4]):
                raise header.bad("its pattern of data files is damaged")
            first, last, step = (int(piece) for piece in pieces[1:4])
            if step < 1 or not 0 <= last - first < 1 << 20:
                raise header.bad("its pattern of data files is damaged")
            width = int(match[2] or 0)
            names = [
                match[1] + str(i).rjust(width, "0" if match[2].startswith("0") else " ") + match[3]
                for i in range(first, last + 1, step)
            ]
        if len(names) != slices or volumes != 1 or (compression and len(names) > 1):
            raise header.bad(f"it lists {len(names)} data files for {slices} slices")
        parts = [(data_file(header.path, name), 0) for name in names]
    else:
        parts = [(data_file(header.path, named), 0)]
    return tuple(_skipped(header, part, lines, skip, total, compression) for part in parts)


def _skipped(
    header: _Header, part: tuple[Path, int], lines: int, skip: int, total: int, compression: str
) -> tuple[Path, int]:
    path, offset = part
    if lines < 0 or skip < -1 or (skip > 0 and compression):
        raise header.bad("its header states an impossible data offset")
    if skip == -1:
        if compression:
            raise header.bad("its header states an impossible data offset")
        return path, max(path.stat().st_size - total, offset)
    if lines:
        with path.open("rb") as stream:
            stream.seek(offset)
            for _ in range(min(lines, 100_000)):
                stream.readline(1 << 16)
            offset = stream.tell()
    return path, offset + skip
