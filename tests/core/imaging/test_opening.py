"""Opening folders, single files, a DICOMDIR and a ZIP; and what `info` says of them."""

from __future__ import annotations

import gc
import json
import os
import zipfile
from pathlib import Path

import pydicom
import pytest

from core.cli.info import as_dict
from core.errors import CancelledError, NothingToOpenError, UnreadableImageError
from core.imaging.opening import open_path
from tests.core.imaging.dicom.make import ct_slice, save, write_series

MEDIUM = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"


def test_a_folder_with_several_series_and_subfolders(tmp_path: Path) -> None:
    write_series(tmp_path / "a", [0, 2, 4], SeriesInstanceUID="1.2.1", SeriesNumber=7)
    write_series(tmp_path / "b" / "c", [0, 2], SeriesInstanceUID="1.2.2", SeriesNumber=3)
    series = open_path(tmp_path).series
    assert [one.summary.uid for one in series] == ["1.2.2", "1.2.1"]


def test_one_file_is_one_slice(tmp_path: Path) -> None:
    paths = write_series(tmp_path, [0, 2, 4])
    (series,) = open_path(paths[0]).series
    assert series.summary.shape[0] == 1


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(NothingToOpenError):
        open_path(tmp_path / "absent")
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / ".hidden").write_text("hello")
    with pytest.raises(NothingToOpenError) as caught:
        open_path(tmp_path)
    assert caught.value.looked_at == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty"), (b"a letter to a colleague", "not an image"), (b"\0" * 200, "not an image")],
)
def test_what_is_no_image_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "scan.dcm"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError) as caught:
        open_path(path)
    assert said in caught.value.reason
    assert caught.value.path == path


def test_a_dicom_file_without_pixels_and_one_cut_short(tmp_path: Path) -> None:
    without = save(ct_slice(PixelData=None), tmp_path / "a")
    with pytest.raises(UnreadableImageError, match="no pixel data"):
        open_path(without)
    whole = save(ct_slice(), tmp_path / "b").read_bytes()
    for length in (len(whole) - 5, len(whole) // 2, 200, 140):
        (tmp_path / "b").write_bytes(whole[:length])
        with pytest.raises(UnreadableImageError):
            open_path(tmp_path / "b")


def test_opening_can_be_stopped(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 2, 4])
    with pytest.raises(CancelledError):
        open_path(tmp_path, cancelled=lambda: True)
    assert gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_does_not_hold_the_opening_up(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 2])
    os.mkfifo(tmp_path / "pipe")
    assert open_path(tmp_path).series[0].summary.shape[0] == 2


def test_names_may_be_anything(tmp_path: Path) -> None:
    folder = tmp_path / "Übung 뇌 🧠\nzweite Zeile"
    write_series(folder, [0, 2], prefix="é" * 60)
    assert open_path(folder).series[0].load().slices == 2


@pytest.mark.parametrize("name", ["DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-implicit"])
def test_a_dicomdir_opens_what_it_lists(name: str) -> None:
    opened = open_path(MEDIUM / name)
    assert sum(one.summary.shape[0] for one in opened.series) == 31
    assert opened.skipped == ()


def test_a_dicomdir_among_its_images_is_not_told_as_a_loss(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 2])
    (tmp_path / "DICOMDIR").write_bytes((MEDIUM / "DICOMDIR").read_bytes())
    opened = open_path(tmp_path)
    assert len(opened.series) == 1 and opened.skipped == ()


def test_a_dicomdir_alone_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "DICOMDIR").write_bytes((MEDIUM / "DICOMDIR").read_bytes())
    with pytest.raises(UnreadableImageError, match="not beside it"):
        open_path(tmp_path / "DICOMDIR")


def test_a_dicomdir_reaches_no_file_outside_of_its_folder(tmp_path: Path) -> None:
    write_series(tmp_path / "outside", [0, 2])
    raw = (MEDIUM / "DICOMDIR").read_bytes()
    forged = raw.replace(b"77654033\\CR1\\6154", b"..\\outside\\I000 ")
    assert forged != raw
    (tmp_path / "medium").mkdir()
    (tmp_path / "medium" / "DICOMDIR").write_bytes(forged)
    with pytest.raises(UnreadableImageError):
        open_path(tmp_path / "medium" / "DICOMDIR")


def test_a_zip_is_opened_and_leaves_nothing(tmp_path: Path, profile: Path) -> None:
    write_series(tmp_path / "in", [0, 2, 4])
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in (tmp_path / "in").iterdir():
            target.write(path, f"../../escape/{path.name}")
        target.writestr("/absolute.txt", "a letter")
    opened = open_path(archive)
    volume = opened.series[0].load()
    assert volume.voxels[:, 0, 0].tolist() == [1, 2, 3]
    assert [one.file.name for one in opened.skipped] == ["absolute.txt"]
    assert not (tmp_path.parent / "escape").exists()
    unpacked = profile / "cache" / "unpacked"
    assert len(list(unpacked.iterdir())) == 1
    del opened
    gc.collect()
    assert list(unpacked.iterdir()) == []


def test_info_has_the_promised_shape(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 2, 6])
    (tmp_path / "notes.txt").write_text("x")
    told = json.loads(json.dumps(as_dict(open_path(tmp_path))))
    assert told["skipped"][0].keys() == {"file", "reason"}
    (series,) = told["series"]
    promised = {"uid", "modality", "description", "shape", "spacing_mm", "affine_lps"}
    assert promised | {"transfer_syntax", "warnings"} <= series.keys()
    assert series["shape"] == [3, 4, 6]
    assert len(series["affine_lps"]) == 4
    assert series["warnings"][0].keys() >= {"code", "message"}
