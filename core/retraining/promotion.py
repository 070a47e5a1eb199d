"""From a finished run to the active model: judged on frozen test patients, decided by a person."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core import durable
from core.errors import BadRecipeError, NotComparableError, RunError
from core.imaging.volume import Progress
from core.models.card import Card
from core.models.catalogue import Catalogue, CatalogueEntry, Promotion
from core.retraining import statistics as stats
from core.retraining.comparison import Comparison, compare
from core.retraining.dataset import Dataset
from core.retraining.foretold import measured
from core.retraining.pointing import PointingChange, look, marked_rows, pointing_change
from core.retraining.protocol import RunFolder
from core.retraining.recipe import Recipe, parse_recipe
from core.retraining.scoring import Scores, Subject, find_subject, labelled_part, score

_SCORES_FOLDER = "test_scores"
_EVIDENCE_FILE = "comparison.json"


@dataclass(frozen=True)
class Judgement:
    """A run's model beside the active one. comparison: None if no model is active yet.

    challenger: the run's model. part: the part of the set that both were measured on.
    """

    run: Path
    challenger: Subject
    champion: CatalogueEntry | None
    comparison: Comparison | None
    part: str


def judge(
    run: Path,
    catalogue: Catalogue,
    *,
    device: str = "auto",
    resamples: int = stats.RESAMPLES,
    progress: Progress | None = None,
) -> Judgement:
    """Measure a finished run's model and the active one on the test part of the run's set.

    Scores are kept in the run's folder: asking again costs nothing.
    Raises RunError if the run has not finished, NotComparableError where a comparison is
    impossible, UnusableDatasetError if the set is gone.
    """
    folder = RunFolder(run)
    if folder.state != "finished":
        raise RunError(run, f"it is {folder.state}, not finished", "Resume it, or wait.")
    challenger = find_subject(str(run))
    dataset = Dataset.open(folder.request.data).as_seen(challenger.card.preprocessing.dimensions)
    champion = catalogue.active(challenger.card.task)
    tested = dataset.part("test")
    part = "test" if (dataset.labels[tested] >= 0).any() else "validation"
    if champion is None:
        return Judgement(run, challenger, None, None, part)
    other = Subject(champion.card.id, champion.folder, champion.card)
    first = _scores(run, other, dataset, part, device, _half(progress, 0))
    second = _scores(run, challenger, dataset, part, device, _half(progress, 1))
    told = measured(run)
    comparison = compare(
        dataset,
        first,
        second,
        rules=_recipe(run, challenger.card).gate,
        pointing=_pointing(dataset, part, (other, challenger), device, resamples),
        resamples=resamples,
        remarks=(*_remarks(dataset, champion.card, part), *([told.sentence()] if told else [])),
    )
    return Judgement(run, challenger, champion, comparison, part)


def promote(judgement: Judgement, by: str, reason: str, catalogue: Catalogue) -> Promotion:
    """Publish the run's model and make it the active one; what was known is kept with the run.

    by: the person who decides; reason: why, in their words. Neither may be empty.
    Raises RunError without them, DamagedModelError, NotDurableError.
    """
    if not by.strip() or not reason.strip():
        what = "no name of the person who decides" if not by.strip() else "no reason"
        raise RunError(judgement.run, f"there is {what}", "A promotion needs both.")
    entry = catalogue.publish(judgement.challenger.model, judgement.challenger.card.parent)
    evidence = {
        "model": entry.card.id,
        "weights_sha256": entry.card.weights_sha256,
        "part": judgement.part,
        "comparison": None
        if judgement.comparison is None
        else comparison_facts(judgement.comparison),
    }
    durable.write_json(judgement.run / _EVIDENCE_FILE, evidence)
    return catalogue.promote(entry.card.id, by.strip(), reason.strip())


def comparison_facts(found: Comparison) -> dict[str, Any]:
    """A comparison as JSON values: codes and figures, no names."""
    difference = found.difference
    return {
        "champion": {
            "model": found.champion.id,
            "figures": json.loads(found.champion.figures.model_dump_json()),
        },
        "challenger": {
            "model": found.challenger.id,
            "figures": json.loads(found.challenger.figures.model_dump_json()),
        },
        "slices": found.slices,
        "patients": found.patients,
        "dataset": found.dataset,
        "test_hash": found.test_hash,
        "auroc_difference": None if difference is None else _known(difference.value),
        "auroc_difference_ci95": None
        if difference is None
        else [_known(value) for value in difference.ci95],
        "gate": {
            "passed": found.gate.passed,
            "margin": found.gate.margin,
            "sentence": found.gate.sentence,
            "reasons": list(found.gate.reasons),
            "checks": [vars(check) for check in found.gate.checks],
        },
        "pointing": None if found.pointing is None else found.pointing.facts(),
        "worse": found.worse,
        "better": found.better,
        "changed": [
            {
                "key": case.key,
                "group": case.group,
                "order": case.order,
                "label": case.label,
                "champion": case.champion,
                "challenger": case.challenger,
                "is_worse": case.is_worse,
            }
            for case in found.changed
        ],
        "remarks": list(found.remarks),
    }


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _scores(
    run: Path,
    subject: Subject,
    dataset: Dataset,
    part: str,
    device: str,
    progress: Progress | None,
) -> Scores:
    """Scores of a part, from the run's folder if these weights were asked before."""
    name = f"{subject.card.weights_sha256[:16]}-{dataset.manifest.id[:16]}-{part}.npy"
    kept = run / _SCORES_FOLDER / name
    rows = labelled_part(dataset, part)
    if kept.is_file():
        try:
            probabilities = np.load(kept, allow_pickle=False)
        except (OSError, ValueError):
            probabilities = np.zeros(0)
        if probabilities.shape == (len(rows), len(dataset.manifest.classes)):
            return Scores(subject, rows, probabilities, part)
    found = score(subject, dataset, part, device=device, progress=progress)
    kept.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    np.save(stream, found.probabilities, allow_pickle=False)
    durable.write_bytes(kept, stream.getvalue())
    return found


def _pointing(
    dataset: Dataset,
    part: str,
    subjects: tuple[Subject, Subject],
    device: str,
    resamples: int,
) -> PointingChange | None:
    """Where both look, on slices whose finding somebody marked; None if there are none."""
    rows = marked_rows(dataset, labelled_part(dataset, part))
    slices_only = all(subject.card.preprocessing.dimensions == 2 for subject in subjects)
    if len(rows) == 0 or not slices_only:
        return None
    before, after = (look(subject, dataset, rows, device=device) for subject in subjects)
    return pointing_change(dataset, before, after, resamples)


def _recipe(run: Path, card: Card) -> Recipe:
    """The recipe that the run's model was trained by."""
    try:
        return parse_recipe(run.name, card.recipe)
    except BadRecipeError as error:
        raise NotComparableError("the card of the run's model holds no valid recipe") from error


def _remarks(dataset: Dataset, champion: Card, part: str) -> tuple[str, ...]:
    told = []
    if part != "test":
        told.append(
            "The set has no test part: both were measured on its validation part, on which the "
            "challenger's threshold was chosen."
        )
    known = {dataset.manifest.id, dataset.manifest.extends}
    if champion.data.dataset_id not in known:
        told.append(
            "The champion learnt from another training set: whether it knew some of these "
            "patients is not recorded."
        )
    return tuple(told)


def _half(progress: Progress | None, which: int) -> Progress | None:
    """Progress of one of two equal halves."""
    if progress is None:
        return None
    return lambda done, total: progress(which * total + done, 2 * total)
