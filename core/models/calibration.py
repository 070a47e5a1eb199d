"""From logits to probabilities, as a model's card calibrates them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.models.card import Calibration, Card

Probabilities = NDArray[np.float64]


def calibrated(card: Card, logits: Probabilities) -> Probabilities:
    """Logits (n, outputs) → probabilities (n, classes) as the card calibrates them."""
    if card.labelling == "any-of":
        return _sigmoid(
            card.calibration.slope * logits[:, : card.heads] + card.calibration.intercept
        )
    positive = card.classes.index(card.positive)
    if len(card.classes) == 2 and card.heads == 2:
        logits = logits[:, positive : positive + 1] - logits[:, 1 - positive : 2 - positive]
    return calibrated_by(card.calibration, logits, len(card.classes), positive)


def _sigmoid(odds: Probabilities) -> Probabilities:
    share: Probabilities = np.exp(-np.logaddexp(0.0, -odds))
    return share


def calibrated_by(
    calibration: Calibration, logits: Probabilities, classes: int, positive: int
) -> Probabilities:
    """Logits (n, outputs) → probabilities (n, classes), each row summing to 1.

    Two classes have one logit, that of the positive one; more have one each.
    """
    if classes == 2:
        share = _sigmoid(calibration.slope * logits[:, 0] + calibration.intercept)
        both = np.stack([1.0 - share, share], axis=1)
        return both if positive == 1 else both[:, ::-1]
    scaled = calibration.slope * logits[:, :classes]
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: Probabilities = weights / weights.sum(axis=1, keepdims=True)
    return shares
