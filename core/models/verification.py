"""Whether a model folder is whole: hash, shapes, finite numbers, and the recorded answer."""

from __future__ import annotations

from pathlib import Path

from core.errors import DamagedModelError
from core.models.card import Card
from core.models.loading import load_predictor
from core.models.reference import reference_logits

TOLERANCE = 2e-3
"""Largest difference of a reference logit between computers: float32 sums differ in order."""


def verify_model(folder: Path) -> Card:
    """Load a model and compare its answer on the recorded input.

    Returns its card. Raises DamagedModelError naming the first thing that is wrong.
    """
    predictor = load_predictor(folder, "cpu")
    card = predictor.card
    if card.reference is not None:
        found = reference_logits(predictor, card.reference.seed)
        recorded = card.reference.logits
        if len(found) != len(recorded) or any(
            abs(one - other) > TOLERANCE * max(1.0, abs(other))
            for one, other in zip(found, recorded, strict=False)
        ):
            raise DamagedModelError(folder, "it does not reproduce its recorded answer")
    return card
