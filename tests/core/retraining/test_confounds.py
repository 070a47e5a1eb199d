"""What gives a label away beside the picture: the scanner, its settings, the kind of file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import ConfoundError
from core.imaging.acquisition import ALPHA, acquisition_of
from core.imaging.deidentify import pseudonym
from core.imaging.opening import open_path
from core.retraining.building import build_from_table
from core.retraining.confounds import Caution, _of_values, confounds
from core.retraining.dataset import Dataset
from core.retraining.leaks import check_or_raise
from core.retraining.merging import merge
from tests.core.imaging.dicom.make import ct_slice, save
from tests.core.retraining.making import picture, request, write_table

PATIENTS = 30
KEY = b"k" * 32


def of_dicom(folder: Path, **told_by: tuple[object, object]) -> Dataset:
    """One CT slice a patient; tag → (value of those without, value of those with a finding)."""
    rows: list[dict[str, object]] = []
    for patient in range(PATIENTS):
        finding = patient % 2
        pixels = picture(patient).astype(np.uint16)
        facts = {tag: values[finding] for tag, values in told_by.items()}
        slice_ = ct_slice(
            pixels, PatientID=f"P{patient}", SeriesInstanceUID=f"1.2.{patient}", **facts
        )
        save(slice_, folder / f"{patient}.dcm")
        rows.append({"file": f"{patient}.dcm", "patient": f"P{patient}", "bleed": finding})
    build_from_table(request(write_table(folder / "t.csv", rows), folder / "set"))
    return Dataset.open(folder / "set")


def messages(found: list[Caution]) -> list[str]:
    return [caution.message for caution in found]


@pytest.mark.parametrize(
    ("tag", "values", "name"),
    [
        ("Manufacturer", ("Northern", "Southern"), "manufacturer"),
        ("ManufacturerModelName", ("One", "Two"), "scanner model"),
        ("StationName", ("ER1", "ER2"), "station"),
        ("ConvolutionKernel", ("H30s", ["H60s", "J40"]), "convolution kernel"),
        ("KVP", (100, 120), "tube voltage"),
        ("SliceThickness", (1.25, 5), "slice thickness"),
        ("ProtocolName", ("Head", "Head trauma"), "protocol"),
    ],
)
def test_a_scanner_tag_that_tells_the_label_is_told_and_does_not_stop(
    tmp_path: Path, tag: str, values: tuple[object, object], name: str
) -> None:
    dataset = of_dicom(tmp_path, **{tag: values})
    told = messages(confounds(dataset))
    assert f"The {name} alone tells bleed apart (AUROC 1.00)" in [one.split(":")[0] for one in told]
    # The thickness of a slice that stands alone is also how far apart slices are.
    assert len(told) == (2 if tag == "SliceThickness" else 1)
    if tag != "SliceThickness":
        assert any(caution.code == "confound" for caution in check_or_raise(dataset))
    kept = (tmp_path / "set" / "slices.parquet").read_bytes()
    for value in values:
        assert not isinstance(value, str) or value.encode() not in kept


def test_a_scanner_that_both_kinds_were_put_into_is_not_told(tmp_path: Path) -> None:
    dataset = of_dicom(tmp_path, Manufacturer=("Northern", "Northern"), KVP=(120, 120))
    assert confounds(dataset) == []
    assert dataset.acquisition(0)["tube voltage"] == 120.0


def test_many_scanners_tell_the_label_together_but_not_one_by_one() -> None:
    """Ten scanners, five of them for the ill: no single one gives more than a tenth away."""
    patients = np.arange(100)
    scanner = np.array([f"scanner {number}" for number in patients % 10])
    area, fewest = _of_values(patients % 10 >= 5, scanner, patients)
    assert area > 0.95 and fewest == 50


def test_a_value_that_each_patient_has_alone_tells_nothing() -> None:
    patients = np.arange(200)
    truth = patients % 2 == 1
    area, _ = _of_values(truth, np.array([f"serial {number}" for number in patients]), patients)
    assert area < 0.6
    chance = np.random.default_rng(0).integers(0, 12, 200)
    area, _ = _of_values(truth, np.array([f"value {number}" for number in chance]), patients)
    assert area < 0.7


def test_an_alpha_channel_that_only_the_ill_have_stops_a_training(tmp_path: Path) -> None:
    """Opaque, so that both kinds look and are stored alike in the set."""
    rows: list[dict[str, object]] = []
    for patient in range(PATIENTS):
        grey = Image.fromarray(picture(patient))
        (grey.convert("LA") if patient % 2 else grey).save(tmp_path / f"{patient}.png")
        rows.append({"file": f"{patient}.png", "patient": patient, "bleed": patient % 2})
    build_from_table(request(write_table(tmp_path / "t.csv", rows), tmp_path / "set"))
    dataset = Dataset.open(tmp_path / "set")
    assert {dataset.stored_type(row) for row in range(PATIENTS)} == {"|u1"}
    assert {dataset.acquisition(row)[ALPHA] for row in range(PATIENTS)} == {0.0, 1.0}
    assert any("alpha channel alone" in told for told in messages(confounds(dataset)))
    with pytest.raises(ConfoundError, match="alpha"):
        check_or_raise(dataset)


def test_a_kind_of_file_that_tells_the_label_stops_a_training(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = []
    for patient in range(PATIENTS):
        name = f"{patient}.{'png' if patient % 2 else 'jpg'}"
        Image.fromarray(picture(patient)).save(tmp_path / name)
        rows.append({"file": name, "patient": patient, "bleed": patient % 2})
    build_from_table(request(write_table(tmp_path / "t.csv", rows), tmp_path / "set"))
    with pytest.raises(ConfoundError, match="kind of file"):
        check_or_raise(Dataset.open(tmp_path / "set"))


def test_texts_leave_as_pseudonyms_and_a_broken_value_tells_nothing(tmp_path: Path) -> None:
    one = ct_slice(StationName="DR SMITHS CT", KVP="120")
    one.add_new(0x00180088, "LO", "about five")  # SpacingBetweenSlices is a number
    save(one, tmp_path / "one.dcm")
    facts = acquisition_of(open_path(tmp_path / "one.dcm").series[0], KEY)
    assert facts["station"] == pseudonym(KEY, "StationName:DR SMITHS CT")
    assert facts["tube voltage"] == 120.0 and facts["slice thickness"] == 2.0
    assert "exposure" not in facts and "manufacturer" not in facts
    assert not any("SMITH" in str(value) for value in facts.values())


def test_what_is_known_of_the_acquisition_survives_merging(tmp_path: Path) -> None:
    one = of_dicom(tmp_path, Manufacturer=("Northern", "Southern"))
    merge([one.folder], tmp_path / "merged")
    both = Dataset.open(tmp_path / "merged")
    assert [both.acquisition(row) for row in range(PATIENTS)] == [
        one.acquisition(row) for row in range(PATIENTS)
    ]
