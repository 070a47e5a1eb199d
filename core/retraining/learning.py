"""What of a network learns, by which optimiser, and at which rate."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from core.models.architectures.classifier import Classifier
from core.retraining.recipe import Network, Optimiser

_NORMS = (nn.modules.batchnorm._BatchNorm,)
_START = 0.04
"""Where the warm-up begins, as a part of the peak."""


def freeze(model: Classifier, network: Network, *, head_only: bool = False) -> None:
    """Let learn what the recipe lets learn; `head_only`: nothing of the trunk."""
    model.requires_grad_(True)
    for stage in model.stages()[: network.frozen_stages]:
        stage.requires_grad_(False)
    if network.unfrozen_layers is not None:
        layers = leaves(model)
        for layer in layers[: max(0, len(layers) - network.unfrozen_layers)]:
            layer.requires_grad_(False)
    if head_only:
        model.trunk.requires_grad_(False)


def set_training(model: Classifier, network: Network) -> None:
    """Training mode, but for parts that stand still and, where the recipe says so, all norms."""
    model.train()
    for module in leaves(model):
        own = list(module.parameters(recurse=False))
        still = bool(own) and not any(weight.requires_grad for weight in own)
        if still or (network.frozen_norm and isinstance(module, _NORMS)):
            module.eval()


def leaves(model: nn.Module) -> list[nn.Module]:
    """Modules without parts of their own, from the input to the output: the network's layers."""
    return [module for module in model.modules() if not list(module.children())]


def make_optimiser(
    model: Classifier, how: Optimiser, *, scales: bool = False
) -> torch.optim.Optimizer:
    """The optimiser over trunk and head; each group remembers its peak rate.

    Everything is in it from the start, so that parts may begin to learn later. scales: gradients
    are scaled, as under `16-mixed`: a fused step would undo that by itself, after the clipping.
    """
    stages = model.stages()
    groups: list[dict[str, Any]] = [
        {
            "params": list(stage.parameters()),
            "peak": how.learning_rate * how.stage_decay ** (len(stages) - 1 - place),
        }
        for place, stage in enumerate(stages)
    ]
    staged = {id(weight) for group in groups for weight in group["params"]}
    rest = [weight for weight in model.trunk.parameters() if id(weight) not in staged]
    groups.append({"params": rest, "peak": how.learning_rate})
    groups.append({"params": list(model.head.parameters()), "peak": how.head_learning_rate})
    groups = [{"lr": 0.0, **group} for group in groups if group["params"]]
    # Fused: one pass over all weights instead of one for each operation on each tensor.
    fused = not scales
    match how.name:
        case "adamw":
            return torch.optim.AdamW(groups, weight_decay=how.weight_decay, fused=fused)
        case "adam":
            return torch.optim.Adam(groups, weight_decay=how.weight_decay, fused=fused)
        case "sgd":
            return torch.optim.SGD(
                groups, momentum=0.9, nesterov=True, weight_decay=how.weight_decay, fused=fused
            )


def set_rate(
    optimiser: torch.optim.Optimizer, how: Optimiser, part: float, plateau: float
) -> float:
    """Set the rates for a step; returns their part of the peak.

    part: steps done as a part of all, in [0, 1). plateau: what `Plateau` has come down to.
    """
    share = plateau * warm_up(part, how.warmup) if how.schedule == "plateau" else rate(part, how)
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * share
        if how.schedule == "one-cycle":
            momentum = 0.95 - 0.1 * share
            if "betas" in group:
                group["betas"] = (momentum, group["betas"][1])
            else:
                group["momentum"] = momentum
    return share


def rate(part: float, how: Optimiser) -> float:
    """Learning rate as a part of its peak under a schedule that is laid out beforehand."""
    if part < how.warmup or how.schedule == "constant":
        return warm_up(part, how.warmup)
    fall = 0.5 * (1 + math.cos(math.pi * (part - how.warmup) / (1 - how.warmup)))
    return how.final_rate + (1 - how.final_rate) * fall


def warm_up(part: float, length: float) -> float:
    """Rises linearly to 1 over the first `length` of all steps."""
    return _START + (1 - _START) * part / length if part < length else 1.0


class Plateau:
    """The rate under `plateau`: multiplied whenever the validation loss stands still.

    Its state is three numbers, kept in the checkpoint.
    """

    def __init__(self, how: Optimiser, state: dict[str, Any] | None = None) -> None:
        self._how = how
        self.share, self.best, self.stale = 1.0, math.inf, 0
        if state:
            self.share, self.best, self.stale = state["share"], state["best"], state["stale"]

    def see(self, loss: float | None) -> None:
        """Take note of an epoch's validation loss, if there is one."""
        if loss is None:
            return
        if loss < self.best:
            self.best, self.stale = loss, 0
            return
        self.stale += 1
        if self.stale > self._how.plateau_patience:
            self.share = max(self.share * self._how.plateau_factor, self._how.final_rate)
            self.stale = 0

    @property
    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps. Infinity is left out: JSON has none."""
        best = self.best if math.isfinite(self.best) else 1e30
        return {"share": self.share, "best": best, "stale": self.stale}
