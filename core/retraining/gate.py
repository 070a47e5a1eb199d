"""The gate of a recipe: what a challenger must reach on the same test patients as the champion.

Each rule is told with its figure, passed or not. A gate advises; a person promotes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.retraining import statistics as stats
from core.retraining.dataset import Dataset
from core.retraining.figures import Evaluation
from core.retraining.pointing import PointingChange
from core.retraining.recipe import Gate

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Check:
    """One rule. code: its name, lower case. sentence: its figure in words."""

    code: str
    passed: bool
    sentence: str


@dataclass(frozen=True)
class GateVerdict:
    """What the recipe's gate says. passed: whether promotion is advised.

    sentence: the paired difference of AUROC in words. reasons: why promotion is not advised;
    empty if it is. checks: every rule that could be applied.
    """

    passed: bool
    margin: float
    sentence: str
    reasons: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, eq=False)
class Evidence:
    """Both models on the same labelled rows.

    old, new: probability of the finding, (n,); None where there is no single finding.
    was_right, is_right: (n,) whether each decides as the label says.
    """

    dataset: Dataset
    rows: NDArray[np.int64]
    old: Floats | None
    new: Floats | None
    was_right: Flags
    is_right: Flags
    before: Evaluation
    after: Evaluation
    difference: stats.Estimate | None
    pointing: PointingChange | None = None
    resamples: int = stats.RESAMPLES
    seed: int = 0


def judge_by(rules: Gate, found: Evidence) -> GateVerdict:
    """Apply a gate's rules."""
    patients = len(np.unique(found.dataset.groups[found.rows]))
    checks, sentence = _discrimination(found.difference, rules.margin, patients)
    checks += [
        *_sensitivity(rules, found),
        *_calibration(rules, found),
        *_flips(rules, found),
        *_subgroups(rules, found),
        *_explanation(found),
    ]
    reasons = tuple(check.sentence for check in checks if not check.passed)
    return GateVerdict(not reasons, rules.margin, sentence, reasons, tuple(checks))


def _discrimination(
    difference: stats.Estimate | None, margin: float, patients: int
) -> tuple[list[Check], str]:
    """Not worse by more than the margin, at the interval's lower end."""
    code = "auroc"
    if difference is None:
        reason = "The test part shows only one class: nothing can be told."
        return [Check(code, False, reason)], reason
    value, (low, high) = difference
    size = f"{abs(value):.3f}"
    sentence = (
        "The challenger's AUROC is the champion's"
        if float(size) == 0
        else f"The challenger's AUROC is {size} {'higher' if value > 0 else 'lower'}"
    )
    if not np.isfinite(low) or patients < 2:
        reason = (
            "With one test patient its interval cannot be told."
            if patients == 1
            else f"With {patients} test patients its interval cannot be told."
        )
        return [Check(code, False, reason)], f"{sentence}."
    sentence += f" (95 % interval {low:+.3f} to {high:+.3f}, on {patients} patients)"
    if low >= -margin:
        better = "better" if low > 0 else f"not worse by more than {margin:g}"
        return [Check(code, True, f"{sentence}: {better}.")], f"{sentence}: {better}."
    if high < -margin:
        reason = f"It is worse by more than the {margin:g} that the recipe allows."
    else:
        reason = f"That it is not worse by more than {margin:g} cannot be told from these patients."
    return [Check(code, False, reason)], f"{sentence}."


def _sensitivity(rules: Gate, found: Evidence) -> list[Check]:
    """Findings that are no longer found, each model at its own operating threshold."""
    index = found.dataset.positive_index
    if index is None:
        return []
    ill = found.dataset.labels[found.rows] == index
    if not ill.any():
        return []
    change = found.is_right[ill].astype(float) - found.was_right[ill]
    value, bounds = _mean(change, found, ill)
    told = f"At its own threshold its sensitivity changes by {value:+.2f} ({bounds})"
    if value >= -rules.sensitivity_margin:
        return [Check("sensitivity", True, f"{told}.")]
    limit = f"{told}; the recipe allows a loss of {rules.sensitivity_margin:g}."
    return [Check("sensitivity", False, limit)]


def _calibration(rules: Gate, found: Evidence) -> list[Check]:
    old, new = found.before.ece, found.after.ece
    told = f"Its calibration error is {new:.3f}, the champion's {old:.3f}"
    if new <= old + rules.calibration_margin:
        return [Check("calibration", True, f"{told}.")]
    limit = f"{told}; the recipe allows {rules.calibration_margin:g} more."
    return [Check("calibration", False, limit)]


def _flips(rules: Gate, found: Evidence) -> list[Check]:
    """Negative flips: slices that were right and are wrong. Source: Yan et al., CVPR 2021."""
    flipped = (found.was_right & ~found.is_right).astype(float)
    value, bounds = _mean(flipped, found, np.ones(len(flipped), bool))
    told = f"{int(flipped.sum())} slices that were right are now wrong ({value:.2f}, {bounds})"
    if value <= rules.negative_flips:
        return [Check("negative-flips", True, f"{told}.")]
    limit = f"{told}; the recipe allows {rules.negative_flips:.2f}."
    return [Check("negative-flips", False, limit)]


def _subgroups(rules: Gate, found: Evidence) -> list[Check]:
    """No part of the patients may pay for the average."""
    index = found.dataset.positive_index
    if index is None or found.old is None or found.new is None:
        return []
    truth = found.dataset.labels[found.rows] == index
    groups = found.dataset.groups[found.rows]
    checks = []
    for name, values in found.dataset.subgroups.items():
        for value in sorted(set(values[found.rows]) - {""}):
            chosen = values[found.rows] == value
            told = truth[chosen]
            enough = len(np.unique(groups[chosen])) >= rules.subgroup_patients
            if not enough or told.all() or not told.any():
                continue
            change, (low, high) = stats.bootstrap_auroc_difference(
                told,
                found.old[chosen],
                found.new[chosen],
                groups[chosen],
                found.resamples,
                found.seed,
            )
            words = f"For {name} {value} its AUROC changes by {change:+.3f}"
            if np.isfinite(low):
                words += f" ({low:+.3f} to {high:+.3f})"
            if change >= -rules.subgroup_margin:
                checks.append(Check("subgroup", True, f"{words}."))
            else:
                limit = f"{words}; the recipe allows a loss of {rules.subgroup_margin:g}."
                checks.append(Check("subgroup", False, limit))
    return checks


def _explanation(found: Evidence) -> list[Check]:
    """A model that points better and discriminates worse has learnt to please its teachers."""
    change, difference = found.pointing, found.difference
    if change is None:
        return []
    value, (low, high) = change.hits
    told = (
        f"On {change.champion.slices} marked slices it points at the finding in "
        f"{change.challenger.hits.value:.0%}, the champion in {change.champion.hits.value:.0%}"
    )
    told += f" ({low:+.2f} to {high:+.2f})" if np.isfinite(low) else ""
    is_worse = difference is not None and difference.ci95.high < 0
    if value > 0 and is_worse:
        return [Check("explanation", False, f"{told}, but it tells the classes apart less well.")]
    return [Check("explanation", True, f"{told}.")]


def _mean(values: Floats, found: Evidence, chosen: Flags) -> tuple[float, str]:
    """Mean over slices, and its interval over patients in words."""
    groups = found.dataset.groups[found.rows][chosen]
    value, (low, high) = stats.bootstrap_mean(values, groups, found.resamples, found.seed)
    if not np.isfinite(low) or len(np.unique(groups)) < 2:
        return value, "no interval from one patient"
    return value, f"95 % interval {low:+.2f} to {high:+.2f}"
