"""Figures against references, and intervals that cover what they claim to cover."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.retraining import calibration, delong
from core.retraining import statistics as stats


def example(seed: int, n: int = 200, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    labels[:2] = (0, 1)
    scores = rng.normal(labels * 0.8, 1.0)
    scores = 1 / (1 + np.exp(-scores))
    return labels, np.round(scores, 1) if ties else scores


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_curves_agree_with_scikit_learn(seed: int, ties: bool) -> None:
    from sklearn import metrics

    labels, scores = example(seed, ties=ties)
    assert stats.auroc(labels, scores) == pytest.approx(metrics.roc_auc_score(labels, scores))
    assert stats.average_precision(labels, scores) == pytest.approx(
        metrics.average_precision_score(labels, scores)
    )
    assert calibration.brier(labels, scores) == pytest.approx(
        metrics.brier_score_loss(labels, scores)
    )
    false_rate, tpr, thresholds = stats.roc_curve(labels, scores)
    theirs = np.stack(metrics.roc_curve(labels, scores, drop_intermediate=False), axis=1)
    every = {tuple(point) for point in theirs.round(9)}
    assert {
        tuple(point) for point in np.stack([false_rate, tpr, thresholds], axis=1).round(9)
    } <= every
    assert metrics.auc(false_rate, tpr) == pytest.approx(stats.auroc(labels, scores))


def test_rates_agree_with_scikit_learn() -> None:
    from sklearn import metrics

    labels, scores = example(3)
    calls = scores >= 0.6
    found = stats.rates(labels, calls)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(labels, calls))
    assert found.sensitivity == pytest.approx(metrics.recall_score(labels, calls))
    assert found.specificity == pytest.approx(metrics.recall_score(1 - labels, ~calls))
    assert found.ppv == pytest.approx(metrics.precision_score(labels, calls))
    assert found.npv == pytest.approx(metrics.precision_score(1 - labels, ~calls))


def test_the_bootstrap_equals_a_plain_loop() -> None:
    from sklearn.metrics import roc_auc_score

    labels, scores = example(1, 60, ties=True)
    groups = np.repeat(np.arange(12), 5)
    counts = stats._group_counts(12, 50, seed=4)
    for weights, found in zip(
        counts, stats._weighted_auroc(labels, scores, counts[:, groups]), strict=True
    ):
        rows = np.concatenate(
            [np.tile(np.flatnonzero(groups == g), int(w)) for g, w in enumerate(weights)]
        ).astype(int)
        assert found == pytest.approx(roc_auc_score(labels[rows], scores[rows]))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=40))
def test_auroc_is_the_share_of_ordered_pairs(cases: list[tuple[bool, int]]) -> None:
    up = [score for positive, score in cases if positive]
    down = [score for positive, score in cases if not positive]
    found = stats.auroc([int(p) for p, _ in cases], [s for _, s in cases])
    if not up or not down:
        assert np.isnan(found)
        return
    pairs = [(a > b) + (a == b) / 2 for a in up for b in down]
    assert found == pytest.approx(np.mean(pairs))


def test_delong_agrees_with_its_definition_and_with_the_bootstrap() -> None:
    labels, first = example(7, 120, ties=True)
    second = np.clip(first + np.random.default_rng(1).normal(0, 0.2, 120), 0, 1)
    up, down = first[labels == 1], first[labels == 0]
    kernel = (up[:, None] > down) + 0.5 * (up[:, None] == down)
    by_definition = kernel.mean(1).var(ddof=1) / len(up) + kernel.mean(0).var(ddof=1) / len(down)
    covariance = delong.delong_variance(labels, first, second)
    assert covariance[0, 0] == pytest.approx(by_definition)
    drawn = stats.bootstrap_auroc_difference(labels, first, second, np.arange(120), 4000)
    width = 2 * 1.96 * np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert drawn.ci95.high - drawn.ci95.low == pytest.approx(width, rel=0.15)
    assert delong.delong_p_value(labels, first, first) == 1.0
    assert 0 < delong.delong_p_value(labels, first, second) < 1


def test_patient_intervals_cover_the_truth_and_slice_intervals_do_not() -> None:
    """Patients with an offset of their own: 60 draws of 40 patients with 8 slices each."""
    truth = stats.auroc(*_patients(np.random.default_rng(99), 4000)[:2])
    covered = {"patients": 0, "slices": 0}
    for seed in range(60):
        labels, scores, groups = _patients(np.random.default_rng(seed), 40)
        for unit, codes in (("patients", groups), ("slices", np.arange(len(labels)))):
            low, high = stats.bootstrap_auroc(labels, scores, codes, 300, seed).ci95
            covered[unit] += low <= truth <= high
    assert covered["patients"] >= 52
    assert covered["slices"] <= covered["patients"] - 8


def _patients(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    groups = np.repeat(np.arange(count), 8)
    ill = rng.integers(0, 2, count)[groups]
    labels = (rng.random(len(groups)) < np.where(ill, 0.8, 0.05)).astype(int)
    scores = labels + rng.normal(0, 1.5, count)[groups] + rng.normal(0, 0.5, len(groups))
    return labels, scores, groups


def test_a_difference_of_the_same_scores_is_exactly_nothing() -> None:
    labels, scores = example(2)
    found = stats.bootstrap_auroc_difference(labels, scores, scores, np.arange(200), 100)
    assert found == (0.0, (0.0, 0.0))


def test_resampling_is_repeatable_and_fast() -> None:
    labels, scores = example(5, 5000)
    groups = np.arange(5000) // 10
    began = time.perf_counter()
    one = stats.bootstrap_auroc(labels, scores, groups, seed=3)
    assert time.perf_counter() - began < 20
    assert one == stats.bootstrap_auroc(labels, scores, groups, seed=3)
    assert one != stats.bootstrap_auroc(labels, scores, groups, seed=4)


def test_one_kind_alone_has_no_auroc() -> None:
    found = stats.bootstrap_auroc([1, 1, 1], [0.1, 0.2, 0.3], [0, 1, 2], 50)
    assert np.isnan(found.value)
    assert np.isnan(found.ci95.low)
    assert np.isnan(stats.auroc([], []))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=4, max_size=40),
    st.floats(0.05, 1.0),
)
def test_a_threshold_for_sensitivity_reaches_it(
    cases: list[tuple[bool, float]], target: float
) -> None:
    labels = np.array([int(p) for p, _ in cases])
    scores = np.clip([s for _, s in cases], 1e-3, 1.0)
    threshold = stats.choose_threshold(labels, scores, "sensitivity", target)
    assert 0 < threshold < 1
    if 0 < labels.sum() < len(labels):
        assert stats.rates(labels, scores >= threshold).sensitivity >= target - 1e-9


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 20)), min_size=4, max_size=40))
def test_no_threshold_beats_youdens(cases: list[tuple[bool, int]]) -> None:
    labels = np.array([int(p) for p, _ in cases])
    scores = np.array([s for _, s in cases]) / 20
    if not 0 < labels.sum() < len(labels):
        return

    def index(threshold: float) -> float:
        found = stats.rates(labels, scores >= threshold)
        return found.sensitivity + found.specificity

    best = max(index(value) for value in np.unique(scores))
    assert index(stats.choose_threshold(labels, scores)) == pytest.approx(best)


def test_wilson_against_published_values() -> None:
    low, high = stats.wilson(81, 263)  # Newcombe 1998, table I
    assert (low, high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    assert stats.wilson(0, 10)[0] == 0.0
    assert np.isnan(stats.wilson(0, 0)[0])


def test_calibration_error_of_a_calibrated_and_of_a_boasting_model() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.random(20_000)
    labels = (rng.random(20_000) < probabilities).astype(int)
    assert calibration.expected_calibration_error(labels, probabilities) < 0.02
    boasting = np.where(probabilities > 0.5, 0.99, 0.01)
    assert calibration.expected_calibration_error(labels, boasting) > 0.2
    assert calibration.expected_calibration_error([1, 0], [1.0, 0.0]) == 0.0


def test_groups_count_by_their_highest_slice() -> None:
    labels, scores = stats.highest_per_group([0, 1, 0, 0], [0.9, 0.2, 0.3, 0.4], [5, 5, 2, 2])
    assert list(labels) == [0, 1]
    assert list(scores) == [0.4, 0.9]


def test_mean_and_rates_have_intervals_around_them() -> None:
    labels, scores = example(11, 400)
    groups = np.arange(400) // 4
    found = stats.bootstrap_mean((scores - labels) ** 2, groups, 500)
    assert found.ci95.low < found.value < found.ci95.high
    spread = stats.bootstrap_rates(labels, scores > 0.6, groups, 500)
    value = stats.rates(labels, scores > 0.6)
    for name, (low, high) in spread.items():
        assert low < getattr(value, name) < high


def test_two_patients_tell_nothing() -> None:
    found = stats.bootstrap_auroc([0, 1], [0.2, 0.8], [0, 1], seed=3)
    assert found.value == 1.0
    assert found.ci95 == (0.0, 1.0)
    few = stats.bootstrap_auroc([0, 1, 0, 1], [0.2, 0.8, 0.1, 0.3], [0, 0, 0, 0])
    assert few.ci95.low <= few.value <= few.ci95.high


def test_perfect_separation_of_few_patients_is_not_certainty() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    found = stats.bootstrap_auroc(labels, labels / 2, np.arange(8))
    assert found.value == found.ci95.high == 1.0
    assert 0.4 < found.ci95.low < 0.6


def test_repetitions_of_an_experiment_share_their_patients() -> None:
    chance = np.random.default_rng(3)
    groups, labels = np.repeat(np.arange(40), 10), chance.integers(0, 2, 400)
    good = labels + chance.normal(0, 1, (6, 400))
    bad = labels + chance.normal(0, 2, (6, 400))
    mean = stats.bootstrap_repeated_auroc(labels, good, groups, resamples=200)
    assert mean.value == pytest.approx(np.mean([stats.auroc(labels, line) for line in good]))
    assert mean.ci95.low < mean.value < mean.ci95.high
    gain = stats.bootstrap_repeated_auroc(labels, good, groups, bad, resamples=200)
    assert gain.value == pytest.approx(
        mean.value - stats.bootstrap_repeated_auroc(labels, bad, groups, resamples=2).value
    )
    assert 0 < gain.ci95.low < gain.value < gain.ci95.high
    none = stats.bootstrap_repeated_auroc(labels, good, groups, good, resamples=200)
    assert (none.value, *none.ci95) == (0.0, 0.0, 0.0)
    once = stats.bootstrap_repeated_auroc(labels, good[:1], groups, bad[:1], resamples=200)
    alone = stats.bootstrap_auroc_difference(labels, bad[0], good[0], groups, 200)
    assert (once.value, *once.ci95) == pytest.approx((alone.value, *alone.ci95))
