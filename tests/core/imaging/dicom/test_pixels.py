"""Voxels: agreement with pydicom's own decoding, and the traps of bits, signs and colours."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.sequence import Sequence

from core.errors import CoreError, MissingCodecError, UnreadableImageError
from core.imaging.geometry import Plane
from core.imaging.intensity import Quantity, apply_window
from core.imaging.opening import open_path
from core.imaging.volume import Volume
from tests.core.imaging.dicom.make import ct_slice, save

DATA = Path(pydicom.__file__).parent / "data"
FILES = [path for path in sorted(DATA.rglob("*.dcm")) if path.stat().st_size < 400_000]


def load(path: Path) -> Volume:
    return open_path(path).series[0].load()


def reference(path: Path) -> np.ndarray | None:
    """What pydicom makes of a file, or None if it cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(path, force=True)
            if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
                return apply_color_lut(dataset.pixel_array, dataset) >> 8
            array = pixel_array(dataset, raw=False)
        except Exception:  # noqa: BLE001 - pydicom raises many kinds
            return None
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            array = (1 << dataset.BitsStored) - 1 - array
        if dataset.SamplesPerPixel == 3 and dataset.BitsStored > 8:
            array = (array >> (dataset.BitsStored - 8)).astype(np.uint8)
        return array


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_that_pydicom_decodes_is_decoded_alike(
    path: Path, allow_logs: Callable[[str], None]
) -> None:
    allow_logs(".")  # pydicom's own complaints about its odd files
    expected = reference(path)
    try:
        voxels = load(path).voxels
    except CoreError:
        assert expected is None
        return
    if expected is not None:
        assert voxels.size == expected.size
        assert (voxels == expected.reshape(voxels.shape)).all()


def test_decodes_what_pydicoms_default_cannot() -> None:
    for name in ("JPEG-lossy.dcm", "GDCMJ2K_TextGBR.dcm", "SC_rgb_jpeg_gdcm.dcm"):
        assert np.ptp(load(DATA / "test_files" / name).voxels) > 50


# ------------------------------------------------------------------ bits and signs


def test_twelve_signed_bits_get_their_sign(tmp_path: Path) -> None:
    bare = np.array([[0, 5, 0xFFF, 0x800]], np.uint16)
    one = ct_slice(bare, BitsStored=12, HighBit=11, PixelRepresentation=1)
    assert load(save(one, tmp_path / "a")).voxels[0].tolist() == [[0, 5, -1, -2048]]


def test_overlay_bits_above_the_stored_ones_are_cleared(tmp_path: Path) -> None:
    one = ct_slice(np.array([[0x8005, 0x0FFF, 0x1001]], np.uint16), BitsStored=12, HighBit=11)
    assert load(save(one, tmp_path / "a")).voxels[0].tolist() == [[5, 0xFFF, 1]]


def test_stored_bits_that_do_not_stand_at_the_right(tmp_path: Path) -> None:
    one = ct_slice(np.array([[0x0010, 0xFFF0]], np.uint16), BitsStored=12, HighBit=15)
    assert load(save(one, tmp_path / "a")).voxels[0].tolist() == [[1, 0xFFF]]


@pytest.mark.parametrize("dtype", ["i2", "u2", "i4", "u4", "u1"])
def test_stored_types_stay(tmp_path: Path, dtype: str) -> None:
    pixels = np.array([[0, 1, 100]], dtype)
    bits = pixels.itemsize * 8
    one = ct_slice(
        pixels,
        BitsAllocated=bits,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=int(dtype[0] == "i"),
    )
    volume = load(save(one, tmp_path / "a"))
    assert volume.voxels.dtype == np.dtype(dtype)
    assert volume.voxels[0].tolist() == [[0, 1, 100]]


@pytest.mark.parametrize(("keyword", "dtype"), [("Float", "f4"), ("DoubleFloat", "f8")])
def test_float_pixels(tmp_path: Path, keyword: str, dtype: str) -> None:
    pixels = np.array([[0.5, -1.25, 3e4]], dtype)
    one = ct_slice(pixels.astype("u2"), PixelData=None, BitsStored=None, HighBit=None)
    one.BitsAllocated = pixels.itemsize * 8
    setattr(one, f"{keyword}PixelData", pixels.tobytes())
    voxels = load(save(one, tmp_path / "a")).voxels
    assert voxels.dtype == np.dtype(dtype)
    assert voxels[0].tolist() == [[0.5, -1.25, 3e4]]


def test_mixed_signs_in_one_series_keep_their_values(tmp_path: Path) -> None:
    save(ct_slice(np.array([[60000]], np.uint16)), tmp_path / "a")
    signed = ct_slice(
        np.array([[-7]], np.int16), PixelRepresentation=1, ImagePositionPatient=[0, 0, 2]
    )
    save(signed, tmp_path / "b")
    assert load(tmp_path).voxels.ravel().tolist() == [60000, -7]


# ------------------------------------------------------------------ grey levels


def test_monochrome1_is_turned_and_its_window_with_it(tmp_path: Path) -> None:
    pixels = np.array([[0, 1000, 4095]], np.uint16)
    tags = {"BitsStored": 12, "HighBit": 11, "RescaleIntercept": 0, "Modality": "CR"}
    tags |= {"WindowCenter": 1000, "WindowWidth": 600}
    plain = load(save(ct_slice(pixels, **tags), tmp_path / "a"))
    turned = load(
        save(ct_slice(pixels, PhotometricInterpretation="MONOCHROME1", **tags), tmp_path / "b")
    )
    assert turned.voxels[0].tolist() == [[4095, 3095, 0]]
    grey = apply_window(plain.values(Plane.SLICE, 0), plain.summary.windows[0])
    inverse = apply_window(turned.values(Plane.SLICE, 0), turned.summary.windows[0])
    assert np.allclose(grey, 1 - inverse, atol=1e-5)


@pytest.mark.parametrize(
    ("tags", "quantity"),
    [
        ({}, Quantity.HU),
        ({"Modality": "MR", "RescaleSlope": None, "RescaleIntercept": None}, Quantity.SIGNAL),
        ({"Modality": "CT", "RescaleSlope": None, "RescaleIntercept": None}, Quantity.SIGNAL),
        ({"Modality": "PT", "RescaleType": "HU"}, Quantity.HU),
        ({"Modality": "CT", "RescaleType": "US"}, Quantity.SIGNAL),
    ],
)
def test_quantity(tmp_path: Path, tags: dict[str, object], quantity: Quantity) -> None:
    assert load(save(ct_slice(**tags), tmp_path / "a")).summary.quantity is quantity


def test_eight_bit_secondary_captures_are_grey_levels(tmp_path: Path) -> None:
    one = ct_slice(
        np.zeros((4, 4), np.uint8),
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        ImageType=["DERIVED", "SECONDARY"],
    )
    assert load(save(one, tmp_path / "a")).summary.quantity is Quantity.GREY


def test_several_windows_with_their_names(tmp_path: Path) -> None:
    one = ct_slice(
        WindowCenter=[40, 400, 40],
        WindowWidth=[80, 2000, 80],
        WindowCenterWidthExplanation=["BRAIN", "BONE", "AGAIN"],
    )
    windows = load(save(one, tmp_path / "a")).summary.windows
    assert [(w.center, w.width, w.name) for w in windows] == [
        (40, 80, "BRAIN"),
        (400, 2000, "BONE"),
    ]


# ------------------------------------------------------------------ codecs


def test_a_missing_codec_is_named(tmp_path: Path) -> None:
    one = ct_slice(PixelData=encapsulate([b"\0\0\1\xb3" * 20]))
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    one["PixelData"].VR = "OB"
    one["PixelData"].is_undefined_length = True
    with pytest.raises(MissingCodecError) as caught:
        load(save(one, tmp_path / "a"))
    assert "MPEG-4" in caught.value.transfer_syntax


SIGNED = np.arange(-600, 600, dtype=np.int16).reshape(30, 40)


def coded(name: str) -> tuple[str, bytes]:
    import imagecodecs

    root = "1.2.840.10008.1.2.4."
    unsigned = SIGNED.view(np.uint16)
    return {
        "JPEG-LS": (root + "80", lambda: imagecodecs.jpegls_encode(unsigned)),
        "JPEG 2000": (
            root + "90",
            lambda: imagecodecs.jpeg2k_encode(SIGNED, codecformat="j2k", reversible=True, level=0),
        ),
        "HTJ2K": (root + "201", lambda: imagecodecs.htj2k_encode(SIGNED)),
        "JPEG Lossless": (root + "70", lambda: imagecodecs.ljpeg_encode(unsigned)),
        "JPEG XL": (root + "110", lambda: imagecodecs.jpegxl_encode(unsigned, lossless=True)),
    }[name]


@pytest.mark.parametrize("name", ["JPEG-LS", "JPEG 2000", "HTJ2K", "JPEG Lossless", "JPEG XL"])
def test_lossless_codecs_give_back_signed_pixels(tmp_path: Path, name: str) -> None:
    uid, encode = coded(name)
    try:
        stream = encode()  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001 - an encoder that this build lacks
        pytest.skip(f"no encoder here: {error}")
    one = ct_slice(SIGNED, PixelRepresentation=1, PixelData=encapsulate([stream]))
    known = "1.2.840.10008.1.2.4.201"  # of the same length: pydicom knows no JPEG XL
    one.file_meta.TransferSyntaxUID = known if name == "JPEG XL" else uid
    one["PixelData"].VR = "OB"
    one["PixelData"].is_undefined_length = True
    path = save(one, tmp_path / "a")
    if name == "JPEG XL":
        path.write_bytes(path.read_bytes().replace(known.encode(), uid.encode()))
    voxels = load(path).voxels
    assert voxels.dtype == np.int16
    assert (voxels[0] == SIGNED).all()


def test_a_truncated_compressed_file_is_skipped_in_its_folder(tmp_path: Path) -> None:
    uid, encode = coded("JPEG-LS")
    for i in range(3):
        one = ct_slice(
            SIGNED,
            PixelRepresentation=1,
            PixelData=encapsulate([encode()]),  # type: ignore[operator]
            ImagePositionPatient=[0, 0, 2.0 * i],
        )
        one.file_meta.TransferSyntaxUID = uid
        one["PixelData"].VR = "OB"
        one["PixelData"].is_undefined_length = True
        save(one, tmp_path / f"{i}")
    whole = (tmp_path / "1").read_bytes()
    (tmp_path / "1").write_bytes(whole[:-400])
    opened = open_path(tmp_path)
    assert opened.series[0].summary.shape[0] == 2
    assert "ends before" in opened.skipped[0].reason
    with pytest.raises(UnreadableImageError):
        open_path(tmp_path / "1")


# ------------------------------------------------------------------ loading


def test_loading_goes_from_the_middle_outwards_and_shows_each_slice(tmp_path: Path) -> None:
    for i in range(5):
        pixels = np.full((2, 2), i, np.uint16)
        save(ct_slice(pixels, ImagePositionPatient=[0, 0, i]), tmp_path / f"{9 - i}")
    (series,) = open_path(tmp_path).series
    seen: list[int] = []

    def arrived(volume: Volume, index: int) -> None:
        assert (volume.voxels[index] == index).all()
        seen.append(index)

    series.load(on_slice=arrived)
    assert seen == [2, 3, 1, 4, 0]
    seen.clear()
    series.load(first=4, on_slice=arrived)
    assert seen == [4, 3, 2, 1, 0]


def test_a_file_that_vanishes_while_loading_is_a_sentence(tmp_path: Path) -> None:
    path = save(ct_slice(), tmp_path / "a")
    (series,) = open_path(path).series
    path.unlink()
    with pytest.raises(UnreadableImageError):
        series.load()


# ------------------------------------------------------------------ look-up tables


def lut(first: int, values: list[int], **more: object) -> Dataset:
    one = Dataset()
    one.add_new(0x00283002, "US", [len(values), first, 16])
    one.add_new(0x00283006, "US", values)
    for name, value in more.items():
        setattr(one, name, value)
    return one


def test_a_modality_lut_replaces_the_stored_values(tmp_path: Path) -> None:
    one = ct_slice(np.array([[9, 10, 11, 12, 99]], np.uint16), Modality="CR")
    del one.RescaleSlope, one.RescaleIntercept
    one.ModalityLUTSequence = Sequence([lut(10, [500, 7000, 65535], ModalityLUTType="US")])
    volume = load(save(one, tmp_path / "a"))
    assert volume.values(Plane.SLICE, 0).tolist() == [[500, 500, 7000, 65535, 65535]]
    with_pydicom = pydicom.pixels.apply_modality_lut(one.pixel_array, one)
    assert (volume.values(Plane.SLICE, 0) == with_pydicom).all()


def test_a_modality_lut_of_compressed_pixels(tmp_path: Path) -> None:
    import imagecodecs

    pixels = np.array([[0, 1, 2, 3]] * 4, np.uint16)
    one = ct_slice(pixels, PixelData=encapsulate([imagecodecs.jpegls_encode(pixels)]))
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.80"
    one["PixelData"].VR = "OB"
    one["PixelData"].is_undefined_length = True
    one.ModalityLUTSequence = Sequence([lut(0, [5, 60, 700, 8000])])
    assert load(save(one, tmp_path / "a")).voxels[0, 0].tolist() == [5, 60, 700, 8000]


def test_a_voi_lut_is_a_window_that_is_a_table(tmp_path: Path) -> None:
    stored = np.array([[0, 100, 101, 102, 103, 200]], np.uint16)
    one = ct_slice(stored, RescaleIntercept=0, Modality="DX")
    one.VOILUTSequence = Sequence([lut(100, [0, 30000, 65535, 65535], LUTExplanation="CHEST")])
    volume = load(save(one, tmp_path / "a"))
    (window,) = volume.summary.windows
    assert window.name == "CHEST"
    grey = apply_window(volume.values(Plane.SLICE, 0), window)
    expected = np.array([0, 0, 30000, 65535, 65535, 65535]) / 65535
    assert np.allclose(grey[0], expected, atol=1e-6)
    one.PhotometricInterpretation = "MONOCHROME1"
    turned = load(save(one, tmp_path / "b"))
    grey = apply_window(turned.values(Plane.SLICE, 0), turned.summary.windows[0])
    assert np.allclose(grey[0], 1 - expected, atol=1e-6)
