"""Asking a model about a training set: which model, which rows, and what it says of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import NotComparableError, RunError, UnsuitableInputError, UnusableDatasetError
from core.imaging.volume import Progress
from core.models.card import Card, read_card
from core.models.catalogue import Catalogue
from core.retraining.dataset import Dataset
from core.retraining.evaluation import align, evaluate_rows
from core.retraining.figures import CrossValidationFigures, Evaluation, ModelFacts
from core.retraining.statistics import auroc

OUT_OF_FOLD_FILE = "out_of_fold.json"


@dataclass(frozen=True)
class Subject:
    """What is evaluated: a model folder, its card, and the run that made it, if there is one."""

    name: str
    model: Path
    card: Card
    run: Path | None = None


@dataclass(frozen=True, eq=False)
class Scores:
    """What a model says of rows of a set: probabilities (n, classes) in the set's classes.

    members: what each member of an ensemble says by itself; empty of a single network.
    """

    subject: Subject
    rows: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    split: str
    notes: tuple[str, ...] = ()
    members: tuple[NDArray[np.float64], ...] = ()

    def evaluate(self, dataset: Dataset, resamples: int, seed: int = 0) -> Evaluation:
        """Figures at the card's own threshold."""
        card = self.subject.card
        found = evaluate_rows(
            dataset,
            self.rows,
            self.probabilities,
            card.threshold,
            split=self.split,
            model=ModelFacts(id=card.id, version=card.version, weights_sha256=card.weights_sha256),
            notes=self.notes,
            resamples=resamples,
            seed=seed,
        )
        index = dataset.positive_index
        if not self.members or index is None:
            return found
        truth = dataset.labels[self.rows] == index
        alone = tuple(auroc(truth, vote[:, index]) for vote in self.members)
        known = tuple(None if np.isnan(area) else area for area in alone)
        return found.model_copy(update={"members": known})


def find_subject(model_or_run: str) -> Subject:
    """A model by id or folder, or the model of a run. Raises UnknownModelError, RunError."""
    folder = Path(model_or_run)
    if (folder / "request.json").is_file():
        if not (folder / "model").is_dir():
            raise RunError(folder, "it has not finished: there is no model in it", "Resume it.")
        return Subject(folder.resolve().name, folder / "model", read_card(folder / "model"), folder)
    entry = Catalogue().get(model_or_run)
    return Subject(entry.card.id, entry.folder, entry.card)


def score(
    subject: Subject,
    dataset: Dataset,
    split: str = "test",
    *,
    device: str = "auto",
    force: bool = False,
    progress: Progress | None = None,
) -> Scores:
    """Probabilities for one part of a set, "all" of it, or "cv": out of fold.

    dataset: with rows that the model answers for (`Dataset.as_seen`). force: ask a model even
    about values that it was not made for.
    Raises UnusableDatasetError for an empty part, UnsuitableInputError, NotComparableError.
    """
    if dataset.as_seen(dimensions := subject.card.preprocessing.dimensions).unit != dataset.unit:
        answers = "volumes" if dimensions == 3 else "slices"
        raise NotComparableError(f"{subject.name} answers for {answers}, the others do not")
    if split == "cv":
        return _out_of_fold(subject, dataset)
    rows = labelled_part(dataset, split)
    card = subject.card
    accepted = card.accepts.quantities
    if not force and accepted and dataset.quantity not in accepted:
        told = " or ".join(quantity.value for quantity in accepted)
        reason = f"its values are {dataset.quantity.value}, the model takes {told}"
        raise UnsuitableInputError(card.id, (reason,))
    from core.models.loading import load_predictor

    votes = load_predictor(subject.model, device).votes(dataset, rows, progress)
    probabilities, notes = align(votes.mean(axis=0), card.classes, card.positive, dataset)
    alone = [align(vote, card.classes, card.positive, dataset)[0] for vote in votes]
    members = tuple(alone) if len(alone) > 1 else ()
    return Scores(subject, rows, probabilities, split, notes, members)


def cross_validated(
    subject: Subject, dataset: Dataset, resamples: int
) -> CrossValidationFigures | None:
    """The out-of-fold figures of a run on its own set, to stand beside those of a part of it.

    None if it was not cross-validated, or on another set.
    """
    if not ((subject.run or subject.model) / OUT_OF_FOLD_FILE).is_file():
        return None
    try:
        found = _out_of_fold(subject, dataset).evaluate(dataset, resamples)
    except UnusableDatasetError:
        return None
    return CrossValidationFigures(
        n=found.n,
        groups=found.groups,
        positives=found.positives,
        auroc=found.auroc,
        auroc_ci95=found.auroc_ci95,
        patients=found.patients,
    )


def labelled_part(dataset: Dataset, split: str) -> NDArray[np.int64]:
    """The labelled rows of a part. Raises UnusableDatasetError if there are none."""
    rows = dataset.part(split)
    labelled: NDArray[np.int64] = rows[dataset.labels[rows] >= 0]
    if len(labelled) == 0:
        reason = f"its {split} part is empty" if len(rows) == 0 else f"no label in its {split} part"
        raise UnusableDatasetError(dataset.folder, reason, "Choose another --split.")
    return labelled


def _out_of_fold(subject: Subject, dataset: Dataset) -> Scores:
    """What each fold's model said of the patients that it had not seen."""
    path = (subject.run or subject.model) / OUT_OF_FOLD_FILE
    try:
        lines = json.loads(path.read_bytes())
        said = {str(line["key"]): line["probabilities"] for line in lines}
    except FileNotFoundError:
        raise RunError(
            path.parent, "it was not cross-validated", "Train with --set folds=5."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(path, "its out-of-fold probabilities cannot be read") from error
    found = [(row, said[key]) for row, key in enumerate(dataset.keys()) if key in said]
    if len(found) < len(said) or not found:
        raise UnusableDatasetError(
            dataset.folder,
            f"{len(said) - len(found)} of the {len(said)} slices of the run are not in it",
            "Give the set that the run was trained on.",
        )
    rows = np.array([row for row, _ in found], np.int64)
    raw = np.array([probabilities for _, probabilities in found], np.float64)
    card = subject.card
    probabilities, notes = align(raw, card.classes, card.positive, dataset)
    told = (
        "Each patient was scored by a model that had not seen them; calibration and threshold were "
        "chosen on these scores, all folds pooled."
    )
    return Scores(subject, rows, probabilities, "cv", (*notes, told))
