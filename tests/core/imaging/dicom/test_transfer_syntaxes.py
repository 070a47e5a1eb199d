"""Thirteen transfer syntaxes: one twelve-bit image, the same voxels out of each of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import RLELosslessEncoder

from core.imaging.opening import open_path
from tests.core.imaging.dicom.make import ct_slice, save

JPEG = "1.2.840.10008.1.2.4."
UNSIGNED = (np.add.outer(np.arange(40) * 37, np.arange(60) * 53) % 4096).astype(np.uint16)
SIGNED = (UNSIGNED.astype(np.int32) - 2048).astype(np.int16)


def rle(pixels: np.ndarray) -> bytes:
    coded = RLELosslessEncoder.encode(
        pixels,
        rows=40,
        columns=60,
        samples_per_pixel=1,
        number_of_frames=1,
        bits_allocated=16,
        bits_stored=12,
        pixel_representation=int(pixels.dtype.kind == "i"),
        photometric_interpretation="MONOCHROME2",
    )
    return bytes(coded)


def bare(pixels: np.ndarray) -> np.ndarray:
    """Twelve bits without a sign, as codecs that know none are given them."""
    return pixels.view(np.uint16) & 0xFFF


def jpeg_2000(pixels: np.ndarray) -> bytes:
    return imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True, level=0)


ENCODERS: dict[str, tuple[str, Callable[[np.ndarray], bytes]]] = {
    "RLE": ("1.2.840.10008.1.2.5", rle),
    "JPEG extended": (
        JPEG + "51",
        lambda p: imagecodecs.jpeg8_encode(bare(p), level=100, bitspersample=12),
    ),
    "JPEG lossless": (
        JPEG + "57",
        lambda p: imagecodecs.jpeg8_encode(bare(p), lossless=True, predictor=6, bitspersample=12),
    ),
    "JPEG lossless SV1": (JPEG + "70", lambda p: imagecodecs.ljpeg_encode(bare(p))),
    "JPEG-LS": (JPEG + "80", lambda p: imagecodecs.jpegls_encode(bare(p))),
    "JPEG-LS near-lossless": (JPEG + "81", lambda p: imagecodecs.jpegls_encode(bare(p), level=2)),
    "JPEG 2000 lossless": (JPEG + "90", jpeg_2000),
    "JPEG 2000": (JPEG + "91", jpeg_2000),
}
NATIVE = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big endian": "1.2.840.10008.1.2.2",
}
MOST_OFF = {"JPEG extended": 6, "JPEG-LS near-lossless": 2}
"""Largest difference of a syntax that loses something."""


def write(path: Path, name: str, pixels: np.ndarray) -> Path:
    signed = pixels.dtype.kind == "i"
    one = ct_slice(pixels, BitsStored=12, HighBit=11, PixelRepresentation=int(signed))
    if name in NATIVE:
        one.file_meta.TransferSyntaxUID = NATIVE[name]
        if name == "big endian":
            one.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
        return save(one, path)
    uid, encode = ENCODERS[name]
    one.file_meta.TransferSyntaxUID = uid
    one.PixelData = encapsulate([encode(pixels)])
    one["PixelData"].VR = "OB"
    one["PixelData"].is_undefined_length = True
    return save(one, path)


@pytest.mark.parametrize("pixels", [UNSIGNED, SIGNED], ids=["unsigned", "signed"])
@pytest.mark.parametrize("name", [*NATIVE, *ENCODERS])
def test_twelve_bits_come_back(tmp_path: Path, name: str, pixels: np.ndarray) -> None:
    if name == "JPEG extended" and pixels is SIGNED:
        pytest.skip("a cosine transform of two's complement is noise: nobody writes that")
    (series,) = open_path(write(tmp_path / "a", name, pixels)).series
    volume = series.load()
    assert volume.voxels.dtype == pixels.dtype
    assert volume.summary.transfer_syntax == NATIVE.get(name) or name in ENCODERS
    off = np.abs(volume.voxels[0].astype(int) - pixels)
    if name == "JPEG-LS near-lossless" and pixels is SIGNED:
        off = np.minimum(off, 4096 - off)  # near-lossless may step over the sign
    assert off.max() <= MOST_OFF.get(name, 0)


def test_eight_bit_baseline_is_what_pydicom_decodes(tmp_path: Path) -> None:
    grey = (UNSIGNED >> 4).astype(np.uint8)
    one = ct_slice(grey, BitsAllocated=8, BitsStored=8, HighBit=7)
    one.file_meta.TransferSyntaxUID = JPEG + "50"
    one.PixelData = encapsulate([imagecodecs.jpeg8_encode(grey, level=90)])
    one["PixelData"].VR = "OB"
    one["PixelData"].is_undefined_length = True
    path = save(one, tmp_path / "a")
    expected = imagecodecs.jpeg8_decode(pydicom.encaps.get_frame(one.PixelData, 0))
    assert (open_path(path).series[0].load().voxels[0] == expected).all()


def test_there_are_thirteen() -> None:
    assert len(NATIVE) + len(ENCODERS) + 1 == 13
