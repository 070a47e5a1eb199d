"""Correcting the explanation, measured: marks on a fifth of the training images of magnetic tiles.

    python -m benchmarks.looking --data MAGNETIC_TILE --out FOLDER

Two runs of one recipe and one seed on the same split; the second also learns where the defects
of some training images lie. Where the model then looks is measured on images whose marks it did
not learn: the other training images, and the test part. Writes report.json into FOLDER; a step
that is finished is not done again.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

RECIPE = """\
title: Defects on magnetic tiles
task: tile
network: {family: efficientnet-lite0, frozen_stages: 6, frozen_norm: true, dropout: 0.2}
preprocessing: {size: 160, crop: whole, reach: 0}
auxiliary: none
sampling: {slices_per_epoch: 0}
augmentation: {rotate_degrees: 10, scale: 0.1, forget_neighbours: 0}
optimiser: {learning_rate: 3.0e-4, head_learning_rate: 2.0e-3, batch_size: 24}
stopping: {epochs: 8, keep: last}
"""


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("--data", type=Path, required=True, help="folder of images.csv")
    words.add_argument("--out", type=Path, required=True, help="folder for everything that is made")
    words.add_argument("--share", type=float, default=0.2, help="share of images whose marks count")
    words.add_argument("--weight", type=float, default=0.5, help="weight of the explanation loss")
    asked = words.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    os.environ["SLICELOOP_HOME"] = str(asked.out / "profile")
    report = measure(asked.data, asked.out, asked.share, asked.weight)
    (asked.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def measure(data: Path, out: Path, share: float, weight: float) -> dict[str, Any]:
    import numpy as np

    from core.retraining.attention import learnt_rows
    from core.retraining.comparison import compare
    from core.retraining.dataset import Dataset
    from core.retraining.pointing import look, marked_rows, pointing_change
    from core.retraining.scoring import find_subject, score

    folder = built(data, out / "set")
    dataset = Dataset.open(folder)
    (out / "recipe.yaml").write_text(RECIPE)
    plain = trained(folder, out, "plain", {"explanation.weight": 0})
    told = trained(
        folder, out, "marked", {"explanation.weight": weight, "explanation.share": share}
    )
    subjects = [find_subject(str(run)) for run in (plain, told)]
    before, after = (score(subject, dataset, "test") for subject in subjects)
    train = dataset.part("train")
    learnt, _ = learnt_rows(dataset, train, share)
    report: dict[str, Any] = {
        "images": len(dataset),
        "marks_learnt": len(learnt),
        "marked_training_images": len(marked_rows(dataset, train)),
    }
    change = None
    for name, rows in (
        ("other_training_images", np.setdiff1d(marked_rows(dataset, train), learnt)),
        ("test_images", marked_rows(dataset, dataset.part("test"))),
    ):
        looks = [look(subject, dataset, rows) for subject in subjects]
        change = pointing_change(dataset, looks[0], looks[1])
        report[name] = None if change is None else change.facts()
    found = compare(dataset, before, after, pointing=change)
    difference = found.difference
    return report | {
        "test": {"slices": found.slices, "groups": found.patients},
        "auroc_without_marks": found.champion.figures.auroc,
        "auroc_without_marks_ci95": found.champion.figures.auroc_ci95,
        "auroc_with_marks": found.challenger.figures.auroc,
        "auroc_with_marks_ci95": found.challenger.figures.auroc_ci95,
        "auroc_difference": None if difference is None else difference.value,
        "auroc_difference_ci95": None if difference is None else list(difference.ci95),
        "gate": [check.sentence for check in found.gate.checks],
    }


def built(data: Path, out: Path) -> Path:
    from core.retraining.building import TableRequest, build_from_table

    if not (out / "dataset.json").is_file():
        build_from_table(
            TableRequest(
                table=data / "images.csv",
                file="file",
                label="label",
                negative="free",
                group="number",
                group_block=1000,
                mask="mask",
                keep_names=True,
                out=out,
            )
        )
    return out


def trained(data: Path, out: Path, name: str, settings: dict[str, Any]) -> Path:
    from core.retraining.protocol import RunFolder, TrainingRequest
    from core.retraining.trainer import train_in_folder

    run = out / name
    folder = RunFolder(run)
    if folder.state == "finished":
        return run
    if not (run / "request.json").is_file():
        folder.create(
            TrainingRequest(
                recipe=str((out / "recipe.yaml").resolve()),
                data=data.resolve(),
                settings=settings,
                model_id=f"tiles-{name}",
            )
        )
    if train_in_folder(run, tell) != 0:
        raise SystemExit(f"the run {run} failed")
    return run


def tell(event: dict[str, Any]) -> None:
    if event["event"] == "epoch":
        print({k: event[k] for k in ("epoch", "train_loss", "validation_auroc", "seconds")})


if __name__ == "__main__":
    main()
