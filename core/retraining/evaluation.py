"""How good a model is on given slices: every figure with its interval, nothing chosen on them.

The operating threshold comes from the model's card, where it was chosen on validation patients;
an evaluation never chooses one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import NotComparableError, UnusableDatasetError
from core.retraining import statistics as stats
from core.retraining.calibration import calibration_bins, expected_calibration_error
from core.retraining.dataset import Dataset
from core.retraining.figures import Evaluation, ModelFacts

Floats = NDArray[np.float64]


class RowPredictor(Protocol):
    """What an evaluation needs of a model: `core.models.predictor.Predictor` has it."""

    def predict_dataset(
        self,
        dataset: Dataset,
        rows: NDArray[np.int64],
        progress: Callable[[int, int], None] | None = None,
    ) -> Floats:
        """Probabilities (n, classes) for rows of a set."""


def evaluate(
    probabilities: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    classes: Sequence[str],
    positive: str | None,
    threshold: float = 0.5,
    keys: Sequence[str] | None = None,
    group_codes: Sequence[str] | None = None,
    subgroups: Mapping[str, Sequence[str]] | None = None,
    resamples: int = stats.RESAMPLES,
    seed: int = 0,
    worst: int = 12,
) -> Evaluation:
    """Figures for labelled slices.

    probabilities: (n, classes) in the order of `classes`, rows summing to 1. labels: (n,) class
    indices, all ≥ 0. groups: (n,) patient numbers. keys, group_codes: names a slice is listed
    under. subgroups: name → value of each slice.

    Raises ValueError where lengths differ or a label is negative.
    """
    chances = np.asarray(probabilities, np.float64)
    truth, patients = np.asarray(labels, np.int64), np.asarray(groups)
    if chances.shape != (len(truth), len(classes)) or len(patients) != len(truth):
        raise ValueError("probabilities, labels and groups differ in length")
    if len(truth) == 0 or truth.min() < 0:
        raise ValueError("every slice needs a label")
    binary = positive is not None and len(classes) == 2
    index = list(classes).index(positive) if positive is not None else None
    calls = decisions(chances, index, threshold)
    names = list(keys) if keys is not None else [str(row) for row in range(len(truth))]
    codes = list(group_codes) if group_codes is not None else [str(group) for group in patients]
    facts: dict[str, Any] = {
        "n": len(truth),
        "groups": len(np.unique(patients)),
        "positives": int((truth == index).sum()) if index is not None else 0,
        "threshold": threshold if binary else None,
        "classes": tuple(classes),
        "positive": positive,
        "confusion": _confusion(truth, calls, len(classes)),
        "log_loss": float(
            -np.mean(np.log(np.clip(chances[np.arange(len(truth)), truth], 1e-12, 1.0)))
        ),
        "per_class": _per_class(truth, calls, chances, classes),
        "worst": _worst(truth, calls, chances, index, classes, names, codes, worst),
        "resamples": resamples,
        "seed": seed,
    }
    if index is not None:
        facts |= _with_positive(
            truth == index, calls == index, chances[:, index], patients, threshold, resamples, seed
        )
        facts["subgroups"] = _by_subgroup(
            truth == index, calls == index, chances[:, index], patients, subgroups or {}, seed
        )
    else:
        facts |= _without_positive(truth, calls, chances, patients, resamples, seed)
    return Evaluation.model_validate(facts)


def decisions(probabilities: Floats, positive: int | None, threshold: float) -> NDArray[np.int64]:
    """Class index decided for each row of (n, classes) probabilities.

    With two classes of which one is the finding: that one from the threshold on; else the most
    probable class.
    """
    if positive is None or probabilities.shape[1] != 2:
        most_probable: NDArray[np.int64] = probabilities.argmax(axis=1).astype(np.int64)
        return most_probable
    return np.where(probabilities[:, positive] >= threshold, positive, 1 - positive)


def evaluate_rows(
    dataset: Dataset,
    rows: NDArray[np.int64],
    probabilities: Floats,
    threshold: float,
    *,
    split: str = "",
    model: ModelFacts | None = None,
    notes: Sequence[str] = (),
    resamples: int = stats.RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Figures for rows of a set; unlabelled rows are left out. See `evaluate`.

    Raises UnusableDatasetError where no row is labelled.
    """
    labelled = dataset.labels[rows] >= 0
    if not labelled.any():
        part = f"the {split} part" if split else "it"
        raise UnusableDatasetError(
            dataset.folder, f"{part} holds no labelled case", "Choose another --split."
        )
    chosen = rows[labelled]
    keys = dataset.keys()
    found = evaluate(
        probabilities[labelled],
        dataset.labels[chosen],
        dataset.groups[chosen],
        classes=dataset.manifest.classes,
        positive=dataset.manifest.positive,
        threshold=threshold,
        keys=[keys[row] for row in chosen],
        group_codes=[dataset.group_codes[dataset.groups[row]] for row in chosen],
        subgroups={name: list(values[chosen]) for name, values in dataset.subgroups.items()},
        resamples=resamples,
        seed=seed,
    )
    skipped = int((~labelled).sum())
    told = [f"{skipped} unlabelled cases were left out."] if skipped else []
    return found.model_copy(
        update={
            "split": split,
            "unit": dataset.unit,
            "dataset": dataset.manifest.id,
            "split_hash": dataset.manifest.split_hash,
            "test_hash": dataset.manifest.test_hash,
            "model": model or ModelFacts(),
            "notes": (*notes, *told),
        }
    )


def align(
    probabilities: Floats, classes: Sequence[str], positive: str, dataset: Dataset
) -> tuple[Floats, tuple[str, ...]]:
    """A model's probabilities in the set's classes, and what was assumed on the way.

    classes, positive: the model's. Two-class models and sets that name their classes
    differently are matched by which one is the finding.
    Raises NotComparableError where the classes cannot be matched.
    """
    wanted, finding = dataset.manifest.classes, dataset.manifest.positive
    if set(wanted) == set(classes):
        return probabilities[:, [list(classes).index(name) for name in wanted]], ()
    if len(wanted) == 2 and finding is not None and (len(classes) == 2 or finding in classes):
        name = finding if finding in classes else positive
        chance = probabilities[:, list(classes).index(name)]
        index = wanted.index(finding)
        columns = [chance if k == index else 1 - chance for k in range(2)]
        note = f"The model's “{name}” was taken for the set's “{finding}”."
        return np.stack(columns, axis=1), (note,)
    raise NotComparableError(
        f"the model tells {', '.join(classes)} apart and the training set {', '.join(wanted)}"
    )


# ----------------------------------------------------------------- inside


def _with_positive(
    truth: NDArray[np.bool_],
    calls: NDArray[np.bool_],
    scores: Floats,
    groups: NDArray[Any],
    threshold: float,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    area = stats.bootstrap_auroc(truth, scores, groups, resamples, seed)
    rates = stats.rates(truth, calls)
    spread = stats.bootstrap_rates(truth, calls, groups, resamples, seed)
    error = stats.bootstrap_mean((scores - truth) ** 2, groups, resamples, seed)
    false_rate, tpr, _ = stats.roc_curve(truth, scores)
    recall, precision = stats.precision_recall_curve(truth, scores)
    facts: dict[str, Any] = {
        "auroc": area.value,
        "auroc_ci95": area.ci95,
        "average_precision": stats.average_precision(truth, scores),
        "ece": expected_calibration_error(truth, scores),
        "brier": error.value,
        "brier_ci95": error.ci95,
        "patients": _patients(truth, scores, groups, threshold, resamples, seed),
        "calibration": [vars(item) for item in calibration_bins(truth, scores)],
        "roc": {"x": tuple(false_rate), "y": tuple(tpr)},
        "precision_recall": {"x": tuple(recall), "y": tuple(precision)},
    }
    for name in stats.Rates.__dataclass_fields__:
        facts[name] = getattr(rates, name)
        facts[f"{name}_ci95"] = spread[name]
    return facts


def _without_positive(
    truth: NDArray[np.int64],
    calls: NDArray[np.int64],
    chances: Floats,
    groups: NDArray[Any],
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    right = stats.bootstrap_mean(calls == truth, groups, resamples, seed)
    one_hot = np.eye(chances.shape[1])[truth]
    error = stats.bootstrap_mean(((chances - one_hot) ** 2).sum(axis=1), groups, resamples, seed)
    areas = [
        stats.bootstrap_auroc(truth == k, chances[:, k], groups, resamples, seed)
        for k in range(chances.shape[1])
        if 0 < (truth == k).sum() < len(truth)
    ]
    unknown = (None, None)
    surest = chances.max(axis=1)
    return {
        "auroc": float(np.mean([area.value for area in areas])) if areas else None,
        # The mean of the ends is wider than the interval of the mean: safe, and said in docs.
        "auroc_ci95": tuple(np.mean([area.ci95 for area in areas], axis=0)) if areas else unknown,
        "average_precision": None,
        "accuracy": right.value,
        "accuracy_ci95": right.ci95,
        **dict.fromkeys(("sensitivity", "specificity", "ppv", "npv")),
        **dict.fromkeys(("sensitivity_ci95", "specificity_ci95", "ppv_ci95", "npv_ci95"), unknown),
        "ece": expected_calibration_error(calls == truth, surest),
        "brier": error.value,
        "brier_ci95": error.ci95,
        "patients": None,
        "calibration": [vars(item) for item in calibration_bins(calls == truth, surest)],
    }


def _patients(
    truth: NDArray[np.bool_],
    scores: Floats,
    groups: NDArray[Any],
    threshold: float,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    labels, highest = stats.highest_per_group(truth, scores, groups)
    area = stats.bootstrap_auroc(labels, highest, np.arange(len(labels)), resamples, seed)
    rates = stats.rates(labels, highest >= threshold)
    return {
        "n": len(labels),
        "positives": int(labels.sum()),
        "auroc": area.value,
        "auroc_ci95": area.ci95,
        "sensitivity": rates.sensitivity,
        "specificity": rates.specificity,
    }


def _by_subgroup(
    truth: NDArray[np.bool_],
    calls: NDArray[np.bool_],
    scores: Floats,
    groups: NDArray[Any],
    subgroups: Mapping[str, Sequence[str]],
    seed: int,
) -> dict[str, dict[str, dict[str, Any]]]:
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, values in subgroups.items():
        each = np.asarray(values)
        for value in sorted(set(each)):
            part = each == value
            area = stats.bootstrap_auroc(truth[part], scores[part], groups[part], 1000, seed)
            rates = stats.rates(truth[part], calls[part])
            found.setdefault(name, {})[str(value) or "unknown"] = {
                "n": int(part.sum()),
                "groups": len(np.unique(groups[part])),
                "positives": int(truth[part].sum()),
                "auroc": area.value,
                "auroc_ci95": area.ci95,
                "sensitivity": rates.sensitivity,
                "specificity": rates.specificity,
            }
    return found


def _confusion(
    truth: NDArray[np.int64], calls: NDArray[np.int64], count: int
) -> tuple[tuple[int, ...], ...]:
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (truth, calls), 1)
    return tuple(tuple(int(value) for value in row) for row in table)


def _per_class(
    truth: NDArray[np.int64],
    calls: NDArray[np.int64],
    chances: Floats,
    classes: Sequence[str],
) -> dict[str, dict[str, Any]]:
    found = {}
    for index, name in enumerate(classes):
        rates = stats.rates(truth == index, calls == index)
        precision, recall = rates.ppv, rates.sensitivity
        total = precision + recall
        found[name] = {
            "n": int((truth == index).sum()),
            "precision": precision,
            "recall": recall,
            "f1": 2 * precision * recall / total if total > 0 else (0.0 if total == 0 else None),
            "auroc": stats.auroc(truth == index, chances[:, index]),
        }
    return found


def _worst(
    truth: NDArray[np.int64],
    calls: NDArray[np.int64],
    chances: Floats,
    index: int | None,
    classes: Sequence[str],
    keys: Sequence[str],
    codes: Sequence[str],
    count: int,
) -> tuple[dict[str, Any], ...]:
    """The wrong calls with the least probability for the right class, worst first."""
    right = chances[np.arange(len(truth)), truth]
    order = [int(row) for row in np.argsort(right, kind="stable") if calls[row] != truth[row]]
    return tuple(
        {
            "key": keys[row],
            "group": codes[row],
            "label": classes[truth[row]],
            "predicted": classes[calls[row]],
            "probability": float(chances[row, index if index is not None else truth[row]]),
        }
        for row in order[:count]
    )
