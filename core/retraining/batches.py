"""What one step of a fit learns from: slices, varied alike on every process, and their loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from core.models.architectures.classifier import Classifier, normalise
from core.retraining.attention import Marks, explanation_loss
from core.retraining.augmentation import draw, mixing, move, vary
from core.retraining.objective import Objective, Targets, Wanted
from core.retraining.prepared import Pixels
from core.retraining.recipe import Recipe

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Material:
    """What a fit learns from.

    pixels: uint8 (n, channels, size, size), or of volumes (n, 1, size, size, size).
    groups: int64 (n,), patients. neighbours: row, reach → rows around it in its series. train,
    validation: rows of them; validation may be empty. marks: what readers marked on training
    slices, if anything. scored: rows that the trained weights are asked of at the end, where they
    are not the validation's. pixel_keys: what the pixels of each row are, under which caches may
    keep what is made of them; empty where nobody knows.
    """

    pixels: Pixels
    targets: Targets
    groups: Rows
    neighbours: Callable[[int, int], list[int]]
    train: Rows
    validation: Rows
    marks: Marks | None = None
    scored: Rows | None = None
    pixel_keys: Sequence[str] = ()


class Learner(nn.Module):
    """Logits and last feature maps from one pass, which is what processes that share it need."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(logits, last feature maps)."""
        maps = self.model.maps(image)
        return self.model.classify(maps), maps


@dataclass(frozen=True, eq=False)
class Batch:
    """What a step learns from.

    image: (n, channels, size, size[, size]), varied and normalised. marked: (n,), whether a
    reader marked something on it; marks: (n, kinds, size, size), moved with their slices;
    outputs: (n,), the logits that they are about. None without marks.
    """

    image: Tensor
    wanted: Wanted
    marked: Tensor | None = None
    marks: Tensor | None = None
    outputs: Tensor | None = None


def make_batch(material: Material, rows: Rows, recipe: Recipe, random: torch.Generator) -> Batch:
    """Slices of a step, varied, with what the network should say of them."""
    how, spec = recipe.augmentation, recipe.preprocessing
    grey = torch.from_numpy(material.pixels[rows]).float().div_(255.0)
    variation = draw(tuple(grey.shape), how, random)
    varied = vary(grey, variation)
    wanted = material.targets.of(rows, recipe.label_smoothing)
    if how.mixup:
        order, share = mixing(len(rows), how.mixup, random)
        own = share.view(-1, *[1] * (varied.ndim - 1))
        varied = own * varied + (1 - own) * varied[order]
        wanted = wanted.mixed(order, share)
    image = normalise(varied * 255.0, spec.mean, spec.std)
    if material.marks is None or recipe.explanation.weight == 0 or how.mixup:
        return Batch(image, wanted)
    which, where, outputs = material.marks.of(rows)
    marked = torch.zeros(len(rows), dtype=torch.bool)
    marked[which] = True
    marks = grey.new_zeros(len(grey), where.shape[1], *grey.shape[2:])
    marks[which] = where
    about = torch.zeros(len(rows), dtype=torch.int64)
    about[which] = outputs
    return Batch(image, wanted, marked, move(marks, variation), about)


def loss_of(
    learner: Callable[[Tensor], tuple[Tensor, Tensor]],
    model: Classifier,
    objective: Objective,
    batch: Batch,
    part: slice,
    recipe: Recipe,
    device: torch.device,
) -> Tensor:
    """The loss of a part of a batch; those of all parts add up to that of the whole."""
    logits, maps = learner(batch.image[part].to(device))
    loss = objective(logits, batch.wanted[part].to(device), batch.wanted)
    if batch.marked is None or batch.marks is None or batch.outputs is None:
        return loss
    which = batch.marked[part]
    told = explanation_loss(
        model,
        maps[which.to(device)],
        batch.marks[part][which].to(device),
        batch.outputs[part][which],
    )
    share = which.sum() / batch.marked.sum().clamp_min(1)
    return loss + recipe.explanation.weight * told * share


def shares_of(n: int, parts: int, fabric: Fabric) -> list[slice]:
    """The parts of a batch of n that this process computes, one after the other.

    With fewer slices than processes times parts some are empty, which costs nothing.
    """
    every = parts * fabric.world_size
    each = [slice(a, b) for a, b in pairwise(n * number // every for number in range(every + 1))]
    return each[fabric.global_rank * parts :][:parts]
