"""From validation scores to a model card: calibration, operating threshold, figures.

Everything here is fitted on patients that the weights did not learn from, and never on test
patients.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.imaging.intensity import Quantity
from core.labels.sets import available_label_sets, load_label_set
from core.models.calibration import calibrated_by
from core.models.card import (
    Accepts,
    Architecture,
    Calibration,
    Card,
    CurvePoint,
    Metric,
    OperatingPoint,
    Preprocessing,
    SeriesRule,
    TrainingData,
)
from core.models.familiarity import describe
from core.models.rows import row_pixels
from core.retraining.dataset import Dataset
from core.retraining.objective import Targets
from core.retraining.recipe import Recipe
from core.retraining.series_rule import choose_rule
from core.retraining.statistics import (
    Estimate,
    bootstrap_auroc,
    choose_threshold,
    highest_per_group,
    rates,
)

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


def fit_calibration(logits: Floats, labels: Numbers, targets: Targets, how: str) -> Calibration:
    """Platt scaling for two classes, a temperature for more.

    logits: (n, outputs). labels: (n,) class indices. how: what they are, in words for the card.
    Source: Platt 1999; Guo et al., ICML 2017.
    """
    if targets.classes > 2:
        return Calibration(slope=_inverse_temperature(logits, labels, targets.classes), how=how)
    truth = labels == targets.positive
    if truth.all() or not truth.any():
        return Calibration(how="none: only one class was there")
    from sklearn.linear_model import LogisticRegression

    scale = max(float(np.std(logits[:, 0])), 1e-6)
    fitted = LogisticRegression(C=10.0).fit(logits[:, :1] / scale, truth)
    slope = float(fitted.coef_[0, 0]) / scale
    if slope <= 0.01:  # scores that do not rank: only the share of findings can be told
        odds = np.log(truth.mean() / (1 - truth.mean()))
        return Calibration(slope=0.01, intercept=float(odds), how=how)
    return Calibration(slope=slope, intercept=float(fitted.intercept_[0]), how=how)


def _inverse_temperature(logits: Floats, labels: Numbers, classes: int) -> float:
    from scipy.optimize import minimize_scalar

    def loss(log_slope: float) -> float:
        scaled = np.exp(log_slope) * logits[:, :classes]
        normaliser = np.logaddexp.reduce(scaled, axis=1)
        return float(np.mean(normaliser - scaled[np.arange(len(labels)), labels]))

    found = minimize_scalar(loss, bounds=(-4.0, 4.0), method="bounded")
    return float(np.exp(found.x))


def make_card(
    *,
    model_id: str,
    recipe: Recipe,
    dataset: Dataset,
    architecture: Architecture,
    auxiliary: tuple[str, ...],
    scored: Numbers,
    logits: Floats,
    parent: str | None,
    weights_sha256: str,
    created: str,
) -> Card:
    """The card of freshly trained weights.

    scored, logits: rows of the training set that the weights were judged on, and the logits of
        each member on them, (members, n, outputs); with folds those are out of fold, and there is
        one of each row.
    """
    manifest = dataset.manifest
    targets_positive = dataset.positive_index
    positive = len(manifest.classes) - 1 if targets_positive is None else targets_positive
    classes = len(manifest.classes)
    how = _how(recipe)
    labels = dataset.labels[scored]
    kinds = Targets.of_shape(classes, positive)
    calibration = fit_calibration(logits.mean(axis=0), labels, kinds, how)
    votes = [calibrated_by(calibration, said, classes, positive) for said in logits]
    scores: Floats = np.mean(votes, axis=0)[:, positive]
    truth = (labels == positive).astype(np.int64)
    threshold = choose_threshold(truth, scores, recipe.threshold.rule, recipe.threshold.target)
    at_threshold = rates(truth, scores >= threshold)
    rule = choose_rule(
        scores,
        truth,
        dataset.series[scored],
        dataset.groups[scored],
        how,
        recipe.threshold.rule,
        recipe.threshold.target,
    )
    return Card(
        id=model_id,
        version=created[:10],
        title=recipe.title,
        task=recipe.task or task_of(manifest.classes),
        created=created,
        architecture=architecture,
        preprocessing=recipe.preprocessing,
        classes=manifest.classes,
        positive=manifest.classes[positive],
        auxiliary=auxiliary,
        flip_averaging=recipe.flip_averaging,
        context=recipe.context,
        calibration=calibration,
        threshold=threshold,
        operating_point=OperatingPoint(
            sensitivity=at_threshold.sensitivity, specificity=at_threshold.specificity, how=how
        ),
        operating_curve=_curve(truth, scores),
        series_rule=rule.rule if rule is not None else SeriesRule(),
        accepts=with_pictures(recipe.accepts or accepted(dataset), dataset, recipe.preprocessing),
        data=TrainingData(
            name=recipe.data.name,
            licence=recipe.data.licence,
            citation=recipe.data.citation,
            dataset_id=manifest.id,
            split_hash=manifest.split_hash,
            patients=len(np.unique(dataset.groups)),
            slices=dataset.slice_count,
            positives=int((dataset.labels == positive).sum()),
        ),
        recipe=_plain(recipe),
        metrics=_metrics(truth, scores, dataset.groups[scored], how, dataset.unit),
        limits=recipe.limits,
        parent=parent,
        weights_sha256=weights_sha256,
    )


def _how(recipe: Recipe) -> str:
    if not recipe.folds:
        return "validation patients, on which calibration and threshold were chosen"
    how = f"{recipe.folds}-fold cross-validation by patient, pooled"
    if recipe.publish == "folds":
        return f"{how}; each patient by the one member that had not seen them"
    return how


CURVE_POINTS = 99
"""Thresholds at which the card says sensitivity and specificity: 1 %, 2 % … 99 %."""


def _curve(truth: Numbers, scores: Floats) -> tuple[CurvePoint, ...]:
    """Sensitivity and specificity by threshold, where the operating point was measured."""
    if truth.all() or not truth.any():
        return ()
    found = []
    for step in range(1, CURVE_POINTS + 1):
        at = rates(truth, scores >= step / 100)
        found.append(
            CurvePoint(
                threshold=step / 100,
                sensitivity=round(at.sensitivity, 6),
                specificity=round(at.specificity, 6),
            )
        )
    return tuple(found)


def _metrics(
    truth: Numbers, scores: Floats, groups: Numbers, how: str, unit: str
) -> tuple[Metric, ...]:
    """AUROC by slice or volume and by patient, intervals over patients; none where undefined."""
    if truth.all() or not truth.any():
        return ()
    per_group = highest_per_group(truth, scores, groups)
    found = [_metric(f"{unit} AUROC", bootstrap_auroc(truth, scores, groups), truth, groups, how)]
    ill, highest = np.asarray(per_group[0]), np.asarray(per_group[1])
    if 0 < ill.sum() < len(ill) < len(truth):
        each = np.arange(len(ill))
        patient = bootstrap_auroc(ill, highest, each)
        found.append(_metric(f"patient AUROC (highest {unit})", patient, ill, each, how))
    return tuple(found)


def _metric(name: str, estimate: Estimate, truth: Numbers, groups: Numbers, how: str) -> Metric:
    return Metric(
        name=name,
        value=estimate.value,
        ci95=(estimate.ci95.low, estimate.ci95.high),
        n=len(truth),
        groups=len(np.unique(groups)),
        how=how,
    )


def accepted(dataset: Dataset) -> Accepts:
    """What a model may be used on, told from its training set: kind of pixels, distances, length.

    A tenth of room is left on both sides. What the set does not know is not limited.
    """
    apart, wide = dataset.spacing[:, 0], dataset.spacing[:, 1:].max(axis=1)
    lengths = np.unique(dataset.slices.series, return_counts=True)[1]
    most = float(np.max(lengths, initial=0))
    return Accepts(
        quantities=(Quantity(dataset.manifest.quantity),),
        plane_distance_mm=_range(apart),
        pixel_spacing_mm=_range(wide),
        # Single pictures say nothing of how long a series may be.
        slices=_whole(_range(lengths.astype(np.float64))) if most > 1 else None,
    )


_LOOKED_AT = 300
"""Pictures that a training set's look is told from."""


def with_pictures(accepts: Accepts, dataset: Dataset, spec: Preprocessing) -> Accepts:
    """The same, and what the pictures of the training part look like.

    As it is for volumes, and where the part is too small to say: what is known of the pictures
    that the weights began with then stays.
    """
    rows = dataset.part("train")
    if spec.dimensions == 3 or len(rows) == 0:
        return accepts
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), _LOOKED_AT)).astype(np.int64)]
    pixels = np.stack([row_pixels(dataset, int(row), spec) for row in some])
    found = describe(pixels, dataset.groups[some].tolist())
    return accepts.model_copy(update={"pictures": found or accepts.pictures})


def _range(values: Floats) -> tuple[float, float] | None:
    """Smallest and largest of what is known and above zero, with a tenth of room; None without."""
    known = values[np.isfinite(values) & (values > 0)]
    if len(known) == 0:
        return None
    return round(float(known.min()) * 0.9, 3), round(float(known.max()) * 1.1, 3)


def _whole(limits: tuple[float, float] | None) -> tuple[int, int] | None:
    return (max(1, int(limits[0])), int(np.ceil(limits[1]))) if limits else None


def task_of(classes: tuple[str, ...]) -> str:
    """Id of the label set that holds all these classes; their names joined if none does."""
    for name in available_label_sets():
        if set(classes) <= {item.id for item in load_label_set(name).classes}:
            return name
    return "-or-".join(classes)


def _plain(recipe: Recipe) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(recipe.model_dump_json())
    return content
