"""Small DICOM series for tests, written with pydicom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0, 0, 0, 1, 0)
SAGITTAL = (0.0, 1, 0, 0, 0, -1)
CORONAL = (1.0, 0, 0, 0, 0, -1)
CT = "1.2.840.10008.5.1.4.1.1.2"


def ct_slice(pixels: np.ndarray | None = None, **tags: Any) -> Dataset:
    """One CT image; tags by keyword replace or (None) remove what is set here."""
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = CT
    one.SOPInstanceUID = generate_uid()
    one.StudyInstanceUID = "1.2.3.4"
    one.SeriesInstanceUID = "1.2.3.4.5"
    one.FrameOfReferenceUID = "1.2.3.4.6"
    one.Modality = "CT"
    one.PatientID = "P1"
    one.PatientName = "Test^One"
    one.ImageOrientationPatient = list(AXIAL)
    one.ImagePositionPatient = [0, 0, 0]
    one.PixelSpacing = [0.5, 0.5]
    one.SliceThickness = 2
    one.RescaleSlope = 1
    one.RescaleIntercept = -1024
    one.PhotometricInterpretation = "MONOCHROME2"
    one.SamplesPerPixel = 1
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit = 15
    one.PixelRepresentation = 0
    if pixels is None:
        pixels = np.arange(24, dtype=np.uint16).reshape(4, 6)
    one.Rows, one.Columns = pixels.shape[:2]
    one.PixelData = pixels.tobytes()
    one["PixelData"].VR = "OW" if pixels.itemsize > 1 else "OB"
    for name, value in tags.items():
        if value is None:
            delattr(one, name)
        else:
            setattr(one, name, value)
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    return one


def save(dataset: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_series(
    folder: Path,
    positions: list[Any],
    *,
    orientation: tuple[float, ...] = AXIAL,
    shuffle: int | None = 5,
    prefix: str = "I",
    **tags: Any,
) -> list[Path]:
    """One file a position (z, or x y z); pixels of slice i are all i + 1. Names are shuffled."""
    order = list(range(len(positions)))
    names = list(order)
    if shuffle is not None:
        np.random.default_rng(shuffle).shuffle(names)
    paths = []
    for i in order:
        where = positions[i] if isinstance(positions[i], (list, tuple)) else [0, 0, positions[i]]
        dataset = ct_slice(
            np.full((4, 6), i + 1, np.uint16),
            ImagePositionPatient=[float(v) for v in where],
            ImageOrientationPatient=list(orientation),
            InstanceNumber=i + 1,
            **tags,
        )
        paths.append(save(dataset, folder / f"{prefix}{names[i]:03d}"))
    return paths
