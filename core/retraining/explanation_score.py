"""Scoring a model's explanations on slices whose finding somebody marked.

What is asked is in `core.models.faithfulness`; here the slices come from a training set, and
each figure gets its interval over patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UnusableDatasetError
from core.imaging.volume import Progress
from core.labels.schema import Attention
from core.models import heat
from core.models.answers import HeatMap
from core.models.faithfulness import (
    deletion_insertion,
    energy_in_mask,
    likeness,
    pointing_by_chance,
    pointing_hit,
    randomised,
)
from core.models.loading import NetworkPredictor
from core.models.methods import AnyMethod, heat_map_by, probability_of
from core.models.preprocessing import Prepared
from core.models.rows import prepare_row
from core.retraining import statistics as stats
from core.retraining.dataset import Dataset
from core.retraining.pointing import marked_rows
from core.retraining.regions import joined

Floats = NDArray[np.float64]

_CHANCE = 977
"""Added to the seed of random weights, lest they be those that a training began with."""

NAMES = {
    "pointing_game": "strongest evidence on the mark",
    "pointing_chance": "the same for a peak anywhere",
    "energy_in_mask": "share of the evidence on the mark",
    "mask_area": "share of the picture that is marked (what chance would reach)",
    "deletion": "area under the deletion curve (lower is better)",
    "deletion_random": "the same in a random order",
    "insertion": "area under the insertion curve (higher is better)",
    "insertion_random": "the same in a random order",
    "likeness_to_random_weights": "correlation with the map of random weights (nearer 0 is better)",
}


@dataclass(frozen=True)
class ExplanationScore:
    """Means over slices with 95 % intervals over groups."""

    method: AnyMethod
    slices: int
    groups: int
    figures: dict[str, stats.Estimate]

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        named = {
            name: {"value": found.value, "ci95": list(found.ci95)}
            for name, found in self.figures.items()
        }
        return {"method": self.method, "slices": self.slices, "groups": self.groups, **named}


def score_explanations(
    predictor: NetworkPredictor,
    dataset: Dataset,
    split: str = "all",
    *,
    method: AnyMethod = "closed-form",
    limit: int = 0,
    resamples: int = stats.RESAMPLES,
    seed: int = 0,
    progress: Progress | None = None,
) -> ExplanationScore:
    """Score the heat maps of the finding on the marked slices of a part of a set.

    limit: slices at most, spread evenly; 0 takes all.
    Raises UnusableDatasetError if nothing is marked there.
    """
    rows = marked_rows(dataset, dataset.part(split))
    if len(rows) == 0:
        raise UnusableDatasetError(
            dataset.folder,
            f"no slice of its {split} part shows a finding that is marked",
            "Build it with --mask, or mark findings in the window first.",
        )
    if limit and len(rows) > limit:
        rows = rows[np.linspace(0, len(rows) - 1, limit).round().astype(int)]
    chance = NetworkPredictor(
        predictor.card, randomised(predictor.model, seed + _CHANCE), predictor.device
    )
    table: dict[str, list[float]] = {name: [] for name in NAMES}
    for number, row in enumerate(rows):
        found = _of_slice(predictor, chance, dataset, int(row), method, seed + number)
        for name, value in found.items():
            table[name].append(value)
        if progress is not None:
            progress(number + 1, len(rows))
    groups = dataset.groups[rows]
    figures = {
        name: stats.bootstrap_mean(np.array(values), groups, resamples, seed)
        for name, values in table.items()
    }
    return ExplanationScore(method, len(rows), len(np.unique(groups)), figures)


def _of_slice(
    predictor: NetworkPredictor,
    chance: NetworkPredictor,
    dataset: Dataset,
    row: int,
    method: AnyMethod,
    seed: int,
) -> dict[str, float]:
    spec = predictor.card.preprocessing
    prepared = prepare_row(dataset, row, spec)
    found = heat_map_by(predictor, prepared, method)
    rows, columns = (int(side) for side in dataset.sizes[row])
    mask = joined(dataset.regions_of(row), Attention.LOOK_HERE, rows, columns)
    shown = heat.on_slice(found, (rows, columns))
    cell = max(found.box[2] / found.values.shape[0], found.box[3] / found.values.shape[1])
    within = _on_input(found, prepared, spec.size)

    def ask(pixels: NDArray[np.uint8]) -> Floats:
        return probability_of(predictor, pixels, predictor.card.positive)

    curves = deletion_insertion(ask, prepared.pixels, within, seed=seed)
    other = heat_map_by(chance, prepared, method)
    return {
        "pointing_game": float(pointing_hit(shown, mask, cell / 2)),
        "pointing_chance": pointing_by_chance(shown, mask, cell / 2),
        "energy_in_mask": energy_in_mask(shown, mask),
        "mask_area": float(mask.mean()),
        "deletion": curves.deletion,
        "deletion_random": curves.random_deletion,
        "insertion": curves.insertion,
        "insertion_random": curves.random_insertion,
        "likeness_to_random_weights": abs(likeness(found.values, other.values)),
    }


def _on_input(found: HeatMap, prepared: Prepared, size: int) -> NDArray[np.float32]:
    """The map at the size of the network's input."""
    top, left, height, width = prepared.box
    box = (
        (found.box[0] - top) / height * size,
        (found.box[1] - left) / width * size,
        found.box[2] / height * size,
        found.box[3] / width * size,
    )
    return heat.on_slice(HeatMap(found.values, box, found.class_id), (size, size))
