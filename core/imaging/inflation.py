"""Compressed streams (deflate, zlib, gzip, bzip2), inflated piece by piece in a decoder process.

zlib and bzip2 are C code that parses what a stranger wrote: nothing of them runs in the process
that asks. A piece never holds more than was asked for, so a bomb costs one piece. The decoder
keeps the stream where the last piece ended; one that is new, or lost it, begins again and skips.
"""

from __future__ import annotations

import bz2
import secrets
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.imaging.decoding import Job, decode_in_turn
from core.imaging.together import Shared
from core.imaging.volume import Cancelled

PIECE = 1 << 22
"""Bytes that are inflated at once: small enough to cancel and to show progress."""
SKIPPED_PIECE = 1 << 26
"""The same of bytes that nobody wants."""
_WINDOW_BITS = {"deflate": -15, "zlib": 47, "gzip": 47}
_FED = 1 << 18


@dataclass(frozen=True)
class Source:
    """A compressed stream in a file.

    offset: where it begins. kind: "deflate" (bare), "zlib" (zlib or gzip), "gzip" or "bz2".
    token: of one reading; another reading begins anew.
    """

    path: str
    offset: int
    kind: str
    token: str

    @classmethod
    def of(cls, path: Path | str, offset: int, kind: str) -> Source:
        """A reading of its own."""
        return cls(str(path), offset, kind, secrets.token_hex(8))

    def at(self, begin: int) -> _Stream:
        """The stream at a byte of what it inflates to. Called in a decoder process.

        Raises EarlyEndError where it ends before, ValueError where it is damaged.
        """
        stream = _kept.get(self)
        if stream is None or stream.at > begin:
            _kept.clear()
            stream = _kept[self] = _Stream(self)
        stream.skip(begin - stream.at)
        return stream


class EarlyEndError(ValueError):
    """A stream is shorter than what is wanted of it."""

    def __init__(self) -> None:
        super().__init__("its compressed data end too early")


class _Stream:
    """Bounded inflation: never more than what is asked for. In a decoder process."""

    def __init__(self, source: Source) -> None:
        self.at = 0
        self._path = source.path
        self._place = source.offset
        self._kind = source.kind
        self._engine = _engine(source.kind)
        self._pending = b""
        self._is_over = False

    def read(self, count: int) -> bytes:
        """`count` bytes, or fewer at the end. Raises ValueError where the data are damaged."""
        parts: list[bytes] = []
        have = 0
        try:
            with open(self._path, "rb", buffering=0) as file:  # noqa: PTH123 - cheaper
                file.seek(self._place)
                while have < count and not self._is_over:
                    if self._engine.eof:
                        self._go_on(file.read)
                        continue
                    part = self._some(file.read, count - have)
                    if part is None:
                        break
                    parts.append(part)
                    have += len(part)
                self._place = file.tell()
        except (zlib.error, OSError, EOFError) as error:
            raise ValueError("its compressed data are damaged") from error
        self.at += have
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _some(self, feed: Callable[[int], bytes], most: int) -> bytes | None:
        engine = self._engine
        if isinstance(engine, bz2.BZ2Decompressor):
            fed, self._pending = self._pending, b""
            if engine.needs_input and not fed:
                fed = feed(_FED)
                if not fed:
                    return None
            return engine.decompress(fed, most)
        if not self._pending:
            self._pending = feed(_FED)
            if not self._pending:
                # Nothing more to feed, though the engine may hold output back.
                return engine.decompress(b"", most) or None
        out = engine.decompress(self._pending, most)
        self._pending = engine.unconsumed_tail
        return out

    def _go_on(self, feed: Callable[[int], bytes]) -> None:
        """Behind a stream another one may follow, as parallel packers write them."""
        rest = self._engine.unused_data or feed(_FED)
        mark = {"bz2": b"BZh", "gzip": b"\x1f\x8b\x08"}.get(self._kind)
        if mark is None or not rest.startswith(mark):
            self._is_over = True
            return
        self._engine, self._pending = _engine(self._kind), rest

    def skip(self, count: int) -> None:
        """Leave bytes out. Raises EarlyEndError where there are fewer."""
        while count:
            piece = self.read(min(count, PIECE))
            if not piece:
                raise EarlyEndError
            count -= len(piece)

    def exactly(self, count: int) -> bytes:
        """`count` bytes. Raises EarlyEndError where there are fewer."""
        raw = self.read(count)
        if len(raw) < count:
            raise EarlyEndError
        return raw

    def finish(self) -> None:
        """Raise ValueError if there are more data, EarlyEndError if it has no proper end."""
        if self.read(1):
            raise ValueError("its compressed data hold more than its header says")
        if not self._is_over:
            raise EarlyEndError


def _engine(kind: str) -> zlib._Decompress | bz2.BZ2Decompressor:
    return bz2.BZ2Decompressor() if kind == "bz2" else zlib.decompressobj(_WINDOW_BITS[kind])


_kept: dict[Source, _Stream] = {}
"""The stream that was read last, in a decoder process; one at most."""


@dataclass(frozen=True)
class Piece:
    """Up to `most` bytes from `begin` on: their number in the first eight bytes, then they."""

    source: Source
    begin: int
    most: int

    @property
    def dtype(self) -> str:
        """Bytes."""
        return "|u1"

    @property
    def shape(self) -> tuple[int, ...]:
        """With the number in front."""
        return (8 + self.most,)

    def run(self) -> NDArray[np.generic]:
        """Inflate. Called in a decoder process."""
        try:
            data = self.source.at(self.begin).read(self.most)
        except EarlyEndError:
            data = b""
        result = np.empty(self.shape, np.uint8)
        result[:8] = np.frombuffer(len(data).to_bytes(8, "little"), np.uint8)
        result[8 : 8 + len(data)] = np.frombuffer(data, np.uint8)
        return result


@dataclass(frozen=True)
class Passed:
    """A stretch that is inflated and dropped; with `is_end`, nothing may follow it."""

    source: Source
    begin: int
    end: int
    is_end: bool = False

    @property
    def dtype(self) -> str:
        """A byte that says nothing."""
        return "|u1"

    @property
    def shape(self) -> tuple[int, ...]:
        """One."""
        return (1,)

    def run(self) -> NDArray[np.generic]:
        """Inflate. Called in a decoder process."""
        stream = self.source.at(self.begin)
        stream.skip(self.end - self.begin)
        if self.is_end:
            stream.finish()
        return np.zeros(1, np.uint8)


def passed(source: Source, begin: int, end: int, is_end: bool = False) -> Iterator[Passed]:
    """Tasks that leave out what stands from `begin` to `end`."""
    for at in range(begin, end, SKIPPED_PIECE):
        yield Passed(source, at, min(at + SKIPPED_PIECE, end))
    if is_end:
        yield Passed(source, end, end, True)


class Inflating:
    """A compressed stream whose beginning is asked for bit by bit."""

    def __init__(self, path: Path, offset: int, kind: str) -> None:
        self._path = path
        self._source = Source.of(path, offset, kind)
        self._at = 0

    def more(self, most: int) -> bytes:
        """Up to `most` bytes that follow; fewer only where the stream ends.

        Raises UnreadableImageError or DecoderDiedError.
        """
        parts: list[bytes] = []
        self._at += _hand_over(
            self._path, self._source, self._at, most, lambda piece: parts.append(bytes(piece))
        )
        return parts[0] if len(parts) == 1 else b"".join(parts)


def inflated(path: Path, offset: int, kind: str, most: int) -> bytes:
    """Up to `most` bytes of a compressed stream; fewer only where it ends before.

    Raises UnreadableImageError or DecoderDiedError.
    """
    return Inflating(path, offset, kind).more(most)


def inflate_into(
    path: Path,
    offset: int,
    kind: str,
    most: int,
    take: Callable[[memoryview], object],
    cancelled: Cancelled | None = None,
) -> int:
    """Hand the stream's bytes over in their order, `most` in all; returns how many there were.

    take: gets pieces that are gone when it returns. Raises UnreadableImageError,
    DecoderDiedError, CancelledError.
    """
    return _hand_over(path, Source.of(path, offset, kind), 0, most, take, cancelled)


def _hand_over(
    path: Path,
    source: Source,
    begin: int,
    most: int,
    take: Callable[[memoryview], object],
    cancelled: Cancelled | None = None,
) -> int:
    work = Shared(
        Job(at, str(path), Piece(source, begin + at, min(PIECE, most - at)))
        for at in range(0, most, PIECE)
    )
    found = 0

    def taken(at: int, result: NDArray[np.generic]) -> None:
        nonlocal found
        data = result.data
        length = int.from_bytes(data[:8], "little")
        if length:
            take(data[8 : 8 + length])
            found += length
        if length < min(PIECE, most - at):
            work.stop()

    decode_in_turn(work, taken, cancelled)
    return found
