"""What each recipe that ships is said to be, read from the validated recipe."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from core.errors import BadRecipeError
from core.models.architectures.classifier import Classifier
from core.retraining.learning import freeze, leaves
from core.retraining.recipe import Recipe, available, flat, load_recipe, reference

WORDS = ("title", "description", "limits", "data.name", "data.licence", "data.citation")


def fields(recipe: Recipe) -> dict[str, Any]:
    return flat(json.loads(recipe.model_dump_json()))


def changes(one: str, other: str) -> dict[str, tuple[Any, Any]]:
    """Fields in which two recipes differ, whatever people read of them."""
    first, second = fields(load_recipe(one)), fields(load_recipe(other))
    return {
        name: (first.get(name), second.get(name))
        for name in first | second
        if first.get(name) != second.get(name) and name not in WORDS
    }


FACTS: dict[str, dict[str, Any]] = {
    "cnn-baseline": {"network.family": "plain-cnn", "network.pretrained": False},
    "resnet-scratch": {"network.family": "resnet-scratch", "network.pretrained": False},
    "transfer-frozen": {
        "network.pretrained": True,
        # The head alone learns as long as the training lasts.
        "network.head_epochs": 15,
        "stopping.epochs": 15,
    },
    "pneumonia-v1": {"network.unfrozen_layers": 50, "network.dropout": 0.3},
    "pneumonia-v2": {
        "network.unfrozen_layers": 100,
        "optimiser.learning_rate": 1e-6,
        "optimiser.head_learning_rate": 1e-6,
    },
    "pneumonia-v4": {"network.dropout": 0.5, "stopping.patience": 8},
    "pneumonia-v5": {"loss.class_weights": "balanced"},
    "pneumonia-v6": {
        "network.unfrozen_layers": 50,
        "label_smoothing": 0.1,
        "loss.class_weights": "balanced",
        "optimiser.name": "adam",
        "optimiser.learning_rate": 1e-4,
        "optimiser.schedule": "plateau",
    },
    "hemorrhage-two-stage": {
        "network.head_epochs": 5,
        "stopping.epochs": 30,
        "loss.positive_weight": 1.4,
        "augmentation.rotate_degrees": 20.0,
        "augmentation.shift": 0.15,
        "augmentation.scale": 0.2,
        "augmentation.brightness": 0.1,
    },
    "battery-resnet18": {
        "network.family": "resnet18",
        "preprocessing.size": 512,
        "optimiser.batch_size": 32,
        "optimiser.name": "adam",
        "optimiser.learning_rate": 1e-4,
        "optimiser.weight_decay": 1e-4,
        "stopping.epochs": 30,
        "stopping.patience": 5,
        "stopping.monitor": "validation_loss",
        "augmentation.flip": True,
        "augmentation.rotate_degrees": 15.0,
        "augmentation.brightness": 0.1,
        "augmentation.contrast": 0.1,
        "augmentation.scale": 0.1,
        "augmentation.shift": 0.05,
    },
    "battery-cosine": {"optimiser.schedule": "cosine", "optimiser.learning_rate": 1e-3},
    "alzheimer-3d": {
        "preprocessing.dimensions": 3,
        "preprocessing.size": 128,
        "stopping.min_epochs": 30,
        "folds": 5,
        "publish": "folds",
    },
    "quick-retrain": {"network.feature_epochs": 30, "stopping.epochs": 2},
    "recommended": {"network.pretrained": True, "loss.class_weights": "balanced"},
}
"""Recipe → fields with the values that its sources state."""


@pytest.mark.parametrize("name", FACTS)
def test_a_recipe_is_what_its_source_says(name: str) -> None:
    found = fields(load_recipe(name))
    assert {field: found[field] for field in FACTS[name]} == FACTS[name]


def test_the_cosine_falls_from_a_thousandth_to_a_millionth() -> None:
    how = load_recipe("battery-cosine").optimiser
    assert how.learning_rate * how.final_rate == pytest.approx(1e-6)


_VARIED = frozenset(
    f"augmentation.{name}"
    for name in ("flip", "flip_vertical", "rotate_degrees", "scale", "shift", "shear_degrees",
                 "brightness", "contrast")
)  # fmt: skip
RUNGS: list[tuple[str, str, frozenset[str]]] = [
    ("battery-plain-pictures", "battery-resnet18", _VARIED),
    (
        "battery-resnet18",
        "battery-cosine",
        frozenset(f"optimiser.{name}" for name in (
            "schedule", "learning_rate", "head_learning_rate", "final_rate")),
    ),
    (
        "battery-cosine",
        "battery-smaller",
        frozenset({"optimiser.batch_size", "preprocessing.size"}),
    ),
    ("battery-smaller", "battery-resnet50", frozenset({"network.family"})),
    ("battery-smaller", "battery-efficientnet", frozenset({"network.family"})),
    ("battery-smaller", "battery-se", frozenset({"network.family"})),
    ("battery-smaller", "battery-multiscale", frozenset({"network.family"})),
    (
        "pneumonia-v1",
        "pneumonia-v2",
        frozenset({"network.unfrozen_layers", "optimiser.learning_rate",
                   "optimiser.head_learning_rate"}),
    ),
    ("pneumonia-v2", "pneumonia-v3", _VARIED),
    (
        "pneumonia-v3",
        "pneumonia-v4",
        frozenset({"network.dropout", "stopping.epochs", "stopping.patience"}),
    ),
    ("pneumonia-v4", "pneumonia-v5", frozenset({"loss.class_weights"})),
]  # fmt: skip
"""(before, after, fields that make up the one change between them)."""


@pytest.mark.parametrize(("before", "after", "change"), RUNGS)
def test_each_rung_of_a_ladder_differs_by_one_change(
    before: str, after: str, change: frozenset[str]
) -> None:
    found = set(changes(before, after))
    assert found and found <= change


def test_the_third_version_varies_pictures_more_in_every_way() -> None:
    for field, (weaker, stronger) in changes("pneumonia-v2", "pneumonia-v3").items():
        assert stronger > weaker, field


@pytest.mark.parametrize("name", [f"pneumonia-v{number}" for number in range(1, 7)])
def test_as_many_layers_learn_as_a_version_says(name: str) -> None:
    recipe = load_recipe(name)
    model = Classifier(recipe.network.family, 1, 3)
    freeze(model, recipe.network)
    wanted = recipe.network.unfrozen_layers
    assert wanted is not None
    learning = [
        any(weight.requires_grad for weight in layer.parameters(recurse=False))
        for layer in leaves(model)
    ]
    assert not any(learning[:-wanted]) and learning[-1]


@pytest.mark.parametrize(
    ("field", "near"),
    [
        ("stop", "stopping"),
        ("stopping.min_epoch", "min_epochs"),
        ("optimiser.learningrate", "learning_rate"),
        ("network.frozen_stage", "frozen_stages"),
        ("augmentation.rotate_degree", "rotate_degrees"),
        ("loss.class_weight", "class_weights"),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest_right_name(field: str, near: str) -> None:
    with pytest.raises(BadRecipeError) as caught:
        load_recipe("recommended", {field: {} if "." not in field else 1})
    assert any(f"did you mean {near}?" in problem for problem in caught.value.problems)


def test_every_field_says_its_meaning() -> None:
    told = [line for line in reference().splitlines() if line.startswith("- `")]
    assert len(told) > 80
    for line in told:
        assert re.match(r"- `[\w.]+` — .{12,} \((required|default `.*`)\)$", line), line


@pytest.mark.parametrize("name", available())
def test_a_recipe_survives_being_written_and_read(name: str) -> None:
    recipe = load_recipe(name)
    assert Recipe.model_validate(json.loads(recipe.model_dump_json())) == recipe
