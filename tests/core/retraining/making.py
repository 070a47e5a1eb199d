"""Small tables of pictures, and sets made from them, for the tests of this room."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.retraining.building import TableRequest, build_from_table
from core.retraining.dataset import Dataset

Row = Mapping[str, object]


def picture(seed: int, size: tuple[int, int] = (24, 20)) -> np.ndarray:
    """A grey picture of smooth random shapes, unlike that of any other seed."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    waves = sum(
        np.sin(rows * a + b) * np.cos(columns * c + d) for a, b, c, d in rng.uniform(0, 3, (4, 4))
    )
    return np.uint8(127 + 30 * waves)


def write_table(path: Path, rows: Sequence[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def table_of_patients(
    folder: Path, patients: int = 12, slices: int = 4, positive_every: int = 2
) -> tuple[Path, list[dict[str, object]]]:
    """Patients P0 … with numbered PNG slices; every second patient has findings."""
    rows: list[dict[str, object]] = []
    (folder / "slices").mkdir(parents=True, exist_ok=True)
    for patient in range(patients):
        for index in range(slices):
            name = f"slices/p{patient}_s{index * 3 + 1}.png"
            Image.fromarray(picture(patient * 100 + index)).save(folder / name)
            finding = int(patient % positive_every == 0 and index >= slices // 2)
            rows.append(
                {
                    "file": name,
                    "patient": f"P{patient}",
                    "bleed": finding,
                    "deep": finding if index % 2 else 0,
                    "note": f"free text {patient}",
                }
            )
    return write_table(folder / "table.csv", rows), rows


def request(table: Path, out: Path, **changes: object) -> TableRequest:
    facts: dict[str, object] = {
        "table": table,
        "file": "file",
        "label": "bleed",
        "group": "patient",
        "out": out,
    }
    return TableRequest(**(facts | changes))


def small_dataset(folder: Path, **changes: object) -> Dataset:
    table, _ = table_of_patients(folder / "source")
    out = folder / "set"
    build_from_table(request(table, out, **changes))
    return Dataset.open(out)


def oracle(labels: np.ndarray, skill: float, seed: int = 0, noise: float = 1.0) -> np.ndarray:
    """Probabilities (n, 2) of a made-up model: the more skill, the better it separates."""
    rng = np.random.default_rng(seed)
    logits = skill * (2 * labels - 1) + rng.normal(0, noise, len(labels))
    chance = 1 / (1 + np.exp(-logits))
    return np.stack([1 - chance, chance], axis=1)


def finished_run(folder: Path, data: Path, seed: int = 0, **changes: object) -> Path:
    """A run folder as the trainer leaves it, with random weights."""
    from core.retraining.protocol import RunFolder, TrainingRequest
    from tests.core.models.making import make_model

    run = RunFolder(folder)
    run.create(TrainingRequest(recipe="quick", data=data))
    facts: dict[str, object] = {
        "recipe": {"title": "Quick", "stopping": {"epochs": 2}},
        "task": "bleeding",
        "classes": ("no_bleed", "bleed"),
        "positive": "bleed",
    }
    card = make_model(run.model, folder.name, seed, **(facts | changes))
    history = [{"epoch": k + 1, "validation_auroc": 0.5 + k / 10} for k in range(3)]
    run.finish({"model": card.id, "seconds": 90.0, "history": history})
    return folder


def tensorboard_of(logs: Path) -> dict[str, Any]:
    """What TensorBoard finds in a run's logs: scalars, images, and nodes of the graph."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(logs)).Reload()
    tags = found.Tags()
    nodes = len(found.Graph().node) if tags["graph"] else 0
    return {
        "scalars": {tag: len(found.Scalars(tag)) for tag in tags["scalars"]},
        "images": {tag: len(found.Images(tag)) for tag in tags["images"]},
        "nodes": nodes,
    }
