"""What a WebP, GIF or BMP file says of its picture, read without any codec.

Sources: the WebP container specification (RFC 9649), the GIF89a specification, Microsoft's
bitmap storage. Of an animation the first picture is shown.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from core.errors import UnreadableImageError
from core.imaging.picture_headers import Picture, exif_orientation

_LARGEST_EXIF = 1 << 16
_MOST_CHUNKS = 4096


def kind_of_web_picture(start: bytes) -> str:
    """The kind of file that begins with these (at least 18) bytes: webp, gif, bmp, or ""."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    if start[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    # Two letters are little: the size of the header behind them must be one that exists.
    if start[:2] == b"BM" and start[14:18] in _BITMAP_HEADERS:
        return "bmp"
    return ""


_BITMAP_HEADERS = frozenset(struct.pack("<I", size) for size in (12, 40, 52, 56, 64, 108, 124))


def read_web_picture(path: Path, stream: BinaryIO, start: bytes) -> Picture:
    """The picture of an open file that begins with `start`. Raises UnreadableImageError."""
    kind = kind_of_web_picture(start)
    try:
        return _READERS[kind](path, stream, start)
    except struct.error as error:
        raise UnreadableImageError(path, "it ends inside its header") from error


def _webp(path: Path, stream: BinaryIO, start: bytes) -> Picture:
    first = start[12:16]
    if first == b"VP8X":
        (flags,) = struct.unpack_from("<B", start, 20)
        columns = int.from_bytes(start[24:27], "little") + 1
        rows = int.from_bytes(start[27:30], "little") + 1
        orientation = exif_orientation(_webp_exif(stream)) if flags & 8 else 1
        return Picture(path, "webp", rows, columns, 4 if flags & 16 else 3, "u1", orientation)
    if first == b"VP8L":
        (packed,) = struct.unpack_from("<I", start, 21)
        columns, rows = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
        return Picture(path, "webp", rows, columns, 4 if packed >> 28 & 1 else 3, "u1")
    if first == b"VP8 " and start[23:26] == b"\x9d\x01\x2a":
        columns, rows = struct.unpack_from("<HH", start, 26)
        return Picture(path, "webp", rows & 0x3FFF, columns & 0x3FFF, 3, "u1")
    raise UnreadableImageError(path, "its header is damaged")


def _webp_exif(stream: BinaryIO) -> bytes:
    """The EXIF chunk of a WebP file, b"" if it has none."""
    at = 12
    for _ in range(_MOST_CHUNKS):
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8:
            break
        length = int.from_bytes(head[4:], "little")
        if head[:4] == b"EXIF":
            return stream.read(min(length, _LARGEST_EXIF)).removeprefix(b"Exif\0\0")
        at += 8 + length + length % 2
    return b""


def _gif(path: Path, _: BinaryIO, start: bytes) -> Picture:
    columns, rows = struct.unpack_from("<HH", start, 6)
    return Picture(path, "gif", rows, columns, 4, "u1")


def _bmp(path: Path, _: BinaryIO, start: bytes) -> Picture:
    if struct.unpack_from("<I", start, 14)[0] == 12:
        columns, rows = struct.unpack_from("<HH", start, 18)
    else:
        columns, rows = struct.unpack_from("<ii", start, 18)
    return Picture(path, "bmp", abs(rows), columns, 3, "u1")


_READERS: dict[str, Callable[[Path, BinaryIO, bytes], Picture]] = {
    "webp": _webp,
    "gif": _gif,
    "bmp": _bmp,
}
