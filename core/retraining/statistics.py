"""Figures with their uncertainty. Slices of one patient are not independent: patients are drawn.

Every interval is a 95 % percentile interval of a bootstrap over groups (patients): a resample
draws whole groups with replacement, so that a patient with forty slices counts as one piece of
evidence and not as forty. Source: Field & Welsh, *Bootstrapping clustered data*, JRSS B 69, 2007.

Everywhere: labels (n,) are 1 for the finding, 0 for its absence; scores (n,) are higher for the
finding; groups (n,) name each slice's patient by any integers. A slice counts as positive where
its score reaches the threshold (score ≥ threshold).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

RESAMPLES = 2000
_CHUNK = 4_000_000
"""Numbers held at once while resampling: bounds memory for large sets."""


class Interval(NamedTuple):
    """A 95 % interval; (nan, nan) where it cannot be told."""

    low: float
    high: float


class Estimate(NamedTuple):
    """A figure and its interval."""

    value: float
    ci95: Interval


@dataclass(frozen=True)
class Rates:
    """How often calls at a threshold are right, over all slices."""

    accuracy: float
    sensitivity: float
    specificity: float
    ppv: float
    npv: float


# ----------------------------------------------------------------- discrimination


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Probability that a slice with the finding scores higher than one without; ties count half.

    NaN where one of the two kinds is absent. Source: Hanley & McNeil, Radiology 143, 1982.
    """
    truth, values = binary(labels), np.asarray(scores, np.float64)
    return float(_weighted_auroc(truth, values, np.ones((1, len(truth))))[0])


def bootstrap_auroc(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """AUROC with its interval over resampled groups; 0 to 1 where groups are too few to tell.

    Where the AUROC is exactly 0 or 1 resampling never leaves it; then Wilson's interval on the
    number of groups with, or without, the finding, whichever is smaller.
    """
    truth, values = binary(labels), np.asarray(scores, np.float64)
    drawn = np.concatenate(
        [_weighted_auroc(truth, values, w) for w in _weights(groups, resamples, seed)]
    )
    value, spread = auroc(truth, values), interval(drawn)
    if value in (0.0, 1.0) and np.isfinite(spread.low):
        number = np.asarray(groups)
        fewest = min(len(np.unique(number[truth == kind])) for kind in (0, 1))
        spread = wilson(int(value) * fewest, fewest)
    return _or_nothing_known(Estimate(value, spread), Interval(0.0, 1.0))


def bootstrap_auroc_difference(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    groups: ArrayLike,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """AUROC of `second` minus that of `first` on the same slices, by paired resampling.

    The interval is −1 to 1 where groups are too few to tell.
    """
    one, two = (np.asarray(scores, np.float64)[None] for scores in (first, second))
    return bootstrap_repeated_auroc(labels, two, groups, one, resamples, seed)


def bootstrap_mean_auroc_difference(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    groups: ArrayLike,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """As `bootstrap_auroc_difference` for several classes: AUROCs one against the rest, averaged.

    labels: (n,) class indices. first, second: (n, classes) probabilities. Classes that are not
    there do not count.
    """
    truth = np.asarray(labels, np.int64)
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    present = [k for k in range(one.shape[1]) if 0 < (truth == k).sum() < len(truth)]

    def mean_area(scores: Floats, weights: Floats) -> Floats:
        areas = [
            _weighted_auroc((truth == k).astype(np.int64), scores[:, k], weights) for k in present
        ]
        mean: Floats = np.mean(areas, axis=0) if areas else np.full(len(weights), np.nan)
        return mean

    drawn = np.concatenate(
        [mean_area(two, w) - mean_area(one, w) for w in _weights(groups, resamples, seed)]
    )
    once = np.ones((1, len(truth)))
    value = float((mean_area(two, once) - mean_area(one, once))[0])
    return _or_nothing_known(Estimate(value, interval(drawn)), Interval(-1.0, 1.0))


def bootstrap_repeated_auroc(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    against: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Mean AUROC over repetitions of an experiment, or by how much it exceeds that of `against`.

    scores, against: (repetitions, n), each row of both from the same repetition. A resample draws
    groups and repetitions, so that the interval tells both how patients and how runs differ.
    """
    truth, values = binary(labels), np.asarray(scores, np.float64)
    other = None if against is None else np.asarray(against, np.float64)

    def areas(weights: Floats) -> Floats:
        each = np.stack([_weighted_auroc(truth, line, weights) for line in values])
        if other is not None:
            each -= np.stack([_weighted_auroc(truth, line, weights) for line in other])
        return each

    drawn = np.concatenate([areas(w) for w in _weights(groups, resamples, seed)], axis=1)
    shares = _group_counts(len(values), resamples, seed + 1).T / len(values)
    value = float(areas(np.ones((1, len(truth)))).mean())
    widest = Interval(0.0, 1.0) if other is None else Interval(-1.0, 1.0)
    return _or_nothing_known(Estimate(value, interval((drawn * shares).sum(axis=0))), widest)


def roc_curve(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """(false-positive rate, sensitivity, threshold), from (0, 0, inf) to (1, 1, lowest score).

    One point a distinct score; points on a straight line between their neighbours are left out.
    """
    truth, values = binary(labels), np.asarray(scores, np.float64)
    order = np.argsort(-values, kind="stable")
    truth, values = truth[order], values[order]
    last = np.flatnonzero(np.diff(values, append=-np.inf))
    tp, fp = np.cumsum(truth)[last], np.cumsum(1 - truth)[last]
    tp, fp = np.concatenate([[0], tp]), np.concatenate([[0], fp])
    thresholds = np.concatenate([[np.inf], values[last]])
    keep = np.ones(len(tp), bool)
    keep[1:-1] = np.diff(tp)[:-1] * np.diff(fp)[1:] != np.diff(fp)[:-1] * np.diff(tp)[1:]
    with np.errstate(invalid="ignore"):
        return fp[keep] / max(fp[-1], 1), tp[keep] / max(tp[-1], 1), thresholds[keep]


def precision_recall_curve(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """(sensitivity, positive predictive value) from the highest score downwards."""
    truth, values = binary(labels), np.asarray(scores, np.float64)
    order = np.argsort(-values, kind="stable")
    truth, values = truth[order], values[order]
    last = np.flatnonzero(np.diff(values, append=-np.inf))
    tp = np.cumsum(truth)[last]
    return tp / max(int(truth.sum()), 1), tp / (last + 1)


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean positive predictive value over the steps of sensitivity; NaN without findings."""
    if not np.any(binary(labels)):
        return float("nan")
    recall, precision = precision_recall_curve(labels, scores)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


# ----------------------------------------------------------------- calls at a threshold


def rates(labels: ArrayLike, calls: ArrayLike) -> Rates:
    """Rates of calls (bool) over all slices; NaN where nothing is there to divide by."""
    table = _outcomes(binary(labels), np.asarray(calls, bool)).sum(axis=0, keepdims=True)
    return Rates(*(float(value[0]) for value in _rates_of(table)))


def bootstrap_rates(
    labels: ArrayLike,
    calls: ArrayLike,
    groups: ArrayLike,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Interval of each field of `Rates`, over resampled groups.

    Where a rate is exactly 0 or 1 resampling never leaves it; then Wilson's interval on the
    number of groups that take part in the rate.
    """
    outcomes = _outcomes(binary(labels), np.asarray(calls, bool))
    number, count = _numbers(groups)
    table = np.zeros((count, 4))
    np.add.at(table, number, outcomes)
    drawn = _rates_of(_group_counts(count, resamples, seed) @ table)
    overall = _rates_of(table.sum(axis=0, keepdims=True))
    each = _rates_of(table)
    found = {}
    for name, values, whole, per_group in zip(
        Rates.__dataclass_fields__, drawn, overall, each, strict=True
    ):
        if whole[0] in (0.0, 1.0):
            taking_part = int(np.isfinite(per_group).sum())
            found[name] = wilson(int(whole[0]) * taking_part, taking_part)
        else:
            found[name] = interval(values)
    return found


def wilson(successes: int, trials: int, z: float = 1.959963984540054) -> Interval:
    """Interval of a share of independent trials. Source: Wilson, JASA 22, 1927."""
    if trials == 0:
        return Interval(float("nan"), float("nan"))
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return Interval(
        max(0.0, float((centre - spread) / scale)), min(1.0, float((centre + spread) / scale))
    )


def choose_threshold(
    labels: ArrayLike,
    scores: ArrayLike,
    rule: Literal["youden", "sensitivity"] = "youden",
    target: float = 0.9,
) -> float:
    """Operating threshold in (0, 1) from validation slices (never from test slices).

    youden: largest sensitivity + specificity; where several thresholds share it, the middle of
    the widest gap. sensitivity: the highest that reaches the target sensitivity. The threshold
    lies halfway to the next lower score, so that a slice just like the last one is still called.
    0.5 where one of the two kinds is absent. Source: Youden, Cancer 3, 1950.
    """
    truth, values = binary(labels), np.asarray(scores, np.float64)
    if not 0 < truth.sum() < len(truth):
        return 0.5
    distinct = np.unique(values)[::-1]
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    last = np.flatnonzero(np.diff(ranked, append=-np.inf))
    tp = np.cumsum(truth[order])[last]
    fp = np.cumsum(1 - truth[order])[last]
    sensitivity, false_rate = tp / truth.sum(), fp / (1 - truth).sum()
    below = np.append(distinct[1:], 0.0)
    if rule == "youden":
        index = sensitivity - false_rate
        best = np.flatnonzero(index >= index.max() - 1e-12)
        chosen = int(best[np.argmax(distinct[best] - below[best])])
    else:
        chosen = int(np.argmax(sensitivity >= target - 1e-12))
    threshold = (distinct[chosen] + below[chosen]) / 2
    return float(np.clip(threshold, 1e-6, 1 - 1e-6))


# ----------------------------------------------------------------- anything else


def bootstrap_mean(
    values: ArrayLike, groups: ArrayLike, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Mean of a value over slices, with its interval over resampled groups."""
    each = np.asarray(values, np.float64)
    number, count = _numbers(groups)
    sums = np.bincount(number, each, count)
    sizes = np.bincount(number, minlength=count)
    counts = _group_counts(count, resamples, seed)
    return Estimate(float(each.mean()), interval((counts @ sums) / (counts @ sizes)))


def interval(drawn: Floats) -> Interval:
    """The middle 95 % of resampled figures; those that could not be told are left out.

    (nan, nan) where that is more than a quarter of them: with a single patient of a kind there
    is nothing to vary.
    """
    told = drawn[np.isfinite(drawn)]
    if len(told) < 0.75 * max(len(drawn), 1) or len(told) == 0:
        return Interval(float("nan"), float("nan"))
    low, high = np.percentile(told, (2.5, 97.5))
    return Interval(float(low), float(high))


def highest_per_group(
    labels: ArrayLike, scores: ArrayLike, groups: ArrayLike
) -> tuple[NDArray[np.int64], Floats]:
    """(labels, scores) of groups: positive if any slice is, scored as their highest slice."""
    truth, values = binary(labels), np.asarray(scores, np.float64)
    number, count = _numbers(groups)
    any_positive, highest = np.zeros(count, np.int64), np.full(count, -np.inf)
    np.maximum.at(any_positive, number, truth)
    np.maximum.at(highest, number, values)
    return any_positive, highest


# ----------------------------------------------------------------- inside


def _or_nothing_known(found: Estimate, widest: Interval) -> Estimate:
    """The estimate; where a figure is there and its interval is not, with the widest one."""
    if np.isfinite(found.value) and not np.isfinite(found.ci95.low):
        return Estimate(found.value, widest)
    return found


def binary(labels: ArrayLike) -> NDArray[np.int64]:
    """Labels as integers. Raises ValueError unless all are 0 or 1."""
    truth = np.asarray(labels).astype(np.int64)
    if truth.size and not ((truth == 0) | (truth == 1)).all():
        raise ValueError("labels are 0 or 1")
    return truth


def _numbers(groups: ArrayLike) -> tuple[NDArray[np.int64], int]:
    distinct, number = np.unique(np.asarray(groups), return_inverse=True)
    return number.astype(np.int64), len(distinct)


def _group_counts(count: int, resamples: int, seed: int) -> Floats:
    """(resamples, groups): how often each group was drawn."""
    generator = np.random.default_rng(seed)
    counts: Floats = generator.multinomial(count, np.full(count, 1 / count), resamples).astype(
        np.float64
    )
    return counts


def _weights(groups: ArrayLike, resamples: int, seed: int) -> Iterator[Floats]:
    """(resamples, n) weights of slices, in pieces."""
    number, count = _numbers(groups)
    counts = _group_counts(count, resamples, seed)
    step = max(1, _CHUNK // max(1, len(number)))
    for start in range(0, resamples, step):
        yield counts[start : start + step, number]


def _weighted_auroc(truth: NDArray[np.int64], scores: Floats, weights: Floats) -> Floats:
    """AUROC under each row of weights (resamples, n); NaN where a kind has no weight."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    if len(starts) == 0:
        return np.full(len(weights), np.nan)
    sorted_weights, sorted_truth = weights[:, order], truth[order]
    positive = np.add.reduceat(sorted_weights * sorted_truth, starts, axis=1)
    negative = np.add.reduceat(sorted_weights * (1 - sorted_truth), starts, axis=1)
    before = np.cumsum(negative, axis=1) - negative
    wins = np.sum(positive * (before + negative / 2), axis=1)
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(pairs > 0, wins / pairs, np.nan)
    return found


def _outcomes(truth: NDArray[np.int64], calls: NDArray[np.bool_]) -> Floats:
    """(n, 4): true positive, false positive, true negative, false negative."""
    positive = truth == 1
    columns = [positive & calls, ~positive & calls, ~positive & ~calls, positive & ~calls]
    return np.stack(columns, axis=1).astype(np.float64)


def _rates_of(table: Floats) -> tuple[Floats, ...]:
    tp, fp, tn, fn = table.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return (
            (tp + tn) / table.sum(axis=1),
            tp / (tp + fn),
            tn / (tn + fp),
            tp / (tp + fp),
            tn / (tn + fn),
        )
