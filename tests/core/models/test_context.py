"""Context: each row scored once, the ends stand in for themselves, one weight changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.context import around, score_in_context
from core.models.loading import load_predictor
from tests.core.models.making import head_like, make_model, volume


@given(
    count=st.integers(1, 12),
    weights=st.sampled_from([(1.0,), (1.0, 2.0, 1.0), (1.0,) * 5]),
    seed=st.integers(0, 99),
)
def test_equals_averaging_by_hand(count: int, weights: tuple[float, ...], seed: int) -> None:
    logits = np.random.default_rng(seed).normal(size=(count, 2))
    asked: list[int] = []

    def score(rows: np.ndarray) -> np.ndarray:
        asked.extend(rows.tolist())
        return logits[rows]

    rows = np.arange(count)
    found = score_in_context(rows, lambda row, reach: around(row, count, reach), weights, score)
    reach = len(weights) // 2
    for row in range(count):
        near = [k if 0 <= k < count else row for k in range(row - reach, row + reach + 1)]
        expected = np.average(logits[near], axis=0, weights=weights)
        np.testing.assert_allclose(found[row], expected)
    assert sorted(asked) == list(range(count))


@pytest.mark.parametrize("first", [0, 4, 11])
def test_the_order_of_asking_does_not_change_answers_in_context(tmp_path: Path, first: int) -> None:
    make_model(tmp_path / "m", context=(1.0,) * 5)
    predictor = load_predictor(tmp_path / "m", "cpu")
    case = volume(head_like(12))
    found = list(predictor.predict_volume(case, first=first))
    expected = {a.index: a for a in predictor.predict_volume(case, first=6)}
    assert found[0].index == first
    assert sorted(answer.index for answer in found) == list(range(12))
    for answer in found:
        assert answer.probabilities == pytest.approx(expected[answer.index].probabilities, abs=1e-6)


def test_the_slice_that_the_reader_goes_on_to_is_answered_next(tmp_path: Path) -> None:
    make_model(tmp_path / "m", context=(1.0,) * 5)
    predictor = load_predictor(tmp_path / "m", "cpu")
    case, at, found = volume(head_like(60)), [10], []
    for answer in predictor.predict_volume(case, looks=lambda: at[-1], provisional=True):
        found.append((answer.index, answer.provisional))
        if len(found) == 2:
            at.append(50)
    assert found[:4] == [(10, True), (10, False), (50, True), (50, False)]
    assert sorted(index for index, provisional in found if not provisional) == list(range(60))
    expected = {a.index: a for a in predictor.predict_volume(case, first=30)}
    again = {a.index: a for a in predictor.predict_volume(case, looks=lambda: 50)}
    for index, answer in again.items():
        assert answer.probabilities == pytest.approx(expected[index].probabilities, abs=1e-6)


def test_a_picture_alone_is_answered_alone(tmp_path: Path) -> None:
    make_model(tmp_path / "one", "one")
    make_model(tmp_path / "five", "five", context=(1.0,) * 5)
    answers = [
        next(load_predictor(tmp_path / name, "cpu").predict_volume(volume(head_like(1))))
        for name in ("one", "five")
    ]
    assert answers[0].probabilities == pytest.approx(answers[1].probabilities)
