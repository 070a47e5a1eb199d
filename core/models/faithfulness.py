"""Whether a heat map tells the truth: about where the finding is, and about the model.

About the place, on slices that somebody marked: the pointing game (does the strongest evidence
lie on the mark) and the energy in the mask (how much of it does). About the model, without any
mark: deletion and insertion (does the answer change as the map says it should), and the
randomisation check (does the map change when the weights are replaced by chance; one that does
not shows the picture, not the model).

Source: Zhang et al., ECCV 2016; Wang et al., CVPR workshops 2020; Petsiuk et al., *RISE*, BMVC
2018; Adebayo et al., *Sanity Checks for Saliency Maps*, NeurIPS 2018.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.models.architectures.classifier import Classifier

Floats = NDArray[np.float64]
Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
Ask = Callable[[Pixels], Floats]
"""uint8 (n, channels, …) → probability of the explained class, (n,)."""


def pointing_hit(evidence: Map, mask: Mask, reach: float) -> bool:
    """Whether the strongest evidence lies on the mask, or within `reach` pixels of it.

    evidence, mask: of the same shape, −inf where the map says nothing.
    """
    from scipy import ndimage

    if not mask.any() or not np.isfinite(evidence).any():
        return False
    peak = np.unravel_index(int(np.argmax(evidence)), evidence.shape)
    return bool(ndimage.distance_transform_edt(~mask)[peak] <= reach)


def pointing_by_chance(evidence: Map, mask: Mask, reach: float) -> float:
    """Share of the places of a map at which a peak would hit: what a random map reaches."""
    from scipy import ndimage

    said = np.isfinite(evidence)
    if not mask.any() or not said.any():
        return 0.0
    return float((ndimage.distance_transform_edt(~mask)[said] <= reach).mean())


def energy_in_mask(evidence: Map, mask: Mask) -> float:
    """Share of the positive evidence that lies on the mask; 0 where there is none."""
    positive = np.where(np.isfinite(evidence), np.maximum(evidence, 0), 0).astype(np.float64)
    whole = float(positive.sum())
    return float(positive[mask].sum()) / whole if whole > 0 else 0.0


class Curves(NamedTuple):
    """Areas under two curves of the probability, and the same for a random order.

    deletion: pixels are covered, the strongest first; lower is better. insertion: they appear on
    a blurred picture, the strongest first; higher is better.
    """

    deletion: float
    insertion: float
    random_deletion: float
    random_insertion: float


def deletion_insertion(
    ask: Ask, pixels: Pixels, evidence: Map, steps: int = 16, seed: int = 0
) -> Curves:
    """Deletion and insertion of one prepared input.

    pixels: uint8 (channels, rows, cols). evidence: (rows, cols), at the input's size. Random
    orders are of blocks as large as the map's own cells would be at a sixth of the side, so that
    they cover what a map could cover.
    """
    from scipy import ndimage

    sigma = min(pixels.shape[1:]) / 12
    blurred = np.stack([ndimage.gaussian_filter(plane, sigma) for plane in pixels])
    shape = pixels.shape[1:]
    random = np.random.default_rng(seed)
    coarse = random.random((6, 6)).astype(np.float32)
    chance = coarse[np.arange(shape[0]) * 6 // shape[0]][:, np.arange(shape[1]) * 6 // shape[1]]
    areas: list[float] = []
    for order in (evidence, chance):
        ranks = np.argsort(np.argsort(-np.where(np.isfinite(order), order, -np.inf), axis=None))
        share = (ranks.reshape(shape) + 1) / ranks.size
        cuts = np.linspace(0, 1, steps + 1)
        gone = np.stack([np.where(share <= cut, blurred, pixels) for cut in cuts])
        come = np.stack([np.where(share <= cut, pixels, blurred) for cut in cuts])
        areas += [float(np.trapezoid(ask(batch), cuts)) for batch in (gone, come)]
    return Curves(areas[0], areas[1], areas[2], areas[3])


def randomised(model: Classifier, seed: int = 0) -> Classifier:
    """A copy whose weights are drawn anew, norms' statistics included."""
    other = copy.deepcopy(model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for module in other.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset) and isinstance(module, nn.Module):
                reset()
    return other.eval()


def likeness(one: Map, other: Map) -> float:
    """Spearman correlation of two maps: 1 the same order of places, 0 unrelated."""
    from scipy import stats

    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(stats.spearmanr(one.ravel(), other.ravel()).statistic)
