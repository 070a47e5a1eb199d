"""The input made from a seed on which a model's answer is recorded and compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.models.card import Card
from core.models.predictor import Predictor

AGREEMENT = 1e-4
"""Largest difference of a probability between OpenVINO in float32 and eager torch."""


def seeded_input(card: Card, seed: int, count: int = 1) -> NDArray[np.uint8]:
    """Pixels from a seed, uint8 (count, channels, …)."""
    shape = (count, *card.preprocessing.input_shape)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def reference_logits(predictor: Predictor, seed: int) -> tuple[float, ...]:
    """The model's logits on an input made from a seed: what `Reference` records.

    Of an ensemble: the mean of its members'.
    """
    pixels = seeded_input(predictor.card, seed)
    looks = [member.look(pixels) for member in predictor.members]
    mean = np.mean([look.logits[0] for look in looks], axis=0)
    return tuple(round(float(value), 6) for value in mean)


def same_answer(
    card: Card,
    one: Sequence[float] | NDArray[np.floating],
    other: Sequence[float] | NDArray[np.floating],
) -> bool:
    """Whether two lots of logits are finite and mean the same probability within AGREEMENT."""
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if first.shape != second.shape or not np.isfinite(first).all():
        return False
    # The slope of a sigmoid is at most a quarter of what multiplies the logit.
    return bool(card.calibration.slope * np.abs(first - second).max() / 4 <= AGREEMENT)
