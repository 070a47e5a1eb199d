"""Writes everything that must survive a power cut, once: what the tracing test watches.

`python -m tests.core.durable_session FOLDER`; the profile is FOLDER/profile.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def work(folder: Path) -> None:
    """Labels, settings, sets, runs, checkpoints, promotions, exports."""
    made = folder / "made"
    label(made)
    choose()
    data = collect(made, folder / "profile")
    train(data)
    promote(made)


def label(made: Path) -> None:
    """A journal with labels, a note and an undo, its backups, and a set made of it."""
    from core import places
    from core.imaging.opening import open_path
    from core.labels import backups
    from core.labels.journal import Journal
    from core.labels.labelling import Labelling
    from core.labels.sets import load_label_set
    from core.retraining.collecting import build_from_labels
    from core.retraining.sources import Sources
    from tests.core.imaging.dicom.make import write_series

    label_set, classes = load_label_set("hemorrhage"), ("hemorrhage", "no_hemorrhage")
    with Journal() as journal:
        labelling = Labelling(journal, "kim")
        for number in range(6):
            place, uid = made / f"series-{number}", f"1.2.3.{number + 7}"
            write_series(place, [0, 5], PatientID=f"P{number}", SeriesInstanceUID=uid)
            (series,) = open_path(place).series
            Sources().remember(series.summary)
            for index in range(2):
                given = classes[(number + index) % 2]
                labelling.label(series.summary, index, given, label_set=label_set)
            labelling.note(series.summary, 0, "seen", label_set=label_set)
            labelling.undo(series.summary.case_id)
        build_from_labels(labelling.standing(), label_set, places.datasets() / "0001")
    with Journal():
        pass  # opened again: a backup is made
    if not backups.found(places.journal_file()):
        raise SystemExit("no backup was made")


def choose() -> None:
    """Settings."""
    from core.settings import SettingsStore

    settings = SettingsStore()
    settings.values.reader = "kim"
    settings.save()


def collect(made: Path, profile: Path) -> Path:
    """A set from a table, what others read of it, and a de-identified series."""
    from core import places
    from core.imaging.deidentified import export_series
    from core.imaging.deidentify import site_key
    from core.imaging.opening import open_path
    from core.retraining.building import build_from_table
    from core.retraining.dataset import Dataset
    from core.retraining.exporting import export_as
    from tests.core.retraining.making import request, table_of_patients

    table, _ = table_of_patients(made / "source", 6, 2)
    data = places.datasets() / "0002"
    build_from_table(request(table, data))
    export_as(Dataset.open(data), "csv", profile / "csv")
    export_series(open_path(made / "series-0").series, profile / "dicom", site_key(), form="dicom")
    return data


def train(data: Path) -> None:
    """A run's files, as the trainer writes them."""
    import torch

    from core import places
    from core.retraining import checkpoint, foretold
    from core.retraining.protocol import RunFolder, TrainingRequest

    run = RunFolder(places.runs() / "first")
    run.create(TrainingRequest(recipe="quick", data=data))
    run.append("started")
    foretold.remember("a" * 64, {"k": (False, True)})
    foretold.take_along(run.path, "a" * 64)
    for epoch in range(2):
        last = run.path / "checkpoints" / "once" / "last"
        checkpoint.save(last, {"model": {"weight": torch.zeros(2000)}}, {"epoch": epoch})
    run.finish({"model": "first"})
    foretold.record_agreement(foretold.Foretold(1, 1, 1, 1))


def promote(made: Path) -> None:
    """Two models published, promoted, and gone back from."""
    from core.models.catalogue import Catalogue
    from tests.core.models.making import make_model

    catalogue = Catalogue(shipped=made / "none")
    for number, name in enumerate(("one", "two")):
        make_model(made / name, name, number, task="hemorrhage")
        catalogue.publish(made / name)
        catalogue.promote(name, "kim", "better")
    catalogue.rollback("hemorrhage", "kim", "was better")


if __name__ == "__main__":
    os.environ["SLICELOOP_HOME"] = str(Path(sys.argv[1]) / "profile")
    work(Path(sys.argv[1]))
