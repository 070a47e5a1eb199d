"""Writes the phantom's slices as CT Image Storage: real DICOM, marked as synthetic throughout."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from core.sample.acquisition import FIELD_OF_VIEW, SLICE_STEP
from core.sample.patient import Patient, spoken

INTERCEPT = -1024
MARK = "SYNTHETIC PHANTOM"
"""Stands in every text by which a person or a system could take the images for a patient's."""

_DATE, _TIME = "20260101", "120000"


@dataclass(frozen=True)
class SampleKey:
    """What the pixels depend on, and therefore the UIDs."""

    seed: int
    slices: int
    size: int

    def uid(self, *parts: object) -> str:
        """A UID under 2.25 that is the same whenever the same thing is made (PS3.5 B.2)."""
        text = "/".join(
            map(str, ("sliceloop-phantom-1", self.seed, self.slices, self.size, *parts))
        )
        return f"2.25.{int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], 'big')}"


def encode(
    key: SampleKey, patient: Patient, index: int, hounsfield: NDArray[np.int16]
) -> tuple[str, bytes]:
    """One slice as a DICOM file: (SOP Instance UID, the file's bytes).

    index: 0 for the lowest slice. hounsfield: (rows, columns) int16, −1024 to 3071.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(key.uid(patient.number, "instance", index))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID = meta.MediaStorageSOPClassUID
    image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _describe_patient(image, key, patient)
    _describe_acquisition(image)
    _place(image, index, hounsfield.shape)
    image.InstanceNumber = index + 1
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = hounsfield.shape
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelRepresentation = 0
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = INTERCEPT, 1, "HU"
    image.WindowCenter, image.WindowWidth = [40, 480], [80, 2500]
    image.WindowCenterWidthExplanation = ["BRAIN", "BONE"]
    stored = (hounsfield.astype(np.int32) - INTERCEPT).clip(0, 4095)
    image.PixelData = stored.astype("<u2").tobytes()
    buffer = BytesIO()
    image.save_as(buffer, enforce_file_format=True)
    return str(image.SOPInstanceUID), buffer.getvalue()


def _describe_patient(image: Dataset, key: SampleKey, patient: Patient) -> None:
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SyntheticData = "YES"
    image.QualityControlImage = "YES"
    image.ImageComments = f"{MARK}: computed, not a patient. Not for diagnostic use."
    image.PatientName = f"Phantom^{spoken(patient.number)}"
    image.PatientID = patient.patient_id
    image.PatientBirthDate = ""
    image.PatientSex = "O"
    image.PatientIdentityRemoved = "YES"
    image.DeidentificationMethod = f"{MARK}: there is no patient"
    image.StudyInstanceUID = key.uid(patient.number, "study")
    image.SeriesInstanceUID = key.uid(patient.number, "series")
    image.FrameOfReferenceUID = key.uid(patient.number, "frame")
    image.PositionReferenceIndicator = "OM"
    image.StudyID = str(patient.number)
    image.SeriesNumber, image.AcquisitionNumber = 2, 1
    image.StudyDate = image.SeriesDate = image.AcquisitionDate = image.ContentDate = _DATE
    image.StudyTime = image.SeriesTime = image.AcquisitionTime = image.ContentTime = _TIME
    image.AccessionNumber = ""
    image.ReferringPhysicianName = ""
    image.StudyDescription = f"{MARK} head"
    image.SeriesDescription = f"{MARK} head 5 mm"
    image.ProtocolName = MARK


def _describe_acquisition(image: Dataset) -> None:
    image.Modality = "CT"
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.Manufacturer = "Sliceloop"
    image.ManufacturerModelName = MARK
    image.BodyPartExamined = "HEAD"
    image.PatientPosition = "HFS"
    image.KVP = 120
    image.GantryDetectorTilt = 0
    image.ConvolutionKernel = "SOFT"
    image.BurnedInAnnotation = "NO"
    image.LossyImageCompression = "00"


def _place(image: Dataset, index: int, shape: tuple[int, ...]) -> None:
    rows, columns = shape
    down, across = FIELD_OF_VIEW / rows, FIELD_OF_VIEW / columns
    level = index * SLICE_STEP
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.ImagePositionPatient = [
        round(-across * (columns - 1) / 2, 5),
        round(-down * (rows - 1) / 2, 5),
        level,
    ]
    image.SliceLocation = level
    image.PixelSpacing = [down, across]
    image.SliceThickness = SLICE_STEP
    image.SpacingBetweenSlices = SLICE_STEP
    image.ReconstructionDiameter = FIELD_OF_VIEW
