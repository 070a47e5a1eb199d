"""Whether a picture looks like those that a model learnt from: a check by content.

A picture file says nothing of what it shows, and a network answers whatever it is given: a chest
as a head. A few plain figures of the prepared pixels (how much is black, each grey level's share,
how the sides differ) are compared with those of the training set by their Mahalanobis distance.
Crude on purpose: it asks the network nothing, takes under a millisecond for each of a few slices
of a series, and can be told to a person. A familiar look does not make an answer right; a strange
one makes it worth little.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.models.answers import SlicePrediction
from core.models.card import Card, Pictures

Floats = NDArray[np.float64]

_SIDE = 96
"""Rows and columns of a picture that are looked at, at least; finer ones are thinned out."""
_LEVELS = (0, 9, 48, 88, 128, 168, 208, 247, 256)
"""Edges of the grey levels whose shares are told; the first and the last are black and white."""
_RIDGE = 0.05
"""Added to correlations, so that figures which belong together do not divide by nothing."""
_LEAST = 100
"""Pictures from which a training set can be described."""
_HELD = 0.98
"""Part of the training set that looks familiar to the other half of it."""
_ASKED = 8
"""Slices of a series that are looked at, at most."""
UNLIKE = (
    "Most of these pictures look unlike those that the model learnt from: its answers may mean "
    "nothing here."
)


def figures(pixels: NDArray[np.uint8]) -> Floats:
    """(n, figures) of prepared pixels (n, channels, rows, columns); the middle channel counts."""
    middle = pixels[:, pixels.shape[1] // 2]
    step = max(1, middle.shape[-1] // _SIDE)
    grey = np.ascontiguousarray(middle[:, ::step, ::step])
    rows, columns = grey.shape[1:]
    level = np.digitize(np.arange(256), _LEVELS) - 1
    shares = np.stack(
        [np.bincount(level[each.ravel()], minlength=len(_LEVELS) - 1) for each in grey]
    )
    values = grey.astype(np.float32) / 255
    rim = (max(1, rows // 8), max(1, columns // 8))
    inner = values[:, 2 * rim[0] : -2 * rim[0], 2 * rim[1] : -2 * rim[1]]
    ends = np.concatenate([values[:, : rim[0]], values[:, -rim[0] :]], axis=1)
    sides = np.concatenate([values[:, :, : rim[1]], values[:, :, -rim[1] :]], axis=2)
    found = [
        np.abs(values - values[:, :, ::-1]).mean(axis=(1, 2)),
        np.abs(np.diff(values, axis=1)).mean(axis=(1, 2)),
        np.abs(np.diff(values, axis=2)).mean(axis=(1, 2)),
        inner.mean(axis=(1, 2)),
        ends.mean(axis=(1, 2)),
        sides.mean(axis=(1, 2)),
    ]
    return np.concatenate([shares / (rows * columns), np.stack(found, axis=1)], axis=1)


def describe(pixels: NDArray[np.uint8], groups: Sequence[object]) -> Pictures | None:
    """What a training set looks like; None where it is too small to say.

    groups: whose picture each is. Half of the groups says how far the other half may be, and
    the other way round, so that a new patient of the same kind is familiar.
    """
    found, owner = figures(pixels), np.asarray([str(group) for group in groups])
    names = np.unique(owner)
    first = np.isin(owner, names[::2])
    if len(found) < _LEAST or first.all() or min(first.sum(), (~first).sum()) < 2:
        return None
    held = [_distance(_fitted(found[a]), found[b]) for a, b in ((first, ~first), (~first, first))]
    limit = float(np.quantile(np.concatenate(held), _HELD))
    return _fitted(found).model_copy(update={"limit": round(limit, 4)})


def strangeness(pictures: Pictures, pixels: NDArray[np.uint8]) -> Floats:
    """(n,): distance of each picture to the training set, in units of its limit; above 1, strange.

    Pictures whose figures are not those that this program computes are never strange.
    """
    found = figures(pixels)
    if found.shape[1] != len(pictures.center):
        return np.zeros(len(found))
    return _distance(pictures, found) / pictures.limit


def looked_at(slices: int) -> frozenset[int]:
    """Which slices of a series tell whether it is familiar: a few, evenly spread."""
    return frozenset(np.linspace(0, slices - 1, min(slices, _ASKED)).round().astype(int).tolist())


def unlike(card: Card, answers: Sequence[SlicePrediction]) -> str:
    """A sentence if most of a series looks unlike the model's training set, or ""."""
    told = [answer.strangeness for answer in answers if answer.strangeness is not None]
    if card.accepts.pictures is None or not told or float(np.median(told)) <= 1:
        return ""
    return UNLIKE


def _fitted(found: Floats) -> Pictures:
    center, scale = found.mean(axis=0), found.std(axis=0) + 1e-3
    unit = (found - center) / scale
    inverse = np.linalg.inv(unit.T @ unit / len(unit) + _RIDGE * np.eye(unit.shape[1]))
    return Pictures(
        center=tuple(round(float(value), 6) for value in center),
        scale=tuple(round(float(value), 6) for value in scale),
        inverse=tuple(tuple(round(float(value), 4) for value in row) for row in inverse),
        limit=1.0,
    )


def _distance(pictures: Pictures, found: Floats) -> Floats:
    unit = (found - np.asarray(pictures.center)) / np.asarray(pictures.scale)
    square = np.einsum("ni,ij,nj->n", unit, np.asarray(pictures.inverse), unit)
    distance: Floats = np.sqrt(np.maximum(square, 0) / unit.shape[1])
    return distance
