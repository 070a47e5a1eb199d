"""Movies: boxes that add up, a stream that a decoder reads back, files whole or not at all."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import CancelledError, NotDurableError
from core.imaging.h264 import Encoder, _Bits, _unit, to_ycbcr
from core.imaging.movie import write_movie


class _Reader:
    """Reads bits as a decoder does; written apart from the writer, after H.264 clause 9.1."""

    def __init__(self, data: bytes) -> None:
        plain = bytearray()
        zeros = 0
        for byte in data:
            if zeros >= 2 and byte == 3:
                zeros = 0
                continue
            zeros = zeros + 1 if byte == 0 else 0
            plain.append(byte)
        self.data, self.at = bytes(plain), 0

    def u(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | (self.data[self.at >> 3] >> (7 - self.at % 8) & 1)
            self.at += 1
        return value

    def ue(self) -> int:
        zeros = 0
        while self.u(1) == 0:
            zeros += 1
        return (1 << zeros) - 1 + (self.u(zeros) if zeros else 0)

    def align(self) -> None:
        while self.at % 8:
            assert self.u(1) == 0, "pcm_alignment_zero_bit"

    def more(self) -> bool:
        last = len(self.data) * 8 - 1
        while not self.data[last >> 3] >> (7 - last % 8) & 1:
            last -= 1
        return self.at < last


def decode(units: list[bytes], blocks: int) -> list[np.ndarray]:
    """Macroblocks, (blocks, 384), of each picture of an I_PCM and P_Skip stream."""
    shown: list[np.ndarray] = []
    for unit in units:
        kind = unit[0] & 31
        bits = _Reader(unit[1:])
        assert bits.ue() == 0
        assert bits.ue() == (7 if kind == 5 else 5)
        assert bits.ue() == 0
        bits.u(8)
        if kind == 5:
            bits.ue()
            bits.u(2)
        else:
            bits.u(3)
        assert bits.ue() == 0 and bits.ue() == 1
        now = np.zeros((blocks, 384), np.uint8) if kind == 5 else shown[-1].copy()
        place = 0
        while bits.more():
            if kind != 5:
                place += bits.ue()
                if not bits.more():
                    break
            assert bits.ue() == (25 if kind == 5 else 30)
            bits.align()
            start = bits.at // 8
            now[place] = np.frombuffer(bits.data[start : start + 384], np.uint8)
            bits.at += 384 * 8
            place += 1
        assert place <= blocks
        shown.append(now)
    return shown


def pictures(count: int, rows: int = 40, columns: int = 50) -> list[np.ndarray]:
    random = np.random.default_rng(3)
    base = random.integers(0, 256, (rows, columns, 3), np.uint8)
    made = []
    for number in range(count):
        picture = base.copy()
        picture[number % rows : number % rows + 6, 10:20] = (250, number % 256, 5)
        made.append(picture)
    return made


def test_the_stream_gives_back_every_macroblock() -> None:
    shown = pictures(60)
    encoder = Encoder(40, 50, 10)
    units, keys = zip(*(encoder.picture(picture) for picture in shown), strict=True)
    assert [k for k, is_key in enumerate(keys) if is_key] == [0, 25, 50]
    found = decode(list(units), blocks=3 * 4)
    assert len(found) == 60
    for picture, blocks in zip(shown, found, strict=True):
        np.testing.assert_array_equal(blocks, encoder._blocks(picture))


def test_what_did_not_change_costs_nearly_nothing() -> None:
    encoder = Encoder(160, 160, 10)
    picture = np.full((160, 160, 3), 77, np.uint8)
    first, _ = encoder.picture(picture)
    second, _ = encoder.picture(picture)
    assert len(first) > 30_000 and len(second) < 12


def test_grey_stays_grey_and_in_order() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    luma, chroma = to_ycbcr(ramp)
    assert luma.min() == 16 and luma.max() == 235
    assert (np.diff(luma.ravel().astype(int)) >= 0).all()
    assert (chroma == 128).all()


@given(st.binary(max_size=200))
def test_no_start_code_can_appear_in_a_unit(payload: bytes) -> None:
    unit = _unit(1, 3, payload)
    assert b"\x00\x00\x00" not in unit[1:] and b"\x00\x00\x01" not in unit[1:]
    assert _Reader(unit[1:]).data == payload


@given(st.lists(st.integers(0, 10_000), max_size=30))
def test_codes_are_read_back(values: list[int]) -> None:
    bits = _Bits()
    for value in values:
        bits.exp_golomb(value)
    reader = _Reader(_unit(1, 3, bits.finished())[1:])
    assert [reader.ue() for _ in values] == values


def boxes(data: bytes) -> dict[str, bytes]:
    found, at = {}, 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            size = struct.unpack_from(">Q", data, at + 8)[0]
            head = 16
        found[kind.decode()] = data[at + head : at + size]
        at += size
    assert at == len(data), "boxes fill the file to its end"
    return found


def test_the_file_holds_every_picture_where_its_table_says(tmp_path: Path) -> None:
    file = tmp_path / "series.mp4"
    told: list[int] = []
    assert write_movie(file, pictures(30), 12, progress=told.append) == 30
    assert told == list(range(1, 31))
    data = file.read_bytes()
    top = boxes(data)
    assert list(top) == ["ftyp", "mdat", "moov"]
    media = boxes(boxes(boxes(top["moov"])["trak"])["mdia"])
    table = boxes(boxes(media["minf"])["stbl"])
    count = struct.unpack_from(">I", table["stsz"], 8)[0]
    sizes = struct.unpack_from(f">{count}I", table["stsz"], 12)
    start = struct.unpack_from(">Q", table["co64"], 8)[0]
    assert count == 30 and sum(sizes) == len(top["mdat"])
    assert data[start : start + sizes[0]] == top["mdat"][: sizes[0]]
    assert struct.unpack_from(">I", media["mdhd"], 12)[0] == 12
    length = struct.unpack_from(">I", top["mdat"])[0]
    assert length == sizes[0] - 4


def test_a_movie_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "series.mp4"
    calls = iter([False, False, True])
    with pytest.raises(CancelledError):
        write_movie(file, pictures(5), cancelled=lambda: next(calls))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotDurableError):
        write_movie(tmp_path / "no" / "series.mp4", pictures(2))
    with pytest.raises(ValueError, match="at least one"):
        write_movie(file, [])
    with pytest.raises(ValueError, match="one size"):
        write_movie(file, [np.zeros((16, 16, 3), np.uint8), np.zeros((18, 16, 3), np.uint8)])
    assert list(tmp_path.iterdir()) == []
