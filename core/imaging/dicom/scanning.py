"""Many files' headers, each read with the help of the ones before it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from core.errors import UnreadableImageError
from core.imaging.dicom import tags
from core.imaging.dicom.encapsulated import Fragment, find_fragments
from core.imaging.dicom.headers import (
    MEDIA_STORAGE_SOP_CLASS,
    OPEN_FLAGS,
    START,
    FileReader,
    Header,
    parse_header,
)
from core.imaging.dicom.layout import Followed, Layout, learn
from core.imaging.dicom.walk import UNDEFINED, Encoding, MalformedError

_LARGEST_LAYOUT = 1 << 17
_MOST_LAYOUTS = 4
_EXPLICIT = Encoding()
_OF_THE_LAYOUT = frozenset({tags.TransferSyntaxUID, MEDIA_STORAGE_SOP_CLASS})
_LAYOUT_WANTED = tags.IMAGE_HEADER - _OF_THE_LAYOUT


class HeaderScanner:
    """Reads the headers of many files, each with the help of the ones before.

    Gives for every file exactly what `read_header` gives; see `core.imaging.dicom.layout`.
    """

    def __init__(self) -> None:
        self._layouts: list[_Kind] = []
        self._length = START
        self._goes_on = False

    @property
    def length(self) -> int:
        """How many bytes to read from the beginning of the next file."""
        return self._length

    def next_of_kind(self, name: str) -> Header | None:
        """The header of a file with native pixels that is written like one before it, else None.

        Opens the file itself, and only where the file before was one of a kind: the usual case
        in a folder of thousands, at the fewest system calls. Raises OSError.
        """
        if not self._goes_on or sys.platform == "win32":
            return None
        handle = os.open(name, OPEN_FLAGS)
        try:
            size = os.lseek(handle, 0, os.SEEK_END)
            start = os.pread(handle, self._length, 0)
        finally:
            os.close(handle)
        self._goes_on = False
        kind, found = self._follow(start)
        if kind is None or found is None or found.pixels[2] == UNDEFINED:
            return None
        self._goes_on = True
        return kind.header(name, size, found)

    def parse(self, file: FileReader, start: bytes) -> Header:
        """Read the header of an open file that begins with `start`; see `read_header`."""
        kind, found = self._follow(start)
        self._goes_on = kind is not None and kind.layout.is_native
        if kind is not None and found is not None:
            return _followed(file, kind, found)
        header = parse_header(Path(file.name), file, start)
        self._remember(header, file)
        return header

    def _follow(self, start: bytes) -> tuple[_Kind | None, Followed | None]:
        for i, kind in enumerate(self._layouts):
            found = kind.layout.follow(start)
            if found is not None:
                if i:
                    self._layouts.insert(0, self._layouts.pop(i))
                return kind, found
        return None, None

    def _remember(self, header: Header, file: FileReader) -> None:
        pixels = header.pixels
        if (
            pixels is None
            or pixels.offset > _LARGEST_LAYOUT
            or header.encoding != _EXPLICIT
            or header.is_deflated
            or tags.TransferSyntaxUID in header.raw  # its file meta information is odd
        ):
            return
        data = file.read(0, pixels.offset)
        if data[128:134] != b"DICM\x02\0":
            return
        layout = learn(data, 132, pixels.offset, _LAYOUT_WANTED, _OF_THE_LAYOUT)
        if layout is not None:
            header.kin = layout.serial
            kind = _Kind(layout, header.transfer_syntax, header.sop_class)
            self._layouts = [kind, *self._layouts[: _MOST_LAYOUTS - 1]]
            self._length = max(one.layout.reach for one in self._layouts) + 512
            self._goes_on = layout.is_native


@dataclass(frozen=True, slots=True)
class _Kind:
    """Files that are written alike, and what is the same in all of them."""

    layout: Layout
    transfer_syntax: str
    sop_class: str

    def header(
        self,
        name: str,
        size: int,
        found: Followed,
        table: bytes = b"",
        fragments: tuple[Fragment, ...] = (),
    ) -> Header:
        """One of these files' header."""
        return Header(
            name,
            size,
            self.transfer_syntax,
            _EXPLICIT,
            found.raw,
            found.pixels,
            self.sop_class,
            table,
            fragments,
            self.layout.serial,
            found.changed,
        )


def _followed(file: FileReader, kind: _Kind, found: Followed) -> Header:
    if found.pixels.length != UNDEFINED:
        return kind.header(file.name, file.size, found)
    try:
        table, fragments = find_fragments(file.read, found.pixels, file.size)
    except MalformedError as error:
        raise UnreadableImageError(Path(file.name), str(error)) from error
    return kind.header(file.name, file.size, found, table, fragments)
