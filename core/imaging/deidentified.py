"""Series on their way out: arrays with an allow-listed page of facts, or de-identified DICOM.

Arrays are the default: they have no header in which anything could be forgotten. DICOM files are
made anew: pixels as our own reader decoded them (so that nothing rides in unused bits, trailing
bytes or codec comments), what `core.imaging.keep_list` lets pass, and nothing else. Pictures that
probably have text burned in are refused until a person has looked at them.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core import durable, places
from core.errors import BurnedInTextError, NotDurableError, UnreadableImageError
from core.imaging.deidentify import (
    MODALITIES,
    allowed_facts,
    date_shift,
    patient_name_of,
    pseudonym,
    uid_pseudonym,
)
from core.imaging.dicom import tags
from core.imaging.dicom.attributes import read_attributes
from core.imaging.dicom.frames import Frame
from core.imaging.dicom.reader import DicomSeries
from core.imaging.volume import Progress, Series, Volume

Form = Literal["arrays", "dicom"]

MANIFEST = "export.json"

_TEXT_MODALITIES = frozenset({"US", "XA", "RF", "ES", "SC", "OT", "PX", "XC", "IVUS", "GM", "OP"})
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_TEXT_TYPES = frozenset({"SECONDARY", "SCREEN SAVE"})

_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
}
"""Modality → the class of single-frame objects under which its slices leave; the others leave
as secondary captures. Source: PS3.4 B.5."""


@dataclass(frozen=True)
class Exported:
    """What an export made. series: codes of the series, which are also their folders' names."""

    series: tuple[str, ...]
    files: int


def text_is_likely(series: Series) -> str | None:
    """Why pictures of a series probably have text burned in; None if nothing says so.

    Judged from the header alone, for DICOM: it says so itself, or does not deny it and comes
    from where text is usual (ultrasound, fluoroscopy, screenshots, secondary captures).
    """
    if not isinstance(series, DicomSeries):
        return None
    reasons = (_why_text(frame) for frame in series.frames)
    return next((reason for reason in reasons if reason is not None), None)


def text_unseen(series: Series, key: bytes) -> str | None:
    """As `text_is_likely`; None, too, once a person has looked at the series."""
    why = text_is_likely(series)
    return None if why is None or was_looked_at(series, key) else why


def note_looked(case_ids: Sequence[str], key: bytes, by: str) -> None:
    """A person has looked at every picture of some series: no text in them names anybody.

    Kept in this profile, by code, with the person's name. Raises NotDurableError.
    """
    codes = [pseudonym(key, f"case:{case_id}") for case_id in case_ids]
    _note({"looked_at": codes, "by": by.strip()})


def was_looked_at(series: Series, key: bytes) -> bool:
    """Whether somebody has looked at a series (see `note_looked`)."""
    code = pseudonym(key, f"case:{series.summary.case_id}")
    return any(code in line.get("looked_at", ()) for line in _noted())


def _why_text(frame: Frame) -> str | None:
    header = frame.header
    stated = header.text(tags.BurnedInAnnotation).upper()
    if stated == "YES":
        return "their header says so"
    if stated == "NO":
        return None
    modality = header.text(tags.Modality).upper()
    if modality in _TEXT_MODALITIES:
        return f"{modality} images often have"
    if header.sop_class.startswith(_SECONDARY_CAPTURE):
        return "they are secondary captures"
    kinds = {part.strip().upper() for part in header.text(tags.ImageType).split("\\")}
    if kinds & _TEXT_TYPES and not kinds & {"AXIAL", "LOCALIZER", "REFORMATTED", "MPR"}:
        return "they are screen captures"
    return None


def export_series(
    chosen: Sequence[Series],
    out: Path,
    key: bytes,
    *,
    form: Form = "arrays",
    looked_at_by: str = "",
    progress: Progress | None = None,
) -> Exported:
    """Write series de-identified into a new folder: complete, or not at all.

    key: this site's key (`site_key`). looked_at_by: the person who has looked at every picture
    and found no text that names anybody; noted in this profile with the export.

    arrays: `<code>/pixels.npy`, stored values (slices, rows, columns[, 3]), and `facts.json`.
    dicom: `<code>/0001.dcm` …, explicit little endian, one file a slice.

    Raises BurnedInTextError if text is likely and nobody has looked, UnreadableImageError if a
    series cannot leave in that form, NotDurableError if it cannot be written or `out` exists.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise NotDurableError(out, "something is there already; an export never overwrites")
    if looked_at_by.strip():
        note_looked([one.summary.case_id for one in chosen], key, looked_at_by)
    for one in chosen:
        if why := text_unseen(one, key):
            raise BurnedInTextError(one.summary.path, why)
    codes: list[str] = []
    files = 0
    with durable.new_folder(out) as temporary:
        for number, one in enumerate(chosen):
            code = pseudonym(key, f"case:{one.summary.case_id}")
            folder = temporary / code
            folder.mkdir()
            volume = one.load()
            if form == "arrays":
                files += _arrays(volume, folder, key)
            else:
                files += _dicom(one, volume, folder, key, was_looked_at(one, key))
            codes.append(code)
            if progress is not None:
                progress(number + 1, len(chosen))
        durable.write_json(temporary / MANIFEST, _manifest(temporary, form))
        _note({"form": form, "series": codes})
    return Exported(tuple(codes), files)


def _arrays(volume: Volume, folder: Path, key: bytes) -> int:
    summary = volume.summary
    content = io.BytesIO()
    np.save(content, np.ascontiguousarray(volume.voxels), allow_pickle=False)
    (folder / "pixels.npy").write_bytes(content.getvalue())
    facts = {
        **allowed_facts(summary),
        "patient": pseudonym(key, patient_name_of(summary)),
        "slices": [pseudonym(key, f"slice:{name}") for name in summary.slice_ids],
        "slope": [float(value) for value in volume.slope],
        "intercept": [float(value) for value in volume.intercept],
    }
    (folder / "facts.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="ascii")
    return 2


def _dicom(series: Series, volume: Volume, folder: Path, key: bytes, is_looked_at: bool) -> int:
    if not isinstance(series, DicomSeries):
        raise UnreadableImageError(
            volume.summary.path,
            "it is no DICOM series, and leaves as arrays only",
            "Export it as arrays.",
        )
    if volume.voxels.dtype.kind == "f" or volume.voxels.dtype.itemsize > 2:
        raise UnreadableImageError(
            volume.summary.path,
            f"its values ({volume.voxels.dtype}) do not fit into DICOM pixel data",
            "Export it as arrays.",
        )
    shift = date_shift(key, patient_name_of(volume.summary))
    for index, frame in enumerate(series.frames):
        made = _file(frame, volume, index, key, shift, is_looked_at)
        (folder / f"{index + 1:04d}.dcm").write_bytes(made)
    return len(series.frames)


def _file(
    frame: Frame, volume: Volume, index: int, key: bytes, shift: timedelta, is_looked_at: bool
) -> bytes:
    """One slice as a DICOM file, made anew."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    from core.imaging.keep_list import KEPT, kept

    summary = volume.summary
    data = kept(read_attributes(frame.header, sorted(KEPT)), key, shift)
    modality = summary.modality if summary.modality in MODALITIES else "OT"
    patient = pseudonym(key, patient_name_of(summary))
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    kind = UID(_CLASSES.get(modality, _SECONDARY_CAPTURE))
    instance = UID(uid_pseudonym(key, summary.slice_ids[index]))
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, instance
    data.SOPClassUID, data.SOPInstanceUID = kind, instance
    data.SeriesInstanceUID = uid_pseudonym(key, summary.uid)
    if "StudyInstanceUID" not in data:
        data.StudyInstanceUID = uid_pseudonym(key, f"study of {summary.uid}")
    data.Modality = modality
    data.PatientName = data.PatientID = patient
    for empty in (
        *("PatientBirthDate", "PatientSex", "AccessionNumber", "ReferringPhysicianName"),
        *("StudyID", "StudyTime"),
    ):
        setattr(data, empty, "")
    if "StudyDate" not in data:
        data.StudyDate = ""
    data.InstanceNumber = index + 1
    _place(data, frame)
    _pixels(data, volume, index)
    data.PatientIdentityRemoved = "YES"
    data.DeidentificationMethod = _method()
    data.DeidentificationMethodCodeSequence = [_code(*pair) for pair in _PROFILES]
    data.LongitudinalTemporalInformationModified = "MODIFIED"
    if is_looked_at or frame.header.text(tags.BurnedInAnnotation).upper() == "NO":
        data.BurnedInAnnotation = "NO"
    if frame.header.text(tags.SyntheticData).upper() == "YES":
        data.SyntheticData = "YES"
    ordered = Dataset()
    ordered.update({element.tag: element for element in sorted(data, key=lambda e: e.tag)})
    file = FileDataset("", ordered, file_meta=meta, preamble=b"\0" * 128)
    content = io.BytesIO()
    file.save_as(content, enforce_file_format=True)
    return content.getvalue()


_PROFILES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)
"""Source: PS3.16 CID 7050."""


def _code(value: str, meaning: str) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _method() -> str:
    from core.imaging.keep_list import EDITION

    return f"Sliceloop keep-list, {EDITION}"


def _place(data: Any, frame: Frame) -> None:
    """Where the slice lies, as our own reader understood it."""
    if frame.position is not None:
        data.ImagePositionPatient = [f"{value:.10g}" for value in frame.position]
    if frame.orientation is not None:
        data.ImageOrientationPatient = [f"{value:.8g}" for value in frame.orientation]
    if frame.spacing is not None:
        data.PixelSpacing = [f"{value:.10g}" for value in frame.spacing]


def _pixels(data: Any, volume: Volume, index: int) -> None:
    pixels: NDArray[Any] = np.ascontiguousarray(volume.voxels[index])
    bits = 8 * pixels.dtype.itemsize
    data.Rows, data.Columns = pixels.shape[:2]
    data.BitsAllocated = data.BitsStored = bits
    data.HighBit = bits - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        data.PhotometricInterpretation, data.PlanarConfiguration = "RGB", 0
    else:
        data.PhotometricInterpretation = "MONOCHROME2"
        slope, intercept = float(volume.slope[index]), float(volume.intercept[index])
        if (slope, intercept) != (1.0, 0.0) or data.Modality == "CT":
            data.RescaleSlope, data.RescaleIntercept = f"{slope:.10g}", f"{intercept:.10g}"
    raw = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
    data.PixelData = raw + b"\0" * (len(raw) % 2)
    data["PixelData"].VR = "OW" if bits == 16 else "OB"


def _manifest(folder: Path, form: Form) -> dict[str, Any]:
    return {
        "form": form,
        "method": _method(),
        "options": [meaning for _, meaning in _PROFILES] if form == "dicom" else [],
        "files": {
            str(file.relative_to(folder).as_posix()): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        },
    }


def _note(facts: dict[str, Any]) -> None:
    """Who let what leave, kept in this profile; codes only."""
    line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **facts}
    durable.append_line(_notes(), json.dumps(line))


def _noted() -> list[dict[str, Any]]:
    """What was noted; lines that are damaged confirm nothing."""
    found = []
    try:
        text = _notes().read_text("utf-8", "replace")
    except OSError:
        return []
    for line in text.splitlines():
        try:
            facts = json.loads(line)
        except ValueError:
            continue
        if isinstance(facts, dict):
            found.append(facts)
    return found


def _notes() -> Path:
    return places.data_folder() / "exports.jsonl"
