"""One DICOM file's header: found quickly, checked, and read as typed values."""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from core.errors import TooLargeError, UnreadableImageError
from core.imaging.dicom import tags
from core.imaging.dicom.encapsulated import Fragment, find_fragments
from core.imaging.dicom.values import decimal_values, integer_value, local_text, plain_text
from core.imaging.dicom.walk import (
    UNDEFINED,
    Encoding,
    Item,
    MalformedError,
    PixelElement,
    Read,
    element_at,
    items,
    walk,
)
from core.imaging.inflation import Inflating

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
NATIVE = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, DEFLATED, EXPLICIT_BIG})
"""Transfer syntaxes whose pixels are not encapsulated."""

_EXPLICIT = Encoding()
START = 1024
"""Bytes from the beginning of a file that tell its kind, and mostly its transfer syntax."""
_DIRECTORY = "1.2.840.10008.1.3.10"
MEDIA_STORAGE_SOP_CLASS = 0x00020002
_FIRST_INFLATED = 1 << 16
_LARGEST_DEFLATED_HEADER = 1 << 26


OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class FileReader:
    """Reads of one open file at given offsets, without buffering."""

    def __init__(self, path: Path | str) -> None:
        self.name = os.fspath(path)
        self.handle = os.open(self.name, OPEN_FLAGS)
        try:
            self.size = os.lseek(self.handle, 0, os.SEEK_END)  # a third of what fstat costs
        except OSError:
            os.close(self.handle)
            raise

    def __enter__(self) -> FileReader:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.handle)

    if sys.platform == "win32":  # no positioned reads there

        def read(self, offset: int, size: int) -> bytes:
            """Up to `size` bytes at `offset`; fewer only at the end of the file."""
            os.lseek(self.handle, offset, os.SEEK_SET)
            return os.read(self.handle, size)

        def read_into(self, offset: int, target: memoryview) -> int:
            """Fill `target` from `offset`; returns the bytes read."""
            os.lseek(self.handle, offset, os.SEEK_SET)
            done = 0
            while done < len(target):
                piece = os.read(self.handle, min(len(target) - done, 1 << 24))
                if not piece:
                    break
                target[done : done + len(piece)] = piece
                done += len(piece)
            return done

    else:

        def read(self, offset: int, size: int) -> bytes:
            """Up to `size` bytes at `offset`; fewer only at the end of the file."""
            return os.pread(self.handle, size, offset)

        def read_into(self, offset: int, target: memoryview) -> int:
            """Fill `target` from `offset`; returns the bytes read."""
            done = 0
            while done < len(target):
                count = os.preadv(self.handle, [target[done:]], offset + done)
                if count <= 0:
                    break
                done += count
            return done


@dataclass(slots=True)
class Header:
    """What a DICOM file says of its image.

    raw: tag → value bytes, only of the attributes in `tags`.
    pixels: where the pixel data lie, None if there are none. In a deflated file the offset
        counts from the start of the inflated data set.
    offset_table, fragments: of encapsulated pixel data, checked against the file's size.
    kin: number that headers written alike share, 0 if none; changed: tags whose values differ
        among them.
    """

    file: str
    size: int
    transfer_syntax: str
    encoding: Encoding
    raw: dict[int, bytes]
    pixels: PixelElement | None
    sop_class: str = ""
    offset_table: bytes = b""
    fragments: tuple[Fragment, ...] = ()
    kin: int = 0
    changed: frozenset[int] = frozenset()

    @property
    def path(self) -> Path:
        """Where the file is."""
        return Path(self.file)

    @property
    def folder(self) -> str:
        """Where the file lies, as text: cheaper than a Path where there are thousands."""
        return self.file.rpartition(os.sep)[0]

    @property
    def is_deflated(self) -> bool:
        """Whether the data set is deflated."""
        return self.transfer_syntax == DEFLATED

    @property
    def is_directory(self) -> bool:
        """Whether this is a DICOMDIR, by its class and not by its name."""
        return self.sop_class == _DIRECTORY

    def text(self, tag: int) -> str:
        """A text value without padding; several values stay joined by backslashes."""
        raw = self.raw.get(tag)
        return "" if raw is None else plain_text(raw)

    def name(self, tag: int) -> str:
        """A text value in the file's own character set, for display."""
        raw = self.raw.get(tag)
        if not raw:
            return ""
        return local_text(raw, self.raw.get(tags.SpecificCharacterSet, b""), tag)

    def floats(self, tag: int) -> tuple[float, ...]:
        """Decimal-string values; () if absent or not finite numbers."""
        raw = self.raw.get(tag)
        return () if raw is None else decimal_values(raw)

    def number(self, tag: int) -> float | None:
        """The first decimal-string value, or None."""
        values = self.floats(tag)
        return values[0] if values else None

    def whole(self, tag: int) -> int | None:
        """An integer-string value, or None."""
        raw = self.raw.get(tag)
        return None if raw is None else integer_value(raw)

    def u16(self, tag: int, default: int | None = None) -> int | None:
        """An unsigned 16-bit value, or the default."""
        raw = self.raw.get(tag)
        if raw is None or len(raw) < 2:
            return default
        return int(struct.unpack_from(">H" if self.encoding.big_endian else "<H", raw)[0])

    def sequence(self, tag: int) -> list[Item]:
        """The items of a sequence; [] if absent. Raises UnreadableImageError."""
        raw = self.raw.get(tag)
        if not raw:
            return []
        try:
            return items(raw, self.encoding)
        except MalformedError as error:
            raise UnreadableImageError(self.path, str(error)) from error


def looks_like_dicom(start: bytes) -> bool:
    """Whether a file that begins with these (at least 132) bytes may be DICOM."""
    if start[128:132] == b"DICM":
        return True
    # Old files begin with their first element: group 0002 or 0008.
    if len(start) < 16 or start[:2] not in (b"\x02\0", b"\x08\0", b"\0\x02", b"\0\x08"):
        return False
    big = start[0] == 0
    element = int.from_bytes(start[2:4], "big" if big else "little")
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    length = int.from_bytes(start[4:8], "big" if big else "little")
    return element <= 0x0070 and (explicit or length <= 1024)


def read_header(path: Path) -> Header:
    """Read the header of one file.

    Raises UnreadableImageError if it is not DICOM or its header is damaged, TooLargeError if
    it is a deflated file that inflates without end.
    """
    try:
        with FileReader(path) as file:
            return parse_header(path, file, file.read(0, START))
    except OSError as error:
        raise UnreadableImageError(
            path, (error.strerror or "it cannot be opened").lower(), "Check that it is readable."
        ) from error


def parse_header(path: Path, file: FileReader, start: bytes) -> Header:
    """Read the header of an open file whose first `START` bytes are known; see `read_header`."""
    try:
        return _parse(path, file, start)
    except MalformedError as error:
        raise UnreadableImageError(path, str(error)) from error


def _parse(path: Path, file: FileReader, start: bytes) -> Header:  # noqa: PLR0912 - a format
    if start[128:132] == b"DICM":
        position = 132
    elif looks_like_dicom(start):
        position = 0
    else:
        raise MalformedError("it is not a DICOM file")
    syntax, sop_class = "", ""
    window = start[position:]
    at = 0
    little = Encoding()
    while window[at : at + 2] == b"\x02\0":
        if at + 12 > len(window):
            raise MalformedError("it ends inside its header")
        tag, _, value, length, _ = element_at(window, at, little)
        if length == UNDEFINED:
            raise MalformedError("its file meta information is damaged")
        if value + length + 12 > len(window):
            # A private or very long meta element: look at the rest from a larger window.
            window = file.read(position, min(value + length + 4096, 1 << 20))
            if value + length > len(window):
                raise MalformedError("it ends inside its header")
        if tag == tags.TransferSyntaxUID:
            syntax = plain_text(window[value : value + length])
        elif tag == MEDIA_STORAGE_SOP_CLASS:
            sop_class = plain_text(window[value : value + length])
        at = value + length
    body = position + at
    if syntax == DEFLATED:
        return _parse_deflated(path, file, body, sop_class)
    first = window[at : at + 8] if at + 8 <= len(window) else file.read(body, 8)
    encoding = _encoding(syntax, first)
    if not syntax:
        syntax = (
            EXPLICIT_BIG
            if encoding.big_endian
            else IMPLICIT_LITTLE
            if encoding.implicit
            else EXPLICIT_LITTLE
        )
    raw, pixels = walk(file.read, body, encoding, tags.IMAGE_HEADER)
    table = b""
    fragments: tuple[Fragment, ...] = ()
    if pixels is not None and pixels.length == UNDEFINED:
        table, fragments = find_fragments(file.read, pixels, file.size, encoding.big_endian)
    return Header(str(path), file.size, syntax, encoding, raw, pixels, sop_class, table, fragments)


def _encoding(syntax: str, first: bytes) -> Encoding:
    """How the data set is written: as the transfer syntax says, unless its bytes say otherwise."""
    explicit = first[4:6].isalpha() and first[4:6].isupper()
    if syntax == EXPLICIT_BIG:
        big = True
    elif syntax:
        big = False
    else:
        big = first[:2] == b"\0\x08"
    return Encoding(implicit=not explicit, big_endian=big)


def _parse_deflated(path: Path, file: FileReader, body: int, sop_class: str) -> Header:
    size = _FIRST_INFLATED
    stream = Inflating(path, body, "deflate")
    data = b""
    while True:
        data += stream.more(size - len(data))

        def read(offset: int, count: int, data: bytes = data) -> bytes:
            return data[offset : offset + count]

        reader: Read = read
        encoding = Encoding()
        try:
            raw, pixels = walk(reader, 0, encoding, tags.IMAGE_HEADER)
        except MalformedError:
            if len(data) < size:
                raise
            raw, pixels = {}, None
        if pixels is not None or len(data) < size:
            return Header(str(path), file.size, DEFLATED, encoding, raw, pixels, sop_class)
        if size >= _LARGEST_DEFLATED_HEADER:
            raise TooLargeError(path, size, _LARGEST_DEFLATED_HEADER)
        size = min(size * 16, _LARGEST_DEFLATED_HEADER)


def deflated_body(file: FileReader) -> int:
    """Where the deflated data set begins: behind the file meta information."""
    window = file.read(132, 4096)
    at = 0
    while window[at : at + 2] == b"\x02\0":
        _, _, value, length, _ = element_at(window, at, Encoding())
        at = value + length
    return 132 + at
