"""From the answers of slices to one of their series, and whether the two contradict each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.models.answers import SlicePrediction
from core.models.card import Card, SeriesRule

Floats = NDArray[np.float64]

_SURE = 1e-6
"""Probabilities are kept this far from 0 and 1 before their logit is taken."""


def series_probability(card: Card, answers: Sequence[SlicePrediction]) -> float:
    """Probability of the positive class for a whole series, by the card's rule.

    A model of volumes has said it itself. Raises ValueError without answers.
    """
    shares = np.array([answer.probabilities[card.positive] for answer in answers])
    if len(shares) == 0:
        raise ValueError("a series needs at least one answer")
    if answers[0].of_volume:
        return float(shares[0])
    return aggregate(shares, card.series_rule)


def aggregate(shares: Floats, rule: SeriesRule) -> float:
    """One probability from those of the slices."""
    if rule.how == "max":
        return float(shares.max())
    if rule.how == "top-k":
        return float(np.sort(shares)[-rule.k :].mean())
    odds = float(features(shares, rule.k) @ np.asarray(rule.weights)) + rule.intercept
    return float(np.exp(-np.logaddexp(0.0, -odds)))


def features(shares: Floats, k: int) -> Floats:
    """What `learned` looks at: logits of the highest slice, and of the mean of the k highest."""
    both = np.array([shares.max(), np.sort(shares)[-k:].mean()])
    safe = np.clip(both, _SURE, 1 - _SURE)
    found: Floats = np.log(safe) - np.log1p(-safe)
    return found


def fit_rule(series: Sequence[Floats], truth: Sequence[bool], k: int, fitted_on: str) -> SeriesRule:
    """A learned rule from series of slice probabilities whose truth is known.

    fitted_on: what they are, for the card; they must not be test patients, nor the patients
    that the weights learnt from. Raises ValueError if only one class is there.
    """
    if len(set(truth)) < 2:
        raise ValueError("a rule needs series with a finding and series without")
    from sklearn.linear_model import LogisticRegression

    rows = np.stack([features(shares, k) for shares in series])
    fitted = LogisticRegression(C=1.0).fit(rows, np.asarray(truth))
    highest, mean = (float(weight) for weight in fitted.coef_[0])
    return SeriesRule(
        how="learned",
        k=k,
        weights=(highest, mean),
        intercept=float(fitted.intercept_[0]),
        fitted_on=fitted_on,
    )


def conflict(card: Card, answers: Sequence[SlicePrediction]) -> str:
    """A sentence if series and slices contradict each other at the threshold, or ""."""
    if not answers or answers[0].of_volume:
        return ""
    called = [a.index for a in answers if a.probabilities[card.positive] >= card.threshold]
    whole = series_probability(card, answers)
    if (whole >= (card.series_threshold or card.threshold)) == bool(called):
        return ""
    slices = ", ".join(str(index + 1) for index in sorted(called)[:5])
    slices += "…" if len(called) > 5 else ""
    if called:
        sentence = (
            f"Slices and series disagree: at or above the threshold: {len(called)} of "
            f"{len(answers)} slices ({slices}); the series ({100 * whole:.0f} %) is below its own."
        )
    else:
        sentence = (
            f"Slices and series disagree: the series ({100 * whole:.0f} %) is at or above its "
            "threshold, and no single slice is."
        )
    return sentence


def conflict_between(
    volume: SlicePrediction,
    slices: Sequence[SlicePrediction],
    positive: str,
    thresholds: tuple[float, float],
) -> str:
    """A sentence if a model of volumes and a model of slices contradict each other, or "".

    thresholds: of the volume's model, and of the slices'.
    """
    whole = volume.probabilities[positive]
    called = [a.index for a in slices if a.probabilities[positive] >= thresholds[1]]
    if (whole >= thresholds[0]) == bool(called):
        return ""
    if called:
        sentence = (
            f"The model of slices calls {len(called)} of {len(slices)} slices, the model of "
            f"volumes ({100 * whole:.0f} %) does not call the volume."
        )
    else:
        sentence = (
            f"The model of volumes ({100 * whole:.0f} %) calls the volume, the model of slices "
            "none of its slices."
        )
    return sentence
