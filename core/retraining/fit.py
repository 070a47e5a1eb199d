"""One fit: from initial weights to trained ones, on given slices. Reads from top to bottom."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from core.models.architectures.classifier import Classifier, normalise
from core.models.card import Preprocessing
from core.models.context import score_in_context
from core.models.predictor import look
from core.retraining import checkpoint
from core.retraining.augmentation import augment
from core.retraining.objective import Targets
from core.retraining.recipe import Recipe
from core.retraining.sampling import epoch_rows

Rows = NDArray[np.int64]
Report = Callable[..., None]
"""report(event, **facts): something happened that a watcher wants to know."""

_EVALUATION_BATCH = 32


@dataclass(frozen=True, eq=False)
class Material:
    """What a fit learns from.

    pixels: uint8 (n, channels, size, size), mapped. groups: int64 (n,), patients.
    neighbours: row, reach → rows around it in its series. train, validation: rows of them;
    validation may be empty.
    """

    pixels: NDArray[np.uint8]
    targets: Targets
    groups: Rows
    neighbours: Callable[[int, int], list[int]]
    train: Rows
    validation: Rows


@dataclass
class Fitted:
    """What a fit yields: the weights kept, their validation logits, and the curves."""

    state: dict[str, Tensor]
    logits: NDArray[np.float64]
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Progress:
    """Where a fit stands between epochs."""

    epoch: int = 0
    best_epoch: int = -1
    best: float = -math.inf
    history: list[dict[str, Any]] = field(default_factory=list)


def fit(  # noqa: PLR0915 - the loop reads from top to bottom, in one place
    model: Classifier,
    material: Material,
    recipe: Recipe,
    *,
    seed: int,
    place: Path,
    report: Report,
    stop_asked: Callable[[], bool],
) -> Fitted | None:
    """Train `model` on the material; None if somebody asked to stop (a checkpoint is kept).

    place: folder for this fit's checkpoints; if it holds one of the same fit, that is resumed,
    and the curve goes on as if it had never been interrupted.
    """
    how = recipe.optimiser
    fabric = Fabric(accelerator="auto", devices=1)
    model = model.to(memory_format=torch.channels_last)
    freeze(model, recipe)
    averaged = copy.deepcopy(model).eval().to(fabric.device)
    trunk = [p for p in model.trunk.parameters() if p.requires_grad]
    groups = [
        {"params": trunk, "lr": 0.0, "peak": how.learning_rate},
        {"params": list(model.head.parameters()), "lr": 0.0, "peak": how.head_learning_rate},
    ]
    optimiser = torch.optim.AdamW(
        [group for group in groups if group["params"]], weight_decay=how.weight_decay
    )
    progress = _resume(place / "last", model, averaged, optimiser)
    trained, optimiser = fabric.setup(model, optimiser)

    positive = (material.targets.label == material.targets.positive).numpy()[material.train]
    patients = material.groups[material.train]
    count = recipe.sampling.slices_per_epoch or len(material.train)
    steps_per_epoch = max(1, math.ceil(count / how.batch_size))
    total = steps_per_epoch * recipe.stopping.epochs

    for epoch in range(progress.epoch, recipe.stopping.epochs):
        started = time.perf_counter()
        torch.manual_seed(seed * 1000 + epoch)
        random = torch.Generator().manual_seed(seed * 1000 + epoch)
        rows = epoch_rows(material.train, positive, patients, recipe.sampling, (seed, epoch))
        set_training(model, recipe)
        losses = []
        for step, start in enumerate(range(0, len(rows), how.batch_size)):
            if stop_asked():
                return None
            batch = rows[start : start + how.batch_size]
            image = _batch(material.pixels, batch, recipe, random).to(fabric.device)
            loss = material.targets.loss(
                trained(image),
                torch.from_numpy(batch),
                recipe.label_smoothing,
                recipe.auxiliary_weight,
            )
            done = epoch * steps_per_epoch + step
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * rate(done / total, how.warmup)
            optimiser.zero_grad()
            fabric.backward(loss)
            fabric.clip_gradients(trained, optimiser, max_norm=how.clip)
            optimiser.step()
            _average(averaged, model, min(how.ema, (1 + done) / (10 + done)))
            losses.append(loss.item())
            if step % 5 == 4:
                report("step", epoch=epoch, step=step + 1, of=steps_per_epoch, loss=losses[-1])

        seconds = time.perf_counter() - started
        found = _validate(averaged, material, recipe)
        left = (recipe.stopping.epochs - epoch - 1) * (time.perf_counter() - started)
        line: dict[str, Any] = {
            "epoch": epoch + 1,
            "of": recipe.stopping.epochs,
            "train_loss": float(np.mean(losses)),
            "validation_loss": found.loss,
            "validation_auroc": found.auroc,
            "seconds": seconds,
            "seconds_left": left,
        }
        progress.history.append(line)
        progress.epoch = epoch + 1
        if (found.auroc or 0.0) > progress.best:
            progress.best, progress.best_epoch = found.auroc or 0.0, epoch
            checkpoint.save(place / "best", {"averaged": averaged.state_dict()}, {"epoch": epoch})
        _save(place / "last", model, averaged, optimiser, progress)
        report("epoch", **line)
        stale = epoch - progress.best_epoch
        patience = recipe.stopping.patience
        if patience and stale >= patience and epoch + 1 >= recipe.stopping.min_epochs:
            break

    if recipe.stopping.keep == "best" and len(material.validation):
        kept = checkpoint.load(place / "best")
        if kept is not None:
            averaged.load_state_dict(kept[0]["averaged"])
    logits = scores(averaged, material, material.validation, recipe)
    state = {name: tensor.cpu().clone() for name, tensor in averaged.state_dict().items()}
    return Fitted(state, logits, progress.history)


def freeze(model: Classifier, recipe: Recipe) -> None:
    """Keep the weights of the recipe's first stages as they are."""
    for stage in model.stages()[: recipe.network.frozen_stages]:
        stage.requires_grad_(False)


def set_training(model: Classifier, recipe: Recipe) -> None:
    """Training mode, but for frozen stages and, where the recipe says so, all norm layers."""
    model.train()
    for stage in model.stages()[: recipe.network.frozen_stages]:
        stage.eval()
    if recipe.network.frozen_norm:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def rate(part: float, warmup: float) -> float:
    """Learning rate as a part of its peak: rises linearly, then falls along half a cosine.

    part: steps done as a part of all, in [0, 1).
    """
    if part < warmup:
        return 0.04 + 0.96 * part / warmup
    return 0.5 * (1 + math.cos(math.pi * (part - warmup) / (1 - warmup)))


def scores(
    model: Classifier, material: Material, rows: Rows, recipe: Recipe
) -> NDArray[np.float64]:
    """Logits (n, outputs) of rows in their context, computed as the predictor computes them."""
    device = next(model.parameters()).device

    def score(needed: Rows) -> NDArray[np.float64]:
        found = np.zeros((len(needed), model.head.out_features))
        for start in range(0, len(needed), _EVALUATION_BATCH):
            batch = needed[start : start + _EVALUATION_BATCH]
            pixels = torch.from_numpy(material.pixels[batch]).to(device)
            logits, _ = look(model, pixels, recipe.preprocessing, recipe.flip_averaging)
            found[start : start + len(batch)] = logits.cpu().double().numpy()
        return found

    return score_in_context(rows, material.neighbours, recipe.context, score)


@dataclass(frozen=True)
class _Validation:
    loss: float | None
    auroc: float | None


def _validate(model: Classifier, material: Material, recipe: Recipe) -> _Validation:
    rows = material.validation
    if len(rows) == 0:
        return _Validation(None, None)
    logits = scores(model, material, rows, recipe)
    targets = material.targets
    loss = targets.loss(torch.from_numpy(logits).float(), torch.from_numpy(rows), 0.0, 0.0)
    truth = (targets.label[torch.from_numpy(rows)] == targets.positive).numpy()
    if truth.all() or not truth.any():
        return _Validation(float(loss), None)
    from sklearn.metrics import roc_auc_score

    margin = logits[:, 0]
    if targets.classes > 2:
        others = np.delete(logits[:, : targets.classes], targets.positive, axis=1)
        margin = logits[:, targets.positive] - np.logaddexp.reduce(others, axis=1)
    return _Validation(float(loss), float(roc_auc_score(truth, margin)))


def _batch(
    pixels: NDArray[np.uint8], rows: Rows, recipe: Recipe, random: torch.Generator
) -> Tensor:
    grey = torch.from_numpy(pixels[rows]).float().div_(255.0)
    varied = augment(grey, recipe.augmentation, random)
    spec: Preprocessing = recipe.preprocessing
    return normalise(varied * 255.0, spec.mean, spec.std)


@torch.no_grad()
def _average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    for slow, fast in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
        if slow.is_floating_point():
            slow.lerp_(fast.to(slow.device), 1 - decay)
        else:
            slow.copy_(fast)


def _save(
    place: Path,
    model: nn.Module,
    averaged: nn.Module,
    optimiser: torch.optim.Optimizer,
    progress: _Progress,
) -> None:
    tensors = {
        "model": model.state_dict(),
        "averaged": averaged.state_dict(),
        "optimiser": checkpoint.optimiser_tensors(optimiser),
    }
    checkpoint.save(place, tensors, vars(progress))


def _resume(
    place: Path, model: nn.Module, averaged: nn.Module, optimiser: torch.optim.Optimizer
) -> _Progress:
    found = checkpoint.load(place)
    if found is None:
        return _Progress()
    tensors, facts = found
    model.load_state_dict(tensors["model"])
    averaged.load_state_dict(tensors["averaged"])
    checkpoint.restore_optimiser(optimiser, tensors.get("optimiser", {}))
    return _Progress(**facts)
