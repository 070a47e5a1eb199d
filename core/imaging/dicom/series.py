"""From headers to series: grouped, split, stacked, described and warned about."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from core.errors import CoreError, UnreadableImageError
from core.imaging.dicom import tags
from core.imaging.dicom.describing import DicomStack, describe
from core.imaging.dicom.frames import Frame, frame_alike, frames_of, has_usual_shape, is_alike
from core.imaging.dicom.headers import FileReader, Header
from core.imaging.dicom.mosaic import is_mosaic, tiles
from core.imaging.dicom.patients import Who, patient_of, persons
from core.imaging.dicom.splitting import split
from core.imaging.volume import Skipped
from core.sentences import sentence


@dataclass(frozen=True, slots=True)
class _Kin:
    """The first frame of files that are written alike, and what goes for all of them.

    series: the Series Instance UID, or "". group: where their frames are gathered.
    """

    frame: Frame
    series: str
    patient: Who
    folder: str
    group: list[Frame]


def reason_of(error: CoreError) -> str:
    """Why a file is skipped, as a clause: the error's own reason, or its sentence."""
    if isinstance(error, UnreadableImageError):
        return error.reason
    return sentence(error).what


def find_series(headers: Iterable[Header]) -> tuple[list[DicomStack], list[Skipped]]:
    """Group headers into series, in an order that does not depend on file names.

    Files that hold no image, or one that is there already, come back as skipped.
    """
    gathered = _Gathered()
    for header in sorted(headers, key=attrgetter("file")):
        gathered.add(header)
    person = persons({who for _, who in gathered.groups})
    patients = {folder: {person[who] for who in names} for folder, names in gathered.said.items()}
    together: dict[tuple[str, str], list[Frame]] = defaultdict(list)
    for (uid, who), frames in gathered.groups.items():
        together[(uid, person[who])] += frames
    found: list[DicomStack] = []
    for (uid, someone), frames in together.items():
        others = [p for u, p in together if u == uid and p != someone]
        for part in split(frames):
            if others:
                part.marks = (*part.marks, f"patient-{_short(someone)}")
            found.append(describe(uid, part, patients, bool(others)))
    found.sort(key=_order)
    return found, gathered.skipped


class _Gathered:
    """The frames of many files by series and patient, each image once.

    said: folder → the patients that its files name.
    """

    def __init__(self) -> None:
        self.groups: dict[tuple[str, Who], list[Frame]] = defaultdict(list)
        self.said: dict[str, set[Who]] = defaultdict(set)
        self.skipped: list[Skipped] = []
        self._seen: dict[str, list[Header]] = {}
        self._kinds: dict[int, _Kin] = {}

    def add(self, header: Header) -> None:
        """Take in one file: most are like one before, and cost little."""
        kin = self._kinds.get(header.kin)
        if kin is not None and is_alike(header, kin.frame):
            folder = header.folder
            if kin.series or kin.folder == folder:
                if self._is_new(header):
                    kin.group.append(frame_alike(header, kin.frame))
                    if kin.folder != folder:
                        self.said[folder].add(kin.patient)
                return
        if header.is_directory:
            return  # a medium's list of its images: nothing to show, and nothing is missing
        try:
            frames = frames_of(header)
            if is_mosaic(header):
                frames = [tile for frame in frames for tile in tiles(frame)]
        except CoreError as error:
            self.skipped.append(Skipped(header.path, reason_of(error)))
            return
        if self._is_new(header):
            self._gather(header, frames)

    def _is_new(self, header: Header) -> bool:
        uid = header.text(tags.SOPInstanceUID)
        if not uid:
            return True
        known = self._seen.get(uid)
        if known is None:
            self._seen[uid] = [header]
            return True
        twin = next((one for one in known if _is_copy(header, one)), None)
        if twin is None:
            known.append(header)
            return True
        self.skipped.append(Skipped(header.path, f"it is a copy of {twin.path.name}"))
        return False

    def _gather(self, header: Header, frames: list[Frame]) -> None:
        patient, folder = patient_of(header), header.folder
        self.said[folder].add(patient)
        series = header.text(tags.SeriesInstanceUID)
        group = self.groups[(series or Path(folder).name, patient)]
        group += frames
        if not header.kin or len(frames) != 1 or frames[0].tile is not None:
            return
        if has_usual_shape(header):
            self._kinds.setdefault(header.kin, _Kin(frames[0], series, patient, folder, group))


def _is_copy(one: Header, other: Header) -> bool:
    """Whether two files of one SOP Instance UID are the same image.

    The UID alone does not tell: careless anonymisers give all slices the same one.
    """
    if one.raw != other.raw:
        return False
    if one.transfer_syntax != other.transfer_syntax:
        return True
    return _pixel_bytes(one) == _pixel_bytes(other)


def _pixel_bytes(header: Header) -> bytes:
    try:
        with FileReader(header.path) as file:
            return file.read(header.pixels.offset, file.size) if header.pixels else b""
    except OSError:
        return b""


def _order(one: DicomStack) -> tuple[object, ...]:
    header = one.frames[0].header
    number = header.whole(tags.SeriesNumber)
    return (
        header.text(tags.PatientID),
        header.text(tags.StudyDate),
        header.text(tags.StudyInstanceUID),
        number if number is not None else 1 << 31,
        one.summary.uid,  # parts of one series stay in the order of their splitting
    )


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
