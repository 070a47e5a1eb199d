"""Champion and challenger on the same test patients: what changed, and is it better?

Averages hide what a reader minds most: the cases that were right and are now wrong. They are
listed one by one, worst first, beside the paired difference with its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import NotComparableError
from core.models.card import Card
from core.retraining import statistics as stats
from core.retraining.dataset import Dataset
from core.retraining.evaluation import decisions
from core.retraining.figures import Evaluation
from core.retraining.gate import Evidence, GateVerdict, judge_by
from core.retraining.plots import interval_text
from core.retraining.pointing import PointingChange
from core.retraining.recipe import Gate
from core.retraining.scoring import Scores


@dataclass(frozen=True)
class Contender:
    """One model and its figures. id: of the model; title: what people read."""

    id: str
    title: str
    threshold: float
    figures: Evaluation

    @property
    def roc(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """(false-positive rates, true-positive rates); empty where there is no curve."""
        curve = self.figures.roc
        return ((), ()) if curve is None else (curve.x, curve.y)

    @property
    def outcomes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """((true negative, false positive), (false negative, true positive)) of the decisions.

        With several classes the first stands for the absence of a finding and all others for
        one: which of them is not told apart here.
        """
        table = np.array(self.figures.confusion)
        positive = self.figures.positive
        absence = 0
        if positive is not None and len(table) == 2:
            absence = 1 - self.figures.classes.index(positive)
        tn = int(table[absence, absence])
        fp, fn = int(table[absence].sum()) - tn, int(table[:, absence].sum()) - tn
        return (tn, fp), (fn, int(table.sum()) - tn - fp - fn)


@dataclass(frozen=True)
class ChangedCase:
    """A slice on which the two models decide differently.

    key, group, series: codes. order: position in the series from 0. label: class id.
    champion, challenger: probability of the positive class, or, with several classes, of the
    right one. is_worse: was right, is now wrong.
    """

    key: str
    group: str
    series: str
    order: int
    row: int
    label: str
    champion: float
    challenger: float
    is_worse: bool

    @property
    def swing(self) -> float:
        """By how much the probability moved."""
        return abs(self.challenger - self.champion)


@dataclass(frozen=True)
class Comparison:
    """Two models on the same slices of the same patients.

    difference: AUROC of the challenger minus that of the champion, with its paired interval;
    None where it cannot be told. changed: those that got worse first, largest swing first.
    remarks: what else to know. pointing: where both look, if findings are marked on test slices.
    """

    champion: Contender
    challenger: Contender
    slices: int
    patients: int
    negative: str
    positive: str
    difference: stats.Estimate | None
    gate: GateVerdict
    changed: tuple[ChangedCase, ...]
    dataset: str
    test_hash: str
    remarks: tuple[str, ...] = ()
    pointing: PointingChange | None = None

    @property
    def worse(self) -> int:
        """Slices that were right and are now wrong."""
        return sum(case.is_worse for case in self.changed)

    @property
    def better(self) -> int:
        """Slices that were wrong and are now right."""
        return len(self.changed) - self.worse


def compare(
    dataset: Dataset,
    champion: Scores,
    challenger: Scores,
    *,
    rules: Gate | None = None,
    pointing: PointingChange | None = None,
    resamples: int = stats.RESAMPLES,
    seed: int = 0,
    remarks: Sequence[str] = (),
) -> Comparison:
    """Compare two models on the slices that both scored.

    rules: of the gate; None takes a recipe's defaults. pointing: how both do on marked slices.
    Raises NotComparableError unless both scored exactly the same slices.
    """
    rows = _same_rows(dataset, champion, challenger)
    classes = dataset.manifest.classes
    before = champion.evaluate(dataset, resamples, seed)
    after = challenger.evaluate(dataset, resamples, seed)
    old, new = _of_rows(champion, rows), _of_rows(challenger, rows)
    groups = dataset.groups[rows]
    difference = _difference(dataset, rows, old, new, resamples, seed)
    index = dataset.positive_index
    finding = index is not None and len(classes) == 2
    right = [
        decisions(said, index, scores.subject.card.threshold) == dataset.labels[rows]
        for said, scores in ((old, champion), (new, challenger))
    ]
    evidence = Evidence(
        dataset,
        rows,
        None if index is None else old[:, index],
        None if index is None else new[:, index],
        right[0],
        right[1],
        before,
        after,
        difference,
        pointing,
        resamples,
        seed,
    )
    return Comparison(
        champion=_contender(champion, before),
        challenger=_contender(challenger, after),
        slices=len(rows),
        patients=len(np.unique(groups)),
        negative=classes[1 - index] if finding and index is not None else classes[0],
        positive=classes[index] if finding and index is not None else "any other class",
        difference=difference,
        gate=judge_by(rules or Gate(), evidence),
        changed=_changed(dataset, rows, old, new, (right[0], right[1])),
        dataset=dataset.manifest.id,
        test_hash=dataset.manifest.test_hash,
        remarks=(*remarks, *_remarks(champion.subject.card, challenger.subject.card)),
        pointing=pointing,
    )


def figures_in_words(found: Evaluation) -> dict[str, str]:
    """Name → figure with its interval, for a table of two models."""
    words = {
        "AUROC": interval_text(found.auroc, found.auroc_ci95),
        "Sensitivity": interval_text(found.sensitivity, found.sensitivity_ci95),
        "Specificity": interval_text(found.specificity, found.specificity_ci95),
        "Accuracy": interval_text(found.accuracy, found.accuracy_ci95),
        "Brier score": interval_text(found.brier, found.brier_ci95),
        "Calibration error": f"{found.ece:.3f}",
    }
    if found.patients is not None:
        by_patient = interval_text(found.patients.auroc, found.patients.auroc_ci95)
        words = {"AUROC": words["AUROC"], "AUROC by patient": by_patient, **words}
    return words


def _same_rows(dataset: Dataset, one: Scores, two: Scores) -> NDArray[np.int64]:
    """The labelled rows that both scored. Raises NotComparableError if they differ."""
    if not np.array_equal(np.sort(one.rows), np.sort(two.rows)):
        only = len(set(one.rows.tolist()) ^ set(two.rows.tolist()))
        raise NotComparableError(f"{only} slices were scored by one of the two models only")
    rows = np.sort(one.rows)
    labelled: NDArray[np.int64] = rows[dataset.labels[rows] >= 0]
    if len(labelled) == 0:
        raise NotComparableError("none of the slices that both models scored is labelled")
    return labelled


def _of_rows(scores: Scores, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    order = np.argsort(scores.rows, kind="stable")
    found: NDArray[np.float64] = scores.probabilities[
        order[np.searchsorted(scores.rows[order], rows)]
    ]
    return found


def _difference(
    dataset: Dataset,
    rows: NDArray[np.int64],
    old: NDArray[np.float64],
    new: NDArray[np.float64],
    resamples: int,
    seed: int,
) -> stats.Estimate | None:
    """Paired difference of AUROC, or of its mean over classes; None with one class alone."""
    labels, groups, index = dataset.labels[rows], dataset.groups[rows], dataset.positive_index
    if len(np.unique(labels)) < 2:
        return None
    if index is None:
        return stats.bootstrap_mean_auroc_difference(labels, old, new, groups, resamples, seed)
    truth = labels == index
    if truth.all() or not truth.any():
        return None
    return stats.bootstrap_auroc_difference(
        truth, old[:, index], new[:, index], groups, resamples, seed
    )


def _contender(scores: Scores, figures: Evaluation) -> Contender:
    card = scores.subject.card
    return Contender(card.id, card.title, card.threshold, figures)


def _changed(
    dataset: Dataset,
    rows: NDArray[np.int64],
    old: NDArray[np.float64],
    new: NDArray[np.float64],
    right: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> tuple[ChangedCase, ...]:
    """Where one decides rightly and the other wrongly."""
    truth, index = dataset.labels[rows], dataset.positive_index
    before, after = right
    keys, classes = dataset.keys(), dataset.manifest.classes
    cases = []
    for place in np.flatnonzero(before != after):
        row = int(rows[place])
        shown = index if index is not None and len(classes) == 2 else int(truth[place])
        cases.append(
            ChangedCase(
                key=keys[row],
                group=dataset.group_codes[dataset.groups[row]],
                series=dataset.series_codes[dataset.series[row]],
                order=int(dataset.orders[row]),
                row=row,
                label=classes[truth[place]],
                champion=float(old[place, shown]),
                challenger=float(new[place, shown]),
                is_worse=bool(before[place]),
            )
        )
    return tuple(sorted(cases, key=lambda case: (not case.is_worse, -case.swing)))


def _remarks(champion: Card, challenger: Card) -> tuple[str, ...]:
    """What the swap changes beside the weights."""
    if champion.positive != challenger.positive or len(challenger.classes) != 2:
        return ()
    told = (
        f"The operating threshold moves from {champion.threshold:.2f} to "
        f"{challenger.threshold:.2f}, chosen anew for the challenger"
    )
    point = challenger.operating_point
    if point is not None:
        told += (
            f": sensitivity {point.sensitivity:.2f} and specificity {point.specificity:.2f} "
            f"({point.how})"
        )
    return (f"{told}.",)
