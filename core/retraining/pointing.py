"""Whether a model looks where the finding is: pointing game and energy in the mask.

Measured on slices with a finding whose place somebody marked and whose marks the model did not
learn. The map is the one that the window shows, over the slice's own pixels.

- *Pointing game*: the centre of the map's highest cell lies on the marked pixels, or within half
  a cell of the map from them. Source: Zhang et al., *Top-down Neural Attention by Excitation
  Backprop*, ECCV 2016, which allows 15 pixels.
- *Energy in the mask*: share of the positive evidence that lies on marked pixels. Source: Wang
  et al., *Score-CAM*, CVPR workshops 2020. 0 where nothing speaks for the finding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.imaging.volume import Progress
from core.labels.schema import Attention
from core.retraining import statistics as stats
from core.retraining.dataset import Dataset
from core.retraining.figures import LookingFigures
from core.retraining.regions import joined

if TYPE_CHECKING:
    from core.models.card import Card
    from core.models.predictor import Predictor
    from core.retraining.scoring import Subject

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Looks:
    """Where a model looked. rows: slices of the set. hits: 0 or 1. energy: 0…1."""

    rows: NDArray[np.int64]
    hits: Floats
    energy: Floats


@dataclass(frozen=True)
class Pointing:
    """Means over slices, with 95 % intervals over patients."""

    slices: int
    groups: int
    hits: stats.Estimate
    energy: stats.Estimate

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "slices": self.slices,
            "groups": self.groups,
            "pointing_game": self.hits.value,
            "pointing_game_ci95": list(self.hits.ci95),
            "energy_in_mask": self.energy.value,
            "energy_in_mask_ci95": list(self.energy.ci95),
        }


@dataclass(frozen=True)
class PointingChange:
    """Challenger minus champion on the same slices, with paired intervals."""

    champion: Pointing
    challenger: Pointing
    hits: stats.Estimate
    energy: stats.Estimate

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "champion": self.champion.facts(),
            "challenger": self.challenger.facts(),
            "pointing_game_difference": self.hits.value,
            "pointing_game_difference_ci95": list(self.hits.ci95),
            "energy_in_mask_difference": self.energy.value,
            "energy_in_mask_difference_ci95": list(self.energy.ci95),
        }


def marked_rows(dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of these rows, those that show the finding and on which its place is marked."""
    positive = dataset.positive_index
    positive = len(dataset.manifest.classes) - 1 if positive is None else positive
    return np.array(
        [
            int(row)
            for row in rows
            if dataset.labels[row] == positive
            and any(r.attention is Attention.LOOK_HERE for r in dataset.regions_of(int(row)))
        ],
        np.int64,
    )


def held_out_marks(card: Card, dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of these rows, the marked ones (see `marked_rows`) whose marks the model did not learn.

    Slices that test are never learnt; of the others, those are left out that the card's recipe
    drew when it trained on this very set.
    """
    marked = marked_rows(dataset, rows)
    explanation = card.recipe.get("explanation")
    weight, share = (
        (float(explanation.get("weight", 0)), float(explanation.get("share", 1)))
        if isinstance(explanation, dict)
        else (0.0, 1.0)
    )
    if weight <= 0 or card.data.dataset_id != dataset.manifest.id:
        return marked
    from core.retraining.attention import learnt_rows

    taught = dataset.splits == "train"
    if card.recipe.get("folds"):
        taught |= dataset.splits == "validation"
    learnt, _ = learnt_rows(dataset, np.flatnonzero(taught & (dataset.labels >= 0)), share)
    return np.setdiff1d(marked, learnt)


def looking_figures(
    subject: Subject,
    dataset: Dataset,
    rows: NDArray[np.int64],
    *,
    device: str = "auto",
    resamples: int = stats.RESAMPLES,
    progress: Progress | None = None,
) -> LookingFigures | None:
    """Where a model looks on the marks of these rows that it did not learn; None without any."""
    chosen = held_out_marks(subject.card, dataset, rows)
    if len(chosen) == 0 or subject.card.preprocessing.dimensions != 2:
        return None
    looks = look(subject, dataset, chosen, device=device, progress=progress)
    found = pointing(dataset, looks, resamples)
    return None if found is None else LookingFigures.model_validate(found.facts())


def look(
    subject: Subject,
    dataset: Dataset,
    rows: NDArray[np.int64],
    *,
    device: str = "auto",
    progress: Progress | None = None,
) -> Looks:
    """Where a model looks on marked rows (see `marked_rows`)."""
    from core.models.loading import load_predictor

    predictor = load_predictor(subject.model, device)
    hits, energy = np.zeros(len(rows)), np.zeros(len(rows))
    for number, row in enumerate(rows):
        hits[number], energy[number] = _looks_at(predictor, dataset, int(row))
        if progress is not None:
            progress(number + 1, len(rows))
    return Looks(rows, hits, energy)


def _looks_at(predictor: Predictor, dataset: Dataset, row: int) -> tuple[float, float]:
    from core.models import heat
    from core.models.faithfulness import energy_in_mask, pointing_hit
    from core.models.rows import prepare_row

    found = predictor.heat_map(prepare_row(dataset, row, predictor.card.preprocessing))
    rows, columns = (int(side) for side in dataset.sizes[row])
    evidence = heat.on_slice(found, (rows, columns))
    mask = joined(dataset.regions_of(row), Attention.LOOK_HERE, rows, columns)
    cells = found.values.shape
    # The map cannot say more exactly where than its cells are wide.
    reach = max(found.box[2] / cells[0], found.box[3] / cells[1]) / 2
    return float(pointing_hit(evidence, mask, reach)), energy_in_mask(evidence, mask)


def pointing(
    dataset: Dataset, looks: Looks, resamples: int = stats.RESAMPLES, seed: int = 0
) -> Pointing | None:
    """Figures of one model; None where nothing is marked."""
    if len(looks.rows) == 0:
        return None
    groups = dataset.groups[looks.rows]
    return Pointing(
        len(looks.rows),
        len(np.unique(groups)),
        _share(looks.hits, groups, resamples, seed),
        stats.bootstrap_mean(looks.energy, groups, resamples, seed),
    )


def pointing_change(
    dataset: Dataset,
    champion: Looks,
    challenger: Looks,
    resamples: int = stats.RESAMPLES,
    seed: int = 0,
) -> PointingChange | None:
    """Two models on the same marked slices; None where nothing is marked."""
    before = pointing(dataset, champion, resamples, seed)
    after = pointing(dataset, challenger, resamples, seed)
    if before is None or after is None or not np.array_equal(champion.rows, challenger.rows):
        return None
    groups = dataset.groups[champion.rows]
    return PointingChange(
        before,
        after,
        stats.bootstrap_mean(challenger.hits - champion.hits, groups, resamples, seed),
        stats.bootstrap_mean(challenger.energy - champion.energy, groups, resamples, seed),
    )


def _share(hits: Floats, groups: NDArray[np.int64], resamples: int, seed: int) -> stats.Estimate:
    """A share; at exactly 0 or 1 resampling never leaves it: Wilson's interval on the groups."""
    found = stats.bootstrap_mean(hits, groups, resamples, seed)
    if found.value in (0.0, 1.0):
        trials = len(np.unique(groups))
        return stats.Estimate(found.value, stats.wilson(int(found.value) * trials, trials))
    return found
