"""Labels that may be wrong: what models that had not seen a patient say against his label.

Confident learning with cross-validated probabilities: a class counts as claimed where its
probability reaches the mean that it has on slices labelled so. A label is suspect where another
class is claimed and more probable. Source: Northcutt et al., *Confident Learning*, JAIR 70, 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core.retraining.dataset import Dataset
from core.retraining.scoring import Scores


@dataclass(frozen=True)
class Suspect:
    """A label to look at again. margin: by how much the other class is more probable."""

    row: int
    key: str
    group: str
    label: str
    suggested: str
    margin: float


def rank(probabilities: ArrayLike, labels: ArrayLike) -> list[tuple[int, int, float]]:
    """(row, class suggested, margin) of suspect labels, the most suspect first.

    probabilities: (n, classes) of models that had not learnt from the row. labels: (n,) ≥ 0.
    """
    chances, truth = np.asarray(probabilities, np.float64), np.asarray(labels, np.int64)
    classes = chances.shape[1]
    claims = np.array(
        [chances[truth == k, k].mean() if (truth == k).any() else np.inf for k in range(classes)]
    )
    claimed = np.where(chances >= claims, chances, -np.inf)
    claimed[np.arange(len(truth)), truth] = -np.inf
    suggested = claimed.argmax(axis=1)
    own = chances[np.arange(len(truth)), truth]
    margin = claimed.max(axis=1, initial=-np.inf) - own
    order = np.argsort(-margin, kind="stable")
    return [(int(row), int(suggested[row]), float(margin[row])) for row in order if margin[row] > 0]


def find_suspects(dataset: Dataset, scores: Scores) -> list[Suspect]:
    """Suspect labels of a set, from out-of-fold scores (`score` with the part "cv")."""
    rows = scores.rows[dataset.labels[scores.rows] >= 0]
    chances = scores.probabilities[dataset.labels[scores.rows] >= 0]
    keys, classes = dataset.keys(), dataset.manifest.classes
    return [
        Suspect(
            row=int(rows[place]),
            key=keys[rows[place]],
            group=dataset.group_codes[dataset.groups[rows[place]]],
            label=classes[dataset.labels[rows[place]]],
            suggested=classes[suggested],
            margin=margin,
        )
        for place, suggested, margin in rank(chances, dataset.labels[rows])
    ]
