"""The images of one DICOM file: one frame each, classic and enhanced objects alike."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from core.errors import UnreadableImageError
from core.imaging.dicom import tags
from core.imaging.dicom.headers import NATIVE, Header
from core.imaging.dicom.pixel_format import PixelFormat, format_of
from core.imaging.dicom.values import decimal_values, double_values
from core.imaging.dicom.walk import UNDEFINED, Encoding, Item, MalformedError, PixelElement, items

Vector = tuple[float, float, float]


@dataclass(slots=True)
class Frame:
    """One image with its place in space.

    header: of its file; for enhanced objects the frame's functional groups are merged in.
    number: index of the frame in its file, from 0.
    position, orientation: Image Position and Orientation (Patient), LPS, or None.
    spacing: millimetres between (rows, columns), or None.
    tile: (row, column, rows, columns) of this image in a mosaic, or None.
    """

    header: Header
    number: int
    frames: int
    format: PixelFormat
    position: Vector | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, float] | None
    spacing_source: str
    tile: tuple[int, int, int, int] | None = None

    @property
    def slice_id(self) -> str:
        """SOP Instance UID, with the frame's number where a file holds several."""
        uid = self.header.text(tags.SOPInstanceUID) or self.header.path.name
        return f"{uid}#{self.number + 1}" if self.frames > 1 else uid

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the image shown."""
        return self.tile[2:] if self.tile else (self.format.rows, self.format.columns)


def frames_of(header: Header) -> list[Frame]:
    """The frames of a file, checked against its size.

    Raises UnreadableImageError, with what the file is, if it holds no image.
    """
    pixels = header.pixels
    if pixels is None:
        raise UnreadableImageError(
            header.path, _without_pixels(header), "Choose a file that holds an image."
        )
    layout = format_of(header, pixels)
    count = _frame_count(header, layout, pixels)
    if count == 1 and tags.PerFrameFunctionalGroups not in header.raw:
        return [_frame(header, 0, 1, layout)]
    return [_frame(one, i, count, layout) for i, one in enumerate(_per_frame(header, count))]


def is_alike(header: Header, kin: Frame) -> bool:
    """Whether a header differs in nothing that shapes a frame or a series, its pixels all there.

    kin: a frame of its kind that `has_usual_shape`. `frame_alike` is then the file's one frame.
    """
    pixels, known = header.pixels, kin.header.pixels
    return (
        pixels is not None
        and known is not None
        and pixels.length == known.length
        and pixels.tag == known.tag
        and (pixels.length == UNDEFINED or pixels.offset + pixels.length <= header.size)
        and has_usual_shape(header)
    )


def has_usual_shape(header: Header) -> bool:
    """Whether a header has its kind's values for all that shapes a frame or a series."""
    return header.changed.isdisjoint(_SHAPING)


def frame_alike(header: Header, kin: Frame) -> Frame:
    """The one frame of a file that `is_alike`."""
    return Frame(
        header,
        0,
        1,
        kin.format,
        _position(header),
        kin.orientation,
        kin.spacing,
        kin.spacing_source,
    )


def _without_pixels(header: Header) -> str:
    modality = header.text(tags.Modality)
    kinds = {
        "SR": "a structured report",
        "PR": "a presentation state",
        "KO": "a key object selection",
        "RTPLAN": "a radiotherapy plan",
        "RTSTRUCT": "a radiotherapy structure set",
        "ECG": "a waveform",
    }
    if modality in kinds:
        return f"it is {kinds[modality]}, not an image"
    return "it holds no pixel data"


_SHAPING = frozenset(
    {
        tags.ImageType,
        tags.SeriesInstanceUID,
        tags.PatientID,
        tags.PatientName,
        tags.PatientBirthDate,
        tags.PatientSex,
        tags.NumberOfFrames,
        tags.GridFrameOffsetVector,
        tags.SharedFunctionalGroups,
        tags.PerFrameFunctionalGroups,
        tags.ImageOrientationPatient,
        tags.PixelSpacing,
        tags.NominalScannedPixelSpacing,
        tags.ImagerPixelSpacing,
        tags.SequenceOfUltrasoundRegions,
    }
    | {tags.Rows, tags.Columns, tags.SamplesPerPixel, tags.PlanarConfiguration}
    | {tags.BitsAllocated, tags.BitsStored, tags.HighBit, tags.PixelRepresentation}
    | {tags.PhotometricInterpretation, tags.PixelPaddingValue}
)
"""What makes a frame's format, orientation and spacing, and the series that it belongs to."""


def _frame_count(header: Header, layout: PixelFormat, pixels: PixelElement) -> int:
    """Number of frames, checked against what the file holds."""
    stated = header.whole(tags.NumberOfFrames)
    count = stated if stated and stated > 0 else 1
    if pixels.length == UNDEFINED:
        if header.transfer_syntax in NATIVE:
            raise UnreadableImageError(header.path, "its pixel data have no stated length")
        if count > len(header.fragments):
            raise UnreadableImageError(
                header.path,
                f"it states {count} frames and holds {len(header.fragments)} compressed pieces",
            )
        return count
    frame_bytes = -(-layout.frame_bits // 8)
    needed = -(-layout.frame_bits * count // 8)
    if stated is None and tags.NumberOfFrames in header.raw and pixels.length >= frame_bytes:
        count = pixels.length // frame_bytes
        needed = frame_bytes * count
    there = pixels.length
    if not header.is_deflated:
        there = min(there, header.size - pixels.offset)
    if there < needed:
        what = (
            "the file ends before its pixel data are complete"
            if there < pixels.length
            else "its pixel data are shorter than its header says"
        )
        raise UnreadableImageError(header.path, f"{what} ({there:,} of {needed:,} bytes)")
    return count


def _per_frame(header: Header, count: int) -> list[Header]:
    """One header a frame, with shared and per-frame functional groups merged in."""
    offsets = header.floats(tags.GridFrameOffsetVector)
    shared: Item = {}
    for item in header.sequence(tags.SharedFunctionalGroups)[:1]:
        _flatten(item, header.encoding, shared, header)
    own = header.sequence(tags.PerFrameFunctionalGroups)
    if own and len(own) < count:
        raise UnreadableImageError(
            header.path, f"it states {count} frames and describes {len(own)}"
        )
    base = {
        tag: value
        for tag, value in header.raw.items()
        if tag not in (tags.SharedFunctionalGroups, tags.PerFrameFunctionalGroups)
    } | shared
    result: list[Header] = []
    for number in range(count):
        merged = dict(base)
        if own:
            _flatten(own[number], header.encoding, merged, header)
        if len(offsets) == count:
            position = _dose_position(merged, offsets[number] - offsets[0])
            if position is not None:
                merged[tags.ImagePositionPatient] = position
        result.append(replace(header, raw=merged))
    return result


def _flatten(item: Item, encoding: Encoding, into: Item, header: Header, depth: int = 0) -> None:
    """Copy the wanted attributes of a functional group and its macros into one level."""
    for tag, value in item.items():
        if tag in _MACROS and depth < 3:
            try:
                inner = items(value, encoding)
            except MalformedError as error:
                raise UnreadableImageError(header.path, str(error)) from error
            for one in inner[:1]:
                _flatten(one, encoding, into, header, depth + 1)
        elif tag in tags.IMAGE_HEADER:
            into[tag] = value


_MACROS = frozenset(
    {
        tags.FrameContentSequence,
        tags.PlanePositionSequence,
        tags.PlaneOrientationSequence,
        tags.PixelMeasuresSequence,
        tags.FrameVOILUTSequence,
        tags.PixelValueTransformationSequence,
        tags.MREchoSequence,
        tags.MRDiffusionSequence,
        tags.DiffusionGradientDirectionSequence,
        tags.MRTimingAndRelatedParametersSequence,
        tags.MRModifierSequence,
        tags.CardiacSynchronizationSequence,
        tags.TemporalPositionSequence,
        tags.CTReconstructionSequence,
        tags.CTXRayDetailsSequence,
        *tags.FrameTypeSequences,
    }
)


def _dose_position(raw: Item, offset: float) -> bytes | None:
    position = decimal_values(raw.get(tags.ImagePositionPatient, b""))
    orientation = decimal_values(raw.get(tags.ImageOrientationPatient, b""))
    if len(position) != 3 or len(orientation) != 6:
        return None
    normal = cross(orientation[:3], orientation[3:])
    moved = (p + offset * n for p, n in zip(position, normal, strict=True))
    return "\\".join(repr(value) for value in moved).encode()


def cross(a: tuple[float, ...], b: tuple[float, ...]) -> Vector:
    """Cross product of two 3-vectors."""
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


@lru_cache(maxsize=1024)
def _orientation(raw: bytes) -> tuple[float, ...] | None:
    """Unit row and column directions, or None if they are not two perpendicular directions."""
    values = decimal_values(raw)
    if len(values) != 6:
        return None
    row, column = values[:3], values[3:]
    lengths = math.hypot(*row), math.hypot(*column)
    if min(lengths) < 0.5 or max(lengths) > 1.5:
        return None
    unit_row = tuple(v / lengths[0] for v in row)
    unit_column = tuple(v / lengths[1] for v in column)
    if abs(sum(a * b for a, b in zip(unit_row, unit_column, strict=True))) > 0.02:
        return None
    return unit_row + unit_column


_SPACINGS = (
    (tags.PixelSpacing, "PixelSpacing"),
    (tags.NominalScannedPixelSpacing, "NominalScannedPixelSpacing"),
    (tags.ImagerPixelSpacing, "ImagerPixelSpacing"),
)


def _spacing(header: Header) -> tuple[tuple[float, float] | None, str]:
    for tag, name in _SPACINGS:
        values = header.floats(tag) if tag in header.raw else ()
        if len(values) == 2 and min(values) > 0 and max(values) < 1e4:
            return (values[0], values[1]), name
    return _ultrasound_spacing(header)


def _ultrasound_spacing(header: Header) -> tuple[tuple[float, float] | None, str]:
    """Millimetres from the one calibrated region, where all regions agree (PS3.3 C.8.5.5)."""
    found: set[tuple[float, float]] = set()
    order: Literal["big", "little"] = "big" if header.encoding.big_endian else "little"
    for region in header.sequence(tags.SequenceOfUltrasoundRegions):
        units = [
            region.get(tag, b"\0\0")[:2]
            for tag in (tags.PhysicalUnitsXDirection, tags.PhysicalUnitsYDirection)
        ]
        if any(int.from_bytes(unit, order) != 3 for unit in units):  # 3: centimetres
            continue
        deltas = [
            double_values(region.get(tag, b""), header.encoding.big_endian)
            for tag in (tags.PhysicalDeltaY, tags.PhysicalDeltaX)
        ]
        if all(len(d) == 1 and d[0] != 0 for d in deltas):
            found.add((abs(deltas[0][0]) * 10, abs(deltas[1][0]) * 10))
    if len(found) == 1:
        return found.pop(), "SequenceOfUltrasoundRegions"
    return None, ""


def _position(header: Header) -> Vector | None:
    raw = header.raw.get(tags.ImagePositionPatient)
    if raw is None:
        return None
    try:  # for thousands of headers: without the detour of `Header.floats`
        x, y, z = map(float, raw.split(b"\\"))
        if math.isfinite(x + y + z):
            return x, y, z
    except ValueError:
        pass
    position = header.floats(tags.ImagePositionPatient)
    return (position[0], position[1], position[2]) if len(position) == 3 else None


def _frame(header: Header, number: int, count: int, layout: PixelFormat) -> Frame:
    raw = header.raw.get(tags.ImageOrientationPatient)
    orientation = _orientation(raw) if raw else None
    spacing, source = _spacing(header)
    return Frame(
        header=header,
        number=number,
        frames=count,
        format=layout,
        position=_position(header),
        orientation=orientation,
        spacing=spacing,
        spacing_source=source,
    )
