"""Targets and loss: the label, and auxiliary findings that help to learn it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from core.retraining.dataset import Dataset


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
    def outputs(self) -> int:
        """Logits that the network needs: one for two classes, else one a class, and auxiliary."""
        return (1 if self.classes == 2 else self.classes) + self.auxiliary.shape[1]

    def loss(self, logits: Tensor, rows: Tensor, smoothing: float, weight: float) -> Tensor:
        """Mean loss of a batch.

        logits: (n, outputs). rows: int64 (n,), which slices they are for. smoothing: share by
        which targets are pulled towards the middle. weight: of the auxiliary loss.
        """
        label = self.label[rows]
        if self.classes == 2:
            target = _smooth((label == self.positive).float(), smoothing)
            loss = functional.binary_cross_entropy_with_logits(logits[:, 0], target)
            rest = logits[:, 1:]
        else:
            loss = functional.cross_entropy(
                logits[:, : self.classes], label, label_smoothing=smoothing
            )
            rest = logits[:, self.classes :]
        if rest.shape[1] == 0 or weight == 0:
            return loss
        wanted = self.auxiliary[rows]
        known = ~wanted.isnan()
        each = functional.binary_cross_entropy_with_logits(
            rest, _smooth(wanted.nan_to_num(), smoothing), reduction="none"
        )
        return loss + weight * (each * known).sum() / known.sum().clamp_min(1)


def _smooth(target: Tensor, smoothing: float) -> Tensor:
    return target * (1 - smoothing) + smoothing / 2


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
