"""Small models with their cards, and small volumes, for the tests of this room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from core.imaging.geometry import Geometry
from core.imaging.intensity import Quantity
from core.imaging.volume import SeriesSummary, Volume
from core.models.architectures.classifier import Classifier
from core.models.card import (
    WEIGHTS_FILE,
    Accepts,
    Architecture,
    Card,
    Preprocessing,
    Reference,
    TrainingData,
    member_file,
    sha256_of,
    write_card,
)
from core.models.loading import NetworkPredictor
from core.models.reference import reference_logits


def spec(**changes: Any) -> Preprocessing:
    facts: dict[str, Any] = {"size": 32, "reach": 1, "crop": "whole"}
    return Preprocessing(**(facts | changes))


def network(
    outputs: int = 1, seed: int = 0, family: str = "plain-cnn", channels: int = 3, **options: Any
) -> Classifier:
    torch.manual_seed(seed)
    return Classifier(family, outputs, channels, **options).eval()


def make_model(folder: Path, name: str = "small", seed: int = 0, **changes: Any) -> Card:
    """A model folder with random weights: card.json and model.safetensors.

    members: how many networks vote. family, options, outputs: of the network.
    """
    folder.mkdir(parents=True)
    outputs = changes.pop("outputs", 1)
    family, options = changes.pop("family", "plain-cnn"), changes.pop("options", {})
    channels = changes.get("preprocessing", spec()).channels
    members = [
        network(outputs, seed + k, family, channels, **options)
        for k in range(changes.pop("members", 1))
    ]
    model = members[0]
    for number, member in enumerate(members, start=1):
        save_file(member.state_dict(), folder / member_file(number))
    rest = range(2, len(members) + 1)
    changes["members"] = tuple(sha256_of(folder / member_file(k)) for k in rest)
    facts: dict[str, Any] = {
        "id": name,
        "version": "1",
        "title": "A small model",
        "task": "hemorrhage",
        "created": "2026-01-01T00:00:00+00:00",
        "architecture": Architecture(
            family=family,
            options=options,
            outputs=outputs,
            parameters=model.parameter_count(),
        ),
        "preprocessing": spec(),
        "classes": ("no_hemorrhage", "hemorrhage"),
        "positive": "hemorrhage",
        "threshold": 0.5,
        "accepts": Accepts(quantities=(Quantity.HU, Quantity.GREY)),
        "data": TrainingData(name="noise"),
        "recipe": {},
        "weights_sha256": sha256_of(folder / WEIGHTS_FILE),
    }
    card = Card(**(facts | changes))
    answer = reference_logits(NetworkPredictor(card, model, torch.device("cpu"), members[1:]), 1)
    card = card.model_copy(update={"reference": Reference(seed=1, logits=answer)})
    write_card(folder, card)
    return card


def volume(
    voxels: np.ndarray,
    quantity: Quantity = Quantity.HU,
    slope: float = 1.0,
    intercept: float = 0.0,
    **changes: Any,
) -> Volume:
    geometry = Geometry.unknown(voxels.shape[:3])
    facts: dict[str, Any] = {
        "uid": "1.2.3",
        "case_id": "case",
        "modality": "CT",
        "description": "",
        "geometry": geometry,
        "quantity": quantity,
        "transfer_syntax": "",
        "slice_ids": tuple(f"s{k}" for k in range(voxels.shape[0])),
    }
    count = voxels.shape[0]
    return Volume(
        SeriesSummary(**(facts | changes)),
        voxels,
        np.full(count, slope),
        np.full(count, intercept),
    )


def head_like(slices: int = 6, size: int = 64, seed: int = 0) -> np.ndarray:
    """int16 HU with a bright ellipse in air, different in each slice."""
    random = np.random.default_rng(seed)
    rows, cols = np.mgrid[:size, :size]
    inside = ((rows - size * 0.45) / (size * 0.3)) ** 2 + (
        (cols - size * 0.55) / (size * 0.25)
    ) ** 2
    head = np.where(inside < 1, 35, -1000).astype(np.int16)
    noise = random.normal(0, 6, (slices, size, size))
    return (head + noise * (inside < 1)).astype(np.int16)
