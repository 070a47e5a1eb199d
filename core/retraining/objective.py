"""Targets and loss: the label, and auxiliary findings that help to learn it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.retraining.dataset import Dataset
from core.retraining.recipe import Loss


@dataclass(frozen=True, eq=False)
class Targets:
    """What each slice of a training set teaches.

    classes: number of classes. positive: index of the finding among them.
    label: int64 (n,), class index. auxiliary: float32 (n, k), NaN where unknown.
    """

    classes: int
    positive: int
    label: Tensor
    auxiliary: Tensor

    @classmethod
    def of_shape(cls, classes: int, positive: int) -> Targets:
        """Targets without slices, where only the kinds of outputs matter."""
        return cls(classes, positive, torch.zeros(0, dtype=torch.int64), torch.zeros(0, 0))

    @property
    def label_outputs(self) -> int:
        """Logits that answer the label: one for two classes, else one a class."""
        return 1 if self.classes == 2 else self.classes

    @property
    def outputs(self) -> int:
        """Logits that the network needs: those of the label, and one for each auxiliary."""
        return self.label_outputs + self.auxiliary.shape[1]

    def of(self, rows: NDArray[np.int64], smoothing: float = 0.0) -> Wanted:
        """What the network should say of some slices.

        smoothing: share by which targets are pulled towards the middle.
        """
        chosen = torch.from_numpy(rows)
        label = self.label[chosen]
        if self.classes == 2:
            shares = (label == self.positive).float()[:, None]
            uniform = 0.5
        else:
            shares = functional.one_hot(label, self.classes).float()
            uniform = 1 / self.classes
        rest = self.auxiliary[chosen]
        known = ~rest.isnan()
        return Wanted(
            label=_pull(shares, smoothing, uniform),
            auxiliary=_pull(rest.nan_to_num(), smoothing, 0.5),
            known=known.float(),
        )


@dataclass(frozen=True, eq=False)
class Wanted:
    """What the network should say of n slices, as shares in [0, 1].

    label: float32 (n, 1) for two classes, of the positive one, else (n, classes).
    auxiliary, known: float32 (n, k): shares, and 1 where they are known.
    """

    label: Tensor
    auxiliary: Tensor
    known: Tensor

    def __getitem__(self, chosen: slice | Tensor) -> Wanted:
        return Wanted(self.label[chosen], self.auxiliary[chosen], self.known[chosen])

    def __len__(self) -> int:
        return len(self.label)

    def mixed(self, order: Tensor, share: Tensor) -> Wanted:
        """Each slice's targets, mixed with those of the slice in `order` by `share` of its own."""
        own = share[:, None]

        def mix(values: Tensor) -> Tensor:
            return own * values + (1 - own) * values[order]

        return Wanted(mix(self.label), mix(self.auxiliary), self.known * self.known[order])

    def to(self, device: torch.device) -> Wanted:
        """The same on another device."""
        return Wanted(self.label.to(device), self.auxiliary.to(device), self.known.to(device))


class Objective:
    """The loss of a recipe, with class weights from the slices that are learnt from."""

    def __init__(
        self, targets: Targets, rows: NDArray[np.int64], how: Loss, auxiliary_weight: float
    ) -> None:
        self._how = how
        self._auxiliary_weight = auxiliary_weight
        weights = torch.ones(targets.classes)
        if how.class_weights == "balanced":
            counts = torch.bincount(targets.label[torch.from_numpy(rows)], minlength=len(weights))
            there = counts.clamp_min(1).float()
            weights = len(rows) / (len(weights) * there)
        weights[targets.positive] *= how.positive_weight
        others = [index for index in range(targets.classes) if index != targets.positive]
        # For one logit: the weights of the finding and of its absence.
        self._weights = (
            torch.stack([weights[targets.positive], weights[others[0]]])
            if targets.classes == 2
            else weights
        )

    def __call__(self, logits: Tensor, wanted: Wanted, whole: Wanted | None = None) -> Tensor:
        """Mean loss over slices.

        logits: (n, outputs). whole: the batch that these slices are a part of; the losses of
        its parts then add up to that of the whole, whatever shares processes take.
        """
        of = whole or wanted
        split = wanted.label.shape[1]
        loss = self._label(logits[:, :split], wanted.label).sum() / len(of)
        if wanted.auxiliary.shape[1] == 0 or self._auxiliary_weight == 0:
            return loss
        each = functional.binary_cross_entropy_with_logits(
            logits[:, split:], wanted.auxiliary, reduction="none"
        )
        rest = (each * wanted.known).sum() / of.known.sum().clamp_min(1)
        return loss + self._auxiliary_weight * rest

    def _label(self, logits: Tensor, shares: Tensor) -> Tensor:
        """Loss of each slice, (n,)."""
        weights = self._weights.to(logits.device)
        if logits.shape[1] == 1:
            # Both answers of the one logit, so that two classes and more read alike.
            told = torch.cat([functional.logsigmoid(logits), functional.logsigmoid(-logits)], 1)
            shares = torch.cat([shares, 1 - shares], 1)
        else:
            told = functional.log_softmax(logits, dim=1)
        missed = -told
        if self._how.kind == "focal":
            missed = missed * (1 - told.exp()).pow(self._how.focal_gamma)
        return (missed * shares * weights).sum(dim=1)


def _pull(shares: Tensor, smoothing: float, uniform: float) -> Tensor:
    return shares * (1 - smoothing) + smoothing * uniform


def targets_of(dataset: Dataset, *, auxiliary: bool) -> Targets:
    """The targets of a training set; auxiliary columns only if wanted and not all unknown."""
    known = torch.from_numpy(dataset.auxiliary.copy())
    if not auxiliary:
        known = known[:, :0]
    positive = dataset.positive_index
    return Targets(
        len(dataset.manifest.classes),
        len(dataset.manifest.classes) - 1 if positive is None else positive,
        torch.from_numpy(dataset.labels),
        known,
    )
