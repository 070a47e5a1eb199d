"""Values of single elements: from the bytes of a header to text and numbers."""

from __future__ import annotations

import math
import re
import struct
from functools import lru_cache

from core.imaging.dicom import tags


@lru_cache(maxsize=8192)
def plain_text(raw: bytes) -> str:
    """ASCII text without its padding."""
    return raw.decode("latin-1").strip(" \0")


@lru_cache(maxsize=1024)
def words(raw: bytes) -> frozenset[str]:
    """The values of a code string, in capitals."""
    return frozenset(part.strip() for part in plain_text(raw).upper().split("\\"))


_YEN = frozenset({"ISO_IR 13", "ISO 2022 IR 13"})
"""Sets in which bytes of ASCII are other characters: yen and overline."""


@lru_cache(maxsize=1024)
def local_text(raw: bytes, character_set: bytes, tag: int) -> str:
    """Text in a DICOM character set; undecodable bytes become replacement signs."""
    sets = [part.strip(" \0") for part in character_set.decode("latin-1").split("\\")]
    if tag == tags.PatientName:
        raw = raw.rstrip(b" \0")
    if raw.isascii() and b"\x1b" not in raw and _YEN.isdisjoint(sets):
        return plain_text(raw)  # the same in every other set, and pydicom takes a second to import
    from pydicom.charset import convert_encodings, decode_bytes

    try:
        encodings = convert_encodings(sets)
        text: str = decode_bytes(raw, encodings, {0x5C, 0x5E, 0x3D, 0x0A, 0x0D, 0x09, 0x0C})
    except (LookupError, ValueError, UserWarning):
        text = raw.decode("utf-8", errors="replace")
    return text.strip(" \0")


@lru_cache(maxsize=8192)
def decimal_values(raw: bytes) -> tuple[float, ...]:
    """DS values; () if any of them is no finite number."""
    try:
        values = tuple(float(part) for part in raw.strip(b" \0").split(b"\\"))
    except ValueError:
        return ()
    return values if all(map(math.isfinite, values)) else ()


@lru_cache(maxsize=8192)
def integer_value(raw: bytes) -> int | None:
    """The first IS value, or None if it is no integer."""
    first = raw.strip(b" \0").split(b"\\")[0]
    try:
        return int(first)
    except ValueError:
        match = re.fullmatch(rb"([+-]?\d+)\.0*", first.strip())
        return int(match.group(1)) if match else None


def double_values(raw: bytes, big_endian: bool) -> tuple[float, ...]:
    """FD values; () if any of them is not finite."""
    count = len(raw) // 8
    values = struct.unpack((">" if big_endian else "<") + f"{count}d", raw[: count * 8])
    return values if all(map(math.isfinite, values)) else ()
