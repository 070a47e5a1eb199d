"""A CT series on disk as scanners write them: private tags, sequences, shuffled file names."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROOT = "1.2.826.0.1.3680043.8.498"
_JPEG = "1.2.840.10008.1.2.4."
SYNTAXES = {
    "native": "1.2.840.10008.1.2.1",
    "jpeg-ls": _JPEG + "80",
    "jpeg-2000": _JPEG + "90",
    "rle": "1.2.840.10008.1.2.5",
}
"""Name used in the figures → transfer syntax UID."""


def make_series(
    folder: Path, slices: int, syntax: str = "native", side: int = 512, number: int = 3
) -> int:
    """Write a series of `slices` CT images of side × side int16; returns the bytes written.

    The order of file names has nothing to do with the order of slices. number: of the series;
    series of different numbers are different series, with identifiers of their own.
    """
    from pydicom.uid import UID

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    base = _head(rng, side)
    names = [f"IM{number:06d}" for number in range(slices)]
    random.Random(7).shuffle(names)
    dataset = _header(rng, side)
    dataset.SeriesNumber = number
    dataset.SeriesInstanceUID = f"{_ROOT}.6.{number}"
    dataset.file_meta.TransferSyntaxUID = UID(SYNTAXES[syntax])
    written = 0
    for place, name in enumerate(names):
        pixels = np.roll(base, place % side, axis=0)
        dataset.SOPInstanceUID = f"{_ROOT}.7.{number}.{place + 1}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.InstanceNumber = place + 1
        dataset.ImagePositionPatient = [-125.0, -125.0, round(-60 + place * 0.625, 4)]
        dataset.SliceLocation = round(-60 + place * 0.625, 4)
        _set_pixels(dataset, pixels, syntax)
        path = folder / name
        dataset.save_as(path, enforce_file_format=True)
        written += path.stat().st_size
    return written


def _head(rng: np.random.Generator, side: int) -> NDArray[np.int16]:
    """Something with the entropy of a head CT: air, skull, brain with noise."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    radius = np.hypot(x / 0.75, y / 0.9)
    image = np.full((side, side), -1000.0)
    image[radius < 1] = 1200
    image[radius < 0.92] = 35
    image[np.hypot(x / 0.1, (y + 0.1) / 0.3) < 1] = 8
    image += rng.normal(0, 1, image.shape) * np.where(radius < 1, 9, 4)
    return image.round().clip(-1024, 3071).astype(np.int16)


def _header(rng: np.random.Generator, side: int) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.sequence import Sequence

    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
    one.StudyInstanceUID = f"{_ROOT}.5"
    one.FrameOfReferenceUID = f"{_ROOT}.8"
    one.SpecificCharacterSet = "ISO_IR 100"
    one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    one.Modality, one.Manufacturer = "CT", "Made by sliceloop bench"
    one.StudyDate = one.SeriesDate = one.AcquisitionDate = one.ContentDate = "20260102"
    one.StudyTime = one.SeriesTime = one.AcquisitionTime = one.ContentTime = "101112.345"
    one.SeriesDescription, one.StudyDescription = "Head 0.6 synthetic", "Head"
    one.PatientName, one.PatientID = "Synthetic^Bench", "BENCH"
    one.AcquisitionNumber = 1
    one.SliceThickness, one.KVP, one.GantryDetectorTilt = 0.625, 120, 0
    one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    one.PixelSpacing = [0.488281, 0.488281]
    one.Rows = one.Columns = side
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit, one.PixelRepresentation = 15, 1
    one.RescaleSlope, one.RescaleIntercept, one.RescaleType = 1, 0, "HU"
    one.WindowCenter, one.WindowWidth = [40, 400], [80, 2000]
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-A0100", "SRT", "Brain"
    request = Dataset()
    request.RequestedProcedureID = "1"
    request.ScheduledProtocolCodeSequence = Sequence([code])
    one.RequestAttributesSequence = Sequence([request])
    one.ProcedureCodeSequence = Sequence([code])
    one["RequestAttributesSequence"].is_undefined_length = True
    for group in (0x0009, 0x0019, 0x0021, 0x0027, 0x0029, 0x0043, 0x0045, 0x0053):
        block = one.private_block(group, f"SLICELOOP BENCH {group:04X}", create=True)
        for element in range(14):
            block.add_new(element, "DS", f"{rng.normal():.6f}")
        if group == 0x0029:
            block.add_new(0x40, "OB", rng.bytes(9000))
    return one


def _set_pixels(dataset: Any, pixels: NDArray[np.int16], syntax: str) -> None:
    if syntax == "native":
        dataset.PixelData = pixels.tobytes()
        dataset["PixelData"].VR = "OW"
        return
    import imagecodecs
    from pydicom.encaps import encapsulate

    if syntax == "rle":
        from pydicom.pixels.encoders.base import RLELosslessEncoder

        coded: bytes | bytearray = RLELosslessEncoder.encode(
            pixels,
            rows=pixels.shape[0],
            columns=pixels.shape[1],
            samples_per_pixel=1,
            number_of_frames=1,
            bits_allocated=16,
            bits_stored=16,
            pixel_representation=1,
            photometric_interpretation="MONOCHROME2",
        )
    elif syntax == "jpeg-ls":
        coded = imagecodecs.jpegls_encode(pixels.view(np.uint16))
    else:
        coded = imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True, level=0)
    dataset.PixelData = encapsulate([bytes(coded)])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
