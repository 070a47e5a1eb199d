"""From weights back to people, and from a label forward to weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core import places
from core.cli.main import run
from core.imaging.opening import open_path
from core.labels.journal import Journal
from core.labels.labelling import Labelling
from core.labels.schema import LabelEvent
from core.labels.sets import load_label_set
from core.models.card import CARD_FILE
from core.models.catalogue import Catalogue
from core.retraining.collecting import build_from_labels
from core.retraining.lineage import Lineage, learnt_from, trace
from core.retraining.protocol import RunFolder, TrainingRequest
from core.retraining.sources import Sources
from tests.core.imaging.dicom.make import write_series
from tests.core.models.making import make_model

LABEL_SET = load_label_set("hemorrhage")


def label(tmp_path: Path) -> Path:
    """Two readers label three patients; returns the folder of the set made of it."""
    with Journal() as journal:
        for number, reader in enumerate(("kim", "lee", "kim")):
            folder = tmp_path / "studies" / str(number)
            write_series(
                folder,
                [0, 5],
                PatientID=f"P{number}",
                SeriesInstanceUID=f"1.2.3.{number + 7}",
                StudyInstanceUID=f"1.2.4.{number + 7}",
            )
            (series,) = open_path(folder).series
            Sources().remember(series.summary)
            labelling = Labelling(journal, reader)
            labelling.label(series.summary, 0, "hemorrhage", label_set=LABEL_SET)
            labelling.label(series.summary, 1, "no_hemorrhage", label_set=LABEL_SET)
        labelling = Labelling(journal, "kim")
        build_from_labels(labelling.standing(), LABEL_SET, places.datasets() / "set")
    return places.datasets() / "set"


def train(data: Path) -> Path:
    """A finished run on a set, as the trainer leaves it."""
    from core.retraining.manifest import read_manifest

    folder = RunFolder(places.runs() / "first")
    folder.create(TrainingRequest(recipe="quick", data=data))
    recipe = {"title": "Quick"}
    card = make_model(
        folder.model,
        "first",
        0,
        recipe=recipe,
        data={"name": "labels", "dataset_id": read_manifest(data).id},
    )
    (folder.path / "recipe.json").write_text(json.dumps(recipe))
    folder.finish({"model": card.id, "weights_sha256": card.weights_sha256})
    return folder.path


def events() -> dict[int, LabelEvent]:
    with Journal(read_only=True) as journal:
        return {event.sequence: event for event in journal.events()}


def states(found: Lineage) -> dict[str, str]:
    return {link.name: link.state for link in found.links}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return train(label(tmp_path)) / "model"


ALL = ("weights", "run", "recipe", "training set", "labels", "people")


def test_every_link_is_recomputed(model: Path) -> None:
    found = trace(model, events(), deep=True)
    assert states(found) == dict.fromkeys(ALL, "holds")
    assert found.events == (1, 2, 3, 4, 5, 6)
    people = next(link.told for link in found.links if link.name == "people")
    assert people == "kim (4), lee (2)"
    published = Catalogue().publish(model)
    assert trace(published.folder, events()).broken == ()


def test_from_a_label_forward(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [item.model for item in learnt_from(3)] == ["first"]
    assert learnt_from(99) == []
    assert run(["labels", "learnt", "3"]) == 0
    assert "first" in capsys.readouterr().out
    assert run(["labels", "learnt", "99"]) == 2


@pytest.mark.parametrize(
    ("link", "damage"),
    [
        ("recipe", lambda run: (run / "recipe.json").write_text('{"title": "Other"}')),
        ("training set", lambda run: (places.datasets() / "set/slices.parquet").write_bytes(b"x")),
        ("training set", lambda run: (places.datasets() / "set/pixels/00000.npy").unlink()),
        ("weights", lambda run: (run / "model/model.safetensors").write_bytes(b"x")),
    ],
)
def test_a_broken_link_is_named(model: Path, link: str, damage: object) -> None:
    damage(model.parent)  # type: ignore[operator]
    found = trace(model, events())
    assert link in [broken.name for broken in found.broken]


def test_labels_that_are_not_in_the_journal_break_it(model: Path) -> None:
    known = events()
    assert states(trace(model, {k: v for k, v in known.items() if k < 5}))["labels"] == "broken"
    assert states(trace(model, {k: v for k, v in known.items() if k != 2}))["labels"] == "broken"
    assert states(trace(model, None))["people"] == "elsewhere"


def test_the_command(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "verify", str(model)]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ALL)
    assert run(["models", "lineage", str(model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["events"] == [1, 2, 3, 4, 5, 6]
    card = json.loads((model / CARD_FILE).read_text())
    card["data"]["dataset_id"] = "0" * 64
    (model / CARD_FILE).write_text(json.dumps(card))
    assert run(["models", "verify", str(model)]) == 1
    assert "training set" in capsys.readouterr().err


def test_a_model_from_elsewhere_is_not_called_broken(tmp_path: Path) -> None:
    make_model(tmp_path / "foreign", "foreign", 1)
    found = trace(tmp_path / "foreign")
    assert found.broken == ()
    assert states(found)["run"] == "elsewhere"
