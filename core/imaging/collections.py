"""Files that stand for many files: a DICOMDIR, and a ZIP archive.

Neither gets to name a path. What a DICOMDIR lists is compared with the files that are there;
what a ZIP holds is unpacked into numbered folders, under names without separators.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import psutil

from core import places
from core.errors import TooLargeError, UnreadableImageError
from core.imaging.dicom import tags
from core.imaging.dicom.headers import Header
from core.imaging.dicom.values import plain_text
from core.imaging.dicom.walk import MalformedError, items
from core.imaging.inflation import inflate_into

_MOST_MEMBERS = 200_000
_ALWAYS_ALLOWED = 2 << 30
_BEST_RATIO = 100
_SPARE_DISK = 1 << 30
_KINDS = {zipfile.ZIP_DEFLATED: "deflate", zipfile.ZIP_BZIP2: "bz2"}
"""What is inflated in a decoder process; what is stored is copied, all else refused."""


def listed_files(directory: Header, there: Iterable[Path]) -> tuple[list[Path], int]:
    """The files of `there` that a DICOMDIR lists, and how many it lists that are not there.

    there: the files below the DICOMDIR's folder. Names are compared without regard to case,
    endings such as “.dcm” and the “;1” of ISO 9660. A link that leads out of the folder counts
    as not there: a medium has none. Raises UnreadableImageError.
    """
    root = directory.path.parent
    home = root.resolve()
    wanted: set[tuple[str, ...]] = set()
    try:
        for record in items(
            directory.raw.get(tags.DirectoryRecordSequence, b""), directory.encoding
        ):
            name = plain_text(record.get(tags.ReferencedFileID, b""))
            if name:
                wanted.add(tuple(part.strip().upper() for part in name.split("\\")))
    except MalformedError as error:
        raise UnreadableImageError(directory.path, str(error)) from error
    found: list[Path] = []
    met: set[tuple[str, ...]] = set()
    for path in there:
        parts = path.relative_to(root).parts
        plain = tuple(part.upper().split(";")[0] for part in parts)
        bare = (*plain[:-1], plain[-1].rsplit(".", 1)[0])
        match = next((name for name in (plain, bare) if name in wanted), None)
        if match is not None and path.resolve().is_relative_to(home):
            found.append(path)
            met.add(match)
    return found, len(wanted - met)


def is_zip(start: bytes) -> bool:
    """Whether a file that begins with these bytes is a ZIP archive."""
    return start[:4] in (b"PK\x03\x04", b"PK\x05\x06")


class Unpacked:
    """A ZIP archive in a folder of its own, which goes when this object does.

    names: unpacked file → the name that it had in the archive, for messages only.
    """

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        home = places.cache_folder() / "unpacked"
        home.mkdir(mode=0o700, exist_ok=True)
        _remove_stale(home)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=home))
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.names: dict[Path, str] = {}
        try:
            self._unpack()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove the folder now."""
        self._finalizer()

    def said(self, path: Path) -> Path:
        """The path under which a person knows an unpacked file."""
        return self.archive / self.names[path] if path in self.names else path

    def _unpack(self) -> None:
        try:
            with zipfile.ZipFile(self.archive) as archive:
                members = [m for m in archive.infolist() if not m.is_dir() and not _hidden(m)]
                self._check(members)
                folders: dict[str, Path] = {}
                for member in members:
                    inside, _, name = member.filename.replace("\\", "/").rpartition("/")
                    if inside not in folders:
                        folders[inside] = self.folder / f"{len(folders):06d}"
                        folders[inside].mkdir()
                    self._one(archive, member, _free(folders[inside] / _harmless(name)))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise UnreadableImageError(self.archive, "it is a damaged ZIP archive") from error
        except RuntimeError as error:  # zipfile's way to say that a password is needed
            raise UnreadableImageError(
                self.archive, "it is a ZIP archive with a password", "Unpack it first."
            ) from error

    def _check(self, members: list[zipfile.ZipInfo]) -> None:
        if any(one.compress_type not in (zipfile.ZIP_STORED, *_KINDS) for one in members):
            raise UnreadableImageError(
                self.archive,
                "it is a ZIP archive packed in a way that Sliceloop does not read",
                "Unpack it first.",
            )
        if len(members) > _MOST_MEMBERS:
            raise UnreadableImageError(self.archive, f"it holds {len(members):,} files")
        total = sum(member.file_size for member in members)
        packed = self.archive.stat().st_size
        allowed = max(_ALWAYS_ALLOWED, packed * _BEST_RATIO)
        allowed = min(allowed, shutil.disk_usage(self.folder).free - _SPARE_DISK)
        # Members that overlap are how a small archive unpacks to a huge one.
        overlapping = sum(member.compress_size for member in members) > packed
        if total > allowed or overlapping:
            raise TooLargeError(self.archive, total, max(allowed, 0))

    def _one(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
        left = member.file_size
        self.names[path] = member.filename
        if not left:
            path.touch(exist_ok=False)
            return
        check = 0
        with path.open("xb") as target:

            def take(piece: memoryview) -> None:
                nonlocal check
                check = zlib.crc32(piece, check)
                target.write(piece)

            kind = _KINDS.get(member.compress_type)
            if kind is not None:
                place = self._data_of(archive, member)
                left -= inflate_into(self.archive, place, kind, left, take)
            else:
                with archive.open(member) as source:
                    while left and (piece := source.read(min(left, 1 << 20))):
                        take(memoryview(piece))
                        left -= len(piece)
        if left or check != member.CRC:
            raise zipfile.BadZipFile(member.filename)

    def _data_of(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
        """Where a member's compressed data begin: `zipfile` compares the two headers first."""
        archive.open(member).close()
        with self.archive.open("rb") as file:
            file.seek(member.header_offset + 26)
            name, extra = struct.unpack("<HH", file.read(4))
        return int(member.header_offset + 30 + name + extra)


def _harmless(name: str) -> str:
    """A file name of ours after the archive's: pictures are ordered by what it says."""
    plain = re.sub(r"[^\w.()+-]", "_", name)[-100:].strip("._ ")
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", plain):
        plain = f"_{plain}"
    return plain or "file"


def _free(path: Path) -> Path:
    """The path, or one beside it that is not taken."""
    number = 1
    found = path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem}~{number}{path.suffix}")
    return found


def _hidden(member: zipfile.ZipInfo) -> bool:
    parts = member.filename.replace("\\", "/").split("/")
    return any(part.startswith((".", "__MACOSX")) and part != ".." for part in parts)


def _remove_stale(home: Path) -> None:
    """Remove what a killed Sliceloop left behind."""
    for folder in home.iterdir():
        owner = folder.name.split("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
