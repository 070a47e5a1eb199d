"""What leaves as DICOM or as arrays: canaries everywhere, and none of them outside."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from core import places
from core.cli.main import run
from core.errors import BurnedInTextError, NotDurableError, UnreadableImageError
from core.imaging.deidentified import MANIFEST, export_series, text_is_likely
from core.imaging.deidentify import date_shift, site_key, uid_pseudonym
from core.imaging.opening import open_path
from tests.core.imaging.canaries import (
    Aviary,
    all_bytes,
    attributes,
    overlays_and_curves,
    private_tags,
    read,
)
from tests.core.imaging.dicom.make import ct_slice, save, write_series

KEPT_SEQUENCE = "ReferencedImageSequence"


def planted(folder: Path) -> Aviary:
    """One CT slice with a canary in every confidential attribute, at two levels, and around."""
    aviary = Aviary()
    one = ct_slice(np.arange(60, dtype=np.uint16).reshape(6, 10))
    aviary.plant(one, [tag for tag in attributes() if keyword_for_tag(tag) != KEPT_SEQUENCE])
    private_tags(one, aviary)
    overlays_and_curves(one, aviary)
    inside = Dataset()
    aviary.plant(inside, attributes())
    inside.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    private_tags(inside, aviary)
    setattr(one, KEPT_SEQUENCE, Sequence([inside]))
    trailing = aviary.one().encode()
    one.PixelData += trailing + b" " * (len(trailing) % 2)
    one.BurnedInAnnotation = "NO"
    one.file_meta.SourceApplicationEntityTitle = aviary.one()
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    content = io.BytesIO()
    one.preamble = aviary.one().encode().ljust(128, b"\0")
    pydicom.dcmwrite(content, one, enforce_file_format=True)
    folder.mkdir()
    (folder / aviary.one()).write_bytes(content.getvalue())
    return aviary


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("form", ["dicom", "arrays"])
def test_no_canary_leaves(tmp_path: Path, form: str) -> None:
    aviary = planted(tmp_path / "in")
    assert len(aviary.canaries) >= 1031
    assert aviary.found_in(all_bytes(tmp_path / "in")) == aviary.canaries  # all were there
    done = export_series(
        open_path(tmp_path / "in").series,
        tmp_path / "out",
        site_key(),
        form=form,  # type: ignore[arg-type]
    )
    assert done.files >= 1
    assert aviary.found_in(all_bytes(tmp_path / "out")) == []
    assert aviary.found_in((places.data_folder() / "exports.jsonl").read_bytes()) == []


def test_what_is_needed_is_kept(tmp_path: Path) -> None:
    write_series(
        tmp_path / "in",
        [0, 5, 10],
        StudyDate="20240229",
        KVP=120,
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL", "MILLER"],
        ConvolutionKernel="H31s",
        PatientSex="F",
        StudyDescription="Head of Miller",
        WindowCenter=40,
        WindowWidth=80,
    )
    (series,) = open_path(tmp_path / "in").series
    before = series.load()
    export_series([series], tmp_path / "out", site_key(), form="dicom")
    (again,) = open_path(tmp_path / "out").series
    after = again.load()
    assert np.array_equal(after.voxels, before.voxels)
    assert np.array_equal(after.slope, before.slope)
    assert np.array_equal(after.intercept, before.intercept)
    assert np.allclose(again.summary.geometry.affine, series.summary.geometry.affine)
    first = read(next((tmp_path / "out").rglob("0001.dcm")))
    assert first.preamble == b"\0" * 128
    assert (first.KVP, first.ConvolutionKernel) == (120, "H31s")
    assert list(first.ImageType) == ["ORIGINAL", "PRIMARY", "AXIAL", "OTHER"]
    assert (first.WindowCenter, first.WindowWidth) == (40, 80)
    assert first.PatientSex == ""
    assert "StudyDescription" not in first
    assert first.PatientIdentityRemoved == "YES"
    assert "PS3.15 2026c" in first.DeidentificationMethod
    assert first.LongitudinalTemporalInformationModified == "MODIFIED"
    shift = date_shift(site_key(), "patient:P1")
    assert 1 <= shift.days <= 365
    moved = pydicom.valuerep.DA("20240229") - shift
    assert first.StudyDate == moved.strftime("%Y%m%d")
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_text())
    assert "PS3.15 2026c" in manifest["method"]
    assert len(manifest["files"]) == 3


def test_uids_are_repeatable_and_references_hold(tmp_path: Path) -> None:
    other = Dataset()
    other.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    other.ReferencedSOPInstanceUID = "1.2.3.99"
    save(ct_slice(SOPInstanceUID="1.2.3.99"), tmp_path / "in" / "a")
    save(
        ct_slice(ImagePositionPatient=[0, 0, 2], ReferencedImageSequence=[other]),
        tmp_path / "in" / "b",
    )
    found = []
    for name in ("one", "two"):
        export_series(open_path(tmp_path / "in").series, tmp_path / name, site_key(), form="dicom")
        found.append([read(p) for p in sorted((tmp_path / name).rglob("*.dcm"))])
    uids = [[str(file.SOPInstanceUID) for file in files] for files in found]
    assert uids[0] == uids[1]
    assert uid_pseudonym(site_key(), "1.2.3.99") in uids[0]
    references = [
        str(item.ReferencedSOPInstanceUID)
        for file in found[0]
        for item in file.get("ReferencedImageSequence", [])
    ]
    assert references == [uid_pseudonym(site_key(), "1.2.3.99")]


def test_a_hundred_thousand_uids_stay_apart_and_are_valid() -> None:
    made = {uid_pseudonym(b"k" * 32, f"1.2.{number}") for number in range(100_000)}
    assert len(made) == 100_000
    assert all(len(uid) <= 64 and pydicom.uid.UID(uid).is_valid for uid in list(made)[:500])
    assert uid_pseudonym(b"j" * 32, "1.2.1") not in made


@pytest.mark.parametrize(
    "facts",
    [
        {"Modality": "US"},
        {"Modality": "CT", "BurnedInAnnotation": "YES"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
        {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
    ],
)
def test_likely_text_blocks_until_a_person_has_looked(
    tmp_path: Path, facts: dict[str, object]
) -> None:
    write_series(tmp_path / "in", [0], **facts)
    series = open_path(tmp_path / "in").series
    assert text_is_likely(series[0])
    with pytest.raises(BurnedInTextError):
        export_series(series, tmp_path / "out", site_key(), form="dicom")
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.glob(".*part")) == []
    export_series(series, tmp_path / "out", site_key(), form="dicom", looked_at_by="Dr. Kim")
    noted = (places.data_folder() / "exports.jsonl").read_text()
    assert json.loads(noted.splitlines()[0])["by"] == "Dr. Kim"
    export_series(series, tmp_path / "again", site_key())  # they were looked at
    assert read(next((tmp_path / "out").rglob("*.dcm"))).BurnedInAnnotation == "NO"


def test_a_plain_ct_is_not_blocked(tmp_path: Path) -> None:
    write_series(tmp_path / "in", [0, 2], ImageType=["DERIVED", "SECONDARY", "AXIAL"])
    assert text_is_likely(open_path(tmp_path / "in").series[0]) is None


def test_nothing_is_overwritten_and_pictures_leave_as_arrays(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "in").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "in" / "Miller.png")
    series = open_path(tmp_path / "in").series
    with pytest.raises(UnreadableImageError):
        export_series(series, tmp_path / "out", site_key(), form="dicom")
    export_series(series, tmp_path / "out", site_key())
    assert b"Miller" not in all_bytes(tmp_path / "out")
    with pytest.raises(NotDurableError):
        export_series(series, tmp_path / "out", site_key())


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_series(tmp_path / "in", [0, 2], Modality="US")
    words = ["deidentify", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--as", "dicom"]
    assert run(words) == 1
    assert "--looked" in capsys.readouterr().err
    assert run([*words, "--looked", "Dr. Kim"]) == 0
    assert "1 series in 2 files" in capsys.readouterr().out
