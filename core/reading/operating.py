"""The operating threshold as a reader moves it, and what the card measured there."""

from __future__ import annotations

from dataclasses import dataclass

from core.models.card import Card


@dataclass(frozen=True)
class Measured:
    """Sensitivity and specificity at the nearest threshold at which they were measured.

    at: that threshold. how: on what, in the card's words.
    """

    at: float
    sensitivity: float
    specificity: float
    how: str


NEAR = 0.02
"""How far a measured threshold may lie from the one asked for to speak for it."""


def measured_at(card: Card, threshold: float) -> Measured | None:
    """What the card measured at a threshold; None where it measured nothing near it."""
    point = card.operating_point
    how = point.how if point is not None else ""
    known = [(item.threshold, item.sensitivity, item.specificity) for item in card.operating_curve]
    if point is not None:
        known.append((card.threshold, point.sensitivity, point.specificity))
    if not known:
        return None
    # Between two measured thresholds nothing changes but at a score: the nearest one holds.
    at, sensitivity, specificity = min(known, key=lambda item: abs(item[0] - threshold))
    if abs(at - threshold) > NEAR:
        return None
    return Measured(at, sensitivity, specificity, how)
