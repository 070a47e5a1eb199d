"""One frame as a task for a decoder process: encapsulated pixels, or pixels in a deflated set."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.errors import UnreadableImageError
from core.imaging.decoding import processes
from core.imaging.dicom import codecs, tags
from core.imaging.dicom.encapsulated import Fragment, frame_fragments
from core.imaging.dicom.headers import FileReader, Header
from core.imaging.dicom.pixel_format import PixelFormat
from core.imaging.dicom.pixels import Lookup, finish, native_array, packed_array
from core.imaging.dicom.walk import MalformedError
from core.imaging.inflation import Source

Array = NDArray[np.generic]


@dataclass(frozen=True)
class FrameTask:
    """One frame to decode or inflate, with nothing of the file's identity but its path.

    lookup: (first value, table, whether it is a palette), or None.
    stretch: (stream, first byte, byte behind the last, first bit) of a frame in a deflated data
        set; fragments are empty then.
    threads: how many its codec may use: more than one where no other process needs the cores.
    """

    path: str
    syntax: str
    layout: PixelFormat
    fragments: tuple[Fragment, ...]
    lookup: tuple[int, bytes, bool] | None
    tile: tuple[int, int, int, int] | None
    dtype: str
    shape: tuple[int, ...]
    stretch: tuple[Source, int, int, int] | None = None
    threads: int = 1

    def run(self) -> Array:
        """Read the frame's bytes and decode them. Called in a decoder process."""
        layout, photometric = self.layout, self.layout.photometric
        if self.stretch is not None:
            stream, begin, end, first_bit = self.stretch
            array = native_cells(stream.at(begin).exactly(end - begin), first_bit, layout, False)
            layout = layout.unpacked if layout.is_packed else layout
        else:
            with FileReader(self.path) as file:
                data = b"".join(file.read(offset, length) for offset, length in self.fragments)
            array, photometric = codecs.decode(self.syntax, data, layout, self.threads)
        lookup = None
        if self.lookup is not None:
            first, raw, colours = self.lookup
            table = np.frombuffer(raw, np.uint8 if colours else np.uint16)
            lookup = Lookup(first, table.reshape(-1, 3) if colours else table)
        voxels = finish(array, layout, photometric, lookup)
        return np.ascontiguousarray(cut(voxels, self.tile))


def native_cells(raw: bytes, first_bit: int, layout: PixelFormat, big_endian: bool) -> Array:
    """Native bytes as cells; packed ones stand in words of their own then."""
    if layout.allocated == 1 or layout.is_packed:
        return packed_array(raw, first_bit, layout)
    return native_array(raw, layout, big_endian)


def alone(task: FrameTask) -> FrameTask:
    """A task whose codec may use all cores."""
    return replace(task, threads=processes())


def cut(voxels: Array, tile: tuple[int, int, int, int] | None) -> Array:
    """A tile of a mosaic, or the whole."""
    if tile is None:
        return voxels
    row, column, rows, columns = tile
    return voxels[row : row + rows, column : column + columns]


@dataclass(frozen=True)
class CellTask:
    """The pixel cells of one encapsulated frame with all their bits, unused ones included."""

    path: str
    syntax: str
    layout: PixelFormat
    fragments: tuple[Fragment, ...]

    @property
    def dtype(self) -> str:
        """Unsigned, as wide as a cell."""
        return np.dtype(f"u{self.layout.allocated // 8}").str

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, columns)."""
        return self.layout.rows, self.layout.columns

    def run(self) -> Array:
        """Read the fragments and decode them. Called in a decoder process."""
        with FileReader(self.path) as file:
            data = b"".join(file.read(offset, length) for offset, length in self.fragments)
        array, _ = codecs.decode(self.syntax, data, self.layout)
        return np.ascontiguousarray(array.reshape(self.shape)).astype(self.dtype)


def fragments_by_frame(header: Header, frames: int) -> list[tuple[Fragment, ...]]:
    """The fragments of each frame of a file. Raises UnreadableImageError."""
    try:
        with FileReader(header.path) as file:
            return frame_fragments(
                file.read,
                header.offset_table,
                header.raw.get(tags.ExtendedOffsetTable, b""),
                header.fragments,
                frames,
            )
    except (MalformedError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableImageError(header.path, (why or "it cannot be read").lower()) from error
