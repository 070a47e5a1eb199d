"""Pictures as an H.264 stream that every player decodes, without an encoder of anybody else's.

Macroblocks that changed since the picture before are written as they are (I_PCM), all others
are skipped: nothing is estimated or quantised, so a measured grey value survives but for 4:2:0
chroma and video range. Larger than a real encoder's stream, but free of GPL code (x264) and of
an FFmpeg to ship; see docs/architecture.md.
Source: ITU-T H.264 (03/2005), 7.3, 7.4, Annex A and B, Baseline profile.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

BLOCK = 16
KEY_PICTURE_EVERY = 25
"""Pictures from one that stands by itself to the next, so that a player can jump."""

_I_PCM_IN_P = 30
_I_PCM_IN_I = 25


class _Bits:
    """Writes bits, most significant first."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._value = 0
        self._count = 0

    def put(self, value: int, bits: int) -> None:
        """`value` in so many bits: u(n)."""
        self._value = (self._value << bits) | value
        self._count += bits
        while self._count >= 8:
            self._count -= 8
            self._done.append((self._value >> self._count) & 0xFF)
        self._value &= (1 << self._count) - 1

    def exp_golomb(self, value: int) -> None:
        """An unsigned exponential Golomb code: ue(v)."""
        length = (value + 1).bit_length()
        self.put(value + 1, 2 * length - 1)

    def align(self, first: int = 0) -> None:
        """Zeros (after one bit `first`) up to the next whole byte."""
        if first or self._count:
            self.put(first, 1) if first else None
            if self._count:
                self.put(0, 8 - self._count)

    def extend(self, data: bytes) -> None:
        """Whole bytes, once aligned."""
        self._done += data

    def finished(self) -> bytes:
        """All bytes, with the stop bit."""
        self.align(1)
        return bytes(self._done)


def _unit(kind: int, importance: int, payload: bytes) -> bytes:
    """A NAL unit: header, and payload in which no start code can appear."""
    guarded = re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", payload)
    return bytes([importance << 5 | kind]) + guarded


def to_ycbcr(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """RGB as luma (rows, columns) and chroma (2, rows/2, columns/2), BT.709, video range.

    picture: (rows, columns, 3) uint8, both even.
    """
    red, green, blue = (picture[..., k].astype(np.float32) for k in range(3))
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    rows, columns = luma.shape
    chroma = np.stack([(blue - luma) / 1.8556, (red - luma) / 1.5748])
    halved = chroma.reshape(2, rows // 2, 2, columns // 2, 2).mean(axis=(2, 4))
    y = np.clip(np.rint(16 + luma * (219 / 255)), 16, 235).astype(np.uint8)
    c = np.clip(np.rint(128 + halved * (224 / 255)), 16, 240).astype(np.uint8)
    return y, c


class Encoder:
    """Makes the pictures of one stream, in order; all of one size."""

    def __init__(self, rows: int, columns: int, rate: int) -> None:
        self.rows, self.columns, self.rate = rows, columns, rate
        self._down, self._across = -(-rows // BLOCK), -(-columns // BLOCK)
        self._before: NDArray[np.uint8] | None = None
        self._number = 0
        self._since_key = 0
        self._keys = 0

    @property
    def sequence_parameters(self) -> bytes:
        """The NAL unit that states size, rate and colours."""
        bits = _Bits()
        for value, size in ((66, 8), (0b11000000, 8), (51, 8)):  # Baseline, level 5.1
            bits.put(value, size)
        for value in (0, 4, 2, 1):  # id, 8-bit picture numbers, order as coded, one reference
            bits.exp_golomb(value)
        bits.put(0, 1)
        bits.exp_golomb(self._across - 1)
        bits.exp_golomb(self._down - 1)
        bits.put(0b11, 2)  # whole frames
        right = (self._across * BLOCK - self.columns) // 2
        bottom = (self._down * BLOCK - self.rows) // 2
        bits.put(1, 1)
        for value in (0, right, 0, bottom):
            bits.exp_golomb(value)
        bits.put(1, 1)
        bits.put(1, 1)
        bits.put(1, 8)  # square pixels
        bits.put(0, 1)
        bits.put(1, 1)
        bits.put(5, 3)
        bits.put(0, 1)  # video range
        bits.put(1, 1)
        for _ in range(3):
            bits.put(1, 8)  # BT.709
        bits.put(0, 1)
        bits.put(1, 1)
        bits.put(1, 32)
        bits.put(2 * self.rate, 32)
        bits.put(1, 1)
        bits.put(0, 4)
        return _unit(7, 3, bits.finished())

    @property
    def picture_parameters(self) -> bytes:
        """The NAL unit that states how pictures are coded: no deblocking, no weights."""
        bits = _Bits()
        bits.exp_golomb(0)
        bits.exp_golomb(0)
        bits.put(0, 2)
        for value in (0, 0, 0):
            bits.exp_golomb(value)
        bits.put(0, 3)
        for value in (0, 0, 0):
            bits.exp_golomb(value)
        bits.put(0b100, 3)
        return _unit(8, 3, bits.finished())

    def picture(self, picture: NDArray[np.uint8]) -> tuple[bytes, bool]:
        """The NAL unit of the next picture, (rows, columns, 3) uint8, and whether it is a key."""
        blocks = self._blocks(picture)
        is_key = self._before is None or self._since_key >= KEY_PICTURE_EVERY
        bits = _Bits()
        if is_key:
            self._number, self._since_key = 0, 0
        else:
            self._number = (self._number + 1) % 256
        self._header(bits, is_key)
        if is_key or self._before is None:
            for block in blocks:
                bits.exp_golomb(_I_PCM_IN_I)
                bits.align()
                bits.extend(block.tobytes())
        else:
            self._changed_blocks(bits, blocks, self._before)
        self._before = blocks
        self._since_key += 1
        self._keys += is_key
        return _unit(5 if is_key else 1, 3, bits.finished()), is_key

    def _header(self, bits: _Bits, is_key: bool) -> None:
        bits.exp_golomb(0)
        bits.exp_golomb(7 if is_key else 5)
        bits.exp_golomb(0)
        bits.put(self._number, 8)
        if is_key:
            bits.exp_golomb(self._keys % 2)
            bits.put(0, 2)
        else:
            bits.put(0, 3)
        bits.exp_golomb(0)
        bits.exp_golomb(1)

    @staticmethod
    def _changed_blocks(bits: _Bits, blocks: NDArray[np.uint8], before: NDArray[np.uint8]) -> None:
        changed = np.flatnonzero((blocks != before).any(axis=1))
        last = -1
        for place in changed:
            bits.exp_golomb(int(place) - last - 1)
            bits.exp_golomb(_I_PCM_IN_P)
            bits.align()
            bits.extend(blocks[place].tobytes())
            last = int(place)
        if last + 1 < len(blocks):
            bits.exp_golomb(len(blocks) - last - 1)

    def _blocks(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(macroblocks, 384): 256 luma, 64 Cb, 64 Cr samples each, in raster order."""
        rows, columns = self._down * BLOCK, self._across * BLOCK
        padded = np.pad(
            picture, ((0, rows - self.rows), (0, columns - self.columns), (0, 0)), mode="edge"
        )
        luma, chroma = to_ycbcr(padded)
        y = luma.reshape(self._down, 16, self._across, 16).swapaxes(1, 2).reshape(-1, 256)
        c = chroma.reshape(2, self._down, 8, self._across, 8).swapaxes(2, 3).reshape(2, -1, 64)
        return np.ascontiguousarray(np.concatenate([y, c[0], c[1]], axis=1))
