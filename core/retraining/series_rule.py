"""Which rule makes the answer of a series of those of its slices: chosen where it is better.

The highest slice is where every model starts: nothing is fitted. The mean of the k highest, and
a logistic rule on both, take its place only if they rank the series of patients that the weights
did not learn from clearly better; the learned rule is judged out of fold.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import UnusableDatasetError
from core.imaging.volume import Progress
from core.models.aggregation import aggregate, fit_rule
from core.models.card import Card, SeriesRule, write_card
from core.models.catalogue import CatalogueEntry
from core.models.loading import load_predictor
from core.retraining.dataset import Dataset
from core.retraining.scoring import labelled_part
from core.retraining.statistics import auroc, choose_threshold

Floats = NDArray[np.float64]

FEWEST = 10
"""Patients with a finding, and without, below which nothing is chosen."""
GAIN = 0.005
"""AUROC of series that a rule must gain over the highest slice."""
_FOLDS = 5
_TOP = (3, 5)
_LEARNED_TOP = 3
_SIMPLE = SeriesRule()


class Choice(NamedTuple):
    """A rule and how well it and the highest slice rank the series they were judged on."""

    rule: SeriesRule
    auroc: float
    auroc_of_highest: float
    series: int
    patients: int


def choose_rule(
    scores: Floats,
    truth: ArrayLike,
    series: ArrayLike,
    groups: ArrayLike,
    how: str,
    threshold_rule: Literal["youden", "sensitivity"] = "youden",
    target: float = 0.9,
) -> Choice | None:
    """Choose a rule for series; None where there are too few to tell.

    scores: (n,) calibrated probability of the finding by slice, of patients that the weights did
    not learn from. truth: (n,) whether the slice shows it; a series does if a slice does. series,
    groups: (n,) which series and which patient. how: what the patients are, for the card.
    """
    found = np.asarray(truth, bool)
    numbers, patients = np.asarray(series), np.asarray(groups)
    each = [np.flatnonzero(numbers == number) for number in np.unique(numbers)]
    if not each or np.median([len(rows) for rows in each]) < 2:
        return None
    shares = [scores[rows] for rows in each]
    ill = np.array([found[rows].any() for rows in each])
    owner = np.array([patients[rows[0]] for rows in each])
    if min(len(np.unique(owner[ill])), len(np.unique(owner[~ill]))) < FEWEST:
        return None
    highest = _auroc(shares, ill, _SIMPLE)
    candidates = [
        (rule, _auroc(shares, ill, rule)) for rule in (SeriesRule(how="top-k", k=k) for k in _TOP)
    ]
    learned, said = _learned(shares, ill, owner)
    threshold = choose_threshold(ill, said, threshold_rule, target)
    candidates.append((learned.model_copy(update={"threshold": threshold}), auroc(ill, said)))
    rule, reached = max(candidates, key=lambda item: item[1])
    if reached < highest + GAIN:
        rule, reached = _SIMPLE, highest
    facts = f"AUROC of {len(each)} series of {len(np.unique(owner))} patients"
    if rule is not _SIMPLE:
        gained = f"{how}: {facts} {reached:.3f}, of the highest slice {highest:.3f}"
        rule = rule.model_copy(update={"fitted_on": gained})
    return Choice(rule, reached, highest, len(each), len(np.unique(owner)))


def _auroc(shares: list[Floats], ill: NDArray[np.bool_], rule: SeriesRule) -> float:
    return auroc(ill, [aggregate(one, rule) for one in shares])


def _learned(
    shares: list[Floats], ill: NDArray[np.bool_], owner: NDArray[np.int64]
) -> tuple[SeriesRule, Floats]:
    """The rule fitted on all series, and what rules said of series they were not fitted on."""
    from sklearn.model_selection import StratifiedGroupKFold

    said = np.zeros(len(shares))
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0)
    for learn, judge in folds.split(np.zeros(len(ill)), ill, owner):
        rule = fit_rule([shares[k] for k in learn], ill[learn].tolist(), _LEARNED_TOP, "a fold")
        said[judge] = [aggregate(shares[k], rule) for k in judge]
    return fit_rule(shares, ill.tolist(), _LEARNED_TOP, "all"), said


def fit_series_rule(
    entry: CatalogueEntry,
    dataset: Dataset,
    split: str = "validation",
    progress: Progress | None = None,
) -> Choice:
    """Choose the rule of a model, an ensemble included, and write it into its card.

    Raises DamagedModelError for a model that shipped, UnusableDatasetError where the part has
    too few series or the model answers for volumes anyway.
    """
    entry.check_own()
    card = entry.card
    if card.preprocessing.dimensions == 3:
        reason = "the model answers for whole volumes: there is nothing to make a rule of"
        raise UnusableDatasetError(dataset.folder, reason)
    rows = labelled_part(dataset, split)
    shares = load_predictor(entry.folder, "auto", runtime="auto").predict_dataset(
        dataset, rows, progress
    )
    found = choose_rule(
        shares[:, card.classes.index(card.positive)],
        _shows_finding(card, dataset)[rows],
        dataset.series[rows],
        dataset.groups[rows],
        f"the {split} part of training set {dataset.manifest.id[:12]}",
    )
    if found is None:
        reason = f"its {split} part has no {FEWEST} patients with a finding and {FEWEST} without"
        raise UnusableDatasetError(dataset.folder, reason, "Choose another --split.")
    write_card(entry.folder, card.model_copy(update={"series_rule": found.rule}))
    return found


def _shows_finding(card: Card, dataset: Dataset) -> NDArray[np.bool_]:
    if card.positive not in dataset.manifest.classes:
        reason = f"it has no class {card.positive}"
        raise UnusableDatasetError(dataset.folder, reason)
    shows: NDArray[np.bool_] = dataset.labels == dataset.manifest.classes.index(card.positive)
    return shows
