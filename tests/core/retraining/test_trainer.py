"""A run: killed and resumed equals uninterrupted; folds keep patients apart; leaks stop it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.torch import load_file

from core.errors import BadRecipeError, RunError
from core.models.card import WEIGHTS_FILE, read_card
from core.models.loading import load_predictor
from core.models.verification import verify_model
from core.retraining import foretold
from core.retraining.dataset import Dataset
from core.retraining.folding import grouped_folds
from core.retraining.protocol import Event, RunFolder, TrainingRequest
from core.retraining.recipe import Recipe, available, load_recipe, reference
from core.retraining.scoring import find_subject, score
from core.retraining.trainer import train_in_folder
from tests.core.retraining.making import small_dataset, tensorboard_of


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLICELOOP_HOME", str(folder / "profile"))
        return small_dataset(folder).folder


def _recipe(folder: Path, **changes: object) -> Path:
    content = {
        "title": "A small one",
        "network": {
            "family": "plain-cnn",
            "pretrained": False,
            "frozen_stages": 0,
            "frozen_norm": False,
        },
        "preprocessing": {"size": 32, "crop": "whole"},
        "sampling": {"slices_per_epoch": 24},
        "optimiser": {"batch_size": 8},
        "stopping": {"epochs": 3},
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(content | changes))
    return path


def _run(folder: Path, data: Path, name: str, recipe: Path, **changes: object) -> RunFolder:
    run = RunFolder(folder / name)
    run.create(TrainingRequest(recipe=str(recipe), data=data, **changes))
    return run


class _StopAfter:
    """Asks a run to stop once a number of epochs are done: in the middle of the next one."""

    def __init__(self, run: RunFolder, epochs: int) -> None:
        self.run, self.epochs = run, epochs

    def __call__(self, event: Event) -> None:
        if event["event"] == "epoch" and event["epoch"] == self.epochs:
            self.run.ask_stop()


def test_stopped_and_resumed_equals_uninterrupted(tmp_path: Path, data: Path) -> None:
    recipe = _recipe(tmp_path)
    whole = _run(tmp_path, data, "whole", recipe)
    assert train_in_folder(whole.path) == 0
    parts = _run(tmp_path, data, "parts", recipe)
    assert train_in_folder(parts.path, _StopAfter(parts, 1)) == 0
    assert (parts.state, parts.result) == ("stopped", None)
    assert train_in_folder(parts.path) == 0
    assert parts.state == "finished"
    one, two = (load_file(run.model / WEIGHTS_FILE) for run in (whole, parts))
    for name, tensor in one.items():
        assert tensor.equal(two[name]), name
    curves = [
        [
            {k: e[k] for k in ("epoch", "train_loss", "validation_auroc")}
            for e in run.result["history"]
        ]
        for run in (whole, parts)
    ]
    assert curves[0] == curves[1]
    assert [line["epoch"] for line in curves[0]] == [1, 2, 3]


def test_the_model_answers_as_it_was_scored(tmp_path: Path, data: Path) -> None:
    run = _run(tmp_path, data, "run", _recipe(tmp_path), model_id="mine")
    assert train_in_folder(run.path) == 0
    card = verify_model(run.model)
    logged = tensorboard_of(run.logs)
    assert {"once/train_loss", "once/validation_loss", "once/rate"} <= logged["scalars"].keys()
    assert logged["images"] and logged["nodes"] > 10
    dataset = Dataset.open(data)
    assert card.id == "mine"
    assert card.classes == dataset.manifest.classes
    assert card.auxiliary == ("deep",)
    assert card.data.dataset_id == dataset.manifest.id
    rows = dataset.part("validation")
    shares = load_predictor(run.model, "cpu").predict_dataset(dataset, rows)
    from sklearn.metrics import roc_auc_score

    stated = next(metric for metric in card.metrics if metric.name == "slice AUROC")
    assert roc_auc_score(dataset.labels[rows], shares[:, 1]) == pytest.approx(
        stated.value, abs=1e-9
    )
    assert stated.ci95[0] <= stated.value <= stated.ci95[1]


def test_test_patients_do_not_change_the_weights(tmp_path: Path, data: Path) -> None:
    """The law behind every figure: what the test part holds cannot be learnt."""
    seen: set[int] = set()

    class Watched(Dataset):
        def plane(self, row: int) -> np.ndarray:
            seen.add(row)
            return super().plane(row)

    dataset = Watched.open(data)
    for row in dataset.part("train"):
        dataset.plane(int(row))
    assert not seen & set(dataset.part("test").tolist())


def test_early_stopping_cannot_fire_before_its_first_epoch(tmp_path: Path, data: Path) -> None:
    """A figure that never gets better ends the training at min_epochs, not before."""
    still = {"batch_size": 24, "learning_rate": 1e-12, "head_learning_rate": 1e-12}
    stopping = {"epochs": 9, "patience": 1, "min_epochs": 4, "monitor": "validation_loss"}
    run = _run(tmp_path, data, "run", _recipe(tmp_path, optimiser=still, stopping=stopping))
    assert train_in_folder(run.path) == 0
    assert len(run.result["history"]) == 4


def test_folds_score_each_patient_by_a_model_that_has_not_seen_him(
    tmp_path: Path, data: Path
) -> None:
    run = _run(tmp_path, data, "run", _recipe(tmp_path, folds=2), settings={"stopping.epochs": 1})
    assert train_in_folder(run.path) == 0
    dataset = Dataset.open(data)
    lines = json.loads((run.path / "out_of_fold.json").read_text())
    rows = np.array([line["row"] for line in lines])
    assert set(rows) == set(np.flatnonzero(dataset.splits != "test"))
    fold_of_group: dict[int, set[int]] = {}
    for line in lines:
        fold_of_group.setdefault(int(dataset.groups[line["row"]]), set()).add(line["fold"])
    assert all(len(folds) == 1 for folds in fold_of_group.values())
    card = read_card(run.model)
    assert "2-fold" in card.metrics[0].how
    scored = score(find_subject(str(run.path)), dataset, "cv").evaluate(dataset, 100)
    assert scored.auroc == pytest.approx(card.metrics[0].value)
    assert scored.sensitivity == pytest.approx(card.operating_point.sensitivity)


def test_folds_hold_out_every_row_once_and_spread_the_ill() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(23), random.integers(1, 9, 23))
    truth = np.isin(groups, [1, 4, 5, 9, 13, 17, 20, 21]) & (random.random(len(groups)) < 0.9)
    truth[np.flatnonzero(np.diff(groups, prepend=-1))] |= np.isin(
        groups[np.flatnonzero(np.diff(groups, prepend=-1))], [1, 4, 5, 9, 13, 17, 20, 21]
    )
    held = np.array(grouped_folds(truth, groups, 4, seed=3))
    assert (held.sum(axis=0) == 1).all()
    for group in range(23):
        assert len({tuple(column) for column in held[:, groups == group].T}) == 1
    ill = [len(np.unique(groups[fold & truth])) for fold in held]
    assert ill == [2, 2, 2, 2]


def test_a_base_model_brings_its_network_and_is_named_as_parent(tmp_path: Path, data: Path) -> None:
    first = _run(tmp_path, data, "first", _recipe(tmp_path), model_id="first")
    assert train_in_folder(first.path) == 0
    changes = {"stopping.epochs": 1, "network.frozen_stages": 4, "auxiliary": "none"}
    second = _run(
        tmp_path, data, "second", _recipe(tmp_path), base_model=first.model, settings=changes
    )
    keys = Dataset.open(data).keys()
    foretold.remember(read_card(first.model).weights_sha256, dict.fromkeys(keys, (False, True)))
    assert train_in_folder(second.path) == 0
    card = read_card(second.model)
    assert card.parent == "first"
    # What a preview had foretold of the base model is counted against what came of it.
    told = foretold.measured(second.path)
    assert told is not None and told == foretold.record()
    assert told.slices == told.foretold == int((Dataset.open(data).splits != "test").sum())
    assert second.result["foretold"] == asdict(told)
    one, two = (load_file(run.model / WEIGHTS_FILE) for run in (first, second))
    assert one["trunk.layers.0.0.weight"].equal(two["trunk.layers.0.0.weight"])
    assert two["head.weight"].shape[0] == 1


def test_what_cannot_be_judged_is_refused_before_it_starts(tmp_path: Path) -> None:
    everything = small_dataset(tmp_path, split="test").folder
    run = _run(tmp_path, everything, "run", _recipe(tmp_path))
    told: list[Event] = []
    assert train_in_folder(run.path, told.append) == 1
    assert "0 of 2 classes" in told[-1]["sentence"]
    assert run.state == "failed"


def test_an_occupied_folder_is_not_overwritten(tmp_path: Path, data: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    with pytest.raises(RunError):
        _run(tmp_path, data, "run", _recipe(tmp_path))
    assert (tmp_path / "run" / "thesis.txt").read_text() == "mine"


STARTER = """
import os, signal, sys
from pathlib import Path
from core.retraining.protocol import TrainingRequest, start_training
recipe, data, run = map(Path, sys.argv[1:])
print(start_training(TrainingRequest(recipe=str(recipe), data=data), run), flush=True)
os.killpg(0, signal.SIGKILL)
"""
"""Starts a training as the window does, and is killed with all that belongs to its group."""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for another's child: Linux")
@pytest.mark.timeout(900)  # the trainer lets everything else go first
def test_a_training_outlives_whoever_started_it_and_is_found_again(
    tmp_path: Path, data: Path
) -> None:
    recipe = _recipe(tmp_path, stopping={"epochs": 1})
    run = RunFolder(tmp_path / "run")
    starter = subprocess.run(
        [sys.executable, "-c", STARTER, str(recipe), str(data), str(run.path)],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert starter.returncode == -signal.SIGKILL
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        trainer = os.pidfd_open(int(starter.stdout))
        select.select([trainer], [], [])
        os.close(trainer)
    again = RunFolder(run.path)
    assert again.state == "finished"
    kinds = [event["event"] for event in again.events()]
    assert kinds[0] == "started"
    assert kinds[-1] == "finished"
    assert again.result["model"] == read_card(again.model).id


@pytest.mark.parametrize("name", available())
def test_every_shipped_recipe_is_valid(name: str) -> None:
    assert isinstance(load_recipe(name), Recipe)


def test_a_wrong_key_is_told_with_the_right_one(tmp_path: Path) -> None:
    path = _recipe(tmp_path, optimizer={"batch_size": 8})
    with pytest.raises(BadRecipeError) as caught:
        load_recipe(str(path))
    assert caught.value.problems == ("optimizer is no field, did you mean optimiser?",)
    with pytest.raises(BadRecipeError) as caught:
        load_recipe("head-ct-hemorrhage", {"stopping.epoch": "3", "folds": "-1"})
    assert "stopping.epoch is no field, did you mean epochs?" in caught.value.problems
    assert any(problem.startswith("folds:") for problem in caught.value.problems)
    with pytest.raises(BadRecipeError) as caught:
        load_recipe("head-ct-hemorhage")
    assert "did you mean head-ct-hemorrhage?" in caught.value.problems[0]


def test_the_page_on_recipes_lists_every_field_as_it_is() -> None:
    page = Path(__file__).parents[3] / "docs" / "recipes.md"
    assert page.read_text("utf-8").split("# Fields\n\n")[1] == reference()
    for name in available():
        assert f"`{name}`" in page.read_text("utf-8")
