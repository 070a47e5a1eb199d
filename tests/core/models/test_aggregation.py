"""From slices to their series: the highest, the mean of the highest, or a learned rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.models.aggregation import aggregate, conflict, conflict_between, fit_rule
from core.models.answers import SlicePrediction
from core.models.card import Card, SeriesRule
from tests.core.models.making import make_model


def _answers(*shares: float) -> list[SlicePrediction]:
    return [
        SlicePrediction(k, {"no_hemorrhage": 1 - p, "hemorrhage": p}) for k, p in enumerate(shares)
    ]


def test_highest_and_mean_of_the_highest() -> None:
    shares = np.array([0.1, 0.9, 0.2, 0.6])
    assert aggregate(shares, SeriesRule()) == 0.9
    assert aggregate(shares, SeriesRule(how="top-k", k=2)) == pytest.approx(0.75)
    assert aggregate(shares[:1], SeriesRule(how="top-k", k=5)) == pytest.approx(0.1)


def test_a_learned_rule_ranks_series_better_than_their_highest_slice() -> None:
    random = np.random.default_rng(0)
    series, truth = [], []
    for number in range(200):
        shares = random.uniform(0.01, 0.3, 30)
        shares[random.integers(30)] = random.uniform(0.5, 0.99)  # a single false alarm in each
        if number % 2:
            shares[10:14] = random.uniform(0.5, 0.9, 4)  # a finding spreads
        series.append(shares)
        truth.append(bool(number % 2))
    rule = fit_rule(series[:100], truth[:100], k=4, fitted_on="made-up series")
    from sklearn.metrics import roc_auc_score

    held = truth[100:]
    learned = roc_auc_score(held, [aggregate(s, rule) for s in series[100:]])
    highest = roc_auc_score(held, [float(s.max()) for s in series[100:]])
    assert learned > highest + 0.1
    with pytest.raises(ValueError, match="with a finding"):
        fit_rule(series[:4:2], truth[:4:2], 4, "one class")


@pytest.fixture
def card(tmp_path: Path) -> Card:
    rule = SeriesRule(how="top-k", k=3)
    return make_model(tmp_path / "m", series_rule=rule)


def test_slices_against_their_series(card: Card) -> None:
    assert conflict(card, _answers(0.1, 0.2, 0.3)) == ""
    assert conflict(card, _answers(0.9, 0.8, 0.7)) == ""
    alone = conflict(card, _answers(0.1, 0.9, 0.1))
    assert "1 of 3 slices (2)" in alone
    rule = SeriesRule(how="learned", weights=(1, 0), intercept=5)
    learned = card.model_copy(update={"series_rule": rule})
    assert "no single slice" in conflict(learned, _answers(0.2, 0.1))
    # A learned rule may have a threshold of its own.
    own = rule.model_copy(update={"threshold": 0.99})
    strict = card.model_copy(update={"series_rule": own})
    assert conflict(strict, _answers(0.2, 0.1)) == ""
    assert card.series_threshold is None


def test_a_model_of_volumes_against_one_of_slices() -> None:
    (whole,) = _answers(0.9)
    assert "none of its slices" in conflict_between(whole, _answers(0.1), "hemorrhage", (0.5, 0.5))
    assert conflict_between(whole, _answers(0.1, 0.7), "hemorrhage", (0.5, 0.5)) == ""
    (none,) = _answers(0.2)
    assert "1 of 2 slices" in conflict_between(none, _answers(0.1, 0.7), "hemorrhage", (0.5, 0.5))
