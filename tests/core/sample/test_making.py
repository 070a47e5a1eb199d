"""The sample on disk: valid DICOM, marked as synthetic, the same for the same seed."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage

from core.errors import BadTableError, CancelledError, NotDurableError
from core.sample import SampleTruth, make_sample, sample_truth
from core.sample.patient import SUBTYPES


def test_every_image_is_a_ct_that_says_it_is_synthetic(sample: SampleTruth) -> None:
    for item in sample.slices[::7]:
        image = pydicom.dcmread(sample.folder / item.file)
        assert image.SOPClassUID == image.file_meta.MediaStorageSOPClassUID == CTImageStorage
        assert image.SOPInstanceUID == item.slice_id
        assert image.PatientID == item.patient
        assert image.Modality == "CT"
        assert image.SyntheticData == "YES"
        assert image.QualityControlImage == "YES"
        for text in (image.ImageComments, image.SeriesDescription, image.StudyDescription):
            assert "SYNTHETIC PHANTOM" in text
        assert image.RescaleIntercept == -1024
        assert image.pixel_array.shape == (128, 128)
        assert image.PixelSpacing == pytest.approx([232 / 128, 232 / 128])


def test_what_stands_in_the_header_is_valid_for_its_tag(sample: SampleTruth) -> None:
    with pydicom.config.disable_value_validation():
        image = pydicom.dcmread(sample.folder / sample.slices[0].file)
    for element in image:
        if element.VR != "OW":
            pydicom.DataElement(
                element.tag, element.VR, element.value, validation_mode=pydicom.config.RAISE
            )


def test_file_names_tell_nothing_of_the_order(sample: SampleTruth) -> None:
    names = [Path(item.file).name for item in sample.of_patient("PHANTOM-001")]
    assert names != sorted(names)
    assert names != sorted(names, reverse=True)


def test_positions_rise_by_five_millimetres_in_one_frame(sample: SampleTruth) -> None:
    for patient in sample.patients:
        heads = [
            pydicom.dcmread(sample.folder / item.file, stop_before_pixels=True)
            for item in sample.of_patient(patient)
        ]
        assert len({head.SeriesInstanceUID for head in heads}) == 1
        assert len({head.FrameOfReferenceUID for head in heads}) == 1
        assert np.diff([head.ImagePositionPatient[2] for head in heads]) == pytest.approx(5)
        assert [head.InstanceNumber for head in heads] == list(range(1, 25))


def test_uids_are_valid_and_unique(sample: SampleTruth) -> None:
    uids = [item.slice_id for item in sample.slices]
    assert len(set(uids)) == len(uids) == 6 * 24
    assert all(pydicom.uid.UID(uid).is_valid and uid.startswith("2.25.") for uid in uids)


def _digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        make_sample(tmp_path / name, patients=2, slices=3, size=64, seed=seed)
    a, b, c = (_digest(tmp_path / name) for name in "abc")
    assert a == b
    assert not set(a.values()) & set(c.values())


def test_other_pixels_never_share_an_instance_uid(tmp_path: Path) -> None:
    small = make_sample(tmp_path / "a", patients=1, slices=3, size=64)
    large = make_sample(tmp_path / "b", patients=1, slices=3, size=96)
    assert not set(small.reference) & set(large.reference)


def test_the_truth_is_read_as_it_was_written(sample: SampleTruth) -> None:
    assert sample_truth(sample.folder) == sample


def test_the_table_is_one_from_which_a_training_set_can_be_built(sample: SampleTruth) -> None:
    rows = list(csv.DictReader(sample.table.read_text().splitlines()))
    assert len(rows) == 6 * 24
    for row in rows:
        assert (sample.folder / row["file"]).is_file()
        assert row["hemorrhage"] == str(int(any(row[kind] == "1" for kind in SUBTYPES)))


def test_a_sample_is_replaced_but_nothing_else_is(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    first = make_sample(tmp_path, patients=1, slices=2, size=64)
    second = make_sample(tmp_path, patients=1, slices=2, size=64, seed=8)
    assert (tmp_path / "mine.txt").read_text() == "keep"
    assert not any((tmp_path / item.file).exists() for item in first.slices)
    assert all((tmp_path / item.file).exists() for item in second.slices)


def test_a_folder_of_that_name_that_is_no_sample_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "DICOM").mkdir()
    (tmp_path / "DICOM" / "real").write_text("a patient's")
    with pytest.raises(NotDurableError):
        make_sample(tmp_path, patients=1, slices=2, size=64)
    assert (tmp_path / "DICOM" / "real").read_text() == "a patient's"


def test_a_stopped_making_leaves_no_half_sample(tmp_path: Path) -> None:
    with pytest.raises(CancelledError):
        make_sample(tmp_path / "s", patients=2, slices=3, size=64, cancelled=lambda: True)
    assert list((tmp_path / "s").iterdir()) == []
    with pytest.raises(BadTableError):
        sample_truth(tmp_path / "s")


def test_progress_counts_patients(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    make_sample(
        tmp_path,
        patients=3,
        slices=2,
        size=64,
        progress=lambda done, all_: told.append((done, all_)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_table_that_is_not_the_truth_is_told(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("file,label\na,b\n")
    with pytest.raises(BadTableError):
        sample_truth(tmp_path)
