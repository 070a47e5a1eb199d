"""Overlay planes: drawings and regions that lie over an image, one bit a pixel.

They never become part of the voxels. Source: DICOM PS3.3 C.9.2 (Overlay Plane), C.9.3
(multi-frame overlays) and PS3.5 8.1.2 (overlays in unused bits of the pixel cells).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UnreadableImageError
from core.imaging.decoding import decode_one
from core.imaging.dicom import tags
from core.imaging.dicom.codecs import DECODABLE
from core.imaging.dicom.frame_task import CellTask, fragments_by_frame
from core.imaging.dicom.frames import Frame
from core.imaging.dicom.headers import NATIVE, FileReader, Header, deflated_body
from core.imaging.dicom.pixel_format import PixelFormat
from core.imaging.dicom.values import local_text, plain_text
from core.imaging.dicom.walk import UNDEFINED, MalformedError, Read, walk
from core.imaging.inflation import inflated
from core.imaging.loading import check_frame

Mask = NDArray[np.bool_]

_ROWS, _COLUMNS, _FRAMES, _DESCRIPTION, _TYPE = 0x0010, 0x0011, 0x0015, 0x0022, 0x0040
_ORIGIN, _FIRST_FRAME, _BIT, _LABEL, _DATA = 0x0050, 0x0051, 0x0102, 0x1500, 0x3000
_ELEMENTS = (
    _ROWS,
    _COLUMNS,
    _FRAMES,
    _DESCRIPTION,
    _TYPE,
    _ORIGIN,
    _FIRST_FRAME,
    _BIT,
    _LABEL,
    _DATA,
)
_WANTED = frozenset(group << 16 | element for group in tags.OVERLAY_GROUPS for element in _ELEMENTS)
_PRESENT = tuple(group << 16 | _ROWS for group in tags.OVERLAY_GROUPS)


@dataclass(frozen=True, eq=False)
class Overlay:
    """One overlay plane of one slice.

    group: 0x6000 to 0x601E. is_region: a region of interest, else graphics.
    mask: (rows, columns) of the slice; True where something is drawn.
    """

    group: int
    is_region: bool
    label: str
    description: str
    mask: Mask


def has_overlays(header: Header) -> bool:
    """Whether a file carries any overlay plane."""
    return not header.raw.keys().isdisjoint(_PRESENT)


def overlays_of(frame: Frame) -> tuple[Overlay, ...]:
    """The overlay planes of one slice, lowest group first; () if there are none.

    A plane that is damaged or incomplete is left out. Raises UnreadableImageError where the file
    cannot be read.
    """
    header = frame.header
    if not has_overlays(header):
        return ()
    try:
        with FileReader(header.path) as file:
            read, start, native = _data_set(header, file)
            raw, _ = walk(read, start, header.encoding, _WANTED)
            found = [
                _plane(frame, raw, group, read if native else None)
                for group in tags.OVERLAY_GROUPS
                if group << 16 | _ROWS in raw
            ]
    except (OSError, MalformedError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableImageError(header.path, (reason or "it cannot be read").lower()) from error
    return tuple(one for one in found if one is not None)


def _data_set(header: Header, file: FileReader) -> tuple[Read, int, bool]:
    """How to read the data set, where it begins, and whether its pixels are native."""
    pixels = header.pixels
    native = header.transfer_syntax in NATIVE and pixels is not None and pixels.length != UNDEFINED
    if header.is_deflated:
        whole = pixels.offset + pixels.length if pixels is not None and native else 0
        data = inflated(header.path, deflated_body(file), "deflate", whole)

        def read(offset: int, size: int) -> bytes:
            return data[offset : offset + size]

        return read, 0, native
    return file.read, deflated_body(file) if file.read(128, 4) == b"DICM" else 0, native


def _plane(frame: Frame, raw: dict[int, bytes], group: int, read: Read | None) -> Overlay | None:
    base, header = group << 16, frame.header
    short = ">h" if header.encoding.big_endian else "<h"

    def number(element: int, default: int = 0, at: int = 0) -> int:
        value = raw.get(base | element, b"")
        return struct.unpack_from(short, value, at)[0] if len(value) >= at + 2 else default

    rows, columns = number(_ROWS) & 0xFFFF, number(_COLUMNS) & 0xFFFF
    if not rows or not columns:
        return None
    if base | _DATA in raw:
        bits = _stored(frame, raw, base, rows * columns)
    else:
        bits = _embedded(frame, number(_BIT), rows, columns, read)
    if bits is None:
        return None
    top, left = number(_ORIGIN, 1) - 1, number(_ORIGIN, 1, 2) - 1
    mask = _laid(bits.reshape(rows, columns), frame.format, top, left)
    if frame.tile is not None:
        row, column, high, wide = frame.tile
        mask = mask[row : row + high, column : column + wide]
    sets = header.raw.get(tags.SpecificCharacterSet, b"")
    return Overlay(
        group,
        plain_text(raw.get(base | _TYPE, b"")).upper() == "R",
        local_text(raw.get(base | _LABEL, b""), sets, base | _LABEL),
        local_text(raw.get(base | _DESCRIPTION, b""), sets, base | _DESCRIPTION),
        np.ascontiguousarray(mask),
    )


def _stored(frame: Frame, raw: dict[int, bytes], base: int, size: int) -> Mask | None:
    """The bits of Overlay Data that belong to a frame; None if it has none, or too few."""
    header = frame.header

    def whole(element: int, default: int) -> int:
        value = plain_text(raw.get(base | element, b""))
        return int(value) if value.isdecimal() else default

    count = whole(_FRAMES, 1)
    number = 0
    if count > 1 or base | _FIRST_FRAME in raw:
        # First frame: US in the multi-frame overlay module, counted from 1.
        first = raw.get(base | _FIRST_FRAME, b"")
        code = ">H" if header.encoding.big_endian else "<H"
        begin = struct.unpack_from(code, first)[0] if len(first) >= 2 else 1
        number = (frame.number if frame.tile is None else 0) - (begin - 1)
        if not 0 <= number < count:
            return None
    data = raw[base | _DATA]
    if header.encoding.big_endian:  # written as words
        data = np.frombuffer(data[: len(data) // 2 * 2], ">u2").astype("<u2").tobytes()
    begin, end = number * size // 8, -(-(number + 1) * size // 8)
    if end > len(data):
        return None
    bits = np.unpackbits(np.frombuffer(data[begin:end], np.uint8), bitorder="little")
    offset = number * size % 8
    return bits[offset : offset + size].astype(bool)


def _embedded(frame: Frame, bit: int, rows: int, columns: int, read: Read | None) -> Mask | None:
    """An overlay in an unused bit of the pixel cells; None if that cannot be."""
    layout, pixels = frame.format, frame.header.pixels
    used = range(layout.high_bit - layout.stored + 1, layout.high_bit + 1)
    if (
        pixels is None
        or layout.allocated not in (8, 16)
        or layout.samples != 1
        or (rows, columns) != (layout.rows, layout.columns)
        or not 0 <= bit < layout.allocated
        or bit in used
    ):
        return None
    if read is None:
        decoded = _decoded(frame)
        return None if decoded is None else (decoded >> bit & 1).astype(bool)
    size = layout.frame_bits // 8
    number = frame.number if frame.tile is None else 0
    raw = read(pixels.offset + number * size, size)
    if len(raw) < size:
        return None
    order = ">" if frame.header.encoding.big_endian else "<"
    cells = np.frombuffer(raw, f"{order}u{layout.allocated // 8}")
    return (cells >> bit & 1).astype(bool)


def _decoded(frame: Frame) -> NDArray[np.uint16] | None:
    """The cells of an encapsulated frame; None where its codec is missing, or keeps less.

    Only codecs that keep whole cells keep such planes: the standard allows none in encapsulated
    pixels, and archives that compressed old images left them there.
    """
    header, layout = frame.header, frame.format
    if header.transfer_syntax not in DECODABLE:
        return None
    alone = frame.frames == 1 or frame.tile is not None
    fragments = header.fragments
    if not alone:
        fragments = fragments_by_frame(header, frame.frames)[frame.number]
    check_frame(header.file, layout.rows, layout.columns, layout.allocated // 8)
    try:
        task = CellTask(str(header.path), header.transfer_syntax, layout, fragments)
        return decode_one(header.path, task).astype(np.uint16)
    except UnreadableImageError:
        return None  # the image itself will say what is wrong


def _laid(plane: Mask, layout: PixelFormat, top: int, left: int) -> Mask:
    """A plane at its place over the image; what hangs over the edges is cut off."""
    mask = np.zeros((layout.rows, layout.columns), bool)
    rows, columns = plane.shape
    first_row, first_column = max(top, 0), max(left, 0)
    last_row, last_column = min(top + rows, layout.rows), min(left + columns, layout.columns)
    if first_row < last_row and first_column < last_column:
        mask[first_row:last_row, first_column:last_column] = plane[
            first_row - top : last_row - top, first_column - left : last_column - left
        ]
    return mask
