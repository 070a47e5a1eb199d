"""Which slices an epoch shows, and in which order: a function of seed and epoch alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.retraining.recipe import Sampling

Rows = NDArray[np.int64]


def epoch_rows(
    rows: Rows, positive: NDArray[np.bool_], groups: Rows, sampling: Sampling, seed: tuple[int, ...]
) -> Rows:
    """Row numbers in the order in which an epoch shows them.

    rows: candidates. positive, groups: of those rows, whether they show a finding, and whose
    they are. Balanced drawing shows a finding in `positive_share` of slices, and hard negatives
    (no finding, but the patient has one elsewhere) in `hard_negative_share`; each patient is
    drawn alike within his kind, so that one long series does not dominate.
    """
    random = np.random.default_rng(seed)
    if sampling.slices_per_epoch == 0 or not positive.any() or positive.all():
        return random.permutation(rows)
    ill = np.isin(groups, np.unique(groups[positive]))
    kinds = [positive, ~positive & ill, ~positive & ~ill]
    shares = [sampling.positive_share, sampling.hard_negative_share, 0.0]
    shares[2] = max(0.0, 1.0 - shares[0] - shares[1])
    there = [share if kind.any() else 0.0 for kind, share in zip(kinds, shares, strict=True)]
    counts = np.floor(np.array(there) / sum(there) * sampling.slices_per_epoch).astype(int)
    drawn = [
        _draw(rows[kind], groups[kind], int(count), random)
        for kind, count in zip(kinds, counts, strict=True)
        if count
    ]
    return random.permutation(np.concatenate(drawn))


def _draw(rows: Rows, groups: Rows, count: int, random: np.random.Generator) -> Rows:
    """Draw rows, each patient with a weight of the square root of his number of slices."""
    _, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    weights = 1.0 / np.sqrt(sizes[inverse])
    return random.choice(rows, count, replace=count > len(rows), p=weights / weights.sum())
