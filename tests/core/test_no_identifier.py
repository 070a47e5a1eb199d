"""A scripted session with one patient: nothing of him outside the folder that must know him."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from core import places
from core.cli.main import run
from core.models.card import Preprocessing
from core.models.catalogue import Catalogue
from core.retraining.dataset import Dataset
from core.retraining.leaks import check_or_raise
from core.retraining.prepared import prepared_pixels
from tests.core.imaging.canaries import encoded
from tests.core.imaging.dicom.make import write_series
from tests.core.models.making import make_model

NAME, NUMBER, ACCESSION, FOLDER = "Müller^Zoë", "PAT-4711-0815", "ACC-998877", "Zoë Müller CT"
SERIES, STUDY, INSTANCE = "1.2.826.4711.1", "1.2.826.4711.2", "1.2.826.4711.3"
REASON = "Frau Müller war am Montag hier"

IDENTIFIERS = (NAME, "Müller", NUMBER, ACCESSION, FOLDER, SERIES, STUDY, INSTANCE, REASON)


def found_in(folder: Path) -> list[tuple[str, str]]:
    """(file, identifier) of every identifier in content or name, in any encoding."""
    hits = []
    for path in sorted(folder.rglob("*")):
        content = str(path.relative_to(folder)).encode()
        if path.is_file():
            content += b"\n" + path.read_bytes()
        hits += [
            (path.name, name)
            for name in IDENTIFIERS
            if any(form in content for form in encoded(name))
        ]
    return hits


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_session_leaves_no_identifier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    studies = tmp_path / FOLDER
    for number in range(3):
        write_series(
            studies / str(number),
            [0, 5, 10],
            SpecificCharacterSet="ISO_IR 192",
            PatientName=NAME,
            PatientID=NUMBER,
            AccessionNumber=ACCESSION,
            SeriesInstanceUID=f"{SERIES}.{number}",
            StudyInstanceUID=f"{STUDY}.{number}",
            StudyDate="20240229",
        )
    classes = ("no_hemorrhage", "hemorrhage")
    make_model(
        places.user_models() / "m", "m", 0, task="hemorrhage", classes=classes, positive=classes[1]
    )
    Catalogue().promote("m", "kim", "for the session")
    for number in range(3):
        where = str(studies / str(number))
        for slices, kind in (("1-2", "hemorrhage"), ("3", "no_hemorrhage")):
            words = ["labels", "give", where, "--slices", slices, "--class", kind]
            words += ["--set", "hemorrhage"]
            assert run([*words, "--reason", REASON]) == 0
    out = tmp_path / "out"
    out.mkdir()
    assert run(["labels", "export", "--out", str(out / "labels.csv")]) == 0
    assert run(["labels", "export", "--out", str(out / "labels.jsonl")]) == 0
    assert run(["dataset", "export", "--out", str(out / "set")]) == 0
    dataset = Dataset.open(out / "set")
    check_or_raise(dataset)
    prepared_pixels(dataset, Preprocessing(size=32, crop="whole"))
    for form in ("imagefolder", "csv", "coco", "nifti"):
        words = ["dataset", "convert", str(out / "set"), "--to", form]
        assert run([*words, "--out", str(out / form)]) == 0
    for form in ("arrays", "dicom"):
        words = ["deidentify", str(studies), "--as", form]
        assert run([*words, "--out", str(out / f"away-{form}")]) == 0
    assert run(["labels", "preview", "--json"]) == 0
    assert run(["deidentify", str(studies / "nothing"), "--out", str(out / "x")]) == 1
    capsys.readouterr()
    assert found_in(out) == []
    for folder in (places.cache_folder(), places.state_folder(), places.settings_folder()):
        assert found_in(folder) == []
    # The data folder must know the patient, but never in the name of a file.
    names = json.dumps([str(p.name) for p in places.data_folder().rglob("*")], ensure_ascii=False)
    assert not any(name in names for name in IDENTIFIERS)
    knows = {file for file, _ in found_in(places.data_folder())}
    assert knows <= {"labels.db", "sources.json"} | {
        p.name for p in places.data_folder().glob("labels-backups/*")
    }
    logged = caplog.text.encode()
    assert not any(form in logged for name in IDENTIFIERS for form in encoded(name))
