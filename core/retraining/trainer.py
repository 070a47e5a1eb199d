"""A whole training run: from a request in a run folder to a model with its card.

The run validates once, on the validation part, or cross-validates over all patients that are
not in the test part and then trains once on all of them. Test patients are never looked at.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core import durable
from core.errors import CoreError, DamagedModelError, RunError
from core.models.architectures.classifier import Classifier, build
from core.models.architectures.families import find_family
from core.models.card import (
    Card,
    check_weights,
    read_card,
)
from core.models.loading import fill, load_predictor
from core.retraining import foretold
from core.retraining.attention import learnt_rows, marks_of
from core.retraining.batches import Material, Rows
from core.retraining.confounds import CERTAIN
from core.retraining.dataset import Dataset
from core.retraining.devices import is_first_process, make_fabric
from core.retraining.fit import Fitted, fit
from core.retraining.folding import grouped_folds
from core.retraining.leaks import Override, check_or_raise
from core.retraining.objective import Targets, targets_of
from core.retraining.prepared import prepared_pixels
from core.retraining.protocol import Event, RunFolder, TrainingRequest
from core.retraining.publishing import Outcome, write_model, write_out_of_fold
from core.retraining.recipe import Recipe, flat, load_recipe, parse_recipe
from core.retraining.tracking import Tracking
from core.sentences import sentence

_RECIPE_FILE = "recipe.json"
_SEES = {2: "slices", 3: "volumes"}


def train_in_folder(
    run: Path, on_event: Callable[[Event], None] = lambda _: None, *, fold: int | None = None
) -> int:
    """Run or resume the training that a run folder asks for.

    fold: train this fold alone, and leave the rest to whoever resumes the run; several processes
        may each train one in the same folder.
    Returns 0 when it finished or was stopped on request, 1 when it failed; the last event says
    which, with a sentence.
    """
    folder = RunFolder(run, fold)
    if not is_first_process():
        return _Run(folder, on_event).go(fold)  # whoever leads has taken the folder, and writes
    try:
        folder.take()
    except CoreError as error:
        on_event({"event": "failed", "sentence": str(sentence(error))})
        return 1
    try:
        return _Run(folder, on_event).go(fold)
    except CoreError as error:
        on_event(folder.append("failed", sentence=str(sentence(error))))
        return 1
    except Exception as error:
        words = f"The trainer failed unexpectedly ({type(error).__name__}); see trainer.log."
        on_event(folder.append("failed", sentence=words))
        raise
    finally:
        folder.leave()


class _Run:
    def __init__(self, folder: RunFolder, on_event: Callable[[Event], None]) -> None:
        self.folder = folder
        self.request: TrainingRequest = folder.request
        self.base = self._base()
        self.recipe = self._recipe()
        self._on_event = on_event
        self.fabric = make_fabric(self.recipe.precision)

    passed_over: tuple[str, ...] = ()
    """What the check of the set says no to, and who trains all the same; for the card."""

    def go(self, fold: int | None = None) -> int:
        """Train what was asked, or one fold of it."""
        with Tracking(self.folder.logs, writes=is_first_process()) as self._tracking:
            self._tracking.settings(flat(json.loads(self.recipe.model_dump_json())))
            return self._go(fold)

    def _go(self, fold: int | None) -> int:
        started = time.perf_counter()
        dataset = Dataset.open(self.request.data)
        if self.base is not None and is_first_process():
            foretold.take_along(self.folder.path, self.base.weights_sha256)
        asked = self.request.override
        cautions = check_or_raise(dataset, override=Override(*asked) if asked else None)
        self.passed_over = tuple(c.message for c in cautions if c.code in ("leak", CERTAIN))
        dataset = dataset.as_seen(self.recipe.preprocessing.dimensions)
        targets = targets_of(dataset, auxiliary=self.recipe.auxiliary == "all")
        self.report(
            "started",
            recipe=self.request.recipe,
            slices=dataset.slice_count,
            groups=len(np.unique(dataset.groups)),
            folds=self.recipe.folds,
        )
        with self.fabric.rank_zero_first():
            pixels = prepared_pixels(
                dataset,
                self.recipe.preprocessing,
                progress=lambda done, of: self.report("preparing", done=done, of=of),
            )
        labelled = dataset.labels >= 0
        train = np.flatnonzero(labelled & (dataset.splits == "train"))
        validation = np.flatnonzero(labelled & (dataset.splits == "validation"))
        taught = np.concatenate([train, validation]) if self.recipe.folds else train
        learnt, _ = learnt_rows(dataset, taught, self.recipe.explanation.share)
        material = Material(
            pixels,
            targets,
            dataset.groups,
            dataset.neighbours,
            train,
            validation,
            marks_of(dataset, learnt, self.recipe.preprocessing),
            pixel_keys=dataset.pixel_keys(self.recipe.preprocessing.reach),
        )
        self._check_enough(dataset, material)
        if fold is not None:
            done = self._train_fold(material, fold)
            self.report("finished" if done else "stopped", fold=fold)
            return 0
        if self.recipe.folds:
            outcome = self._cross_validate(dataset, material)
        else:
            outcome = self._once(material)
        if outcome is None:
            self.report("stopped")
            return 0
        if not is_first_process():
            return 0
        card = self._write(dataset, targets, outcome)
        told = foretold.measure(self.folder.path, dataset, lambda rows: self._calls(dataset, rows))
        result = {
            "model": card.id,
            "weights_sha256": card.weights_sha256,
            "dataset": dataset.manifest.id,
            "metrics": [json.loads(metric.model_dump_json()) for metric in card.metrics],
            "history": outcome.history(),
            "seconds": round(time.perf_counter() - started, 1),
            "foretold": None if told is None else asdict(told),
        }
        self.folder.finish(result)
        self.report("finished", model=card.id)
        return 0

    # ---- the two ways to train

    def _once(self, material: Material) -> Outcome | None:
        members = self._alike(material, "once", {})
        if members is None:
            return None
        logits = np.stack([member.logits for member in members])
        return Outcome(members, material.validation, logits)

    def _cross_validate(self, dataset: Dataset, material: Material) -> Outcome | None:
        """Score every patient by a model that has not seen him.

        Then publish these models, or train on all patients.
        """
        rows, folds = self._folds(material)
        logits = np.zeros((1, len(rows), material.targets.outputs))
        fold_of = np.zeros(len(rows), int)
        members: tuple[Fitted, ...] = ()
        for number, held in enumerate(folds):
            fitted = self._train_fold(material, number)
            if fitted is None:
                return None
            logits[0, held], fold_of[held] = fitted.logits, number
            members = (*members, fitted)
        if is_first_process():
            told = Outcome(members, rows, logits, fold_of)
            write_out_of_fold(self.folder.path, dataset, told)
        curves = members
        if self.recipe.publish == "final":
            everything = replace(material, train=rows, validation=rows[:0])
            members = self._alike(everything, "final", {"fold": "final"}) or ()
        return Outcome(members, rows, logits, fold_of, curves) if members else None

    def _alike(
        self, material: Material, name: str, facts: dict[str, Any]
    ) -> tuple[Fitted, ...] | None:
        """The networks of the published model, each from a seed of its own."""
        members: tuple[Fitted, ...] = ()
        for number in range(self.recipe.members):
            alone = number == 0
            fitted = self._fit(
                material,
                self.recipe.seed + 100 * number,
                name if alone else f"{name}-{number + 1}",
                facts if alone else {**facts, "member": number + 1},
            )
            if fitted is None:
                return None
            members = (*members, fitted)
        return members

    def _folds(self, material: Material) -> tuple[Rows, list[NDArray[np.bool_]]]:
        """All rows outside the test part, and which of them each fold holds out."""
        rows = np.sort(np.concatenate([material.train, material.validation]))
        truth = (material.targets.label == material.targets.positive).numpy()[rows]
        recipe = self.recipe
        return rows, grouped_folds(truth, material.groups[rows], recipe.folds, recipe.seed)

    def _train_fold(self, material: Material, number: int) -> Fitted | None:
        """One fold; None if somebody asked to stop. A fold that is trained is only scored."""
        rows, folds = self._folds(material)
        if number >= len(folds):
            reason = f"fold {number} was asked for, and the recipe has {len(folds)}, from 0"
            raise RunError(self.folder.path, reason, "Choose one of them, or set folds to more.")
        held = folds[number]
        part = replace(material, train=rows[~held], validation=rows[held])
        if self._chooses():
            # A fold's patients score it; they must not choose its end or its weights as well.
            tells = folds[(number + 1) % len(folds)]
            part = replace(
                material, train=rows[~held & ~tells], validation=rows[tells], scored=rows[held]
            )
        return self._fit(part, self.recipe.seed + number, f"fold-{number}", {"fold": number})

    def _chooses(self) -> bool:
        """Whether the validation figures have a say in what the weights become."""
        stopping = self.recipe.stopping
        plateau = self.recipe.optimiser.schedule == "plateau"
        return bool(stopping.patience) or stopping.keep != "last" or plateau

    def _fit(
        self, material: Material, seed: int, name: str, facts: dict[str, Any]
    ) -> Fitted | None:
        return fit(
            self._initial(material.targets, seed),
            material,
            self.recipe,
            self.fabric,
            seed=seed,
            place=self.folder.path / "checkpoints" / name,
            watcher=_Watcher(self, name, facts),
        )

    # ---- what to start from

    def _base(self) -> Card | None:
        if self.request.base_model is None:
            return None
        card = read_card(self.request.base_model)
        check_weights(self.request.base_model, card)
        return card

    def _recipe(self) -> Recipe:
        """The recipe as it was when the run began; a base model brings its own network."""
        kept = self.folder.path / _RECIPE_FILE
        if kept.is_file():
            return parse_recipe(self.request.recipe, json.loads(kept.read_bytes()))
        recipe = load_recipe(self.request.recipe, self.request.settings)
        if self.base is not None:
            network = recipe.network.model_copy(
                update={
                    "family": self.base.architecture.family,
                    "options": self.base.architecture.options,
                    "pretrained": False,
                }
            )
            recipe = recipe.model_copy(
                update={
                    "network": network,
                    "preprocessing": self.base.preprocessing,
                    "flip_averaging": self.base.flip_averaging,
                    "context": self.base.context,
                    "accepts": recipe.accepts or self.base.accepts,
                }
            )
        dimensions = find_family(recipe.network.family).dimensions
        if dimensions != recipe.preprocessing.dimensions:
            raise RunError(
                self.folder.path,
                f"{recipe.network.family} is a network of {_SEES[dimensions]}",
                f"Set preprocessing.dimensions to {dimensions}, or choose another family.",
            )
        durable.write_json(kept, json.loads(recipe.model_dump_json()))
        return recipe

    def _initial(self, targets: Targets, seed: int) -> Classifier:
        torch.manual_seed(seed)
        network = self.recipe.network
        channels = self.recipe.preprocessing.channels
        model = Classifier(
            network.family, targets.outputs, channels, network.dropout, **network.options
        )
        torch.nn.init.zeros_(model.last.bias)
        if self.base is not None and self.request.base_model is not None:
            self._inherit(model, self.base, self.request.base_model)
        elif network.pretrained:
            model.load_pretrained(network.pretrained_file)
        return model

    def _inherit(self, model: Classifier, base: Card, folder: Path) -> None:
        """Start from a published model: its trunk, and its head's rows for the classes."""
        parent = build(base.architecture, base.preprocessing.channels)
        fill(parent, check_weights(folder, base))
        model.trunk.load_state_dict(parent.trunk.state_dict())
        shared = min(parent.outputs, model.outputs)
        if model.outputs > shared or base.architecture.outputs > shared:
            shared = 1 if len(base.classes) == 2 else len(base.classes)
        if shared > model.outputs:
            raise DamagedModelError(folder, "its classes are not those of the training set")
        with torch.no_grad():
            model.last.weight[:shared] = parent.last.weight[:shared]
            model.last.bias[:shared] = parent.last.bias[:shared]

    def _check_enough(self, dataset: Dataset, material: Material) -> None:
        """Refuse what cannot be learnt or cannot be judged, before hours are spent on it."""
        where, truth = self.request.data, dataset.labels == material.targets.positive
        if self.recipe.folds:
            rows = np.concatenate([material.train, material.validation])
            ill = len(np.unique(dataset.groups[rows][truth[rows]]))
            if ill < self.recipe.folds:
                reason = f"{self.recipe.folds} folds need as many patients with a finding"
                raise RunError(where, f"{reason}; there are {ill}", "Set folds to fewer.")
            return
        for name, rows in (("training", material.train), ("validation", material.validation)):
            found = np.unique(dataset.labels[rows])
            if len(found) < 2:
                raise RunError(
                    where,
                    f"its {name} part shows {len(found)} of {material.targets.classes} classes",
                    "Label more patients of each class, or cross-validate with --set folds=3.",
                )

    # ---- what comes out

    def _write(self, dataset: Dataset, targets: Targets, outcome: Outcome) -> Card:
        """The model with its card, and the network's graph for people."""
        model = self._initial(targets, 0).eval()
        self.tracking.graph(model, torch.zeros(1, *self.recipe.preprocessing.input_shape))
        parent = self.base.id if self.base else None
        limits = self.passed_over
        if any(member.is_start for member in outcome.members):
            limits = (
                *limits,
                "On the validation patients no epoch was as good as the weights that "
                "the run started from: it kept those.",
            )
        return write_model(
            self.folder,
            self.recipe,
            dataset,
            model,
            outcome,
            parent=parent,
            limits=limits,
        )

    def _calls(self, dataset: Dataset, rows: Rows) -> NDArray[np.bool_]:
        """What the finished model decides, at its own threshold."""
        predictor = load_predictor(self.folder.model)
        chances = predictor.predict_dataset(dataset, rows)
        card = predictor.card
        found: NDArray[np.bool_] = chances[:, card.classes.index(card.positive)] >= card.threshold
        return found

    def report(self, event: str, **facts: Any) -> None:
        """Note an event where everybody can read it; of several processes the first one does."""
        if is_first_process():
            self._on_event(self.folder.append(event, **facts))

    @property
    def tracking(self) -> Tracking:
        """TensorBoard's files."""
        return self._tracking


class _Watcher:
    """Tells of one fit of a run, under its name."""

    def __init__(self, run: _Run, name: str, facts: dict[str, Any]) -> None:
        self._run, self._name, self._facts = run, name, facts

    def report(self, event: str, **facts: Any) -> None:
        self._run.report(event, **self._facts, **facts)
        if event == "epoch":
            self._run.tracking.epoch(self._name, facts)

    def stop_asked(self) -> bool:
        return self._run.folder.stop_asked

    def show(self, epoch: int, images: Tensor) -> None:
        self._run.tracking.images(self._name, epoch, images)
