"""Whether probabilities mean what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core.retraining.statistics import binary


@dataclass(frozen=True)
class CalibrationBin:
    """Slices whose probability falls into [low, high): their mean, and how many had it."""

    low: float
    high: float
    n: int
    mean_probability: float
    share_positive: float


def calibration_bins(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = 10
) -> list[CalibrationBin]:
    """Reliability in bins of equal width; empty bins are left out."""
    truth, values = binary(labels), np.asarray(probabilities, np.float64)
    edges = np.linspace(0, 1, bins + 1)
    number = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, bins - 1)
    return [
        CalibrationBin(
            float(edges[k]),
            float(edges[k + 1]),
            int(chosen.sum()),
            float(values[chosen].mean()),
            float(truth[chosen].mean()),
        )
        for k in range(bins)
        if (chosen := number == k).any()
    ]


def expected_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = 10
) -> float:
    """Mean distance between stated and observed probability, weighted by bin size.

    Source: Naeini et al., AAAI 2015.
    """
    found = calibration_bins(labels, probabilities, bins)
    total = sum(item.n for item in found)
    return sum(item.n * abs(item.mean_probability - item.share_positive) for item in found) / max(
        total, 1
    )


def brier(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean squared distance between probability and outcome. Source: Brier, MWR 78, 1950."""
    return float(np.mean((np.asarray(probabilities, np.float64) - binary(labels)) ** 2))
