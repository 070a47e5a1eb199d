"""Training: the trainer's own loop against a plain one, on the same made pictures."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from core.bench.timing import Figure, side_by_side
from core.models.architectures.classifier import Classifier
from core.retraining.batches import Material
from core.retraining.devices import make_fabric
from core.retraining.fit import fit, scores
from core.retraining.objective import Objective, Targets
from core.retraining.recipe import Recipe, load_recipe
from core.retraining.trunk_features import fit_head, trunk_features

PICTURES, VALIDATION, SIZE, BATCH, EPOCHS = 384, 64, 128, 32, 1
GOAL, ROUNDS = 1.8, 2
FEATURES, PASSES, REFIT_GOAL = 5_000, 15, 100.0


@dataclass
class _Silent:
    """Nobody watches a measurement."""

    def report(self, event: str, **facts: Any) -> None:
        pass

    def stop_asked(self) -> bool:
        return False

    def show(self, epoch: int, images: torch.Tensor) -> None:
        pass


def made_pictures(count: int, size: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Noisy pictures (n, 3, size, size), every second one with a faint disc somewhere."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    shows = np.arange(count) % 2 == 1
    pictures = np.empty((count, size, size), np.float32)
    for number in range(count):
        coarse = random.normal(0, 1, (size // 8 + 1, size // 8 + 1)).repeat(8, 0).repeat(8, 1)
        pictures[number] = 110 + 18 * coarse[:size, :size] + random.normal(0, 8, (size, size))
        if shows[number]:
            row, column = random.uniform(0.2 * size, 0.8 * size, 2)
            radius = random.uniform(0.06, 0.12) * size
            pictures[number][np.hypot(rows - row, columns - column) < radius] += 45
    grey = pictures.clip(0, 255).astype(np.uint8)
    return np.repeat(grey[:, None], 3, axis=1), shows


def measure() -> dict[str, Any]:
    """One ratio, and the validation AUROC that each loop reached with the same pictures."""
    recipe = _recipe()
    pixels, shows = made_pictures(PICTURES + VALIDATION, SIZE, 0)
    every = np.arange(len(shows), dtype=np.int64)
    targets = Targets(2, 1, torch.from_numpy(shows.astype(np.int64)), torch.zeros(len(shows), 0))
    material = Material(
        pixels, targets, every, lambda row, _: [row], every[:PICTURES], every[PICTURES:]
    )
    made: dict[str, Classifier] = {}

    def train(name: str, loop: Callable[[Material, Recipe], Classifier]) -> None:
        made[name] = loop(material, recipe)

    seconds = side_by_side(
        {
            "trainer": lambda: train("trainer", _ours),
            "plain loop": lambda: train("plain loop", _plain),
        },
        ROUNDS,
    )
    reached = {name: _judged(model, material, recipe, shows) for name, model in made.items()}
    figure = Figure(
        f"training on {PICTURES * EPOCHS} pictures of {SIZE} × {SIZE}",
        seconds["trainer"],
        "a plain fp32 loop over all layers",
        seconds["plain loop"],
        GOAL,
        True,
    )
    return {
        "figures": [figure.as_dict(), _refit(material, recipe).as_dict()],
        "validation_auroc": {name: round(value, 4) for name, value in reached.items()},
        "images_per_second": round(PICTURES * EPOCHS / seconds["trainer"], 1),
    }


def _judged(
    model: Classifier, material: Material, recipe: Recipe, shows: NDArray[np.bool_]
) -> float:
    from sklearn.metrics import roc_auc_score

    found = scores(model.eval(), material, material.validation, recipe)[:, 0]
    return float(roc_auc_score(shows[material.validation], found))


def _refit(material: Material, recipe: Recipe) -> Figure:
    """The head fitted to kept features, against what computing them once takes.

    Features are of as many pictures as there are, repeated with noise; the time to compute them
    is scaled to as many.
    """
    recipe = recipe.model_copy(
        update={"network": recipe.network.model_copy(update={"feature_epochs": PASSES})}
    )
    model = _initial().eval()
    kept = trunk_features(model, material, recipe)
    rows = np.arange(FEATURES) % len(kept)
    random = np.random.default_rng(0)
    noise = random.normal(0, kept.std() / 4, (FEATURES, kept.shape[1])).astype(np.float32)
    features = torch.from_numpy(kept[rows] + noise)
    wanted = material.targets.of(material.train[rows], recipe.label_smoothing)
    objective = Objective(material.targets, material.train, recipe.loss, 0.0)
    start = copy.deepcopy(model.head.state_dict())

    def refit() -> None:
        model.head.load_state_dict(start)
        fit_head(model, features, wanted, objective, recipe)

    seconds = side_by_side(
        {"refit": refit, "embedding": lambda: trunk_features(model, material, recipe)}, 3
    )
    return Figure(
        f"head fitted to {FEATURES:,} kept features",
        seconds["refit"],
        "computing them once",
        seconds["embedding"] * FEATURES / len(material.train),
        REFIT_GOAL,
        True,
    )


def _recipe() -> Recipe:
    settings = {
        "preprocessing.size": SIZE,
        "stopping.epochs": EPOCHS,
        "optimiser.batch_size": BATCH,
        "optimiser.ema": 0.8,
    }
    return load_recipe("recommended", settings)


def _initial() -> Classifier:
    torch.manual_seed(0)
    model = Classifier("efficientnet-lite0", 1)
    model.load_pretrained()
    return model


def _ours(material: Material, recipe: Recipe) -> Classifier:
    model = _initial()
    with tempfile.TemporaryDirectory() as place:
        fitted = fit(
            model, material, recipe, make_fabric(), seed=0, place=Path(place), watcher=_Silent()
        )
    if fitted is not None:
        model.load_state_dict(fitted.state)
    return model


def _plain(material: Material, recipe: Recipe) -> Classifier:
    """What a tutorial does: every layer learns, 32 bits, rows of pixels in memory."""
    model = _initial()
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.optimiser.learning_rate)
    random = np.random.default_rng(0)
    for _ in range(recipe.stopping.epochs):
        model.train()
        order = random.permutation(material.train)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            image = torch.from_numpy(material.pixels[rows]).float() / 127.5 - 1
            target = material.targets.label[torch.from_numpy(rows)].float()
            loss = functional.binary_cross_entropy_with_logits(model(image)[:, 0], target)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        scores(model.eval(), material, material.validation, recipe)
    return model
