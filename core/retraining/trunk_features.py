"""The head learns first, from features of a trunk that stands still: computed once, then kept.

Features are of prepared pixels without variation. Each row's are kept under what its pixels are
and the trunk's weights: another run from the same model computes those of new slices only, whatever
labels were given, changed or taken back meanwhile.
"""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core import durable, places
from core.models.architectures.classifier import Classifier, normalise
from core.retraining.batches import Material, Rows
from core.retraining.objective import Objective, Wanted
from core.retraining.prepared import VERSION
from core.retraining.recipe import Recipe

_VALUES = 2**22
"""Most values that pass the trunk at once."""

_KEYS = ".keys.npy"


def learn_head(model: Classifier, material: Material, recipe: Recipe, objective: Objective) -> None:
    """Fit the head to what the trunk says of the rows that teach; the trunk does not change.

    The same on every process that trains together: nothing is drawn.
    """
    features = trunk_features(model, material, recipe)
    fit_head(
        model,
        torch.from_numpy(features),
        material.targets.of(material.train, recipe.label_smoothing),
        objective,
        recipe,
    )


def fit_head(
    model: Classifier, features: Tensor, wanted: Wanted, objective: Objective, recipe: Recipe
) -> None:
    """As many passes of L-BFGS over all features as the recipe's `feature_epochs`.

    features: float32 (n, features), what the head reads. The head is held by the recipe's
    `head_prior` near what it is, or else by its weight decay near nothing.
    Source: Liu & Nocedal, Math. Programming 1989; of the prior: Li et al., ICML 2018 (L2-SP).
    """
    device = next(model.parameters()).device
    features, wanted = features.to(device), wanted.to(device)
    head = model.head.requires_grad_(True).eval()  # dropout would change the aim at each pass
    hold = _hold(list(head.parameters()), features, recipe)
    optimiser = torch.optim.LBFGS(
        head.parameters(), max_iter=recipe.network.feature_epochs, line_search_fn="strong_wolfe"
    )

    def lost() -> Tensor:
        optimiser.zero_grad()
        loss = objective(head(features), wanted) + hold()
        torch.autograd.backward(loss)
        return loss

    optimiser.step(lost)  # type: ignore[no-untyped-call]


def _hold(weights: list[Tensor], features: Tensor, recipe: Recipe) -> Callable[[], Tensor]:
    """What a head's weights cost beside the mean loss over n slices.

    With a prior each weight may move by so much that a logit's change has the recipe's standard
    deviation over the features seen; against a mean loss its weight is 1 / n. As
    `core.retraining.preview` holds the head that it foretells by.
    """
    prior = recipe.network.head_prior
    if prior == 0:
        decay = recipe.optimiser.weight_decay / 2
        return lambda: decay * _sum_of_squares([w for w in weights if w.ndim > 1])
    start = [weight.detach().clone() for weight in weights]
    spread = float((features - features.mean(dim=0)).square().sum(dim=1).mean())
    cost = 1 / (2 * prior**2 * max(len(features), 1))

    def held() -> Tensor:
        moved = [now - before for now, before in zip(weights, start, strict=True)]
        steep = _sum_of_squares([w for w in moved if w.ndim > 1])
        return cost * (
            max(spread, 1e-9) * steep + _sum_of_squares([w for w in moved if w.ndim < 2])
        )

    return held


def _sum_of_squares(weights: Sequence[Tensor]) -> Tensor:
    return torch.stack([weight.square().sum() for weight in weights]).sum()


def trunk_features(
    model: Classifier, material: Material, recipe: Recipe, folder: Path | None = None
) -> NDArray[np.float32]:
    """What the head reads of the rows that teach, (len(material.train), features).

    Kept in the cache if the material says what its pixels are.
    """
    rows = material.train
    if len(rows) == 0:
        raise ValueError("there is nothing to learn from")
    if not material.pixel_keys:
        return _computed(model, material, recipe, rows)
    place = (folder or places.cache_folder() / "trunk-features") / _key(model, recipe)
    wanted = [material.pixel_keys[row] for row in rows]
    found, is_new = _kept(place, wanted)
    if is_new.any():
        made = _computed(model, material, recipe, rows[is_new])
        _keep(place, [key for key, new in zip(wanted, is_new, strict=True) if new], made)
        if found is None:
            return made
        found[is_new] = made
    return found if found is not None else np.zeros((0, 0), np.float32)


def _computed(
    model: Classifier, material: Material, recipe: Recipe, rows: Rows
) -> NDArray[np.float32]:
    spec, device = recipe.preprocessing, next(model.parameters()).device
    was_training = model.training
    model.eval()
    at_once = max(1, min(32, _VALUES // math.prod(material.pixels.shape[1:])))
    found: list[NDArray[np.float32]] = []
    for start in range(0, len(rows), at_once):
        pixels = torch.from_numpy(material.pixels[rows[start : start + at_once]]).to(device)
        with torch.inference_mode():
            pooled = model.pooled(model.maps(normalise(pixels, spec.mean, spec.std)))
        found.append(pooled.float().cpu().numpy())
    model.train(was_training)
    return np.concatenate(found)


def _key(model: Classifier, recipe: Recipe) -> str:
    """Of the trunk's weights, and of what pixels become before it sees them."""
    digest = hashlib.sha256(f"{VERSION} {recipe.preprocessing.model_dump_json()}".encode())
    state: dict[str, Tensor] = model.trunk.state_dict()
    for name, tensor in sorted(state.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def _kept(
    place: Path, wanted: Sequence[str]
) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_]]:
    """(features (n, d) of those that are there, or None, and which are not): one pass a file.

    A run that met new slices left two files: their keys, and their features in the same order.
    """
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(wanted):
        rows.setdefault(key, []).append(row)
    found: NDArray[np.float32] | None = None
    is_new = np.ones(len(wanted), bool)
    for file in sorted(place.glob(f"*{_KEYS}")):
        try:
            keys = np.load(file, allow_pickle=False)
            values = np.load(
                file.with_name(file.name.removesuffix(_KEYS) + ".npy"),
                mmap_mode="r",
                allow_pickle=False,
            )
        except (OSError, ValueError, EOFError):
            continue  # a cache: what is damaged is made again
        if values.ndim != 2 or len(values) != len(keys):
            continue
        if found is None:
            found = np.zeros((len(wanted), values.shape[1]), np.float32)
        for number, key in enumerate(keys.tolist()):
            for row in rows.get(str(key), ()):
                found[row], is_new[row] = values[number], False
    return found, is_new


def _keep(place: Path, keys: Sequence[str], features: NDArray[np.float32]) -> None:
    """Beside what is there; the keys come last, so that they never name what is not whole."""
    place.mkdir(parents=True, exist_ok=True)
    name = uuid.uuid4().hex
    for suffix, content in ((".npy", features), (_KEYS, np.array(keys))):
        temporary = place / f".{name}{suffix}"
        np.save(temporary, content, allow_pickle=False)
        temporary.replace(place / f"{name}{suffix}")
    durable.fsync_folder(place)
