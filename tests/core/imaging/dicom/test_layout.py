"""Headers read by the one before them are the headers that walking alone would give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from core.errors import CoreError
from core.imaging.dicom.headers import START, FileReader, Header, read_header
from core.imaging.dicom.scanning import HeaderScanner
from core.imaging.opening import open_path
from tests.core.imaging.dicom.make import ct_slice, save


def scanned(scanner: HeaderScanner, path: Path) -> Header:
    """As `open_path` does it."""
    header = scanner.next_of_kind(str(path))
    if header is not None:
        return header
    with FileReader(path) as file:
        return scanner.parse(file, file.read(0, max(START, scanner.length)))


def told(header: Header) -> tuple[object, ...]:
    return (
        header.file,
        header.size,
        header.transfer_syntax,
        header.encoding,
        header.raw,
        header.pixels,
        header.sop_class,
        header.offset_table,
        header.fragments,
    )


def outcome(read: object, *args: object) -> object:
    try:
        return told(read(*args))  # type: ignore[operator]
    except CoreError as error:
        return type(error), error.args


text = st.text("ABCxyz 0189", max_size=9)


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Files of a series that differ here and there in values, lengths and elements."""
    number = draw(st.integers(1, 3000))
    one = ct_slice(
        np.full(draw(st.sampled_from([(4, 6), (4, 6), (2, 8)])), number, np.uint16),
        SOPInstanceUID=f"1.2.{number}",
        ImagePositionPatient=[0, 0, number / draw(st.sampled_from([1, 3]))],
        SeriesDescription=draw(st.sampled_from(["head", "head", "a longer one"])),
        PatientName=draw(st.sampled_from(["A^B", "A^B", "Other^One"])),
    )
    inner = Dataset()
    inner.CodeMeaning = draw(text)
    one.ProcedureCodeSequence = Sequence([inner])
    one["ProcedureCodeSequence"].is_undefined_length = draw(st.booleans())
    if draw(st.integers(0, 4)) == 0:
        one.ImageComments = draw(text)
    if draw(st.integers(0, 6)) == 0:
        one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.80"
        one.PixelData = encapsulate([b"\0" * 8])
        one["PixelData"].is_undefined_length = True
    return one


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    written=st.lists(datasets(), min_size=2, max_size=6),
    harm=st.lists(
        st.tuples(st.integers(0, 5), st.integers(132, 900), st.integers(0, 255)), max_size=4
    ),
    cut=st.none() | st.tuples(st.integers(0, 5), st.integers(140, 900)),
)
def test_following_gives_what_walking_gives(
    tmp_path_factory: pytest.TempPathFactory,
    written: list[Dataset],
    harm: list[tuple[int, int, int]],
    cut: tuple[int, int] | None,
) -> None:
    folder = tmp_path_factory.mktemp("alike")
    paths = [save(one, folder / f"{i}") for i, one in enumerate(written)]
    for i, at, value in harm:
        if i < len(paths):
            data = bytearray(paths[i].read_bytes())
            data[min(at, len(data) - 1)] = value
            paths[i].write_bytes(data)
    if cut is not None and cut[0] < len(paths):
        paths[cut[0]].write_bytes(paths[cut[0]].read_bytes()[: cut[1]])
    scanner = HeaderScanner()
    for path in paths * 2:
        assert outcome(scanned, scanner, path) == outcome(read_header, path)


def test_a_series_in_a_row_is_read_by_the_shortest_way(tmp_path: Path) -> None:
    scanner = HeaderScanner()
    paths = [
        save(ct_slice(SOPInstanceUID=f"1.2.{i}", ImagePositionPatient=[0, 0, i]), tmp_path / f"{i}")
        for i in range(8)
    ]
    assert scanner.next_of_kind(str(paths[0])) is None  # nothing is known yet
    scanned(scanner, paths[0])
    assert all(scanner.next_of_kind(str(path)) is not None for path in paths[1:])


def test_what_shapes_a_frame_is_never_taken_from_another_file(tmp_path: Path) -> None:
    """The file that differs is met last and sorted first: its spacing is not the others'."""
    for i in range(4):
        save(
            ct_slice(SOPInstanceUID=f"1.2.{i}", ImagePositionPatient=[0, 0, i]),
            tmp_path / "a" / f"{i}",
        )
    # "a!" sorts before "a/", but its folder is walked after.
    save(
        ct_slice(SOPInstanceUID="1.2.9", ImagePositionPatient=[0, 0, 9], PixelSpacing=[0.7, 0.7]),
        tmp_path / "a!" / "0",
    )
    found = {
        len(one.summary.slice_ids): one.summary.geometry.spacing[1:]
        for one in open_path(tmp_path).series
    }
    assert np.allclose(found[4], 0.5)
    assert np.allclose(found[1], 0.7)
