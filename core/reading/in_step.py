"""Two series side by side: which slice of the one stands beside which of the other."""

from __future__ import annotations

from enum import Enum

import numpy as np

from core.imaging.geometry import Geometry

SAME_DIRECTION = 0.98
"""Cosine from which two slice normals count as parallel (11°)."""


class Step(Enum):
    """By what two series are kept in step."""

    POSITION = "position"
    ORDER = "order"


def how(first: Geometry, second: Geometry) -> Step:
    """By position where both lie in patient space, cut alike, and overlap; else by order."""
    known = all(item.has_spacing and item.has_orientation for item in (first, second))
    if not known or min(first.shape[0], second.shape[0]) < 2:
        return Step.ORDER
    if float(first.normal @ second.normal) < SAME_DIRECTION:
        return Step.ORDER
    one, two = _span(first, first), _span(first, second)
    overlap = min(one[1], two[1]) - max(one[0], two[0])
    shorter = min(one[1] - one[0], two[1] - two[0])
    return Step.POSITION if overlap > 0.25 * shorter else Step.ORDER


def beside(first: Geometry, second: Geometry, index: int) -> int:
    """The slice of `second` that stands beside slice `index` of `first`."""
    count = second.shape[0]
    if how(first, second) is Step.ORDER:
        last = max(first.shape[0] - 1, 1)
        return round(index / last * (count - 1))
    wanted = _depth(first, first, index)
    depths = np.array([_depth(first, second, k) for k in range(count)])
    return int(np.abs(depths - wanted).argmin())


def _depth(frame: Geometry, geometry: Geometry, index: float) -> float:
    """Where a slice's middle lies along the normal of `frame`, millimetres."""
    middle = np.array([index, (geometry.shape[1] - 1) / 2, (geometry.shape[2] - 1) / 2])
    return float(geometry.to_patient(middle) @ frame.normal)


def _span(frame: Geometry, geometry: Geometry) -> tuple[float, float]:
    ends = (_depth(frame, geometry, 0), _depth(frame, geometry, geometry.shape[0] - 1))
    return min(ends), max(ends)
