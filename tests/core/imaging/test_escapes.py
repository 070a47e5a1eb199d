"""Fourteen ways to reach a file outside of the folder that a person opened: none succeeds.

Outside lies a file of a known content, a good image in itself. No array may hold any of it, no
open file may be it, and nothing may appear outside.
"""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from core.errors import CoreError
from core.imaging.opening import open_path
from core.sentences import sentence
from tests.core.imaging.dicom.make import ct_slice, save

SECRET = 0x5345
"""Each 16-bit pixel of the file outside: "SE"."""
MEDIUM = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"
LISTED = b"77654033\\CR1\\6154"
"""A file that pydicom's DICOMDIR lists; a forged name has the same length."""

MHD = (
    "ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementType = MET_USHORT\n"
    "ElementDataFile = {}\n"
)
NHDR = (
    "NRRD0004\ntype: ushort\ndimension: 3\nsizes: 4 4 4\nendian: little\nencoding: raw\n"
    "data file: {}\n"
)


class _Opened:
    """The real paths of all files that this process opens while it listens."""

    def __init__(self) -> None:
        self.listens = False
        self.paths: set[str] = set()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.listens and event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
            self.paths.add(os.path.realpath(os.fsdecode(arguments[0])))


_opened = _Opened()
sys.addaudithook(_opened)


@pytest.fixture
def opened() -> Iterator[set[str]]:
    _opened.paths.clear()
    _opened.listens = True
    yield _opened.paths
    _opened.listens = False


def plant(home: Path) -> Path:
    """The file outside, and the folder that a person opens."""
    (home / "outside").mkdir()
    (home / "folder").mkdir()
    (home / "outside" / "raw").write_bytes(np.full(64, SECRET, "<u2").tobytes())
    image = ct_slice(np.full((8, 8), SECRET, np.uint16), PatientName="Outside^Somebody")
    save(image, home / "outside" / "I1")
    return home / "folder"


def header(template: str, named: str) -> Callable[[Path, Path], Path]:
    def make(folder: Path, outside: Path) -> Path:
        path = folder / "header"
        path.write_text(template.format(named.replace("ABSOLUTE", str(outside / "raw"))))
        return path

    return make


def linked(template: str) -> Callable[[Path, Path], Path]:
    def make(folder: Path, outside: Path) -> Path:
        (folder / "link.raw").symlink_to(outside / "raw")
        path = folder / "header"
        path.write_text(template.format("link.raw"))
        return path

    return make


def dicomdir(named: bytes) -> Callable[[Path, Path], Path]:
    def make(folder: Path, outside: Path) -> Path:
        # A link inside the folder leads out; what is listed by "..": plainly does.
        (folder / "LINK").symlink_to(outside, target_is_directory=True)
        (folder / "LINK1").symlink_to(outside / "I1")
        raw = (MEDIUM / "DICOMDIR").read_bytes()
        (folder / "DICOMDIR").write_bytes(raw.replace(LISTED, named.ljust(len(LISTED))))
        return folder / "DICOMDIR"

    return make


def named_by_its_uid(folder: Path, outside: Path) -> Path:
    """Identifiers that are paths: what unpacks, labels or sorts by them must build none."""
    climbing = os.path.relpath(outside / "new", folder).replace(os.sep, "/")
    plain = (
        "1.2.3.4.5.6.7.8.9"[: len(climbing)].rstrip(".").ljust(len(climbing), "1")
    )  # pydicom writes no other identifiers
    one = ct_slice(np.full((8, 8), 3, np.uint16), PatientID=climbing, StudyID=climbing)
    one.SeriesInstanceUID = one.SOPInstanceUID = plain
    image = save(one, folder / "image")
    image.write_bytes(image.read_bytes().replace(plain.encode(), climbing.encode()))
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(image, f"../{climbing}")
        archive.write(image, str(outside / "new"))
    image.unlink()
    return path


FORMS: dict[str, Callable[[Path, Path], Path]] = {
    "mhd, absolute": header(MHD, "ABSOLUTE"),
    "mhd, parent": header(MHD, "../outside/raw"),
    "mhd, list": header(MHD, "LIST\n../outside/raw"),
    "mhd, drive letter": header(MHD, "C:\\outside\\raw"),
    "mhd, UNC": header(MHD, "\\\\server\\outside\\raw"),
    "mhd, link": linked(MHD),
    "nhdr, absolute": header(NHDR, "ABSOLUTE"),
    "nhdr, parent": header(NHDR, "../outside/raw"),
    "nhdr, list": header(NHDR, "LIST\n" + "../outside/raw\n" * 4),
    "nhdr, pattern": header(NHDR, "../outside/ra%d 1 4 1"),
    "dicomdir, parent": dicomdir(b"..\\outside\\I1"),
    "dicomdir, absolute": dicomdir(b"\\outside\\I1"),
    "dicomdir, link": dicomdir(b"LINK1"),
    "names from identifiers": named_by_its_uid,
}


def test_there_are_fourteen() -> None:
    assert len(FORMS) == 14


@pytest.mark.parametrize("name", FORMS)
def test_nothing_outside_of_the_folder_is_read_or_written(
    tmp_path: Path, profile: Path, opened: set[str], name: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    folder, outside = plant(home), home / "outside"
    path = FORMS[name](folder, outside)
    before = sorted(home.rglob("*"))
    opened.clear()
    try:
        for series in open_path(path).series:
            volume = series.load()
            assert not (volume.voxels == SECRET).any()
            assert volume.summary.patient_name != "Outside^Somebody"
    except CoreError as error:
        told = sentence(error)
        assert told.where.startswith(str(folder)) and told.remedy
    assert not [one for one in opened if one.startswith(str(outside))]
    assert sorted(home.rglob("*")) == before
    # Of the person's own folders only the cache is used; the folder itself is synced when made.
    own = {Path(one) for one in opened if Path(one).is_relative_to(profile)} - {profile}
    assert all(one.is_relative_to(profile / "cache") for one in own)


def test_the_same_headers_open_what_lies_beside_them(tmp_path: Path) -> None:
    """The forms above are refused for where they point, and for nothing else."""
    (tmp_path / "raw").write_bytes(np.full(64, SECRET, "<u2").tobytes())
    for number, template in enumerate((MHD, NHDR)):
        path = tmp_path / f"header{number}"
        path.write_text(template.format("raw"))
        assert (open_path(path).series[0].load().voxels == SECRET).all()
