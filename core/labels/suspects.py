"""Which labels are probably wrong: confident learning over cross-validated predictions.

A model that did not learn from a label is asked what it thinks of it. What counts as confident
is set by each class's own average, so that a class on which the model is generally unsure is
not suspected as a whole, and a class on which it is generally sure does not hide its errors.

Source: Northcutt, Jiang, Chuang, *Confident Learning: Estimating Uncertainty in Dataset
Labels*, JAIR 2021;70:1373. This is an implementation of our own from the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Suspect:
    """One label that is probably wrong.

    item: its place among the labels given. given, suggested: places of the classes.
    margin: probability of the suggested class minus that of the given one, −1…1.
    """

    item: int
    given: int
    suggested: int
    margin: float


@dataclass(frozen=True)
class Suspicion:
    """What confident learning says of a set of labels.

    suspects: the most suspicious first.
    estimated_errors: how many labels are wrong, as far as the predictions can tell.
    joint: (classes, classes), estimated share of all items that were given class i and are
        class j; sums to 1. The diagonal is what is right.
    thresholds: (classes,), average probability of a class among the items labelled so; NaN for
        a class that nobody gave.
    """

    suspects: tuple[Suspect, ...]
    estimated_errors: int
    joint: Floats
    thresholds: Floats


def suspicion(labels: Sequence[int], probabilities: Floats) -> Suspicion:
    """Find the labels that confident predictions contradict.

    labels: (n,) place of the class given to each item, 0…K−1. probabilities: (n, K), of a
    model that has not seen the item's label: out-of-fold, and the folds split by patient.

    Raises ValueError if the shapes do not fit, or a row is no probability distribution.
    """
    given = np.asarray(labels, dtype=np.int64)
    p = np.asarray(probabilities, dtype=np.float64)
    _check(given, p)
    items, classes = p.shape
    counts = np.bincount(given, minlength=classes)
    own = p[np.arange(items), given]
    sums = np.bincount(given, weights=own, minlength=classes)
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    # The class that an item confidently is: the likeliest of those above their own average.
    above = p >= np.where(np.isnan(thresholds), np.inf, thresholds) - 1e-9
    is_confident = above.any(axis=1)
    confident = np.where(above, p, -1.0).argmax(axis=1)

    counted = np.zeros((classes, classes))
    np.add.at(counted, (given[is_confident], confident[is_confident]), 1)
    joint = _calibrated(counted, counts)

    wrong = np.flatnonzero(is_confident & (confident != given))
    margins = p[wrong, confident[wrong]] - own[wrong]
    # Where the label is still the likelier class the model does not contradict it.
    wrong, margins = wrong[margins > 0], margins[margins > 0]
    order = np.lexsort((wrong, -margins))
    suspects = tuple(
        Suspect(int(i), int(given[i]), int(confident[i]), float(margin))
        for i, margin in zip(wrong[order], margins[order], strict=True)
    )
    errors = round(float((1 - np.trace(joint)) * items))
    return Suspicion(suspects, errors, joint, thresholds)


def _calibrated(counted: Floats, counts: NDArray[np.int64]) -> Floats:
    """The confident counts scaled so that each given class weighs what it weighs in the set."""
    rows = counted.sum(axis=1, keepdims=True)
    # A class without one confident item is taken as right.
    filled = np.where(rows > 0, counted, np.eye(len(counts)))
    shares = filled / filled.sum(axis=1, keepdims=True)
    joint: Floats = shares * (counts / counts.sum())[:, None]
    return joint


def _check(labels: NDArray[np.int64], probabilities: Floats) -> None:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not labels.size:
        raise ValueError("labels are (n,) and probabilities (n, classes), with n above zero")
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise ValueError("a label is the place of a class")
    is_distribution = np.isfinite(probabilities).all() and (probabilities >= 0).all()
    if not is_distribution or np.abs(probabilities.sum(axis=1) - 1).max() > 1e-3:
        raise ValueError("each row of probabilities sums to 1")
