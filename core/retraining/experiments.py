"""The experiment log: one row a run, on the same test patients, and curves over each other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from core import durable
from core.errors import CoreError, NotComparableError
from core.imaging.volume import Progress
from core.retraining import plots
from core.retraining import statistics as stats
from core.retraining.comparison import ChangedCase, Comparison, compare
from core.retraining.dataset import Dataset
from core.retraining.delong import delong_p_value
from core.retraining.figures import Evaluation
from core.retraining.picturing import explained
from core.retraining.plots import interval_text
from core.retraining.protocol import RunFolder
from core.retraining.recipe import flat
from core.retraining.report import (
    case_figure,
    csv_text,
    inline,
    number,
    page,
    spreadsheet_safe,
    table,
)
from core.retraining.scoring import Scores, Subject, find_subject, score

_DULL = ("title", "description", "data", "limits", "accepts", "task")
"""Recipe fields that do not change what is learnt."""

_SHOWN = {"slice": "slice", "volume": "slice of the volume where the first model finds most"}


@dataclass(frozen=True)
class Experiment:
    """One row. changed: recipe fields that differ from the first row's, as "name: value".

    comparison: with the first row; None in the first row. p_value: DeLong's, of an AUROC equal to
    the first row's; None where several cases are of one patient, and in the first row.
    seconds: what the training took; None where it is not known.
    """

    name: str
    subject: Subject
    figures: Evaluation
    changed: tuple[str, ...]
    comparison: Comparison | None
    p_value: float | None
    seconds: float | None
    history: tuple[tuple[float, float], ...]


def run_experiments(
    names: Sequence[str],
    data: Path | None = None,
    split: str = "test",
    *,
    device: str = "auto",
    resamples: int = stats.RESAMPLES,
    progress: Progress | None = None,
) -> tuple[Dataset, list[Experiment]]:
    """Measure runs or models on the same part of the same set; the first is the yardstick.

    Returns the set and one experiment each.

    data: the set; None takes the one that the first run was trained on, and refuses runs whose
    set has other test patients. Raises NotComparableError, and what `score` raises.
    """
    subjects = [find_subject(name) for name in names]
    folder = data or _trained_on(subjects)
    dataset = Dataset.open(folder).as_seen(subjects[0].card.preprocessing.dimensions)
    scored: list[Scores] = []
    for place, subject in enumerate(subjects):
        scored.append(
            score(
                subject, dataset, split, device=device, progress=_part(progress, place, len(names))
            )
        )
    experiments = []
    unique = _unique([subject.name for subject in subjects])
    for name, subject, scores in zip(unique, subjects, scored, strict=True):
        result = None if subject.run is None else RunFolder(subject.run).result
        experiments.append(
            Experiment(
                name=name,
                subject=subject,
                figures=scores.evaluate(dataset, resamples),
                changed=_changed(subjects[0].card.recipe, subject.card.recipe),
                comparison=_with_first(dataset, scored[0], scores, resamples),
                p_value=_p_value(dataset, scored[0], scores),
                seconds=None if result is None else result.get("seconds"),
                history=_history(result),
            )
        )
    return dataset, experiments


def flip_pictures(
    experiments: Sequence[Experiment], dataset: Dataset, device: str = "auto", most: int = 8
) -> dict[tuple[str, str], bytes]:
    """(run, key) → PNG of the worst flips: the slice, the first model's view, this model's."""
    first, *others = experiments
    drawn: dict[tuple[str, str], bytes] = {}
    for item in others:
        flips = _flips(item, most)
        subjects = [first.subject, item.subject]
        pictures = explained(dataset, [case.row for case in flips], subjects, device)
        drawn |= {(item.name, case.key): pictures[case.row] for case in flips}
    return drawn


def _flips(item: Experiment, most: int) -> list[ChangedCase]:
    """Cases that were right with the first model and are wrong now, largest swing first."""
    changed = () if item.comparison is None else item.comparison.changed
    return [case for case in changed if case.is_worse][:most]


def write_experiments(
    out: Path,
    experiments: Sequence[Experiment],
    flips: Mapping[tuple[str, str], bytes] | None = None,
) -> None:
    """Write comparison.json, comparison.csv, the curves and comparison.html into a folder.

    flips: pictures from `flip_pictures`.
    """
    rows = [_row(experiment) for experiment in experiments]
    columns = {name: [spreadsheet_safe(str(row[name])) for row in rows] for name in rows[0]}
    durable.write_bytes(out / "comparison.csv", csv_text(columns).encode())
    durable.write_json(out / "comparison.json", [_facts(item) for item in experiments])
    evaluations = {experiment.name: experiment.figures for experiment in experiments}
    drawn = {"calibration": plots.calibration(evaluations)}
    if all(found.roc is not None for found in evaluations.values()):
        drawn = {
            "roc": plots.roc(evaluations),
            "precision_recall": plots.precision_recall(evaluations),
            **drawn,
        }
    histories = {item.name: item.history for item in experiments if len(item.history) > 1}
    if histories:
        drawn["learning"] = plots.learning_curves(histories, "Validation AUROC")
    pictures = {name: plots.png(figure) for name, figure in drawn.items()}
    for name, content in pictures.items():
        durable.write_bytes(out / f"{name}.png", content)
    whole = _page(experiments, rows, pictures, flips or {})
    durable.write_bytes(out / "comparison.html", whole.encode())


def _trained_on(subjects: Sequence[Subject]) -> Path:
    runs = [RunFolder(subject.run) for subject in subjects if subject.run is not None]
    if not runs:
        raise NotComparableError("none of them is a run, so no training set is known; give --data")
    first = runs[0].request.data
    known = Dataset.open(first).manifest
    for run in runs[1:]:
        try:
            other = Dataset.open(run.request.data).manifest
        except CoreError:
            continue
        if other.test_hash != known.test_hash:
            raise NotComparableError(
                f"{run.path.name} was trained on a set with other test patients"
            )
    return first


def _with_first(
    dataset: Dataset, first: Scores, scores: Scores, resamples: int
) -> Comparison | None:
    if scores is first:
        return None
    return compare(dataset, first, scores, resamples=resamples)


def _p_value(dataset: Dataset, first: Scores, scores: Scores) -> float | None:
    """DeLong's p of equal AUROCs, where each patient has one case and both classes are there."""
    index = dataset.positive_index
    if scores is first or index is None or not np.array_equal(first.rows, scores.rows):
        return None
    labelled = dataset.labels[scores.rows] >= 0
    rows = scores.rows[labelled]
    truth = dataset.labels[rows] == index
    alone = len(np.unique(dataset.groups[rows])) == len(rows)
    if not alone or min(truth.sum(), (~truth).sum()) < 2:
        return None
    one, two = (said.probabilities[labelled, index] for said in (first, scores))
    return delong_p_value(truth, one, two)


def _changed(first: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    """Recipe fields that differ, by dotted name."""
    one, two = flat(first), flat(other)
    return tuple(
        f"{name}: {two.get(name, '–')}"
        for name in sorted(one.keys() | two.keys())
        if one.get(name) != two.get(name) and name.split(".")[0] not in _DULL
    )


def _history(result: Mapping[str, Any] | None) -> tuple[tuple[float, float], ...]:
    lines = [] if result is None else result.get("history", [])
    return tuple(
        (float(line["epoch"]), float(line["validation_auroc"]))
        for line in lines
        if line.get("validation_auroc") is not None
    )


def _row(item: Experiment) -> dict[str, str]:
    found, versus = item.figures, item.comparison
    told = ""
    if versus is not None and versus.difference is not None:
        value, (low, high) = versus.difference
        told = f"{value:+.3f} ({low:+.3f} to {high:+.3f})"
    patients = found.patients
    return {
        "run": item.name,
        "changed": "; ".join(item.changed) or "–",
        "AUROC": interval_text(found.auroc, found.auroc_ci95),
        "difference": told or "–",
        "DeLong p": "–" if item.p_value is None else f"{item.p_value:.3f}",
        "AUROC by patient": "–"
        if patients is None
        else interval_text(patients.auroc, patients.auroc_ci95),
        "accuracy": interval_text(found.accuracy, found.accuracy_ci95),
        "sensitivity": interval_text(found.sensitivity, found.sensitivity_ci95),
        "specificity": interval_text(found.specificity, found.specificity_ci95),
        "ECE": number(found.ece),
        "Brier": number(found.brier),
        "got worse": "–" if versus is None else str(versus.worse),
        "got better": "–" if versus is None else str(versus.better),
        "minutes": "–" if item.seconds is None else f"{item.seconds / 60:.1f}",
        "parameters (million)": f"{item.subject.card.architecture.parameters / 1e6:.2f}",
    }


def _facts(item: Experiment) -> dict[str, Any]:
    versus = item.comparison
    difference = None if versus is None else versus.difference
    return {
        "run": item.name,
        "model": item.subject.card.id,
        "weights_sha256": item.subject.card.weights_sha256,
        "changed": list(item.changed),
        "seconds": item.seconds,
        "figures": json.loads(item.figures.model_dump_json()),
        "delong_p": item.p_value,
        "parameters": item.subject.card.architecture.parameters,
        "auroc_difference": None if difference is None else difference.value,
        "auroc_difference_ci95": None if difference is None else list(difference.ci95),
        "got_worse": None if versus is None else versus.worse,
        "got_better": None if versus is None else versus.better,
    }


def _page(
    experiments: Sequence[Experiment],
    rows: Sequence[Mapping[str, str]],
    pictures: Mapping[str, bytes],
    flips: Mapping[tuple[str, str], bytes],
) -> str:
    found = experiments[0].figures
    body = [
        f"<h1>{len(experiments)} experiments</h1>",
        f"<p class=sub>{escape(found.split)} part: {found.n:,} {found.unit}s of {found.groups:,} "
        "patients or groups; differences are against "
        f"{escape(experiments[0].name)}, paired, 95 % over "
        f"{found.resamples:,} resamples of whole groups</p>",
        f'<div class="wide">{table(list(rows[0]), [list(row.values()) for row in rows])}</div>',
        '<div class="plots">',
        *(f'<img alt="{name}" src="{inline(content)}">' for name, content in pictures.items()),
        "</div>",
        *(_flip_list(item, experiments[0], flips) for item in experiments[1:]),
        f"<p class=note>Test part {found.test_hash}</p>",
    ]
    return page("Experiments", "\n".join(body))


def _flip_list(item: Experiment, first: Experiment, flips: Mapping[tuple[str, str], bytes]) -> str:
    """The cases that got worse, as figures."""
    versus = item.comparison
    if versus is None:
        return ""
    head = f"<h2>{escape(item.name)}: got worse than {escape(first.name)}</h2>"
    if not versus.worse:
        return f"{head}<p>No {item.figures.unit}.</p>"
    figures = [
        case_figure(
            flips.get((item.name, case.key)),
            f"{case.key}, patient {case.group}, label {case.label.replace('_', ' ')}",
            f"{case.champion:.1%} before, {case.challenger:.1%} now",
        )
        for case in _flips(item, 24)
    ]
    told = (
        f"<p>{versus.worse} {item.figures.unit}s got worse and {versus.better} better. Panels: the "
        f"{_SHOWN[item.figures.unit]}, what the first model looked at, what this one looked at.</p>"
    )
    return f'{head}{told}<div class="cases">{"".join(figures)}</div>'


def _unique(names: Sequence[str]) -> list[str]:
    """Names told apart by a number where two are alike."""
    seen: dict[str, int] = {}
    told = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        told.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return told


def _part(progress: Progress | None, place: int, count: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total: progress(place * total + done, count * total)
