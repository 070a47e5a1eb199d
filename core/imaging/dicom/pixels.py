"""From stored bytes to voxels: bits, signs, colours.

Everything after the codec, and the whole way for native pixel data. Source: DICOM PS3.5 8,
PS3.3 C.7.6.3 (Image Pixel), C.7.9 (palettes).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.imaging.dicom import tags
from core.imaging.dicom.headers import Header
from core.imaging.dicom.pixel_format import PixelFormat
from core.imaging.dicom.walk import Item

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Lookup:
    """A table that replaces stored values: a palette, or a Modality LUT.

    first: the stored value that the table's first row stands for.
    table: (entries, 3) uint8 of a palette, (entries,) uint16 of a Modality LUT.
    """

    first: int
    table: NDArray[np.generic]


def voxel_type(layout: PixelFormat) -> np.dtype[np.generic]:
    """The type in which voxels of this format are kept."""
    if layout.is_colour:
        return np.dtype(np.uint8)
    if layout.kind != "i":
        return np.dtype(np.float32 if layout.kind == "f" else np.float64)
    size = -(-layout.allocated // 8)
    if layout.signed and size == 1:
        size = 2
    return np.dtype(f"{'i' if layout.signed else 'u'}{size}")


def is_direct(layout: PixelFormat) -> bool:
    """Whether native bytes are voxels as they stand, but for byte order and unused bits."""
    return (
        layout.samples == 1
        and layout.photometric == "MONOCHROME2"
        and layout.allocated >= 8
        and not layout.is_packed
        and not (layout.signed and layout.allocated == 8)
    )


def clear_unused_bits(array: Array, layout: PixelFormat) -> Array:
    """Give the bits above Bits Stored the sign (or zero), in place where that is possible.

    Old scanners keep overlays there, and 12-bit signed data arrive without their sign.
    """
    if layout.kind != "i" or layout.allocated in (layout.stored, 1):
        return array
    if layout.stray is not None:
        # Padding that the stored bits cannot say would turn into something bright: it is empty.
        stray = array.view(f"u{array.itemsize}") == layout.stray
        if stray.any():
            plain = clear_unused_bits(array, replace(layout, stray=None))
            plain[stray] = -(1 << layout.stored - 1) if layout.signed else 0
            return plain
    up = layout.allocated - 1 - layout.high_bit
    down = layout.allocated - layout.stored
    limit = 1 << (layout.stored - (1 if layout.signed else 0))
    if up == down:  # the stored bits stand at the right: is there anything to clear?
        low = -limit if layout.signed else 0
        if int(array.max()) < limit and int(array.min()) >= low:
            return array
    if layout.signed:
        np.left_shift(array, up, out=array)
        np.right_shift(array, down, out=array)
    else:
        np.right_shift(array, down - up, out=array)
        np.bitwise_and(array, array.dtype.type(limit - 1), out=array)
    return array


def packed_array(raw: bytes, first_bit: int, layout: PixelFormat) -> Array:
    """Pixels of one or twelve bits that share bytes, as (rows, columns).

    The first pixel's lowest bit is the first byte's lowest that is its own, and so on.
    Source: PS3.5-1993 Annex D for twelve bits, PS3.5 8.1.1 for one.
    """
    count = layout.rows * layout.columns
    bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")
    bits = bits[first_bit : first_bit + count * layout.allocated]
    if not layout.is_packed:
        return bits.reshape(layout.rows, layout.columns)
    words = np.zeros((count, 16), np.uint8)
    words[:, : layout.allocated] = bits.reshape(count, layout.allocated)
    cells = np.packbits(words, axis=1, bitorder="little").view("<u2").astype(np.uint16)
    return cells.reshape(layout.rows, layout.columns)


def native_array(raw: bytes | memoryview, layout: PixelFormat, big_endian: bool) -> Array:
    """Native bytes of one frame as (rows, columns) or (rows, columns, samples), own memory."""
    rows, columns = layout.rows, layout.columns
    if layout.allocated == 1:
        return packed_array(bytes(raw), 0, layout)
    letter = layout.kind if layout.kind != "i" else ("i" if layout.signed else "u")
    code = {"f": "f4", "d": "f8"}.get(letter, f"{letter}{layout.allocated // 8}")
    dtype = np.dtype((">" if big_endian else "<") + code)
    if layout.photometric == "YBR_FULL_422" and layout.samples == 3:
        flat = np.frombuffer(raw, dtype).reshape(rows, columns // 2, 4)
        full = np.empty((rows, columns, 3), dtype)
        full[:, 0::2, 0], full[:, 1::2, 0] = flat[..., 0], flat[..., 1]
        full[..., 1] = np.repeat(flat[..., 2], 2, axis=1)
        full[..., 2] = np.repeat(flat[..., 3], 2, axis=1)
        return full.astype(dtype.newbyteorder("="))
    count = rows * columns * layout.samples
    array = np.frombuffer(raw, dtype, count).astype(dtype.newbyteorder("="))
    if layout.samples == 1:
        return array.reshape(rows, columns)
    if layout.planar:
        return array.reshape(layout.samples, rows, columns).transpose(1, 2, 0)
    return array.reshape(rows, columns, layout.samples)


def finish(array: Array, layout: PixelFormat, photometric: str, lookup: Lookup | None) -> Array:
    """Turn a decoded frame into voxels: sign, Modality LUT, MONOCHROME1, palette, YBR.

    Raises ValueError where the decoder's picture is not the one that the header describes.
    """
    expected = (layout.rows, layout.columns)
    if array.shape[:2] != expected:
        raise ValueError(
            f"it holds {array.shape[1]} × {array.shape[0]} pixels where its header says "
            f"{layout.columns} × {layout.rows}"
        )
    if layout.samples == 1:
        if array.ndim == 3 and array.shape[2] == 1:
            array = array[..., 0]
        if array.ndim != 2:
            raise ValueError("it holds colours where its header says grey")
        if layout.photometric == "PALETTE COLOR":
            if lookup is None:
                raise ValueError("its palette is missing or damaged")
            return _through(array, layout, lookup)
        grey = _grey(array, layout)
        if lookup is not None:
            grey = _through(grey, layout, lookup)
        return invert(grey, layout, lookup) if layout.photometric == "MONOCHROME1" else grey
    if array.ndim != 3 or array.shape[2] < 3:
        raise ValueError("it holds grey where its header says colours")
    array = _eight_bits(array[..., :3], layout)
    if photometric in ("YBR_FULL", "YBR_FULL_422"):
        array = ybr_to_rgb(array)
    elif photometric not in ("RGB", "ARGB", "YBR_RCT", "YBR_ICT"):
        raise ValueError(f"its colours are stored as {photometric}, which is not supported")
    return np.ascontiguousarray(array)


def _grey(array: Array, layout: PixelFormat) -> Array:
    wanted = voxel_type(layout)
    if layout.kind != "i":
        return array.astype(wanted, copy=False)
    full = np.dtype(f"{'i' if layout.signed else 'u'}{max(layout.allocated, 8) // 8}")
    if array.dtype.kind == "i" and not layout.signed and array.min() < 0:
        # The codestream is signed where the header says unsigned: keep its bits.
        array = array.astype(full.newbyteorder("="))
    if array.dtype.kind == "u" and layout.signed:
        # Codecs without a sign give the bare bits: put the sign back from Bits Stored.
        bits = array.astype(f"u{full.itemsize}", copy=False).view(full)
        array = clear_unused_bits(_writeable(bits, layout), layout)
    elif array.dtype != full:
        array = array.astype(full)
    else:
        array = clear_unused_bits(_writeable(array, layout), layout)
    return array.astype(wanted, copy=False)


def _writeable(array: Array, layout: PixelFormat) -> Array:
    """The array, or a copy where bits may have to be cleared that may not be written."""
    return array if array.flags.writeable or layout.stored == layout.allocated else array.copy()


def highest(layout: PixelFormat, lookup: Lookup | None) -> int:
    """The value M such that M − value turns MONOCHROME1 into MONOCHROME2."""
    if lookup is not None:
        return int(lookup.table.max())
    return -1 if layout.signed else (1 << layout.stored) - 1


def invert(array: Array, layout: PixelFormat, lookup: Lookup | None = None) -> Array:
    """MONOCHROME1 to MONOCHROME2: the highest value becomes the lowest."""
    if layout.kind != "i":
        return array
    return np.subtract(array.dtype.type(highest(layout, lookup)), array, dtype=array.dtype)


def padding_of(header: Header, layout: PixelFormat) -> tuple[float, float] | None:
    """Voxels from … to … (both included) that stand for "nothing was measured here", or None.

    As voxels are kept: after MONOCHROME1 was turned, before slope and intercept.
    Source: PS3.3 C.7.5.1.1.2 (Pixel Padding Value) and C.7.6.24 (float pixels).
    """
    if layout.is_colour or tags.ModalityLUTSequence in header.raw:
        return None
    order = ">" if header.encoding.big_endian else "<"
    if layout.kind != "i":
        tag, code = {
            "f": (tags.FloatPixelPaddingValue, "f"),
            "d": (tags.DoubleFloatPixelPaddingValue, "d"),
        }[layout.kind]
        raw = header.raw.get(tag, b"")
        if len(raw) < struct.calcsize(code):
            return None
        value = struct.unpack_from(order + code, raw)[0]
        return (value, value)
    code = order + ("h" if layout.signed else "H")
    ends = [
        struct.unpack_from(code, raw)[0]
        for raw in map(header.raw.get, (tags.PixelPaddingValue, tags.PixelPaddingRangeLimit))
        if raw is not None and len(raw) >= 2
    ]
    if tags.PixelPaddingValue not in header.raw or not ends:
        return None
    if layout.stray is not None:  # such pixels were made the lowest value
        ends = [-(1 << layout.stored - 1) if layout.signed else 0]
    if layout.photometric == "MONOCHROME1":
        ends = [highest(layout, None) - end for end in ends]
    return float(min(ends)), float(max(ends))


def _eight_bits(array: Array, layout: PixelFormat) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array.view(np.uint8)
    down = max(layout.stored - 8, 0)
    small: NDArray[np.uint8] = np.right_shift(array, down).astype(np.uint8)
    return small


_YBR = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32)


def ybr_to_rgb(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """YBR_FULL to RGB, (…, 3) uint8. Source: PS3.3 C.7.6.3.1.2."""
    values = array.astype(np.float32)
    values[..., 1:] -= 128
    rgb = values @ _YBR.T
    clipped: NDArray[np.uint8] = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return clipped


def _through(array: Array, layout: PixelFormat, lookup: Lookup) -> Array:
    index = clear_unused_bits(array.copy(), layout).astype(np.int64) - lookup.first
    np.clip(index, 0, len(lookup.table) - 1, out=index)
    return lookup.table[index]


def modality_lut_of(header: Header) -> Lookup | None:
    """The Modality LUT of an image that has one as a table (PS3.3 C.11.1), or None."""
    if tags.ModalityLUTSequence not in header.raw:
        return None
    for item in header.sequence(tags.ModalityLUTSequence)[:1]:
        return lut_of(item, header)
    return None


def lut_of(item: Item, header: Header) -> Lookup | None:
    """The table of one item of a LUT sequence, scaled to 16 bits if it has fewer; or None."""
    big = header.encoding.big_endian
    descriptor, raw = item.get(tags.LUTDescriptor, b""), item.get(tags.LUTData, b"")
    if len(descriptor) < 6:
        return None
    signed = header.u16(tags.PixelRepresentation, 0) == 1
    order = ">" if big else "<"
    entries, first, _ = struct.unpack(order + ("HhH" if signed else "HHH"), descriptor[:6])
    entries = entries or 1 << 16
    if len(raw) >= entries * 2:
        return Lookup(first, np.frombuffer(raw, order + "u2", entries).astype(np.uint16))
    if len(raw) >= entries:
        return Lookup(first, np.frombuffer(raw, np.uint8, entries).astype(np.uint16))
    return None


_PALETTE = (
    (tags.RedPaletteDescriptor, tags.RedPaletteData, tags.RedPaletteSegmented),
    (tags.GreenPaletteDescriptor, tags.GreenPaletteData, tags.GreenPaletteSegmented),
    (tags.BluePaletteDescriptor, tags.BluePaletteData, tags.BluePaletteSegmented),
)


def palette_of(header: Header) -> Lookup | None:
    """The palette of a PALETTE COLOR image, or None if it is missing or damaged."""
    order = ">" if header.encoding.big_endian else "<"
    channels: list[NDArray[np.uint8]] = []
    first = 0
    for descriptor_tag, data_tag, segmented_tag in _PALETTE:
        descriptor = header.raw.get(descriptor_tag, b"")
        if len(descriptor) < 6:
            return None
        entries, first, bits = struct.unpack(order + "HHH", descriptor[:6])
        entries = entries or 1 << 16
        values = _table(header, data_tag, segmented_tag, entries, bits, order)
        if values is None:
            return None
        channels.append(values)
    return Lookup(first, np.stack(channels, axis=-1))


def _table(
    header: Header, data_tag: int, segmented_tag: int, entries: int, bits: int, order: str
) -> NDArray[np.uint8] | None:
    raw = header.raw.get(data_tag)
    if raw is None:
        segmented = header.raw.get(segmented_tag)
        if segmented is None:
            return None
        words = np.frombuffer(segmented[: len(segmented) // 2 * 2], order + "u2")
        expanded = _expand(words.tolist(), entries)
        if expanded is None:
            return None
        return (expanded >> (8 if bits > 8 else 0)).astype(np.uint8)
    if len(raw) >= entries * 2:
        words = np.frombuffer(raw, order + "u2", entries)
        # Some writers state 16 bits and fill only the low byte.
        high = bits > 8 and int(words.max()) > 255
        return (words >> 8 if high else words).astype(np.uint8)
    if len(raw) >= entries:
        return np.frombuffer(raw, np.uint8, entries)
    return None


def _expand(words: list[int], entries: int) -> NDArray[np.int64] | None:
    """A segmented palette as a plain one (PS3.3 C.7.9.2); None if it is damaged."""
    values: list[int] = []
    segments: list[int] = []  # where each segment began, for indirect ones
    at, resume, remaining = 0, -1, 0
    steps = 0
    while at + 1 < len(words) and len(values) < entries:
        steps += 1
        if steps > 1 << 17:
            return None
        code, count = words[at], words[at + 1]
        if resume < 0:
            segments.append(at)
        if code == 0:
            values += words[at + 2 : at + 2 + count]
            at += 2 + count
        elif code == 1 and values and at + 2 < len(words):
            start, end = values[-1], words[at + 2]
            values += [round(start + (end - start) * i / count) for i in range(1, count + 1)]
            at += 3
        elif code == 2 and resume < 0 and at + 3 < len(words):
            target = (words[at + 2] | words[at + 3] << 16) // 2
            if target not in segments:
                return None
            resume, remaining, at = at + 4, count, target
            continue
        else:
            return None
        if resume >= 0:
            remaining -= 1
            if remaining <= 0:
                at, resume = resume, -1
    if len(values) < entries:
        return None
    return np.array(values[:entries], np.int64)
