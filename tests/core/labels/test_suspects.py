"""Confident learning finds labels that were flipped, and leaves right ones alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.labels.suspects import suspicion

Problem = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]


def problem(
    seed: int, shares: tuple[float, ...], noise: float, sharpness: float = 6.0, items: int = 1500
) -> Problem:
    """Labels with some flipped, and a model that is right more often than not."""
    chance = np.random.default_rng(seed)
    truth = chance.choice(len(shares), size=items, p=shares)
    logits = chance.normal(0, 1.5, (items, len(shares)))
    logits[np.arange(items), truth] += sharpness * chance.beta(3, 1.5, items)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    is_flipped = chance.random(items) < noise
    labels = np.where(is_flipped, (truth + 1) % len(shares), truth)
    return labels, p, is_flipped


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.85, 0.15), (0.6, 0.3, 0.1)])
def test_flipped_labels_stand_first(shares: tuple[float, ...]) -> None:
    labels, p, is_flipped = problem(1, shares, noise=0.15)
    found = suspicion(labels.tolist(), p)
    k = int(is_flipped.sum())
    first = [suspect.item for suspect in found.suspects[:k]]
    assert is_flipped[first].mean() > 0.7  # by chance: 0.15; the model errs, too
    assert found.estimated_errors == pytest.approx(k, rel=0.35)
    for suspect in found.suspects:
        assert suspect.given == labels[suspect.item] != suspect.suggested
        assert 0 < suspect.margin <= 1


def test_right_labels_of_a_sure_model_are_not_suspected() -> None:
    labels, p, _ = problem(2, (0.5, 0.5), noise=0, sharpness=40)
    found = suspicion(labels.tolist(), p)
    assert found.suspects == ()
    assert found.estimated_errors == 0


def test_a_class_on_which_the_model_is_unsure_is_not_suspected_as_a_whole() -> None:
    # The model calls every finding with 0.4 only: below one half, but above all the others.
    p_finding = np.array([0.4] * 20 + [0.02] * 80 + [0.4] * 3)
    labels = [1] * 20 + [0] * 80 + [0] * 3
    p = np.stack([1 - p_finding, p_finding], axis=1)
    found = suspicion(labels, p)
    assert found.suspects == ()  # 0.6 against 0.4: the label is still the likelier class
    assert found.joint[1, 1] == pytest.approx(20 / 103)
    assert found.joint[0, 1] > 0  # but the three are counted as probable errors


@settings(max_examples=40)
@given(st.integers(0, 1000), st.integers(2, 5), st.integers(1, 60))
def test_laws(seed: int, classes: int, items: int) -> None:
    chance = np.random.default_rng(seed)
    p = chance.dirichlet(np.ones(classes), items)
    labels = chance.integers(0, classes, items)
    found = suspicion(labels.tolist(), p)
    assert found.joint.sum() == pytest.approx(1)
    assert found.joint.sum(axis=1) == pytest.approx(np.bincount(labels, minlength=classes) / items)
    assert 0 <= found.estimated_errors <= items
    margins = [suspect.margin for suspect in found.suspects]
    assert margins == sorted(margins, reverse=True)
    order = chance.permutation(items)
    again = suspicion(labels[order].tolist(), p[order])
    assert {(int(order[s.item]), s.suggested) for s in again.suspects} == {
        (s.item, s.suggested) for s in found.suspects
    }


@pytest.mark.parametrize(
    ("labels", "p"),
    [
        ([], np.zeros((0, 2))),
        ([0], np.array([0.5, 0.5])),
        ([0, 1], np.array([[0.5, 0.5]])),
        ([2], np.array([[0.5, 0.5]])),
        ([-1], np.array([[0.5, 0.5]])),
        ([0], np.array([[0.5, 0.6]])),
        ([0], np.array([[np.nan, 1.0]])),
        ([0], np.array([[-0.5, 1.5]])),
    ],
)
def test_what_does_not_fit_is_refused(labels: list[int], p: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match=r"label|probabilities"):
        suspicion(labels, p)
