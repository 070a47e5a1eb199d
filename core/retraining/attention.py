"""The explanation loss: a model that looks where readers point, and not where they forbid it.

A logit of our classifiers is the sum of what each place contributes (Grad-CAM in closed form, see
`core.models.explanation`), so the map is differentiable as it stands: its gradient is an ordinary
backward pass, never a second-order one.

The contributions z of all places are taken as logits of "where is it", and the loss is the cross
entropy of that softmax against the marked places: −log Σ_look softmax(z) for what is to be looked
at, −log Σ_rest softmax(z) for what is not. Unlike the energy of the rectified map it has a
gradient where a map is negative everywhere. Related: Ross et al., *Right for the Right Reasons*,
IJCAI 2017; Selvaraju et al., *HINT*, ICCV 2019.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.labels.schema import Attention
from core.models.architectures.classifier import Classifier
from core.models.card import Preprocessing
from core.models.explanation import contributions
from core.models.preprocessing import cut_out
from core.models.rows import prepare_row
from core.retraining.dataset import Dataset
from core.retraining.regions import SliceRegion, joined

KINDS = (Attention.LOOK_HERE, Attention.NOT_HERE)
"""The channels of a slice's marks."""


@dataclass(frozen=True, eq=False)
class Marks:
    """What is marked on slices of a training set, as the network sees them.

    place: row of the set → place in `pixels`. pixels: uint8 (m, 2, size, size), 255 where marked;
    channels as in `KINDS`. outputs: int64 (m,), the logit that each is about.
    """

    place: dict[int, int]
    pixels: NDArray[np.uint8]
    outputs: NDArray[np.int64]

    def of(self, rows: Sequence[int] | NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """(which of these rows are marked (k,), their marks (k, 2, size, size), outputs (k,)).

        Marks are float32 in [0, 1].
        """
        chosen = [number for number, row in enumerate(rows) if int(row) in self.place]
        places = [self.place[int(rows[number])] for number in chosen]
        return (
            torch.tensor(chosen, dtype=torch.int64),
            torch.from_numpy(self.pixels[places]).float().div_(255.0),
            torch.from_numpy(self.outputs[places]),
        )


def marks_of(dataset: Dataset, rows: NDArray[np.int64], spec: Preprocessing) -> Marks | None:
    """The marks on these rows of a set, cut and resampled as their slices are; None without any.

    What is to be looked at is about the slice's own class if that is a finding. A slice without
    one keeps only what is not to be looked at.
    """
    if spec.dimensions != 2:
        return None  # a model of volumes is told of whole series
    place: dict[int, int] = {}
    pixels: list[NDArray[np.uint8]] = []
    outputs: list[int] = []
    for row in rows:
        regions = dataset.regions_of(int(row))
        if not regions or dataset.labels[row] < 0:
            continue
        output, shows = _about(dataset, int(row), regions)
        kept = regions if shows else [r for r in regions if r.attention is Attention.NOT_HERE]
        size, box = dataset.sizes[row], prepare_row(dataset, int(row), spec).box
        both = [
            cut_out((joined(kept, kind, *map(int, size)) * np.uint8(255)), box, spec.size)
            for kind in KINDS
        ]
        if any(channel.any() for channel in both):
            place[int(row)] = len(pixels)
            pixels.append(np.stack(both))
            outputs.append(output)
    if not pixels:
        return None
    return Marks(place, np.stack(pixels), np.array(outputs, np.int64))


def learnt_rows(
    dataset: Dataset, rows: NDArray[np.int64], share: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of these rows, (those whose marks are learnt, marked ones that are held out).

    Drawn by the SHA-256 of the slices' keys: the same slices whatever else is in the set.
    """
    keys = dataset.keys()
    marked = [int(row) for row in rows if dataset.regions_of(int(row))]
    marked.sort(key=lambda row: hashlib.sha256(keys[row].encode()).hexdigest())
    count = round(share * len(marked))
    return np.array(sorted(marked[:count]), np.int64), np.array(sorted(marked[count:]), np.int64)


def explanation_loss(model: Classifier, maps: Tensor, marks: Tensor, outputs: Tensor) -> Tensor:
    """Mean loss of marked slices, see this file's head.

    maps: (k, features, rows, cols), last feature maps. marks: (k, 2, size, size) in [0, 1], as in
    `Marks.of`, moved with their slices. outputs: (k,). 0 if nothing is marked, and for a network
    whose head is not linear: its map has no closed form.
    """
    if len(maps) == 0 or not model.is_linear:
        return maps.sum() * 0.0
    places = maps.shape[-2] * maps.shape[-1]
    every = torch.stack(
        [
            contributions(model, maps[number : number + 1], int(output))[0]
            for number, output in enumerate(outputs)
        ]
    )
    where = functional.log_softmax(every.flatten(1) * places, dim=1)
    # A place counts as marked if any pixel of it is: findings are smaller than places.
    coarse = functional.adaptive_max_pool2d(marks, maps.shape[-2:]).flatten(2) > 0.5
    look = coarse[:, 0]
    rest = ~(coarse[:, 1] & ~look)
    lost = _mass(where, look) + _mass(where, rest)
    told = (look.any(1) | ~rest.all(1)).sum().clamp_min(1)
    return lost.sum() / told


def _mass(where: Tensor, wanted: Tensor) -> Tensor:
    """−log of the share of attention on wanted places; 0 where none, or all, are wanted."""
    matters = wanted.any(1) & ~wanted.all(1)
    # Where it does not matter every place is taken, and the sum is 0: an empty one has no gradient.
    taken = wanted | ~matters[:, None]
    return -torch.logsumexp(where.masked_fill(~taken, -torch.inf), dim=1) * matters


def _about(dataset: Dataset, row: int, regions: Sequence[SliceRegion]) -> tuple[int, bool]:
    """(logit that a slice's marks are about, whether the slice shows that class)."""
    classes, label = dataset.manifest.classes, int(dataset.labels[row])
    positive = dataset.positive_index
    positive = len(classes) - 1 if positive is None else positive
    if len(classes) == 2:
        return 0, label == positive
    named = next((r.class_id for r in regions if r.class_id in classes), "")
    wanted = classes.index(named) if named else label
    return wanted, wanted == label
