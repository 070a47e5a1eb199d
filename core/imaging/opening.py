"""Opening whatever a person points at: what it is, is told by its content, never by its name."""

from __future__ import annotations

import contextlib
import gc
import os
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from core.errors import CancelledError, CoreError, NothingToOpenError, UnreadableImageError
from core.imaging import decoding
from core.imaging.collections import Unpacked, is_zip, listed_files
from core.imaging.dicom.headers import START, FileReader, Header, looks_like_dicom
from core.imaging.dicom.reader import DicomSeries
from core.imaging.dicom.scanning import HeaderScanner
from core.imaging.dicom.series import find_series, reason_of
from core.imaging.loading import LookAhead
from core.imaging.medical import MedicalVolume
from core.imaging.metaimage import looks_like_metaimage, read_metaimage
from core.imaging.nifti import (
    header_beside,
    inflated_start,
    looks_like_gzip,
    looks_like_nifti,
    read_nifti,
)
from core.imaging.nrrd import looks_like_nrrd, read_nrrd
from core.imaging.picture_headers import kind_of
from core.imaging.pictures import find_pictures, natural_key
from core.imaging.volume import Cancelled, Opened, Progress, Series, Skipped
from core.imaging.volume_files import VolumeFile

_MOST_FILES = 200_000
_HEADERS_AHEAD = 1 << 14
"""Bytes of the next files that are asked for where the disk is slow: most headers end before."""
_NOT_AN_IMAGE = "it is not an image in a format that Sliceloop reads"


def open_path(
    path: Path, *, progress: Progress | None = None, cancelled: Cancelled | None = None
) -> Opened:
    """Find the series under a path: a folder (with all inside it) or one file.

    Only headers are read. In a folder, files that cannot be read are skipped and reported; a
    single file that cannot be read raises. The order of series does not depend on file names
    but for pictures, whose names are all that orders them.

    Raises NothingToOpenError, UnreadableImageError, TooLargeError, CancelledError.
    """
    path = Path(path)
    if path.is_dir():
        return _open_files(path, list(_files(path, cancelled)), progress, cancelled)
    if not path.exists():
        raise NothingToOpenError(path)
    if _starts_as_zip(path):
        return _open_zip(path, progress, cancelled)
    found = _Found()
    found.look_at(str(header_beside(path) or path))
    if found.headers and found.headers[0].is_directory:
        return _open_directory(found.headers[0], progress, cancelled)
    opened = found.opened()
    if not opened.series:
        reason = opened.skipped[0].reason if opened.skipped else _NOT_AN_IMAGE
        remedy = "Choose a DICOM, NIfTI, NRRD, MHA, TIFF, PNG or JPEG file."
        raise found.first_error or UnreadableImageError(
            path, reason, remedy if reason == _NOT_AN_IMAGE else ""
        )
    return opened


def _starts_as_zip(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return is_zip(stream.read(4))
    except OSError as error:
        raise UnreadableImageError(
            path, (error.strerror or "it cannot be opened").lower(), "Check that it is readable."
        ) from error


def _open_zip(path: Path, progress: Progress | None, cancelled: Cancelled | None) -> Opened:
    unpacked = Unpacked(path)
    try:
        opened = _open_files(path, list(_files(unpacked.folder, cancelled)), progress, cancelled)
    except CoreError:
        unpacked.close()
        raise
    skipped = tuple(Skipped(unpacked.said(one.file), one.reason) for one in opened.skipped)
    # The unpacked files live as long as a series that reads them.
    for series in opened.series:
        weakref.finalize(series, _let_go, unpacked)
    return Opened(opened.series, skipped)


def _let_go(unpacked: Unpacked) -> None:
    """Drop a reference to an unpacked archive; the last one removes its folder."""
    del unpacked


def _open_directory(
    directory: Header, progress: Progress | None, cancelled: Cancelled | None
) -> Opened:
    folder = directory.path.parent
    files, missing = listed_files(directory, map(Path, _files(folder, cancelled)))
    if not files:
        raise UnreadableImageError(
            directory.path,
            "it is a DICOM directory (DICOMDIR) whose images are not beside it",
            "Copy the whole medium, not this file alone.",
        )
    opened = _open_files(folder, [str(file) for file in files], progress, cancelled)
    if not missing:
        return opened
    lost = Skipped(directory.path, f"it lists {missing} files that are not there")
    return Opened(opened.series, (lost, *opened.skipped))


def _open_files(
    folder: Path, files: list[str], progress: Progress | None, cancelled: Cancelled | None
) -> Opened:
    found = _Found()
    ahead = LookAhead(files, _HEADERS_AHEAD)
    with _without_collections():
        for done, file in enumerate(files):
            if done % 32 == 0:
                if cancelled is not None and cancelled():
                    raise CancelledError("opening")
                if progress is not None:
                    progress(done, len(files))
            ahead.begin()
            found.look_at(file)
            ahead.done(done)
        opened = found.opened()
    if progress is not None:
        progress(len(files), len(files))
    if not opened.series:
        raise NothingToOpenError(folder, len(files))
    return opened


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """No garbage collection meanwhile: many small objects are made, and none of them is garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _files(folder: Path, cancelled: Cancelled | None) -> Iterator[str]:
    """All regular files below a folder, hidden ones left out.

    As text: a Path costs as much as reading a header.
    """
    count = 0
    waiting = [str(folder)]
    while waiting:
        here = waiting.pop()
        if cancelled is not None and cancelled():
            raise CancelledError("opening")
        try:
            with os.scandir(here) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if here == str(folder):
                raise UnreadableImageError(
                    folder, (error.strerror or "it cannot be opened").lower()
                ) from error
            continue
        folders: list[str] = []
        for entry in inside:
            if entry.name.startswith((".", "__MACOSX")):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_file():
                    count += 1
                    if count > _MOST_FILES:
                        return
                    yield entry.path
            except OSError:
                continue
        waiting += reversed(folders)


_VOLUME_READERS: tuple[tuple[Callable[[bytes], bool], Callable[[Path], list[VolumeFile]]], ...] = (
    (looks_like_nifti, read_nifti),
    (looks_like_nrrd, read_nrrd),
    (looks_like_metaimage, read_metaimage),
)


class _Found:
    """Files sorted by what they are."""

    def __init__(self) -> None:
        self.scanner = HeaderScanner()
        self.headers: list[Header] = []
        self.volumes: list[VolumeFile] = []
        self.pictures: list[Path] = []
        self.skipped: list[Skipped] = []
        self.first_error: CoreError | None = None

    def look_at(self, file: str) -> None:
        """Put a file where it belongs, or among the skipped."""
        try:
            header = self.scanner.next_of_kind(file)
            if header is not None:
                self.headers.append(header)
            else:
                self._sort(file)
        except CoreError as error:
            self.first_error = self.first_error or error
            self.skipped.append(Skipped(Path(file), reason_of(error)))
        except OSError as error:
            reason = (error.strerror or "it cannot be opened").lower()
            self.first_error = self.first_error or UnreadableImageError(
                Path(file), reason, "Check that it is readable."
            )
            self.skipped.append(Skipped(Path(file), reason))

    def _sort(self, name: str) -> None:
        with FileReader(name) as file:
            start = file.read(0, max(START, self.scanner.length))
            if start[128:132] == b"DICM":  # before all else: its preamble may begin a TIFF
                self.headers.append(self.scanner.parse(file, start))
                return
            path = Path(name)
            if not start:
                raise UnreadableImageError(path, "it is empty")
            if kind_of(start):
                self.pictures.append(path)
                return
            if looks_like_dicom(start):
                self.headers.append(self.scanner.parse(file, start))
                return
            if is_zip(start):
                raise UnreadableImageError(path, "it is a ZIP archive", "Open it by itself.")
            if looks_like_gzip(start):
                start = inflated_start(path)
                if not looks_like_nifti(start):
                    raise UnreadableImageError(
                        path, "it is a gzip archive that holds no NIfTI image", "Unpack it first."
                    )
        for matches, read in _VOLUME_READERS:
            if matches(start):
                self.volumes += read(path)
                return
        raise UnreadableImageError(path, _NOT_AN_IMAGE)

    def opened(self) -> Opened:
        """The series of all files."""
        stacks, skipped = find_series(self.headers)
        dicom = [DicomSeries(stack) for stack in stacks]
        volumes = [MedicalVolume(volume) for volume in self.volumes]
        if any(one.is_compressed for one in dicom) or any(one.is_compressed for one in volumes):
            decoding.warm_up()
        pictures, unusable = find_pictures(self.pictures)
        series: list[Series] = [*dicom, *volumes, *pictures]
        # The data half of a header-and-data pair is no stray file.
        parts = {part for volume in self.volumes for part, _ in volume.parts}
        own = [one for one in self.skipped if one.file.resolve() not in parts]
        everything = [*own, *skipped, *unusable]
        everything.sort(key=lambda one: natural_key(str(one.file)))
        return Opened(tuple(series), tuple(everything))
