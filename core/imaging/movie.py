"""A movie of pictures as an MP4 file: H.264 from `h264`, in boxes of ISO/IEC 14496-12 and -15."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.errors import CancelledError, NotDurableError
from core.imaging.h264 import Encoder

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _full(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)


def write_movie(
    path: Path,
    pictures: Iterable[NDArray[np.uint8]],
    rate: int = 10,
    *,
    progress: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> int:
    """Write pictures, (rows, columns, 3) uint8 with even sides, as an MP4. Returns how many.

    The file appears whole or not at all. Raises ValueError without a picture or for pictures of
    different sizes, NotDurableError where the file cannot be written, CancelledError.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as stream:
            count = _write(stream, pictures, rate, progress, cancelled)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        _remove(part)
        raise NotDurableError(path, error.strerror or "the disk refuses it") from error
    except BaseException:
        _remove(part)
        raise
    return count


def _remove(part: Path) -> None:
    with contextlib.suppress(OSError):  # where its folder is none, there is nothing to remove
        part.unlink(missing_ok=True)


def _write(
    stream: BinaryIO,
    pictures: Iterable[NDArray[np.uint8]],
    rate: int,
    progress: Callable[[int], None] | None,
    cancelled: Callable[[], bool],
) -> int:
    head = _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso2avc1mp41")
    stream.write(head)
    stream.write(struct.pack(">I4sQ", 1, b"mdat", 0))
    start = len(head) + 16
    sizes: list[int] = []
    keys: list[int] = []
    encoder: Encoder | None = None
    for picture in pictures:
        if cancelled():
            raise CancelledError("movie")
        rows, columns = picture.shape[:2]
        if encoder is None:
            encoder = Encoder(rows, columns, rate)
        if (rows, columns) != (encoder.rows, encoder.columns) or rows % 2 or columns % 2:
            raise ValueError("all pictures of a movie have one size, with even sides")
        unit, is_key = encoder.picture(picture)
        stream.write(struct.pack(">I", len(unit)))
        stream.write(unit)
        sizes.append(len(unit) + 4)
        if is_key:
            keys.append(len(sizes))
        if progress is not None:
            progress(len(sizes))
    if encoder is None:
        raise ValueError("a movie has at least one picture")
    stream.write(_moov(encoder, sizes, keys, start))
    stream.seek(len(head) + 8)
    stream.write(struct.pack(">Q", sum(sizes) + 16))
    return len(sizes)


def _moov(encoder: Encoder, sizes: list[int], keys: list[int], start: int) -> bytes:
    count, rate = len(sizes), encoder.rate
    width, height = encoder.columns, encoder.rows
    movie = _full(
        b"mvhd",
        struct.pack(">4I", 0, 0, rate, count),
        struct.pack(">IH10x", 0x10000, 0x100),
        _MATRIX,
        bytes(24),
        struct.pack(">I", 2),
    )
    track = _full(
        b"tkhd",
        struct.pack(">5I", 0, 0, 1, 0, count),
        bytes(8),
        struct.pack(">4H", 0, 0, 0, 0),
        _MATRIX,
        struct.pack(">2I", width << 16, height << 16),
        flags=3,
    )
    media = _full(b"mdhd", struct.pack(">4I2H", 0, 0, rate, count, 0x55C4, 0))
    handler = _full(b"hdlr", struct.pack(">I4s12x", 0, b"vide"), b"Pictures\0")
    places = _full(b"dref", struct.pack(">I", 1), _full(b"url ", flags=1))
    table = _box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1), _sample_entry(encoder)),
        _full(b"stts", struct.pack(">3I", 1, count, 1)),
        _full(b"stss", struct.pack(f">I{len(keys)}I", len(keys), *keys)),
        _full(b"stsc", struct.pack(">4I", 1, 1, count, 1)),
        _full(b"stsz", struct.pack(f">2I{count}I", 0, count, *sizes)),
        _full(b"co64", struct.pack(">IQ", 1, start)),
    )
    information = _box(b"minf", _full(b"vmhd", bytes(8), flags=1), _box(b"dinf", places), table)
    return _box(b"moov", movie, _box(b"trak", track, _box(b"mdia", media, handler, information)))


def _sample_entry(encoder: Encoder) -> bytes:
    sequence, picture = encoder.sequence_parameters, encoder.picture_parameters
    configuration = _box(
        b"avcC",
        bytes([1, sequence[1], sequence[2], sequence[3], 0xFF, 0xE1]),
        struct.pack(">H", len(sequence)),
        sequence,
        b"\x01",
        struct.pack(">H", len(picture)),
        picture,
    )
    return _box(
        b"avc1",
        struct.pack(">6xH16x2H", 1, encoder.columns, encoder.rows),
        struct.pack(">2I", 0x480000, 0x480000),
        struct.pack(">IH32xHh", 0, 1, 24, -1),
        configuration,
    )
