"""A slice in the context of its neighbours: logits averaged along the series.

Bleeding and defects do not end at a slice's faces. A weighted mean of the logits of the slices
around one is the simplest sequence model; on head CT it gains about 0.02 of AUROC over single
slices, and a slice without neighbours is answered as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float64]
Rows = NDArray[np.int64]


def around(index: int, count: int, reach: int) -> list[int]:
    """The 2 × reach + 1 indices around one; outside 0 … count − 1 the index itself stands in."""
    return [
        other if 0 <= other < count else index for other in range(index - reach, index + reach + 1)
    ]


def average(logits: Logits, weights: Sequence[float]) -> Logits:
    """Weighted mean of logits (…, 2 × reach + 1, outputs) over the slices → (…, outputs)."""
    share = np.asarray(weights, np.float64)
    mean: Logits = np.einsum("...wo,w->...o", logits, share / share.sum())
    return mean


def score_in_context(
    rows: Rows,
    neighbours: Callable[[int, int], list[int]],
    weights: Sequence[float],
    score: Callable[[Rows], Logits],
) -> Logits:
    """Logits (n, outputs) of rows, each averaged with its neighbours; every row is scored once.

    neighbours: row, reach → the rows around it, itself where there is none.
    score: rows → their own logits.
    """
    reach = len(weights) // 2
    if reach == 0 or len(rows) == 0:
        return score(rows)
    near = np.array([neighbours(int(row), reach) for row in rows], np.int64)
    needed, place = np.unique(near, return_inverse=True)
    return average(score(needed)[place.reshape(near.shape)], weights)
