"""Models of volumes: rows are series, from the table to the card and the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.cli.main import run as command
from core.imaging.geometry import Geometry
from core.imaging.intensity import Quantity
from core.imaging.opening import open_path
from core.imaging.volume import SeriesSummary, Volume
from core.models.calibration import calibrated
from core.models.card import Preprocessing, read_card
from core.models.loading import load_predictor
from core.models.rows import row_pixels
from core.models.verification import verify_model
from core.models.volumes import axes_of, prepare_volume
from core.retraining.arrays import ArraysRequest, build_from_arrays
from core.retraining.building import TableRequest, build_from_table
from core.retraining.dataset import Dataset
from core.retraining.leaks import examine
from core.retraining.picturing import _telling
from core.retraining.protocol import RunFolder, TrainingRequest
from core.retraining.scoring import find_subject, score
from core.retraining.series import geometry_of, label_of, letters_of
from core.retraining.trainer import train_in_folder
from tests.core.retraining.making import small_dataset, tensorboard_of, write_table

SIDE = 16
_FAST = {
    "network.family": "resnet3d",
    "network.options": {"widths": [4, 8], "stem": 3, "hidden_features": 0},
    "network.pretrained": False,
    "network.frozen_stages": 0,
    "network.frozen_norm": False,
    "preprocessing": {"dimensions": 3, "size": SIDE, "crop": "whole", "reach": 0},
    "optimiser.batch_size": 8,
    "sampling.slices_per_epoch": 0,
    "stopping.epochs": 1,
    "auxiliary": "none",
}


def blob(seed: int, big: bool) -> np.ndarray:
    """A ball somewhere in a cube, with grain: large where the finding is."""
    rng = np.random.default_rng(seed)
    grid = np.mgrid[:SIDE, :SIDE, :SIDE] - rng.uniform(6, 10, (3, 1, 1, 1))
    ball = (grid**2).sum(axis=0) < (30 if big else 9)
    return (ball * 180 + rng.integers(0, 40, ball.shape)).astype(np.uint8)


def arrays_file(folder: Path, train: int = 24, val: int = 8) -> Path:
    parts = {}
    for part, count, first in (("train", train, 0), ("val", val, 1000)):
        labels = np.arange(count) % 2
        parts[f"{part}_images"] = np.stack(
            [blob(first + k, bool(label)) for k, label in enumerate(labels)]
        )
        parts[f"{part}_labels"] = labels[:, None].astype(np.uint8)
    np.savez(folder / "balls.npz", **parts)
    return folder / "balls.npz"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("volumes")
    build_from_arrays(ArraysRequest(arrays_file(folder), folder / "set", finding="Mass"))
    return folder / "set"


def train(folder: Path, data: Path, **settings: object) -> RunFolder:
    run = RunFolder(folder)
    changed = {**_FAST, **settings}
    run.create(TrainingRequest(recipe="recommended", data=data, settings=changed))
    assert train_in_folder(folder) == 0
    return run


def test_arrays_keep_their_parts_and_a_row_is_a_volume(data: Path) -> None:
    dataset = Dataset.open(data)
    assert dataset.manifest.unit == "series" and dataset.manifest.classes == ("no_mass", "mass")
    volumes = dataset.by_series()
    assert (len(volumes), volumes.slice_count, len(dataset)) == (32, 512, 512)
    assert volumes.as_seen(2).slice_count == len(volumes.as_seen(2)) == 512
    assert volumes.depths.tolist() == [SIDE] * 32
    parts = {p: (len(r := volumes.part(p)), volumes.labels[r].sum()) for p in ("train", "test")}
    assert parts == {"train": (24, 12), "test": (0, 0)}
    for row, big in ((0, False), (1, True), (24, False)):
        wanted = blob(row if row < 24 else 976 + row, big)
        assert np.array_equal(volumes.volume(row).voxels, wanted)
    volumes.verify()
    assert not examine(dataset).leaks


def test_the_same_volume_on_two_sides_is_a_leak(tmp_path: Path) -> None:
    images = np.stack([blob(k, bool(k % 2)) for k in range(6)])
    labels = np.arange(6) % 2
    np.savez(
        tmp_path / "twice.npz",
        train_images=images,
        train_labels=labels,
        val_images=images[:1],
        val_labels=labels[:1],
    )
    build_from_arrays(ArraysRequest(tmp_path / "twice.npz", tmp_path / "set"))
    leaks = examine(Dataset.open(tmp_path / "set")).leaks
    assert next(leak.code for leak in leaks) == "same-pixels"


@pytest.mark.parametrize("axes", ["RAI", "LPS", "ASL", "PIR"])
def test_a_set_gives_the_same_cube_as_the_file(tmp_path: Path, axes: str) -> None:
    """Whatever axes a NIfTI file has, training and inference see one tensor."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(blob(3, big=True)[:, :14, :12].astype(np.int16) * 7)
    image.SetSpacing((0.8, 1.1, 2.5))
    turned = SimpleITK.DICOMOrient(image, axes)
    SimpleITK.WriteImage(turned, tmp_path / "one.nii.gz")
    rows = [{"file": "one.nii.gz", "who": "a", "ill": 1}]
    rows += [{"file": f"{k}.nii.gz", "who": "a" if k == 2 else k, "ill": k % 2} for k in range(3)]
    for k in range(3):
        other = SimpleITK.GetImageFromArray(blob(k, big=False).astype(np.int16))
        SimpleITK.WriteImage(other, tmp_path / f"{k}.nii.gz")
    table = write_table(tmp_path / "labels.csv", rows)
    build_from_table(TableRequest(table, "file", "ill", "who", tmp_path / "set", keep_names=True))
    volumes = Dataset.open(tmp_path / "set").by_series()
    assert volumes.manifest.unit == "series" and len(volumes) == 4  # two files of one patient
    row = next(k for k, name in enumerate(volumes.sources) if name.startswith("one.nii.gz"))
    file = open_path(tmp_path / "one.nii.gz").series[0].load()
    for crop in ("whole", "foreground"):
        spec = Preprocessing(dimensions=3, size=24, crop=crop)
        assert np.array_equal(row_pixels(volumes, row, spec), prepare_volume(file, spec).pixels)


def test_letters_and_geometry_agree() -> None:
    for letters in ("HPL", "FAR", "LHP", "PRF", ""):
        made = geometry_of(letters, (3, 4, 5), (2.0, 1.0, 0.5))
        assert letters_of(made) == letters
        assert made.spacing == (2.0, 1.0, 0.5) and made.has_orientation == bool(letters)
    assert axes_of(geometry_of("HPL", (3, 4, 5), (1.0, 1.0, 1.0))).order == (0, 1, 2)
    assert not geometry_of("HPL", (3, 4, 5), (float("nan"),) * 3).has_spacing
    assert letters_of(Geometry.unknown((3, 4, 5))) == ""


def test_a_series_is_ill_if_a_slice_is_and_well_only_if_all_are() -> None:
    def told(*labels: int, positive: int | None = 1) -> int:
        return label_of(np.array(labels), positive)

    assert told(0, 1, -1) == 1
    assert told(0, 0, 0) == 0
    assert told(0, -1, 0) == -1
    assert told(-1, -1) == -1
    assert told(2, 2, 0, -1, positive=None) == 2


def test_a_slice_set_gives_volumes_of_its_series(tmp_path: Path) -> None:
    slices = small_dataset(tmp_path)
    volumes = slices.by_series()
    assert len(volumes) == 12 and volumes.labels.sum() == 6
    for row in range(len(volumes)):
        own = np.flatnonzero(slices.series == row)
        assert volumes.labels[row] == slices.labels[own].max()
        assert volumes.auxiliary[row] == slices.auxiliary[own].max(axis=0)
        assert volumes.splits[row] == slices.splits[own[0]]
        assert np.array_equal(volumes.volume(row).voxels[1], slices.stored(own[1]))


def test_a_volume_model_is_trained_calibrated_and_evaluated(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(tmp_path / "run", data, **{"stopping.epochs": 2, "augmentation.tilt_degrees": 20})
    card = json.loads((run.model / "card.json").read_text())
    assert card["metrics"][0]["name"] == "volume AUROC" and len(card["operating_curve"]) == 99
    assert card["data"]["slices"] == 512 and card["data"]["patients"] == 32
    logged = tensorboard_of(run.logs)
    assert logged["scalars"]["once/validation_auroc"] == logged["scalars"]["once/train_loss"] == 2
    assert logged["images"] and logged["nodes"] > 10
    out = tmp_path / "report"
    words = ["evaluate", str(run.path), "--data", str(data), "--split", "validation"]
    assert command([*words, "--out", str(out), "--resamples", "100", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["n"], figures["unit"]) == (8, "volume")
    assert figures["auroc"] == pytest.approx(card["metrics"][0]["value"])
    assert (out / "report.html").is_file() and (out / "report.pdf").is_file()
    log = tmp_path / "log"
    words = ["compare", str(run.path), str(run.path), "--data", str(data), "--split", "validation"]
    assert command([*words, "--out", str(log), "--resamples", "100"]) == 0
    rows = json.loads((log / "comparison.json").read_text())
    assert [row["delong_p"] for row in rows] == [None, 1.0] and rows[0]["parameters"] > 0
    assert "8 volumes of 8" in (log / "comparison.html").read_text("utf-8")
    assert (log / "learning.png").is_file()
    # What the card promises is what the window's road answers.
    volumes = Dataset.open(data).by_series()
    predictor = load_predictor(run.model, "cpu")
    row = int(volumes.part("validation")[0])
    [answer, *_] = predictor.predict_volume(volumes.volume(row), explain=False)
    said = predictor.predict_dataset(volumes, np.array([row]))[0]
    assert answer.of_volume and answer.probabilities["mass"] == pytest.approx(said[1], abs=1e-6)


def test_a_volume_is_shown_where_there_is_something_to_see() -> None:
    mask = np.zeros((12, 8, 8), np.uint8)
    mask[5:9, 2:6, 2:6] = 255
    geometry = geometry_of("", mask.shape, (float("nan"),) * 3)
    summary = SeriesSummary("u", "c", "", "", geometry, Quantity.GREY, "", ())
    for voxels, wanted in ((mask, [5, 6, 7, 8]), (mask[:3], [])):
        assert _telling(Volume(summary, voxels, np.ones(12), np.zeros(12))) == wanted


def test_a_model_of_volumes_needs_a_network_of_volumes(tmp_path: Path, data: Path) -> None:
    run = RunFolder(tmp_path / "run")
    settings = {**_FAST, "network.family": "plain-cnn", "network.options": {}}
    run.create(TrainingRequest(recipe="recommended", data=data, settings=settings))
    told: list[dict[str, object]] = []
    assert train_in_folder(run.path, told.append) == 1
    assert "network of slices" in str(told[-1]["sentence"])


def test_folds_become_one_model_that_votes(tmp_path: Path, data: Path) -> None:
    """Each volume is scored by a member that has not seen it; the members vote, half as large."""
    run = train(tmp_path / "run", data, folds=3, publish="folds", storage="float16")
    card = read_card(run.model)
    assert len(card.weight_files) == 3 and "one member" in card.metrics[0].how
    verify_model(run.model)
    volumes = Dataset.open(data).by_series()
    lines = json.loads((run.path / "out_of_fold.json").read_text())
    assert sorted(line["row"] for line in lines) == list(range(32))
    predictor = load_predictor(run.model, "cpu")
    [answer, *_] = predictor.predict_volume(volumes.volume(0), explain=False)
    assert answer.spread is not None and answer.spread[0] <= answer.probabilities["mass"]
    asked = score(find_subject(str(run.path)), volumes, "validation")
    figures = asked.evaluate(volumes, 100)
    assert len(figures.members) == 3 and len(asked.members) == 3
    assert np.allclose(np.mean(asked.members, axis=0), asked.probabilities)
    # A member's own answer for what its fold held out is the one that was scored.
    held = next(line for line in lines if line["fold"] == 1)
    said = predictor.members[1].look(row_pixels(volumes, held["row"], card.preprocessing)[None])
    own = calibrated(card, said.logits)[0]
    assert own == pytest.approx(held["probabilities"], abs=2e-3)


def test_members_from_other_seeds_vote_too(tmp_path: Path, data: Path) -> None:
    run = train(tmp_path / "run", data, members=2)
    files = [file for file, _ in read_card(run.model).weight_files]
    one, two = (load_file(run.model / file) for file in files)
    assert not torch.equal(one["head.weight"], two["head.weight"])


def test_who_scores_a_fold_does_not_choose_its_weights(tmp_path: Path, data: Path) -> None:
    """With early stopping the next fold tells when to stop, and teaches nothing."""
    stopping = {"stopping.epochs": 3, "stopping.patience": 1, "stopping.keep": "best"}
    run = train(tmp_path / "run", data, folds=4, publish="folds", **stopping)
    lines = json.loads((run.path / "out_of_fold.json").read_text())
    assert len(lines) == 32 and {line["fold"] for line in lines} == {0, 1, 2, 3}
    told = [event for event in run.events() if event["event"] == "epoch"]
    assert all(event["validation_auroc"] is not None for event in told)
    first = [event["validation_auroc"] for event in told if event["epoch"] == 1]
    assert len(first) == 4
    assert run.result["history"][0]["validation_auroc"] == pytest.approx(np.mean(first))
