"""What correcting labels gains, measured on every patient: the loop against label noise repeated.

A single test part of eleven patients cannot tell a better model from a worse one. Here patients
are parted into folds. Each fold is scored by models that learnt from the labels of all others, of
which a share was turned round: as they stand; after the first suspects were looked at again; after
as many slices drawn by chance were; and with no label turned round. Suspects come from a
cross-validation within the patients that learn, so that nobody who is scored has a say. All of it
is repeated with other labels turned round.

The trunk stands still and its features are computed once, so that a fit takes a tenth of a second.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.models.architectures.classifier import Classifier
from core.models.calibration import calibrated_by
from core.models.context import score_in_context
from core.retraining import cards
from core.retraining import statistics as stats
from core.retraining.batches import Material
from core.retraining.dataset import Dataset
from core.retraining.folding import grouped_folds
from core.retraining.objective import Objective, Targets, targets_of
from core.retraining.prepared import prepared_pixels
from core.retraining.recipe import Recipe
from core.retraining.suspects import rank
from core.retraining.trunk_features import fit_head, trunk_features

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Labels = NDArray[np.int64]

WAYS = ("noisy", "corrected", "by chance", "clean")
"""What the models learnt from; see `measure`."""

AT = (20, 50, 100)
"""Numbers of suspects, of the first round, at which precision is told."""

ROUNDS = 3
"""Times that suspects are looked at, corrected and learnt from."""


@dataclass(frozen=True, eq=False)
class Slices:
    """The labelled slices of a set as heads see them.

    features, averaged: (n, d), of each slice alone, and averaged along its series as the recipe's
    context says. labels: (n,), class indices as they should be. groups: (n,) patients.
    """

    features: Tensor
    averaged: Tensor
    labels: Labels
    groups: Rows
    positive: int

    @property
    def truth(self) -> Labels:
        """(n,) 1 for the finding."""
        return (self.labels == self.positive).astype(np.int64)


class Heads:
    """Heads of one recipe on the trunk's features, each fitted from the same start."""

    def __init__(self, model: Classifier, recipe: Recipe, targets: Targets) -> None:
        self._model, self._recipe, self._targets = model, recipe, targets
        self._start = copy.deepcopy(model.head.state_dict())

    def scores(self, slices: Slices, labels: Labels, learn: Rows, asked: Rows) -> Floats:
        """Logits of the asked slices by a head that learnt from others. labels: (n,) of all."""
        self.begin()
        self.learn(slices, labels, learn, self._recipe)
        return self.logits(slices, asked)

    def begin(self, state: dict[str, Tensor] | None = None) -> None:
        """Go back to the start, or to what `state` was."""
        self._model.head.load_state_dict(self._start if state is None else state)

    def learn(self, slices: Slices, labels: Labels, rows: Rows, recipe: Recipe) -> None:
        """Fit the head to some rows as a recipe says. labels: (n,) of all."""
        targets = replace(self._targets, label=torch.from_numpy(labels))
        objective = Objective(targets, rows, recipe.loss, 0.0)
        wanted = targets.of(rows, recipe.label_smoothing)
        fit_head(self._model, slices.features[rows], wanted, objective, recipe)

    def logits(self, slices: Slices, rows: Rows) -> Floats:
        """Of some slices, each averaged along its series."""
        with torch.inference_mode():
            found: Floats = self._model.head(slices.averaged[rows])[:, 0].double().numpy()
        return found

    def state(self) -> dict[str, Tensor]:
        """The head as it is now."""
        return copy.deepcopy(self._model.head.state_dict())


def measure(
    clean: Path, recipe: Recipe, *, flipped: float, look: float, draws: int
) -> dict[str, Any]:
    """AUROC on all patients before and after, over `draws` choices of the labels turned round.

    clean: training set with the labels as they should be. flipped: share of labels turned round.
    look: slices looked at again, per label turned round among those that learn. Patients are
    parted as the recipe's folds say, outside and inside.
    """
    slices, heads = load(clean, recipe)
    held = grouped_folds(slices.truth == 1, slices.groups, recipe.folds, recipe.seed)
    said: dict[str, list[Floats]] = {way: [] for way in WAYS}
    told = []
    for draw in range(draws):
        random = np.random.default_rng(draw)
        turned = random.random(len(slices.labels)) < flipped
        scores = {way: np.zeros(len(turned)) for way in WAYS}
        for fold in held:
            learn, asked = np.flatnonzero(~fold), np.flatnonzero(fold)
            labels, found = labels_of(slices, heads, recipe, learn, turned, look, random)
            told.append(found)
            for way in WAYS:
                scores[way][asked] = heads.scores(slices, labels[way], learn, asked)
        for way in WAYS:
            said[way].append(scores[way])
    return report(slices, {way: np.stack(each) for way, each in said.items()}, told)


def load(clean: Path, recipe: Recipe) -> tuple[Slices, Heads]:
    """The set's features by the recipe's pretrained trunk, computed once and kept."""
    dataset = Dataset.open(clean)
    targets = targets_of(dataset, auxiliary=False)
    torch.manual_seed(recipe.seed)
    network, spec = recipe.network, recipe.preprocessing
    model = Classifier(network.family, targets.outputs, spec.channels, network.dropout)
    torch.nn.init.zeros_(model.last.bias)
    model.load_pretrained(network.pretrained_file)
    rows = np.arange(len(dataset))
    if (dataset.labels < 0).any():
        raise SystemExit("every slice of the set has to be labelled")
    material = Material(
        prepared_pixels(dataset, spec), targets, dataset.groups, dataset.neighbours, rows, rows[:0],
        pixel_keys=dataset.pixel_keys(spec.reach),
    )  # fmt: skip
    features = trunk_features(model.eval(), material, recipe)
    averaged = score_in_context(
        rows, dataset.neighbours, recipe.context, lambda some: features[some].astype(np.float64)
    )
    slices = Slices(
        torch.from_numpy(features),
        torch.from_numpy(averaged.astype(np.float32)),
        dataset.labels,
        dataset.groups,
        targets.positive,
    )
    return slices, Heads(model, recipe, targets)


def labels_of(
    slices: Slices,
    heads: Heads,
    recipe: Recipe,
    learn: Rows,
    turned: NDArray[np.bool_],
    look: float,
    random: np.random.Generator,
) -> tuple[dict[str, Labels], dict[str, float]]:
    """(way → labels of all slices, what looking again found) where some patients learn.

    turned: (n,), whose labels are turned round; those of patients who are scored do not enter.
    Suspects are looked at in rounds, each after a training on what the one before corrected,
    until nothing is suspect any more or as many were looked at as `look` allows.
    """
    noisy = np.where(turned, 1 - slices.labels, slices.labels)
    wrong = int(turned[learn].sum())
    corrected, seen, found = noisy.copy(), np.zeros(0, np.int64), {}
    for number in range(1, ROUNDS + 1):
        ranked = suspects(slices, heads, recipe, learn, corrected)
        if number == 1:
            found = {f"precision_at_{k}": float(turned[ranked[:k]].mean()) for k in AT}
        asked = ranked[~np.isin(ranked, seen)][: round(look * wrong) - len(seen)]
        corrected[asked] = slices.labels[asked]
        seen = np.concatenate([seen, asked])
        found |= {
            f"looked_at_after_round_{number}": len(seen),
            f"corrected_after_round_{number}": int(turned[seen].sum()),
        }
    by_chance = noisy.copy()
    chosen = random.choice(learn, len(seen), replace=False)
    by_chance[chosen] = slices.labels[chosen]
    labels = {"noisy": noisy, "corrected": corrected, "by chance": by_chance}
    found |= {"turned_round": wrong, "corrected_by_chance": int(turned[chosen].sum())}
    return labels | {"clean": slices.labels}, found


def suspects(
    slices: Slices, heads: Heads, recipe: Recipe, learn: Rows, noisy: Labels
) -> NDArray[np.int64]:
    """Slices in the order in which they would be looked at again, by confident learning.

    Each is judged by a head that learnt from other patients, from the labels that are there.
    """
    logits = np.zeros((len(learn), 1))
    is_finding = noisy[learn] == slices.positive
    folds = grouped_folds(is_finding, slices.groups[learn], recipe.folds, recipe.seed)
    for fold in folds:
        logits[fold, 0] = heads.scores(slices, noisy, learn[~fold], learn[fold])
    kinds = Targets.of_shape(2, slices.positive)
    calibration = cards.fit_calibration(logits, noisy[learn], kinds, "out of fold")
    chances = calibrated_by(calibration, logits, 2, slices.positive)
    return learn[[row for row, _, _ in rank(chances, noisy[learn])]]


def report(slices: Slices, said: dict[str, Floats], told: list[dict[str, float]]) -> dict[str, Any]:
    """Means over all repetitions, with intervals over patients and repetitions.

    said: way → logits (repetitions, n). told: of each repetition and fold.
    """
    truth, groups = slices.truth, slices.groups

    def estimate(way: str, against: str | None = None) -> list[float]:
        other = None if against is None else said[against]
        found = stats.bootstrap_repeated_auroc(truth, said[way], groups, other)
        return [round(float(value), 4) for value in (found.value, *found.ci95)]

    each = [
        stats.auroc(truth, new) - stats.auroc(truth, old)
        for old, new in zip(said["noisy"], said["corrected"], strict=True)
    ]
    return {
        "slices": len(truth),
        "patients": len(np.unique(groups)),
        "repetitions": len(each),
        "looking_again": {
            name: round(float(np.mean([line[name] for line in told])), 3) for name in told[0]
        },
        "auroc": {way: estimate(way) for way in WAYS},
        "gain_by_correcting": estimate("corrected", "noisy"),
        "gain_by_as_many_drawn_by_chance": estimate("by chance", "noisy"),
        "gain_over_as_many_drawn_by_chance": estimate("corrected", "by chance"),
        "left_to_gain": estimate("clean", "corrected"),
        "gains": [round(float(gain), 4) for gain in each],
    }
