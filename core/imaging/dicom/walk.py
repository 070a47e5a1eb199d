"""The byte level of a DICOM data set: which element lies where.

Pure Python on purpose: a header is the first thing that a hostile file reaches, and nothing
here can crash. One function walks all encodings (explicit and implicit VR, both byte orders);
values are skipped unless wanted, so that a header costs tens of microseconds.

Source: DICOM PS3.5, 7.1 (elements), 7.5 (sequences), A.4 (encapsulated pixel data).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import NamedTuple

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
"""Float, double float and integer Pixel Data: the walk ends there."""

_LONG = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
_SHORT = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN"}
    | {b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
)
_DEEPEST = 24
_FIRST_CHUNK = 1 << 14
_LARGEST_CHUNK = 1 << 26
_LARGEST_VALUE = 1 << 26

Read = Callable[[int, int], bytes]
"""Read (offset, size); fewer bytes only at the end of the data."""


class MalformedError(ValueError):
    """The bytes are no DICOM data set; the argument is a short clause that says why."""


class RanOutError(Exception):
    """The window ends inside what is being looked at."""


@dataclass(frozen=True)
class Encoding:
    """How elements are written."""

    implicit: bool = False
    big_endian: bool = False


class PixelElement(NamedTuple):
    """Where the pixel data element lies. length is UNDEFINED if encapsulated."""

    tag: int
    offset: int
    length: int
    vr: bytes


def walk(  # noqa: PLR0912, PLR0915 - one loop, inlined: it runs for each element of each file
    read: Read, position: int, encoding: Encoding, wanted: Container[int]
) -> tuple[dict[int, bytes], PixelElement | None]:
    """Collect the raw values of `wanted` top-level elements, up to the pixel data.

    Sequences are given as the bytes of their items. Raises MalformedError.
    """
    order = ">" if encoding.big_endian else "<"
    short = struct.Struct(order + "HH2sH").unpack_from
    tag_and_length = struct.Struct(order + "HHI").unpack_from
    word = struct.Struct(order + "I").unpack_from
    implicit = encoding.implicit
    found: dict[int, bytes] = {}
    chunk = _FIRST_CHUNK
    base = position  # where the window begins in the data
    window = read(base, chunk)
    at = 0
    reach = len(window) - 12
    while True:
        if at > reach:
            if len(window) < chunk or reach < 0:
                # This was the last window: what is left is too short for another long element.
                if at + 8 > len(window):
                    return found, None
            else:
                base += at
                at = 0
                window = read(base, chunk)
                reach = len(window) - 12
                continue
        vr = b""
        if implicit:
            group, element, length = tag_and_length(window, at)
            start = at + 8
        else:
            group, element, vr, length = short(window, at)
            if vr in _SHORT:
                start = at + 8
            elif vr in _LONG:
                if at + 12 > len(window):
                    raise MalformedError("its header ends in the middle of an element")
                (length,) = word(window, at + 8)
                start = at + 12
            else:
                # An element written without its VR inside an explicit data set.
                group, element, length = tag_and_length(window, at)
                start, vr = at + 8, b""
        tag = group << 16 | element
        if group >= 0x7FE0 and (tag in PIXELS or group > 0x7FE0):
            if tag in PIXELS:
                return found, PixelElement(tag, base + start, length, vr)
            if group == 0xFFFE:
                raise MalformedError("its elements do not follow each other")
        if length == UNDEFINED:
            try:
                inner = Encoding(True, encoding.big_endian) if vr == b"UN" else encoding
                end = _end_of_items(window, start, inner, 0)
            except RanOutError:
                if len(window) < chunk:
                    raise MalformedError("it ends inside a sequence") from None
                if chunk >= _LARGEST_CHUNK:
                    raise MalformedError("its header holds a sequence without end") from None
                base += at
                at = 0
                chunk *= 4
                window = read(base, chunk)
                reach = len(window) - 12
                continue
            if tag in wanted:
                found[tag] = window[start : end - 8]
            at = end
            continue
        if tag in wanted:
            end = start + length
            if end <= len(window):
                found[tag] = window[start:end]
            elif length > _LARGEST_VALUE:
                raise MalformedError("its header holds an element of impossible length")
            else:
                value = read(base + start, length)
                if len(value) < length:
                    raise MalformedError("it ends inside its header")
                found[tag] = value
        at = start + length


def _end_of_items(window: bytes, at: int, encoding: Encoding, depth: int) -> int:
    """Offset behind the delimiter of a sequence of undefined length that begins at `at`."""
    if depth > _DEEPEST:
        raise MalformedError("its sequences are nested too deeply")
    order = ">" if encoding.big_endian else "<"
    header = struct.Struct(order + "HHI").unpack_from
    while True:
        if at + 8 > len(window):
            raise RanOutError
        group, element, length = header(window, at)
        tag = group << 16 | element
        at += 8
        if tag == SEQUENCE_END:
            return at
        if tag != ITEM:
            raise MalformedError("a sequence holds something that is not an item")
        if length != UNDEFINED:
            at += length
            continue
        while True:
            tag, _, start, length, vr = element_at(window, at, encoding)
            if tag == ITEM_END:
                at = start
                break
            if length == UNDEFINED:
                inner = Encoding(True, encoding.big_endian) if vr == b"UN" else encoding
                at = _end_of_items(window, start, inner, depth + 1)
            else:
                at = start + length


def end_of_sequence(window: bytes, start: int, vr: bytes, encoding: Encoding) -> int:
    """Offset behind a sequence of undefined length whose items begin at `start`.

    Raises MalformedError, also where the window ends before it.
    """
    inner = Encoding(True, encoding.big_endian) if vr == b"UN" else encoding
    try:
        return _end_of_items(window, start, inner, 0)
    except RanOutError:
        raise MalformedError("it ends inside a sequence") from None


def element_at(window: bytes, at: int, encoding: Encoding) -> tuple[int, int, int, int, bytes]:
    """Tag, offset, start of the value, length and VR (b"" if implicit) of one element."""
    order = ">" if encoding.big_endian else "<"
    if at + 8 > len(window):
        raise RanOutError
    group, element, vr, length = struct.unpack_from(order + "HH2sH", window, at)
    tag = group << 16 | element
    if group == 0xFFFE or encoding.implicit or (vr not in _SHORT and vr not in _LONG):
        (length,) = struct.unpack_from(order + "I", window, at + 4)
        return tag, at, at + 8, length, b""
    if vr in _SHORT:
        return tag, at, at + 8, length, vr
    if at + 12 > len(window):
        raise RanOutError
    (length,) = struct.unpack_from(order + "I", window, at + 8)
    return tag, at, at + 12, length, vr


Item = dict[int, bytes]
"""One sequence item: tag → raw value; a nested sequence is the bytes of its items."""


def items(raw: bytes, encoding: Encoding) -> list[Item]:
    """The items of a sequence, from the bytes that `walk` or another item gave for it.

    Raises MalformedError.
    """
    order = ">" if encoding.big_endian else "<"
    found: list[Item] = []
    at = 0
    try:
        while at + 8 <= len(raw):
            group, element, length = struct.unpack_from(order + "HHI", raw, at)
            tag = group << 16 | element
            if tag == SEQUENCE_END:
                break
            if tag != ITEM:
                raise MalformedError("a sequence holds something that is not an item")
            at += 8
            end = len(raw) if length == UNDEFINED else min(at + length, len(raw))
            item: Item = {}
            while at + 8 <= end:
                tag, _, start, length, vr = element_at(raw, at, encoding)
                if tag == ITEM_END:
                    at = start
                    break
                if length == UNDEFINED:
                    inner = Encoding(True, encoding.big_endian) if vr == b"UN" else encoding
                    at = _end_of_items(raw, start, inner, 0)
                    item[tag] = raw[start : at - 8]
                else:
                    at = start + length
                    if at > len(raw):
                        raise MalformedError("a sequence ends inside an element")
                    item[tag] = raw[start:at]
            else:
                at = end
            found.append(item)
    except RanOutError:
        raise MalformedError("a sequence ends inside an element") from None
    return found
