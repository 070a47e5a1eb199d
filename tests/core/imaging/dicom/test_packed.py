"""Pixels that share bytes: one bit each, or twelve bits as ACR-NEMA and early DICOM wrote them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian

from core.errors import UnreadableImageError
from core.imaging.opening import open_path
from tests.core.imaging.dicom.make import ct_slice, save


def packed(frames: np.ndarray, bits: int = 12) -> bytes:
    """(frames, rows, columns) with the lowest bit of each pixel first, padded to a word."""
    cells = frames.astype(np.uint16).reshape(-1, 1).view(np.uint8)
    stream = np.unpackbits(cells, axis=1, bitorder="little")[:, :bits].reshape(-1)
    data = np.packbits(stream, bitorder="little").tobytes()
    return data + b"\0" * (len(data) % 2)


def dataset(frames: np.ndarray, *, signed: bool = False, big: bool = False) -> Dataset:
    one = ct_slice(np.zeros(frames.shape[1:], np.uint16))
    one.BitsAllocated = one.BitsStored = 12
    one.HighBit, one.PixelRepresentation = 11, int(signed)
    one.NumberOfFrames = len(frames)
    data = packed(frames)
    if big:
        one.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        data = np.frombuffer(data, "<u2").astype(">u2").tobytes()
    one.PixelData = data
    one["PixelData"].VR = "OW"
    return one


def voxels(one: Dataset, path: Path) -> np.ndarray:
    save(one, path)
    (series,) = open_path(path).series
    return series.load().voxels


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 7),
    count=st.integers(1, 3),
    signed=st.booleans(),
    big=st.booleans(),
    seed=st.integers(0, 1 << 16),
)
def test_twelve_packed_bits_come_back_whatever_the_size(
    tmp_path_factory: pytest.TempPathFactory,
    rows: int,
    columns: int,
    count: int,
    signed: bool,
    big: bool,
    seed: int,
) -> None:
    low, high = (-2048, 2048) if signed else (0, 4096)
    frames = np.random.default_rng(seed).integers(low, high, (count, rows, columns))
    found = voxels(dataset(frames, signed=signed, big=big), tmp_path_factory.mktemp("12") / "a")
    assert found.dtype == (np.int16 if signed else np.uint16)
    assert (found == frames).all()


def test_twelve_packed_bits_agree_with_simpleitk(tmp_path: Path) -> None:
    import SimpleITK as sitk  # noqa: N813

    frames = np.random.default_rng(1).integers(0, 4096, (1, 8, 10))
    one = dataset(frames)
    one.RescaleIntercept = 0
    del one.NumberOfFrames
    found = voxels(one, tmp_path / "a.dcm")
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.dcm")))
    assert (found == theirs).all()
    assert (found == frames).all()


def test_twelve_bits_in_a_codestream_are_words(tmp_path: Path) -> None:
    import imagecodecs

    frames = np.random.default_rng(2).integers(0, 4096, (1, 8, 10)).astype(np.uint16)
    one = dataset(frames)
    del one.NumberOfFrames
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.80"
    one.PixelData = encapsulate([imagecodecs.jpegls_encode(frames[0])])
    one["PixelData"].VR = "OB"
    one["PixelData"].is_undefined_length = True
    assert (voxels(one, tmp_path / "a") == frames).all()


def test_too_few_packed_bytes_are_refused(tmp_path: Path) -> None:
    one = dataset(np.zeros((1, 8, 10), int))
    one.PixelData = one.PixelData[:-2]
    with pytest.raises(UnreadableImageError, match="118 of 120"):
        voxels(one, tmp_path / "a")


@pytest.mark.parametrize("bits", [4, 10, 14, 24])
def test_other_packings_are_refused_by_their_number(tmp_path: Path, bits: int) -> None:
    one = dataset(np.zeros((1, 8, 10), int))
    one.BitsAllocated = one.BitsStored = bits
    one.HighBit = bits - 1
    with pytest.raises(UnreadableImageError, match=f"{bits} bits for each pixel"):
        voxels(one, tmp_path / "a")


def test_frames_of_one_bit_begin_inside_bytes(tmp_path: Path) -> None:
    frames = np.random.default_rng(3).integers(0, 2, (5, 3, 7))
    one = dataset(frames)
    one.BitsAllocated = one.BitsStored = 1
    one.HighBit = 0
    one.PixelData = packed(frames, 1)
    one["PixelData"].VR = "OB"
    assert (voxels(one, tmp_path / "a") == frames).all()
