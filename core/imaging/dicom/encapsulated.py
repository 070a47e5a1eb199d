"""Encapsulated pixel data: where the fragments of each frame lie.

Source: DICOM PS3.5, A.4 and Annex A.4.1 (Basic Offset Table).
"""

from __future__ import annotations

import struct

from core.imaging.dicom.walk import MalformedError, PixelElement, Read

Fragment = tuple[int, int]
"""(offset, length) of one fragment's bytes in the file."""

_MOST_FRAGMENTS = 1_000_000


def find_fragments(
    read: Read, pixels: PixelElement, size: int, big_endian: bool = False
) -> tuple[bytes, tuple[Fragment, ...]]:
    """The Basic Offset Table's bytes and the fragments, checked against the file's size.

    Raises MalformedError where the file ends inside a fragment or holds none.
    """
    header = struct.Struct(">HHI" if big_endian else "<HHI")
    at = pixels.offset
    found: list[Fragment] = []
    while at + 8 <= size:
        group, element, length = header.unpack(read(at, 8))
        if (group, element) == (0xFFFE, 0xE0DD):
            break
        if (group, element) != (0xFFFE, 0xE000):
            # Some writers forget the delimiter: what was found so far is whole.
            if len(found) > 1:
                break
            raise MalformedError("its compressed pixel data are damaged")
        if at + 8 + length > size:
            raise MalformedError("the file ends before its pixel data are complete")
        found.append((at + 8, length))
        if len(found) > _MOST_FRAGMENTS:
            raise MalformedError("its pixel data are cut into too many pieces")
        at += 8 + length
    if len(found) < 2:
        raise MalformedError("the file ends before its pixel data are complete")
    offset, length = found[0]
    table = read(offset, min(length, 1 << 24)) if length else b""
    return table, tuple(found[1:])


def frame_fragments(
    read: Read,
    table: bytes,
    extended: bytes,
    fragments: tuple[Fragment, ...],
    frames: int,
) -> list[tuple[Fragment, ...]]:
    """The fragments of each frame.

    table: the Basic Offset Table; extended: the Extended Offset Table (7FE0,0001), or b"".
    Raises MalformedError where they cannot be told apart.
    """
    if frames == 1:
        return [fragments]
    if len(fragments) == frames:
        return [(fragment,) for fragment in fragments]
    starts: tuple[int, ...] = ()
    if len(extended) >= 8 * frames:
        starts = struct.unpack(f"<{frames}Q", extended[: 8 * frames])
    elif len(table) >= 4 * frames:
        starts = struct.unpack(f"<{frames}I", table[: 4 * frames])
    origin = fragments[0][0] - 8
    if starts:
        index = {offset - 8 - origin: i for i, (offset, _) in enumerate(fragments)}
        try:
            firsts = [index[start] for start in starts]
        except KeyError:
            raise MalformedError("its table of frames does not fit its pixel data") from None
    else:
        # No table: a frame begins where a JPEG family codestream begins.
        firsts = [
            i
            for i, (offset, length) in enumerate(fragments)
            if length >= 4 and read(offset, 3)[:3] in (b"\xff\xd8\xff", b"\xff\x4f\xff")
        ]
        if len(firsts) != frames:
            raise MalformedError("its frames cannot be told apart")
    if firsts[0] != 0 or firsts != sorted(set(firsts)):
        raise MalformedError("its table of frames does not fit its pixel data")
    ends = [*firsts[1:], len(fragments)]
    return [fragments[first:end] for first, end in zip(firsts, ends, strict=True)]
