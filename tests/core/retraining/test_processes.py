"""One recipe on several processes: the same curve; and one fold a process: the same folds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from core.models.card import WEIGHTS_FILE
from core.retraining.protocol import RunFolder, TrainingRequest
from core.retraining.trainer import train_in_folder
from tests.core.retraining.making import small_dataset

RECIPE = {
    "title": "Small",
    "network": {
        "family": "plain-cnn",
        "pretrained": False,
        "frozen_stages": 0,
        "frozen_norm": True,
        "head_epochs": 1,
        "dropout": 0.0,
    },
    "preprocessing": {"size": 32, "crop": "whole"},
    "sampling": {"slices_per_epoch": 20},
    "optimiser": {"batch_size": 8},
    "stopping": {"epochs": 2},
}


def _run(folder: Path, name: str, **changes: object) -> RunFolder:
    recipe = folder / f"{name}.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE | changes))
    run = RunFolder(folder / name)
    run.create(TrainingRequest(recipe=str(recipe), data=folder / "set"))
    return run


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    """DDP over gloo, as torchrun starts it. Parts of a batch are as good as the whole."""
    small_dataset(tmp_path)
    alone, both = _run(tmp_path, "alone"), _run(
        tmp_path, "both", optimiser={"batch_size": 8, "accumulate": 2}
    )  # fmt: skip
    assert train_in_folder(alone.path) == 0
    # By number: a bare machine may not know its own name.
    where = ["--master-addr=127.0.0.1", f"--master-port={_free_port()}"]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", *where]
    done = subprocess.run(
        [*command, "-m", "core.retraining.worker", "train", str(both.path)],
        cwd=Path(__file__).parents[3],
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    one, two = alone.result["history"], both.result["history"]
    for figure in ("train_loss", "validation_loss"):
        assert [line[figure] for line in two] == pytest.approx(
            [line[figure] for line in one], abs=1e-4
        )
    weights = [load_file(run.model / WEIGHTS_FILE) for run in (alone, both)]
    for name, tensor in weights[0].items():
        assert tensor.allclose(weights[1][name], atol=1e-4), name


def test_folds_trained_apart_are_the_folds_of_the_whole(tmp_path: Path) -> None:
    small_dataset(tmp_path)
    whole, parts = _run(tmp_path, "whole", folds=2), _run(tmp_path, "parts", folds=2)
    assert train_in_folder(whole.path) == 0
    assert train_in_folder(parts.path, fold=1) == 0
    assert parts.result is None
    assert train_in_folder(parts.path, fold=0) == 0
    assert train_in_folder(parts.path) == 0
    one, two = (load_file(run.model / WEIGHTS_FILE) for run in (whole, parts))
    assert all(tensor.equal(two[name]) for name, tensor in one.items())
    assert (whole.path / "out_of_fold.json").read_bytes() == (
        parts.path / "out_of_fold.json"
    ).read_bytes()


def test_a_fold_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    small_dataset(tmp_path)
    run = _run(tmp_path, "run", folds=2)
    events: list[dict[str, object]] = []
    assert train_in_folder(run.path, events.append, fold=5) == 1
    assert "fold 5" in str(events[-1]["sentence"])
