"""The figures of an evaluation as values: what `metrics.json` holds and `--json` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.errors import NotComparableError

Interval = tuple[float | None, float | None]
"""Ends of a 95 % interval; None where it cannot be told."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ClassFigures(_Frozen):
    """One class against the rest. precision, recall, f1 at the decision; auroc without one."""

    n: int
    precision: float | None
    recall: float | None
    f1: float | None
    auroc: float | None


class PatientFigures(_Frozen):
    """Groups instead of slices: positive if any slice is, scored as their highest slice."""

    n: int
    positives: int
    auroc: float | None
    auroc_ci95: Interval
    sensitivity: float | None
    specificity: float | None


class CrossValidationFigures(_Frozen):
    """All patients outside the test part, each scored by a model that had not seen them."""

    n: int
    groups: int
    positives: int
    auroc: float | None
    auroc_ci95: Interval
    patients: PatientFigures | None


class LookingFigures(_Frozen):
    """Where a model looks, on marked slices whose marks it did not learn.

    pointing_game: share whose strongest evidence lies on the mark. energy_in_mask: mean share of
    the evidence on it. See `core.retraining.pointing`.
    """

    slices: int
    groups: int
    pointing_game: float
    pointing_game_ci95: Interval
    energy_in_mask: float
    energy_in_mask_ci95: Interval


class SubgroupFigures(_Frozen):
    """The same figures on a part of the slices."""

    n: int
    groups: int
    positives: int
    auroc: float | None
    auroc_ci95: Interval
    sensitivity: float | None
    specificity: float | None


class Bin(_Frozen):
    """One bar of the reliability plot."""

    low: float
    high: float
    n: int
    mean_probability: float
    share_positive: float


class Curve(_Frozen):
    """Points of a curve; x and y as its name says."""

    x: tuple[float, ...]
    y: tuple[float, ...]


class CaseFigure(_Frozen):
    """One slice's answer: for lists of the worst and of the changed."""

    key: str
    group: str
    label: str
    predicted: str
    probability: float
    """Probability of the positive class; of the labelled class where there is no positive."""


class ModelFacts(_Frozen):
    """Which model was asked."""

    id: str = ""
    version: str = ""
    weights_sha256: str = ""


class Evaluation(_Frozen):
    """What `evaluate --json` writes.

    n: labelled slices, or volumes where `unit` says so; groups: patients. auroc: of the positive
    class, or the mean over classes one against the rest where there is none. confusion: rows are
    labels, columns predictions, in the order of `classes`. threshold: on the positive class's
    probability; None with more than two classes, where the most probable class is predicted.
    cross_validation: of the run that made the model, if it was cross-validated on this set.
    looking: where findings are marked. ece: in ten bins of equal width. Intervals are 95 %
    percentile intervals over resampled groups.
    """

    n: int
    unit: str = "slice"
    groups: int
    positives: int
    auroc: float | None
    auroc_ci95: Interval
    average_precision: float | None
    accuracy: float
    accuracy_ci95: Interval
    sensitivity: float | None
    sensitivity_ci95: Interval
    specificity: float | None
    specificity_ci95: Interval
    ppv: float | None
    ppv_ci95: Interval
    npv: float | None
    npv_ci95: Interval
    threshold: float | None
    classes: tuple[str, ...]
    positive: str | None
    confusion: tuple[tuple[int, ...], ...]
    ece: float
    brier: float
    brier_ci95: Interval
    log_loss: float
    per_class: dict[str, ClassFigures]
    patients: PatientFigures | None
    members: tuple[float | None, ...] = ()
    """AUROC of each member by itself, of a model whose members vote."""
    cross_validation: CrossValidationFigures | None = None
    looking: LookingFigures | None = None
    subgroups: dict[str, dict[str, SubgroupFigures]] = Field(default_factory=dict)
    calibration: tuple[Bin, ...] = ()
    roc: Curve | None = None
    precision_recall: Curve | None = None
    worst: tuple[CaseFigure, ...] = ()
    resamples: int
    seed: int
    split: str = ""
    dataset: str = ""
    split_hash: str = ""
    test_hash: str = ""
    model: ModelFacts = ModelFacts()
    notes: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _nan_is_unknown(cls, facts: Any) -> Any:
        return _without_nan(facts)


def read_evaluation(path: Path) -> Evaluation:
    """An evaluation from a `metrics.json`. Raises NotComparableError if it is none."""
    try:
        return Evaluation.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise NotComparableError(f"{path.name} is absent or is not an evaluation") from error


def _without_nan(value: Any) -> Any:
    """NaN as None, at every depth: JSON has no NaN, and an unknown figure is not a number."""
    if isinstance(value, float):
        return None if np.isnan(value) else float(value)
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_without_nan(item) for item in value)
    return value
