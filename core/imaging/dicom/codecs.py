"""Decoders of compressed pixel data, one per transfer syntax.

Chosen by measurement (`sliceloop bench load`): imagecodecs' builds of CharLS, OpenJPEG,
libjpeg-turbo and OpenJPH are the fastest that carry no GPL code, and release the GIL.
They are C code that parses what a stranger wrote: call them only in a decoder process.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.imaging.dicom.pixel_format import PixelFormat

Array = NDArray[np.generic]
_JPEG = "1.2.840.10008.1.2.4."

NAMES = {
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2.1.99": "Deflated Explicit VR Little Endian",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
    "1.2.840.10008.1.2.5": "RLE Lossless",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
    _JPEG + "50": "JPEG Baseline",
    _JPEG + "51": "JPEG Extended",
    _JPEG + "57": "JPEG Lossless",
    _JPEG + "70": "JPEG Lossless, first-order prediction",
    _JPEG + "80": "JPEG-LS Lossless",
    _JPEG + "81": "JPEG-LS Near-Lossless",
    _JPEG + "90": "JPEG 2000 Lossless",
    _JPEG + "91": "JPEG 2000",
    _JPEG + "92": "JPEG 2000 Part 2 Lossless",
    _JPEG + "93": "JPEG 2000 Part 2",
    _JPEG + "100": "MPEG-2 Main Profile",
    _JPEG + "101": "MPEG-2 High Level",
    _JPEG + "102": "MPEG-4 AVC/H.264",
    _JPEG + "103": "MPEG-4 AVC/H.264 Blu-ray",
    _JPEG + "104": "MPEG-4 AVC/H.264 2D",
    _JPEG + "105": "MPEG-4 AVC/H.264 3D",
    _JPEG + "106": "MPEG-4 AVC/H.264 Stereo",
    _JPEG + "107": "HEVC/H.265 Main Profile",
    _JPEG + "108": "HEVC/H.265 Main 10 Profile",
    _JPEG + "110": "JPEG XL Lossless",
    _JPEG + "111": "JPEG XL JPEG Recompression",
    _JPEG + "112": "JPEG XL",
    _JPEG + "201": "High-Throughput JPEG 2000 Lossless",
    _JPEG + "202": "High-Throughput JPEG 2000 RPCL Lossless",
    _JPEG + "203": "High-Throughput JPEG 2000",
}
"""Transfer syntax UID → its name (PS3.6, A-1)."""


def syntax_name(uid: str) -> str:
    """What a person calls a transfer syntax; the UID itself if it is private or unknown."""
    return NAMES.get(uid, uid)


def decode(syntax: str, data: bytes, layout: PixelFormat, threads: int = 1) -> tuple[Array, str]:
    """Decode one frame, with several threads where its codec can use them.

    Returns the array, (rows, columns) or (rows, columns, samples), and the photometric
    interpretation that it now has. Raises KeyError for an unknown syntax; a decoder's own
    exceptions pass through.
    """
    if syntax in _THREADED:
        return _jpeg_2000(data, layout, threads)
    return _DECODERS[syntax](data, layout)


def _jpeg(data: bytes, layout: PixelFormat) -> tuple[Array, str]:
    import imagecodecs

    if layout.samples == 1:
        return imagecodecs.jpeg8_decode(data), layout.photometric
    if layout.photometric == "RGB" and not _says_its_colours(data):
        array = imagecodecs.jpeg8_decode(data, colorspace="RGB", outcolorspace="RGB")
        return array, "RGB"
    return imagecodecs.jpeg8_decode(data, outcolorspace="RGB"), "RGB"


def _says_its_colours(data: bytes) -> bool:
    """Whether a JPEG stream has a JFIF or Adobe marker before its frame."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xE0 and data[at + 4 : at + 8] == b"JFIF":
            return True
        # A shorter Adobe marker lacks the flag that tells the colours.
        if marker == 0xEE and length >= 14 and data[at + 4 : at + 9] == b"Adobe":
            return True
        if marker in (0xC0, 0xC1, 0xC2, 0xC3, 0xDA):
            return False
        at += 2 + length
    return False


def _lossless_jpeg(data: bytes, layout: PixelFormat) -> tuple[Array, str]:
    import imagecodecs

    if layout.samples == 1:
        return imagecodecs.ljpeg_decode(data), layout.photometric
    # Lossless JPEG transforms no colours: what was stored comes out.
    return imagecodecs.jpegsof3_decode(data), layout.photometric


def _jpeg_ls(data: bytes, layout: PixelFormat) -> tuple[Array, str]:
    import imagecodecs

    return imagecodecs.jpegls_decode(data), layout.photometric


def _jpeg_2000(data: bytes, layout: PixelFormat, threads: int = 1) -> tuple[Array, str]:
    import imagecodecs

    array = imagecodecs.jpeg2k_decode(data, numthreads=threads)
    transformed = layout.photometric in ("YBR_ICT", "YBR_RCT")
    return array, "RGB" if transformed else layout.photometric


def _high_throughput(data: bytes, layout: PixelFormat) -> tuple[Array, str]:
    import imagecodecs

    array = imagecodecs.htj2k_decode(data)
    transformed = layout.photometric in ("YBR_ICT", "YBR_RCT")
    return array, "RGB" if transformed else layout.photometric


def _jpeg_xl(data: bytes, layout: PixelFormat) -> tuple[Array, str]:
    import imagecodecs

    array = imagecodecs.jpegxl_decode(data)
    return array, "RGB" if layout.samples > 1 else layout.photometric


def _rle(data: bytes, layout: PixelFormat) -> tuple[Array, str]:
    import imagecodecs

    count = struct.unpack_from("<I", data)[0]
    if count != layout.samples * layout.allocated // 8:
        raise ValueError("its RLE segments do not fit its header")
    dtype = np.dtype(f"u{layout.allocated // 8}")
    pixels = layout.rows * layout.columns
    size = pixels * dtype.itemsize * layout.samples
    raw = imagecodecs.dicomrle_decode(data, dtype.newbyteorder("<"), out=size)
    array = np.frombuffer(raw, dtype)
    if array.size < pixels * layout.samples:
        raise ValueError("its RLE data end too early")
    array = array[: pixels * layout.samples]
    if layout.samples == 1:
        return array.reshape(layout.rows, layout.columns), layout.photometric
    planes = array.reshape(layout.samples, layout.rows, layout.columns)
    return planes.transpose(1, 2, 0), layout.photometric


def _deflated_frame(data: bytes, layout: PixelFormat) -> tuple[Array, str]:
    import zlib

    size = -(-layout.frame_bits // 8)
    raw = zlib.decompressobj(-15).decompress(data, size)
    if len(raw) < size:
        raise ValueError("its compressed frame is too short")
    from core.imaging.dicom.pixels import native_array

    return native_array(raw, layout, big_endian=False), layout.photometric


_DECODERS: dict[str, Callable[[bytes, PixelFormat], tuple[Array, str]]] = {
    "1.2.840.10008.1.2.5": _rle,
    "1.2.840.10008.1.2.8.1": _deflated_frame,
    _JPEG + "50": _jpeg,
    _JPEG + "51": _jpeg,
    _JPEG + "57": _lossless_jpeg,
    _JPEG + "70": _lossless_jpeg,
    _JPEG + "80": _jpeg_ls,
    _JPEG + "81": _jpeg_ls,
    _JPEG + "90": _jpeg_2000,
    _JPEG + "91": _jpeg_2000,
    _JPEG + "92": _jpeg_2000,
    _JPEG + "93": _jpeg_2000,
    _JPEG + "110": _jpeg_xl,
    _JPEG + "111": _jpeg_xl,
    _JPEG + "112": _jpeg_xl,
    _JPEG + "201": _high_throughput,
    _JPEG + "202": _high_throughput,
    _JPEG + "203": _high_throughput,
}

_THREADED = frozenset({_JPEG + "90", _JPEG + "91", _JPEG + "92", _JPEG + "93"})

DECODABLE = frozenset(_DECODERS)
"""Encapsulated transfer syntaxes that can be decoded."""
