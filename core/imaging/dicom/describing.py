"""A stack of frames as a series to be shown: what its headers say, and what it is warned of."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from core.imaging.dicom import tags
from core.imaging.dicom.frames import Frame
from core.imaging.dicom.headers import Header
from core.imaging.dicom.overlays import has_overlays
from core.imaging.dicom.part import Part, says_localiser
from core.imaging.dicom.pixels import highest, lut_of, modality_lut_of
from core.imaging.dicom.stacking import stack
from core.imaging.dicom.values import local_text
from core.imaging.dicom.walk import Item
from core.imaging.intensity import Quantity, VoiTable, Window, WindowFunction
from core.imaging.volume import ImageWarning, SeriesSummary


@dataclass(frozen=True, eq=False)
class DicomStack:
    """One series to be shown: its summary and the frames behind its slices, in order."""

    summary: SeriesSummary
    frames: tuple[Frame, ...]


def describe(uid: str, part: Part, patients: dict[str, set[str]], shares_uid: bool) -> DicomStack:
    """Stack the frames of one part of a series.

    patients: folder → the persons whose images lie in it. shares_uid: whether images of other
    persons carry the same Series Instance UID.
    """
    stacked = stack(part.frames)
    frames = stacked.frames
    middle = frames[len(frames) // 2].header
    warnings = [*part.warnings, *stacked.warnings, *_of_folder(frames, patients, shares_uid)]
    is_volume = stacked.is_volume
    if any(map(says_localiser, {frame.header.raw.get(tags.ImageType, b"") for frame in frames})):
        is_volume = False
        warnings.insert(0, ImageWarning("localiser", "These are localisers, not a volume."))
    warnings += _contradictions(frames)
    warnings += _drawings(frames)
    quantity = _quantity(frames)
    if quantity is Quantity.COLOUR and len(frames) > 1:
        is_volume = False
        if not any(w.code == "not-a-volume" for w in warnings):
            warnings.append(ImageWarning("not-a-volume", "Colour images do not form a volume."))
    description = middle.name(tags.SeriesDescription)
    if part.words:
        description = f"{description} ({', '.join(part.words)})".strip()
    suffix = "|".join(part.marks)
    summary = SeriesSummary(
        uid=uid,
        case_id="dicom-" + hashlib.sha256(f"{uid}|{suffix}".encode()).hexdigest()[:24],
        modality=middle.text(tags.Modality),
        description=description,
        geometry=stacked.geometry,
        quantity=quantity,
        transfer_syntax=middle.transfer_syntax,
        slice_ids=_slice_ids(frames),
        warnings=tuple(_merged(warnings)),
        windows=_windows(frames),
        is_volume=is_volume,
        patient_name=middle.name(tags.PatientName),
        patient_id=middle.name(tags.PatientID),
        study_date=middle.text(tags.StudyDate),
        study_description=middle.name(tags.StudyDescription),
        is_synthetic=_is_synthetic(middle),
        path=_common_folder(frames),
    )
    return DicomStack(summary, frames)


def _slice_ids(frames: Sequence[Frame]) -> tuple[str, ...]:
    found: dict[str, int] = {}
    result: list[str] = []
    for frame in frames:
        name = frame.slice_id
        found[name] = found.get(name, 0) + 1
        result.append(name if found[name] == 1 else f"{name}~{found[name]}")
    return tuple(result)


def _common_folder(frames: Sequence[Frame]) -> Path:
    first = frames[0].header
    if all(frame.header.file == first.file for frame in frames):
        return first.path
    folders = {Path(name) for name in {frame.header.folder for frame in frames}}
    shared = next(iter(folders))
    while not all(folder.is_relative_to(shared) for folder in folders):
        shared = shared.parent
    return shared


def _merged(warnings: Sequence[ImageWarning]) -> list[ImageWarning]:
    """Each code and sentence once, in their order."""
    return list(dict.fromkeys(warnings))


def _of_folder(
    frames: Sequence[Frame], patients: dict[str, set[str]], shares_uid: bool
) -> list[ImageWarning]:
    if shares_uid:
        return [
            ImageWarning(
                "several-patients",
                "Images of several patients carry this series' identifier: they are shown apart.",
            )
        ]
    count = max(len(patients[folder]) for folder in {f.header.folder for f in frames})
    if count > 1:
        return [
            ImageWarning(
                "several-patients", f"The folder of this series holds images of {count} patients."
            )
        ]
    return []


def _drawings(frames: Sequence[Frame]) -> list[ImageWarning]:
    kinds = {frame.header.kin: frame.header for frame in frames}  # alike: the same attributes
    if 0 not in kinds and not any(map(has_overlays, kinds.values())):
        return []
    drawn = tuple(i for i, frame in enumerate(frames) if has_overlays(frame.header))
    if not drawn:
        return []
    some = "The image carries" if len(frames) == 1 else f"{len(drawn)} images carry"
    return [
        ImageWarning(
            "overlays",
            f"{some} overlay planes (drawings or regions): they are no part of the voxels.",
            drawn,
        )
    ]


def _contradictions(frames: Sequence[Frame]) -> list[ImageWarning]:
    found: list[ImageWarning] = []

    def differ(tag: int, what: str) -> None:
        stated = {frame.header.raw.get(tag, b"") for frame in frames}
        values = {value.strip(b" \0") for value in stated}
        if len(values) > 1:
            found.append(
                ImageWarning(
                    "contradicting-tags",
                    f"The slices of this series state {len(values)} different {what}.",
                )
            )

    differ(tags.FrameOfReferenceUID, "frames of reference")
    differ(tags.Modality, "modalities")
    differ(tags.StudyInstanceUID, "studies")
    differ(tags.RescaleType, "rescale types")
    first = frames[0]
    nominal = first.header.floats(tags.ImagerPixelSpacing)
    if (
        first.spacing_source == "PixelSpacing"
        and len(nominal) == 2
        and first.header.text(tags.Modality) in ("CR", "DX", "MG", "IO", "PX", "XA", "RF")
        and first.spacing is not None
        and abs(nominal[0] - first.spacing[0]) < 1e-6
    ):
        found.append(
            ImageWarning(
                "detector-spacing",
                "Millimetres are measured at the detector (PixelSpacing = ImagerPixelSpacing): "
                "objects in the patient are smaller than they measure here.",
            )
        )
    return found


def _quantity(frames: Sequence[Frame]) -> Quantity:
    first = frames[0]
    if first.format.is_colour:
        return Quantity.COLOUR
    header = first.header
    kind = header.text(tags.RescaleType).upper()
    rescaled = tags.RescaleSlope in header.raw or tags.RescaleIntercept in header.raw
    eight_bits = first.format.kind == "i" and first.format.stored <= 8
    if kind in ("HU", "HU_MOD") and not eight_bits:
        return Quantity.HU
    secondary = "SECONDARY" in header.text(tags.ImageType).upper().split("\\")
    is_ct = header.text(tags.Modality) == "CT" and rescaled and kind in ("", "HU")
    if is_ct and not (eight_bits and secondary):
        return Quantity.HU
    if eight_bits and first.format.allocated > 1:
        return Quantity.GREY
    return Quantity.SIGNAL


_MARKS = ("SYNTHETIC", "PHANTOM-SYNTHETIC", "SIMULATED")


def _is_synthetic(header: Header) -> bool:
    if header.text(tags.SyntheticData).upper() == "YES":
        return True
    told = (tags.ImageComments, tags.SeriesDescription, tags.PatientName, tags.PatientComments)
    return any(mark in header.text(tag).upper() for tag in told for mark in _MARKS)


def _windows(frames: Sequence[Frame]) -> tuple[Window, ...]:
    """The header's windows and VOI LUTs, of the middle slice, in modality values."""
    frame = frames[len(frames) // 2]
    header = frame.header
    centers, widths = header.floats(tags.WindowCenter), header.floats(tags.WindowWidth)
    names = header.name(tags.WindowExplanation).split("\\")
    told = header.text(tags.VOILUTFunction).upper()
    function = (
        WindowFunction(told) if told in WindowFunction._value2member_map_ else WindowFunction.LINEAR
    )
    smallest = 1.0 if function is WindowFunction.LINEAR else 1e-9
    turned = None
    if frame.format.photometric == "MONOCHROME1" and frame.format.kind == "i":
        slope, intercept = rescale(header)
        turned = slope * highest(frame.format, modality_lut_of(header)) + 2 * intercept
    windows: list[Window] = []
    for i, (center, width) in enumerate(zip(centers, widths, strict=False)):
        if width < smallest:
            continue
        name = names[i] if i < len(names) and names[i] else f"Header {i + 1}"
        middle = center
        if turned is not None:
            middle = turned - center + (1 if function is WindowFunction.LINEAR else 0)
        if all((one.center, one.width) != (middle, width) for one in windows):
            windows.append(Window(middle, width, name, function))
    for i, item in enumerate(header.sequence(tags.VOILUTSequence)[:16]):
        window = _table_window(item, header, i, turned)
        if window is not None:
            windows.append(window)
    return tuple(windows)


def _table_window(item: Item, header: Header, number: int, turned: float | None) -> Window | None:
    """A VOI LUT as a window; turned: as in MONOCHROME1, value' = turned − value."""
    lut = lut_of(item, header)
    descriptor = item.get(tags.LUTDescriptor, b"")
    if lut is None:
        return None
    order: Literal["big", "little"] = "big" if header.encoding.big_endian else "little"
    bits = int.from_bytes(descriptor[4:6], order)
    top = (1 << bits) - 1 if 8 <= bits <= 16 else 65535
    levels = np.minimum(lut.table.astype(np.float64) / max(top, int(lut.table.max())), 1.0)
    first, last = float(lut.first), float(lut.first + len(levels) - 1)
    if turned is not None:
        levels, first, last = 1 - levels[::-1], turned - last, turned - first
    table = VoiTable(first, np.rint(levels * 65535).astype("<u2").tobytes())
    name = local_text(item.get(tags.LUTExplanation, b""), b"", tags.LUTExplanation)
    return Window(
        (first + last) / 2,
        last - first + 1,
        name or f"Header table {number + 1}",
        WindowFunction.LINEAR_EXACT,
        table,
    )


def rescale(header: Header) -> tuple[float, float]:
    """Slope and intercept of the Modality LUT; (1, 0) where absent, senseless, or a table."""
    if tags.ModalityLUTSequence in header.raw and modality_lut_of(header) is not None:
        return 1.0, 0.0
    slope, intercept = header.number(tags.RescaleSlope), header.number(tags.RescaleIntercept)
    if slope is None and intercept is None:
        dose = header.number(tags.DoseGridScaling)
        return (dose, 0.0) if dose else (1.0, 0.0)
    return (slope if slope else 1.0), (intercept if intercept is not None else 0.0)
