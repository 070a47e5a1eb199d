"""AUROCs of independent slices without resampling: the reference beside the bootstrap.

Takes slices as independent, as in one slice a patient; with several a patient use the
clustered bootstrap of `core.retraining.statistics`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from core.retraining.statistics import Floats, auroc, binary


def delong_variance(labels: ArrayLike, *scores: ArrayLike) -> Floats:
    """Covariance matrix of the AUROCs of several scores on the same slices.

    Source: DeLong et al., Biometrics 44, 1988; Sun & Xu, IEEE SPL 21, 2014 (ranks).
    """
    truth = binary(labels)
    positives, negatives = int(truth.sum()), int((1 - truth).sum())
    if min(positives, negatives) < 2:
        return np.full((len(scores), len(scores)), np.nan)
    by_positive, by_negative = [], []
    for score in scores:
        values = np.asarray(score, np.float64)
        up, down = values[truth == 1], values[truth == 0]
        together = _midranks(np.concatenate([up, down]))
        by_positive.append((together[:positives] - _midranks(up)) / negatives)
        by_negative.append(1.0 - (together[positives:] - _midranks(down)) / positives)
    covariance: Floats = (
        np.atleast_2d(np.cov(by_positive)) / positives
        + np.atleast_2d(np.cov(by_negative)) / negatives
    )
    return covariance


def delong_p_value(labels: ArrayLike, first: ArrayLike, second: ArrayLike) -> float:
    """Two-sided p of equal AUROCs on independent slices; 1 where the scores rank alike."""
    from scipy.stats import norm

    spread = delong_variance(labels, first, second)
    variance = float(spread[0, 0] + spread[1, 1] - 2 * spread[0, 1])
    difference = auroc(labels, second) - auroc(labels, first)
    if variance <= 1e-15:
        return 1.0 if abs(difference) < 1e-12 else 0.0
    return float(2 * norm.sf(abs(difference) / np.sqrt(variance)))


def _midranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share their mean rank."""
    from scipy.stats import rankdata

    ranks: Any = rankdata(values)
    return np.asarray(ranks, np.float64)
