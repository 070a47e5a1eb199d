"""What of a DICOM header may leave, named attribute by attribute, at every level of nesting.

A keep-list: whatever is not named here stays, with private attributes, curves, overlays and all
free text. An attribute passes only as what it should be: a number as a number, a word if it is
one of a closed list, a UID under its pseudonym. The keywords are those of DICOM PS3.6.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from core.imaging.deidentify import uid_pseudonym

EDITION = "PS3.15 2026c Annex E"
"""The edition of the confidentiality profiles whose table E.1-1 this list was tested against."""

# fmt: off
NUMBERS = frozenset({
    "SliceThickness", "SpacingBetweenSlices", "KVP", "RepetitionTime", "EchoTime",
    "InversionTime", "NumberOfAverages", "EchoNumbers", "MagneticFieldStrength", "EchoTrainLength",
    "PercentSampling", "PercentPhaseFieldOfView", "PixelBandwidth", "FlipAngle", "TriggerTime",
    "DataCollectionDiameter", "ReconstructionDiameter", "DistanceSourceToDetector",
    "DistanceSourceToPatient", "GantryDetectorTilt", "ExposureTime", "XRayTubeCurrent",
    "Exposure", "FocalSpots", "ImagerPixelSpacing", "NominalScannedPixelSpacing",
    "SingleCollimationWidth", "TotalCollimationWidth", "TableSpeed", "TableFeedPerRotation",
    "SpiralPitchFactor", "CTDIvol", "DiffusionBValue", "SeriesNumber", "AcquisitionNumber",
    "SliceLocation", "WindowCenter", "WindowWidth", "LossyImageCompressionRatio",
    "RegionSpatialFormat", "RegionDataType", "RegionFlags", "RegionLocationMinX0",
    "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1", "PhysicalUnitsXDirection",
    "PhysicalUnitsYDirection", "PhysicalDeltaX", "PhysicalDeltaY",
})
"""Numbers, of whatever number representation."""

_DIRECTIONS = frozenset({
    f"{first}{side}"
    for first in ("HF", "FF", "LF", "RF", "AF", "PF") for side in ("S", "P", "DL", "DR")
})

WORDS: dict[str, frozenset[str]] = {
    "ImageType": frozenset({
        "ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "AXIAL", "LOCALIZER", "M", "P", "ND", "NORM",
        "MPR", "REFORMATTED", "PROJECTION IMAGE", "SCREEN SAVE", "VOLUME", "DIS2D", "DIS3D", "FFE",
        "SE", "IR", "ADC", "DIFFUSION", "AVERAGE", "MINIP", "MIP", "OTHER", "SINGLEPLANE",
    }),
    "PatientPosition": _DIRECTIONS,
    "BodyPartExamined": frozenset({
        "ABDOMEN", "ANKLE", "ARM", "BRAIN", "BREAST", "CHEST", "CSPINE", "ELBOW", "EXTREMITY",
        "FOOT", "HAND", "HEAD", "HEADNECK", "HEART", "HIP", "KNEE", "LEG", "LIVER", "LSPINE",
        "NECK", "PELVIS", "SHOULDER", "SKULL", "SPINE", "TSPINE", "WHOLEBODY", "WRIST",
    }),
    "Laterality": frozenset({"L", "R"}),
    "ImageLaterality": frozenset({"L", "R", "U", "B"}),
    "ViewPosition": frozenset({"AP", "PA", "LL", "RL", "LLD", "LLO", "RLD", "RLO", "CC", "MLO"}),
    "MRAcquisitionType": frozenset({"2D", "3D"}),
    "ScanningSequence": frozenset({"SE", "IR", "GR", "EP", "RM"}),
    "SequenceVariant": frozenset({"SK", "MTC", "SS", "TRSS", "SP", "MP", "OSP", "NONE"}),
    "PresentationIntentType": frozenset({"FOR PRESENTATION", "FOR PROCESSING"}),
    "PixelSpacingCalibrationType": frozenset({"GEOMETRY", "FIDUCIAL"}),
    "RescaleType": frozenset({"HU", "US", "OD"}),
    "RotationDirection": frozenset({"CW", "CC"}),
    "LossyImageCompression": frozenset({"00", "01"}),
    "LossyImageCompressionMethod": frozenset({
        "ISO_10918_1", "ISO_14495_1", "ISO_15444_1", "ISO_13818_2",
    }),
    "ConvolutionKernel": frozenset({
        "SOFT", "STANDARD", "BONE", "BONEPLUS", "LUNG", "DETAIL", "EDGE", "CHEST", "SHARP",
    }),
}
"""Closed lists; a value that is not of its list stays. Sources: PS3.3, PS3.16 CID 4."""

DATES = frozenset({"StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"})
"""Dates, which leave shifted by the patient's own number of days."""

INSTANCES = frozenset({
    "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID",
    "ReferencedSOPInstanceUID",
})
"""UIDs of things: they leave under pseudonyms, so that references between files still hold."""

KINDS = frozenset({"SOPClassUID", "ReferencedSOPClassUID"})
"""UIDs of kinds: they leave if they are the standard's own."""

SEQUENCES = frozenset({
    "SequenceOfUltrasoundRegions", "ReferencedImageSequence", "SourceImageSequence",
})
"""Sequences whose items are walked by this same list."""
# fmt: on

KEPT = NUMBERS | WORDS.keys() | DATES | INSTANCES | KINDS | SEQUENCES

_KERNEL = re.compile(r"[A-Z]{1,2}[0-9]{1,2}[a-z]?")
_STANDARD_UID = re.compile(r"1\.2\.840\.10008(\.[0-9]+)+")
_NUMBER_REPRESENTATIONS = frozenset({"DS", "IS", "US", "SS", "UL", "SL", "FL", "FD", "UV", "SV"})
_DEEPEST = 4


def kept(source: Dataset, site_key: bytes, shift: timedelta, depth: int = 0) -> Dataset:
    """What of a data set may leave, walked at every level.

    shift: by how much the patient's dates move. Nothing of `source` is changed or shared.
    """
    found = Dataset()
    if depth > _DEEPEST:
        return found
    for element in source:
        keyword = element.keyword
        if element.tag.is_private or keyword not in KEPT:
            continue
        if keyword in SEQUENCES:
            if element.VR == "SQ":
                items = [kept(item, site_key, shift, depth + 1) for item in element.value]
                items = [item for item in items if len(item)]
                if items:
                    setattr(found, keyword, items)
            continue
        value = _value(element, site_key, shift)
        if value is not None:
            setattr(found, keyword, value)
    return found


def _value(element: DataElement, site_key: bytes, shift: timedelta) -> Any:
    """The value that leaves in the place of an element's; None if none does."""
    keyword, values = element.keyword, _values(element)
    if not values:
        return None
    if keyword in NUMBERS:
        return _numbers(element.VR, values)
    if keyword in WORDS:
        return _words(keyword, values)
    text = str(values[0]).strip(" \0")
    if keyword in INSTANCES:
        return uid_pseudonym(site_key, text) if text else None
    if keyword in KINDS:
        return text if _STANDARD_UID.fullmatch(text) else None
    return shifted(text, shift)


def _values(element: DataElement) -> list[Any]:
    value = element.value
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, MultiValue | list | tuple) else [value]


def _numbers(representation: str, values: list[Any]) -> Any:
    if representation not in _NUMBER_REPRESENTATIONS:
        return None
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        return None
    if not all(abs(number) < 1e9 for number in numbers):
        return None
    if representation not in ("DS", "FL", "FD"):
        plain: list[Any] = [int(number) for number in numbers]
    elif representation == "DS":
        plain = [f"{number:.7g}" for number in numbers]
    else:
        plain = numbers
    return plain if len(plain) > 1 else plain[0]


def _words(keyword: str, values: list[Any]) -> Any:
    known = WORDS[keyword]
    words = [str(value).strip(" \0") for value in values]
    if keyword == "ImageType":  # the first two have fixed meanings: they keep their places
        words = [word if word in known else "OTHER" for word in words[:4]]
    elif keyword == "ConvolutionKernel":
        words = [word for word in words if word in known or _KERNEL.fullmatch(word)]
    else:
        words = [word for word in words if word in known]
    if not words:
        return None
    return words if len(words) > 1 else words[0]


def shifted(text: str, shift: timedelta) -> str | None:
    """A DICOM date (YYYYMMDD) moved by some days; None if it is no date."""
    if not re.fullmatch(r"[0-9]{8}", text):
        return None
    try:
        day = date(int(text[:4]), int(text[4:6]), int(text[6:]))
        return (day - shift).strftime("%Y%m%d")
    except (ValueError, OverflowError):
        return None
