"""How a series came to be, beside what it shows: scanner and its settings, or kind of file.

Kept with a training set, so that it can be asked whether such a thing gives the labels away (a
scanner that only the ill were put into). Numbers stay numbers; every text leaves under a
pseudonym of this site, because stations and institutions name themselves, and protocols are free
text: two values can be told apart, and not read.
"""

from __future__ import annotations

import json
import math
import warnings
from typing import Any

from core.errors import CoreError
from core.imaging.deidentify import pseudonym
from core.imaging.dicom.attributes import read_attributes
from core.imaging.dicom.reader import DicomSeries
from core.imaging.picture_headers import Picture
from core.imaging.pictures import PictureStack
from core.imaging.volume import Series

TEXTS = {
    "Modality": "modality",
    "Manufacturer": "manufacturer",
    "ManufacturerModelName": "scanner model",
    "DeviceSerialNumber": "scanner",
    "StationName": "station",
    "InstitutionName": "institution",
    "SoftwareVersions": "software version",
    "ProtocolName": "protocol",
    "ConvolutionKernel": "convolution kernel",
    "FilterType": "filter",
    "ScanOptions": "scan options",
    "ContrastBolusAgent": "contrast agent",
    "BodyPartExamined": "body part",
    "PatientPosition": "patient position",
    "ViewPosition": "view position",
    "SequenceName": "sequence",
    "ReceiveCoilName": "coil",
    "PhotometricInterpretation": "photometric interpretation",
    "LossyImageCompression": "lossy compression",
}
"""Attributes that are kept as pseudonyms, and what a person calls them. Source: PS3.6."""

NUMBERS = {
    "KVP": "tube voltage",
    "XRayTubeCurrent": "tube current",
    "Exposure": "exposure",
    "SliceThickness": "slice thickness",
    "ReconstructionDiameter": "reconstruction diameter",
    "GantryDetectorTilt": "gantry tilt",
    "MagneticFieldStrength": "field strength",
    "RepetitionTime": "repetition time",
    "EchoTime": "echo time",
    "FlipAngle": "flip angle",
    "BitsStored": "number of bits stored",
    "WindowCenter": "stated window centre",
    "WindowWidth": "stated window width",
}
"""Attributes that are kept as numbers, in the units of PS3.3."""

TRANSFER_SYNTAX, FILE_KIND, CHANNELS, ALPHA = (
    "transfer syntax",
    "kind of file",
    "number of channels",
    "alpha channel",
)

Facts = dict[str, str | float]
"""What a person calls it → a number, or the pseudonym of a text."""


def acquisition_of(series: Series, key: bytes) -> Facts:
    """What its source says of how a series was made; {} where it says nothing.

    key: this site's (`site_key`). Of DICOM the middle file is asked, and a header that only our
    own reader understands tells nothing; of pictures the first one.
    """
    if isinstance(series, DicomSeries):
        return _of_dicom(series, key)
    if isinstance(series, PictureStack):
        return of_picture(series.pages[0])
    return {}


def acquisition_text(series: Series, key: bytes) -> str:
    """The same as JSON, "" where nothing is known: what a training set keeps."""
    facts = acquisition_of(series, key)
    return json.dumps(facts, sort_keys=True) if facts else ""


def of_picture(picture: Picture) -> Facts:
    """Kind of file, and how it is stored: a viewer draws an opaque alpha channel as nothing."""
    return {
        FILE_KIND: picture.kind,
        CHANNELS: float(picture.samples),
        ALPHA: float(picture.samples == 2 or (picture.samples == 4 and picture.kind != "jpeg")),
    }


def _of_dicom(series: DicomSeries, key: bytes) -> Facts:
    header = series.frames[len(series.frames) // 2].header
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's, of values against the standard
            data = read_attributes(header, sorted(TEXTS | NUMBERS))
            found: Facts = {
                TRANSFER_SYNTAX: pseudonym(key, f"syntax:{header.transfer_syntax or 'none'}")
            }
            for keyword, name in TEXTS.items():
                text = _text(data, keyword)
                if text:
                    found[name] = pseudonym(key, f"{keyword}:{text}")
            for keyword, name in NUMBERS.items():
                number = _number(data, keyword)
                if number is not None:
                    found[name] = number
    except CoreError:
        return {}
    return found


def _text(data: Any, keyword: str) -> str:
    from pydicom.multival import MultiValue

    try:
        value = data.get(keyword)
        parts = value if isinstance(value, MultiValue | list | tuple) else [value]
        return "\\".join("" if part is None else str(part).strip(" \0") for part in parts).strip()
    except Exception:  # noqa: BLE001 - pydicom converts when asked, and raises anything
        return ""


def _number(data: Any, keyword: str) -> float | None:
    try:
        value = data.get(keyword)
        first = value if isinstance(value, str | int | float) else value[0]
        number = float(first)
    except Exception:  # noqa: BLE001 - absent, empty, or no number
        return None
    return number if math.isfinite(number) else None
