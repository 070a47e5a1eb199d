"""Flipped labels stand first among the suspects."""

from __future__ import annotations

import numpy as np

from core.retraining.suspects import rank
from tests.core.retraining.making import oracle


def test_flipped_labels_are_found() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 600)
    flipped = rng.random(600) < 0.15
    labels = np.where(flipped, 1 - truth, truth)
    for skill, least in ((1.5, 0.7), (3.0, 0.95)):
        found = rank(oracle(truth, skill, noise=1.5), labels)
        first = [row for row, _, _ in found[: flipped.sum() // 2]]
        assert np.mean(flipped[first]) > least
    margins = [margin for _, _, margin in found]
    assert margins == sorted(margins, reverse=True)
    assert all(suggested != labels[row] for row, suggested, _ in found)


def test_agreement_raises_no_suspicion() -> None:
    labels = np.array([0, 1, 0, 1])
    assert rank(np.eye(2)[labels] * 0.8 + 0.1, labels) == []


def test_a_class_that_nobody_has_is_never_suggested() -> None:
    chances = np.array([[0.1, 0.2, 0.7], [0.2, 0.1, 0.7], [0.5, 0.4, 0.1]])
    assert all(suggested != 2 for _, suggested, _ in rank(chances, [0, 1, 0]))
