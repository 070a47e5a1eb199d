"""The head learns first, from features of a trunk that stands still: computed once, then kept.

Features are of prepared pixels without variation. They are kept under what the pixels are and the
trunk's weights, so that another run on the same set from the same model starts with them.
"""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core import durable, places
from core.models.architectures.classifier import Classifier, normalise
from core.retraining.batches import Material, Rows
from core.retraining.objective import Objective, Wanted
from core.retraining.recipe import Recipe

_VALUES = 2**22
"""Most values that pass the trunk at once."""


def learn_head(model: Classifier, material: Material, recipe: Recipe, objective: Objective) -> None:
    """Fit the head to what the trunk says of the rows that teach; the trunk does not change.

    The same on every process that trains together: nothing is drawn.
    """
    features = trunk_features(model, material, recipe)
    seen = torch.from_numpy(np.ascontiguousarray(features[material.train]))
    fit_head(
        model, seen, material.targets.of(material.train, recipe.label_smoothing), objective, recipe
    )


def fit_head(
    model: Classifier, features: Tensor, wanted: Wanted, objective: Objective, recipe: Recipe
) -> None:
    """As many passes of L-BFGS over all features as the recipe's `feature_epochs`.

    features: float32 (n, features), what the head reads. The weight decay is that of the recipe,
    on the head's weights. Source: Liu & Nocedal, Math. Programming 1989.
    """
    device = next(model.parameters()).device
    features, wanted = features.to(device), wanted.to(device)
    head = model.head.requires_grad_(True).eval()  # dropout would change the aim at each pass
    decay = recipe.optimiser.weight_decay / 2
    optimiser = torch.optim.LBFGS(
        head.parameters(), max_iter=recipe.network.feature_epochs, line_search_fn="strong_wolfe"
    )

    def lost() -> Tensor:
        optimiser.zero_grad()
        heavy = sum(w.square().sum() for w in head.parameters() if w.ndim > 1)
        loss = objective(head(features), wanted) + decay * heavy
        torch.autograd.backward(loss)
        return loss

    optimiser.step(lost)  # type: ignore[no-untyped-call]


def trunk_features(
    model: Classifier, material: Material, recipe: Recipe, folder: Path | None = None
) -> NDArray[np.float32]:
    """What the head reads of each row, (n, features), mapped; only rows that learn are filled.

    Kept in the cache if the material says what its pixels are.
    """
    rows = np.sort(material.train)
    place = None
    if material.pixels_key:
        key = _key(model, material.pixels_key, rows)
        place = (folder or places.cache_folder() / "features") / f"{key}.npy"
        found = _kept(place, material.pixels.shape[0])
        if found is not None:
            return found
    made = _computed(model, material, recipe, rows)
    if place is not None:
        _keep(place, made)
    return made


def _computed(
    model: Classifier, material: Material, recipe: Recipe, rows: Rows
) -> NDArray[np.float32]:
    spec, device = recipe.preprocessing, next(model.parameters()).device
    was_training = model.training
    model.eval()
    at_once = max(1, min(32, _VALUES // math.prod(material.pixels.shape[1:])))
    found: NDArray[np.float32] | None = None
    for start in range(0, len(rows), at_once):
        chosen = rows[start : start + at_once]
        pixels = torch.from_numpy(material.pixels[chosen]).to(device)
        with torch.inference_mode():
            pooled = model.pooled(model.maps(normalise(pixels, spec.mean, spec.std)))
        if found is None:
            found = np.zeros((material.pixels.shape[0], pooled.shape[1]), np.float32)
        found[chosen] = pooled.float().cpu().numpy()
    model.train(was_training)
    if found is None:
        raise ValueError("there is nothing to learn from")
    return found


def _key(model: Classifier, pixels: str, rows: Rows) -> str:
    digest = hashlib.sha256(pixels.encode())
    digest.update(rows.astype("<i8").tobytes())
    state: dict[str, Tensor] = model.trunk.state_dict()
    for name, tensor in sorted(state.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def _kept(place: Path, count: int) -> NDArray[np.float32] | None:
    try:
        found: NDArray[np.float32] = np.load(place, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.ndim == 2 and len(found) == count else None


def _keep(place: Path, features: NDArray[np.float32]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary: Any = place.with_name(f".{place.stem}.{os.getpid()}.npy")
    np.save(temporary, features, allow_pickle=False)
    temporary.replace(place)
    durable.fsync_folder(place.parent)
