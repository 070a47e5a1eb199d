"""One fit: from initial weights to trained ones, on given slices. Reads from top to bottom."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from core.models.architectures.classifier import Classifier, memory_format
from core.models.context import score_in_context
from core.models.loading import look
from core.retraining import checkpoint
from core.retraining.batches import Learner, Material, Rows, loss_of, make_batch, shares_of
from core.retraining.learning import Plateau, freeze, make_optimiser, set_rate, set_training
from core.retraining.objective import Objective
from core.retraining.recipe import Recipe
from core.retraining.sampling import epoch_rows
from core.retraining.trunk_features import learn_head

_EVALUATION_BATCH = 32
_EVALUATION_VALUES = 2**22
"""Most rows, and most values, that are scored at once: bounds memory for volumes too."""


class Watcher(Protocol):
    """Who is told how a fit goes, and who may end it."""

    def report(self, event: str, **facts: Any) -> None:
        """Something happened: "step" or "epoch", with its figures."""

    def stop_asked(self) -> bool:
        """Whether somebody asked for an end."""

    def show(self, epoch: int, images: Tensor) -> None:
        """What the network saw first in an epoch: (n, channels, …), normalised."""


@dataclass
class Fitted:
    """What a fit yields: the weights kept, their logits of what is scored, and the curves.

    is_start: the weights are those that it started from, because no epoch was as good.
    """

    state: dict[str, Tensor]
    logits: NDArray[np.float64]
    history: list[dict[str, Any]] = field(default_factory=list)
    is_start: bool = False


@dataclass
class _Progress:
    """Where a fit stands between epochs. best: of the monitored figure, higher is better."""

    epoch: int = 0
    best_epoch: int = -1
    best: float = -1e30
    history: list[dict[str, Any]] = field(default_factory=list)
    plateau: dict[str, Any] = field(default_factory=dict)

    def begin(self, worth: float) -> bool:
        """Note how good the weights are before anything is learnt; an equal epoch counts more.

        Returns whether anybody can tell.
        """
        is_known = worth > self.best
        if is_known:
            self.best = math.nextafter(worth, -math.inf)
        return is_known

    def take(self, line: dict[str, Any], worth: float, plateau: dict[str, Any]) -> bool:
        """Note the epoch that has ended; whether it is the best so far."""
        self.history.append(line)
        self.plateau = plateau
        self.epoch += 1
        if worth <= self.best:
            return False
        self.best, self.best_epoch = worth, self.epoch - 1
        return True


def fit(  # noqa: PLR0915 - the loop reads from top to bottom, in one place
    model: Classifier,
    material: Material,
    recipe: Recipe,
    fabric: Fabric,
    *,
    seed: int,
    place: Path,
    watcher: Watcher,
) -> Fitted | None:
    """Train `model` on the material; None if somebody asked to stop (a checkpoint is kept).

    fabric: launched; each of its processes calls this alike, and takes its share of each step.
    place: folder for this fit's checkpoints; if it holds one of the same fit, that is resumed,
    and the curve goes on as if it had never been interrupted.
    """
    how, leads = recipe.optimiser, fabric.global_rank == 0
    model = model.to(memory_format=memory_format(len(material.pixels.shape)))
    averaged = copy.deepcopy(model).eval().requires_grad_(False).to(fabric.device)
    freeze(model, recipe.network)
    optimiser = make_optimiser(model, how, scales=recipe.precision == "16-mixed")
    progress = _resume(place / "last", model, averaged, optimiser)
    plateau = Plateau(how, progress.plateau)
    objective = Objective(material.targets, material.train, recipe.loss, recipe.auxiliary_weight)
    if progress.epoch == 0:
        _begin(model, averaged, material, recipe, objective, fabric, place, progress)
    learner, optimiser = fabric.setup(Learner(model), optimiser)

    positive = (material.targets.label == material.targets.positive).numpy()[material.train]
    patients = material.groups[material.train]
    count = recipe.sampling.slices_per_epoch or len(material.train)
    steps_per_epoch = max(1, math.ceil(count / how.batch_size))
    total = steps_per_epoch * recipe.stopping.epochs

    last: NDArray[np.float64] | None = None
    for epoch in range(progress.epoch, recipe.stopping.epochs):
        if _is_over(progress, recipe):
            break
        started = time.perf_counter()
        torch.manual_seed(seed * 1000 + epoch)
        random = torch.Generator().manual_seed(seed * 1000 + epoch)
        rows = epoch_rows(material.train, positive, patients, recipe.sampling, (seed, epoch))
        freeze(model, recipe.network, head_only=epoch < recipe.network.head_epochs)
        set_training(model, recipe.network)
        losses = []
        for step, start in enumerate(range(0, len(rows), how.batch_size)):
            if fabric.broadcast(watcher.stop_asked()):
                return None
            done = epoch * steps_per_epoch + step
            speed = set_rate(optimiser, how, done / total, plateau.share)
            batch = make_batch(material, rows[start : start + how.batch_size], recipe, random)
            if step == 0:
                watcher.show(epoch, batch.image)
            optimiser.zero_grad()
            loss = 0.0
            parts = shares_of(len(batch.image), how.accumulate, fabric)
            for number, part in enumerate(parts):
                with fabric.no_backward_sync(learner, enabled=number + 1 < len(parts)):
                    share = loss_of(learner, model, objective, batch, part, recipe, fabric.device)
                    # Gradients are averaged over the processes; the whole loss is their sum.
                    fabric.backward(share * fabric.world_size)
                loss += share.item()
            fabric.clip_gradients(learner, optimiser, max_norm=how.clip)
            optimiser.step()
            _average(averaged, model, min(how.ema, (1 + done) / (10 + done)))
            losses.append(_sum(fabric, loss))
            if step % 5 == 4:
                watcher.report(
                    "step", epoch=epoch, step=step + 1, of=steps_per_epoch, loss=losses[-1]
                )

        seconds = time.perf_counter() - started
        found = _validate(averaged, material, recipe) if leads else _Validation()
        last = found.logits
        found = fabric.broadcast(replace(found, logits=None))
        left = (recipe.stopping.epochs - epoch - 1) * (time.perf_counter() - started)
        line: dict[str, Any] = {
            "epoch": epoch + 1,
            "of": recipe.stopping.epochs,
            "train_loss": float(np.mean(losses)),
            "validation_loss": found.loss,
            "validation_auroc": found.auroc,
            "rate": speed,
            "seconds": seconds,
            "seconds_left": left,
        }
        plateau.see(found.loss)
        is_best = progress.take(line, _worth(found, recipe), plateau.state)
        if is_best and leads:
            checkpoint.save(place / "best", {"averaged": averaged.state_dict()}, {"epoch": epoch})
        if leads:
            _save(place / "last", model, averaged, optimiser, progress)
        watcher.report("epoch", **line)

    fabric.barrier()
    asked = material.validation if material.scored is None else material.scored
    is_start = False
    if recipe.stopping.keep != "last" and len(material.validation):
        kept = checkpoint.load(place / "best")
        if kept is not None:
            averaged.load_state_dict(kept[0]["averaged"])
            is_start = kept[1]["epoch"] < 0
            last = last if kept[1]["epoch"] == progress.epoch - 1 else None
    # What the last epoch was judged by is not computed again.
    logits = (
        last
        if last is not None and material.scored is None
        else scores(averaged, material, asked, recipe)
    )
    state = {name: tensor.cpu().clone() for name, tensor in averaged.state_dict().items()}
    return Fitted(state, logits, progress.history, is_start)


def _begin(
    model: Classifier,
    averaged: Classifier,
    material: Material,
    recipe: Recipe,
    objective: Objective,
    fabric: Fabric,
    place: Path,
    progress: _Progress,
) -> None:
    """Before the first epoch: how good the start is, where that counts; then the head alone."""
    leads = fabric.global_rank == 0
    if recipe.stopping.keep == "better":
        found = _validate(averaged, material, recipe) if leads else _Validation()
        if progress.begin(fabric.broadcast(_worth(found, recipe))) and leads:
            checkpoint.save(place / "best", {"averaged": averaged.state_dict()}, {"epoch": -1})
    if recipe.network.feature_epochs:
        learn_head(model.to(fabric.device), material, recipe, objective)
        averaged.load_state_dict(model.state_dict())
        freeze(model, recipe.network)


def scores(
    model: Classifier, material: Material, rows: Rows, recipe: Recipe
) -> NDArray[np.float64]:
    """Logits (n, outputs) of rows in their context, computed as the predictor computes them."""
    device = next(model.parameters()).device

    size = math.prod(material.pixels.shape[1:])
    at_once = max(1, min(_EVALUATION_BATCH, _EVALUATION_VALUES // size))

    def score(needed: Rows) -> NDArray[np.float64]:
        found = np.zeros((len(needed), model.outputs))
        for start in range(0, len(needed), at_once):
            batch = needed[start : start + at_once]
            pixels = torch.from_numpy(material.pixels[batch]).to(device)
            with torch.inference_mode():
                logits, _ = look(model, pixels, recipe.preprocessing, recipe.flip_averaging)
            found[start : start + len(batch)] = logits.cpu().double().numpy()
        return found

    return score_in_context(rows, material.neighbours, recipe.context, score)


def _sum(fabric: Fabric, value: float) -> float:
    """A number added up over the processes."""
    found = fabric.all_reduce(torch.tensor(value), reduce_op="sum")
    return float(torch.as_tensor(found))


@dataclass(frozen=True)
class _Validation:
    """Figures of an epoch; logits: of the validation rows, where this process computed them."""

    loss: float | None = None
    auroc: float | None = None
    logits: NDArray[np.float64] | None = field(default=None, compare=False)


def _validate(model: Classifier, material: Material, recipe: Recipe) -> _Validation:
    rows = material.validation
    if len(rows) == 0:
        return _Validation()
    logits = scores(model, material, rows, recipe)
    targets = material.targets
    plain = Objective(targets, rows, recipe.loss.model_copy(update=_PLAIN), 0.0)
    loss = float(plain(torch.from_numpy(logits).float(), targets.of(rows)))
    truth = (targets.label[torch.from_numpy(rows)] == targets.positive).numpy()
    if truth.all() or not truth.any():
        return _Validation(loss, None, logits)
    from sklearn.metrics import roc_auc_score

    margin = logits[:, 0]
    if targets.classes > 2:
        others = np.delete(logits[:, : targets.classes], targets.positive, axis=1)
        margin = logits[:, targets.positive] - np.logaddexp.reduce(others, axis=1)
    return _Validation(loss, float(roc_auc_score(truth, margin)), logits)


_PLAIN = {"kind": "cross-entropy", "class_weights": "none", "positive_weight": 1.0}
"""Validation is told in the same figure whatever the training minimises."""


def _worth(found: _Validation, recipe: Recipe) -> float:
    """The monitored figure, higher being better."""
    if recipe.stopping.monitor == "validation_loss":
        return -1e30 if found.loss is None else -found.loss
    return -1e30 if found.auroc is None else found.auroc


def _is_over(progress: _Progress, recipe: Recipe) -> bool:
    """Whether no epoch has been better for long enough, if there is anything to tell it."""
    if progress.best_epoch < 0:
        return False
    stale = progress.epoch - 1 - progress.best_epoch
    patience = recipe.stopping.patience
    return bool(patience and stale >= patience and progress.epoch >= recipe.stopping.min_epochs)


@torch.no_grad()
def _average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights towards those that learn; what stands still is alike in both."""
    pairs = [
        *(
            (slow, fast)
            for slow, fast in zip(averaged.parameters(), model.parameters(), strict=True)
            if fast.requires_grad
        ),
        *zip(averaged.buffers(), model.buffers(), strict=True),
    ]
    numbers = [pair for pair in pairs if pair[0].is_floating_point()]
    torch._foreach_lerp_([slow for slow, _ in numbers], [fast for _, fast in numbers], 1 - decay)
    for slow, fast in pairs:
        if not slow.is_floating_point():
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
