"""Overlay planes and padding: beside the voxels, never in them."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from core.imaging.dicom.overlays import Overlay
from core.imaging.dicom.reader import DicomSeries
from core.imaging.intensity import automatic_window
from core.imaging.opening import open_path
from core.imaging.volume import measured_values
from tests.core.imaging.dicom.make import ct_slice, save

EXAMPLE = Path(pydicom.__file__).parent / "data" / "test_files" / "examples_overlay.dcm"


def only(path: Path) -> DicomSeries:
    (series,) = open_path(path).series
    assert isinstance(series, DicomSeries)
    return series


def packed(mask: np.ndarray) -> bytes:
    raw = np.packbits(mask.ravel().astype(np.uint8), bitorder="little").tobytes()
    return raw + b"\0" * (len(raw) % 2)


def add_overlay(one: Dataset, mask: np.ndarray, group: int = 0x6000, **more: object) -> Dataset:
    """An overlay whose mask has the frames, rows and columns of the array's shape."""
    told: dict[int, tuple[str, object]] = {
        0x0010: ("US", mask.shape[-2]),
        0x0011: ("US", mask.shape[-1]),
        0x0040: ("CS", "G"),
        0x0050: ("SS", [1, 1]),
        0x0100: ("US", 1),
        0x0102: ("US", 0),
        0x3000: ("OW", packed(mask)),
    }
    if mask.ndim == 3:
        told[0x0015] = ("IS", mask.shape[0])
        told[0x0051] = ("US", 1)
    names = {"origin": (0x0050, "SS"), "kind": (0x0040, "CS"), "label": (0x1500, "LO")}
    for name, value in more.items():
        element, vr = names[name]
        told[element] = (vr, value)
    for element, (vr, value) in told.items():
        one.add_new((group, element), vr, value)
    return one


def test_an_overlay_is_what_pydicom_says_it_is() -> None:
    series = only(EXAMPLE)
    dataset = pydicom.dcmread(EXAMPLE)
    (overlay,) = series.overlays(0)
    assert (overlay.mask == dataset.overlay_array(0x6000).astype(bool)).all()
    assert overlay.mask.any()
    assert {w.code for w in series.summary.warnings} >= {"overlays"}


def test_an_overlay_is_what_dcm2niix_makes_of_it(tmp_path: Path) -> None:
    dcm2niix = pytest.importorskip("dcm2niix", reason="dcm2niix is not installed")
    nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(EXAMPLE.read_bytes())
    subprocess.run(
        [dcm2niix.bin, "-b", "n", "-z", "n", "-f", "v", "-o", str(tmp_path), str(tmp_path / "in")],
        check=False,
        capture_output=True,
    )
    (region,) = tmp_path.glob("*ROI*.nii")
    theirs = np.asarray(nibabel.load(region).dataobj)[..., 0].T[::-1] != 0
    (overlay,) = only(EXAMPLE).overlays(0)
    assert (overlay.mask == theirs).all()


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"]
)
def test_an_overlay_stands_where_its_origin_says(tmp_path: Path, syntax: str) -> None:
    mask = np.ones((3, 4), bool)
    mask[1, 2] = False
    one = add_overlay(ct_slice(), mask, group=0x6004, origin=[3, -1], kind="R", label="Läsion")
    one.SpecificCharacterSet = "ISO_IR 100"
    one.file_meta.TransferSyntaxUID = syntax
    (overlay,) = only(save(one, tmp_path / "a")).overlays(0)
    assert (overlay.group, overlay.is_region, overlay.label) == (0x6004, True, "Läsion")
    expected = np.zeros((4, 6), bool)
    expected[2:4, 0:2] = mask[0:2, 2:4]
    assert (overlay.mask == expected).all()


def test_overlays_of_big_endian_files(tmp_path: Path) -> None:
    mask = np.arange(24).reshape(4, 6) % 5 == 0
    one = add_overlay(ct_slice(), mask)
    element = one[0x60003000]
    element.value = np.frombuffer(element.value, "<u2").astype(">u2").tobytes()
    one.PixelData = np.frombuffer(one.PixelData, "<u2").astype(">u2").tobytes()
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.2"
    (overlay,) = only(save(one, tmp_path / "a")).overlays(0)
    assert (overlay.mask == mask).all()


def test_each_frame_has_its_own_overlay(tmp_path: Path) -> None:
    masks = np.random.default_rng(1).integers(0, 2, (3, 3, 5)).astype(bool)
    pixels = np.zeros((3, 3, 5), np.uint16)
    one = ct_slice(
        pixels[0],
        NumberOfFrames=3,
        PixelData=pixels.tobytes(),
        Modality="XA",
        ImagePositionPatient=None,
        ImageOrientationPatient=None,
    )
    series = only(save(add_overlay(one, masks), tmp_path / "a"))
    for i in range(3):
        (overlay,) = series.overlays(i)
        assert (overlay.mask == masks[i]).all()


@pytest.mark.parametrize("syntax", ["native", "deflated", "RLE", "JPEG lossless"])
def test_an_overlay_in_unused_bits_is_no_part_of_the_voxels(tmp_path: Path, syntax: str) -> None:
    pixels = np.arange(24, dtype=np.uint16).reshape(4, 6)
    drawn = np.eye(4, 6, dtype=bool)
    one = ct_slice(pixels | (drawn.astype(np.uint16) << 13), BitsStored=12, HighBit=11)
    for element, vr, value in (
        (0x0010, "US", 4),
        (0x0011, "US", 6),
        (0x0040, "CS", "G"),
        (0x0050, "SS", [1, 1]),
        (0x0100, "US", 16),
        (0x0102, "US", 13),
    ):
        one.add_new((0x6000, element), vr, value)
    if syntax == "deflated":
        one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    elif syntax == "RLE":
        one.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    elif syntax == "JPEG lossless":
        coded = imagecodecs.ljpeg_encode(
            np.frombuffer(one.PixelData, "<u2").reshape(4, 6), bitspersample=16
        )
        one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.70"
        one.PixelData = encapsulate([coded])
        one["PixelData"].VR = "OB"
        one["PixelData"].is_undefined_length = True
    series = only(save(one, tmp_path / "a"))
    assert (series.load().voxels[0] == pixels).all()
    (overlay,) = series.overlays(0)
    assert (overlay.mask == drawn).all()


def test_a_damaged_overlay_is_left_out_and_the_image_stands(tmp_path: Path) -> None:
    one = add_overlay(ct_slice(), np.ones((400, 600), bool))
    one[0x60003000].value = b"\1\2"
    series = only(save(one, tmp_path / "a"))
    assert series.overlays(0) == ()
    assert series.load().voxels.shape == (1, 4, 6)
    assert Overlay.__dataclass_fields__.keys() >= {"mask"}


# ------------------------------------------------------------------ padding


def padded(tmp_path: Path, stored: np.ndarray, **tags: object) -> DicomSeries:
    signed = stored.dtype.kind == "i"
    one = ct_slice(stored, PixelRepresentation=int(signed), **tags)
    if "PixelPaddingValue" in one:
        one["PixelPaddingValue"].VR = "SS" if signed else "US"
    if "PixelPaddingRangeLimit" in one:
        one["PixelPaddingRangeLimit"].VR = "SS" if signed else "US"
    return only(save(one, tmp_path / "a"))


def test_padding_does_not_widen_the_automatic_window(tmp_path: Path) -> None:
    pixels = np.full((40, 60), -2000, np.int16)
    pixels[10:30, 10:50] = np.arange(800).reshape(20, 40)
    volume = padded(tmp_path, pixels, PixelPaddingValue=-2000).load()
    assert volume.padding == (-2000, -2000)
    assert (volume.voxels[0] == pixels).all()  # the voxels stay as they were stored
    values = measured_values(volume, 0)
    assert values.size == 800 and values.min() == -1024
    window = automatic_window(values)
    assert window.width < 810


def test_a_range_of_padding(tmp_path: Path) -> None:
    pixels = np.array([[10, 11, 12, 500, 600]], np.uint16)
    volume = padded(tmp_path, pixels, PixelPaddingValue=12, PixelPaddingRangeLimit=10).load()
    assert volume.padding == (10, 12)
    assert measured_values(volume, 0).tolist() == [500 - 1024, 600 - 1024]


def test_padding_of_monochrome1_is_turned_with_it(tmp_path: Path) -> None:
    pixels = np.array([[0, 100, 4095]], np.uint16)
    volume = padded(
        tmp_path,
        pixels,
        PixelPaddingValue=0,
        BitsStored=12,
        HighBit=11,
        PhotometricInterpretation="MONOCHROME1",
    ).load()
    assert volume.padding == (4095, 4095)
    assert measured_values(volume, 0).tolist() == [3995 - 1024, -1024]


@pytest.mark.parametrize("signed", [True, False])
def test_padding_beyond_the_stored_bits_is_empty_and_not_bright(
    tmp_path: Path, signed: bool
) -> None:
    """63536 in twelve bits would be 2096: bone, where the scanner measured nothing."""
    bare = np.array([[63536, 40, 100]], np.uint16)
    one = ct_slice(bare, BitsStored=12, HighBit=11, PixelRepresentation=int(signed))
    one.add_new(0x00280120, "US", 63536)
    series = only(save(one, tmp_path / "a"))
    lowest = -2000 if signed else 0  # −2000 fits into twelve signed bits
    volume = series.load()
    assert volume.voxels[0, 0].tolist() == [lowest, 40, 100]
    assert volume.padding == (lowest, lowest)
    assert measured_values(series.read_slice(0), 0).tolist() == [40 - 1024, 100 - 1024]


def test_padding_of_float_pixels(tmp_path: Path) -> None:
    one = ct_slice(np.zeros((2, 3), np.uint16), BitsAllocated=32, RescaleIntercept=0)
    del one.PixelData
    one.FloatPixelData = struct.pack("<6f", -9999, 1.5, 2.5, 3.5, 4.5, -9999)
    one.FloatPixelPaddingValue = -9999.0
    volume = only(save(one, tmp_path / "a")).load()
    assert measured_values(volume, 0).tolist() == [1.5, 2.5, 3.5, 4.5]


def test_nothing_but_padding_is_looked_at_as_it_is(tmp_path: Path) -> None:
    volume = padded(tmp_path, np.full((2, 3), 7, np.uint16), PixelPaddingValue=7).load()
    assert measured_values(volume, 0).size == 6
