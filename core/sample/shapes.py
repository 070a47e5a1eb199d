"""Signed distances, soft edges and smooth noise: the tools from which the phantom is carved.

Everything works on the (rows, columns) fields of one slice plane. A signed distance is in
millimetres, negative inside. Edges are one pixel soft: that is partial volume in the plane.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]
"""One number a pixel: (rows, columns), float32 in practice."""

NEAR, FAR = 6.0, 99.0
"""Millimetres: what a plane does not come near to is not computed, and counts as far away."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One slice plane, with the head coordinates of each of its pixels.

    x, y, z: millimetres in the head's own frame: x to the patient's left, y to posterior, z to
        the head; the origin is the anterior commissure, z = 0 the plane through both
        commissures.
    level: z at the middle of the plane. edge: width in mm over which an edge softens.
    """

    x: Field
    y: Field
    z: Field
    level: float
    edge: float
    ax: Field = field(init=False)
    """|x|."""
    span: tuple[float, float] = field(init=False)
    """Lowest and highest z of the plane."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ax", np.abs(self.x))
        object.__setattr__(self, "span", (float(self.z.min()), float(self.z.max())))

    def crop(self, box: tuple[slice, slice]) -> Plane:
        """The part of the plane in a box of rows and columns."""
        return Plane(self.x[box], self.y[box], self.z[box], self.level, self.edge)

    def misses(self, low: float, high: float) -> bool:
        """Whether the plane stays more than `NEAR` away from a range of z."""
        return self.span[0] > high + NEAR or self.span[1] < low - NEAR


def soft(distance: Field, edge: float) -> Field:
    """Coverage in [0, 1] from a signed distance: 1 inside, ½ on the edge, 0 outside."""
    inside = np.float32(0.5) - distance * np.float32(1.0 / edge)
    return np.clip(inside, 0.0, 1.0, out=inside)


def blend(image: Field, coverage: Field, value: Field | float) -> None:
    """Mix `value` into `image` in place, by coverage."""
    image += coverage * (value - image)


def ellipsoid(
    plane: Plane,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    *,
    turn: float = 0.0,
    mirrored: bool = True,
) -> Field:
    """Approximate signed distance to an ellipsoid.

    turn: degrees about z, counter-clockwise on the x–y plane. mirrored: both sides at once,
    `centre` then lies on the left (positive x).
    """
    if plane.misses(centre[2] - radii[2], centre[2] + radii[2]):
        return np.full_like(plane.x, FAR)
    dx = (plane.ax if mirrored else plane.x) - np.float32(centre[0])
    dy = plane.y - np.float32(centre[1])
    dz = (plane.z - np.float32(centre[2])) * np.float32(1.0 / radii[2])
    if turn:
        cos, sin = np.float32(np.cos(np.radians(turn))), np.float32(np.sin(np.radians(turn)))
        dx, dy = cos * dx + sin * dy, cos * dy - sin * dx
    dx = dx * np.float32(1.0 / radii[0])
    dy = dy * np.float32(1.0 / radii[1])
    squared = dx * dx + dy * dy + dz * dz
    rho = np.sqrt(squared + np.float32(1e-6))
    slope = np.sqrt(
        (dx / radii[0]) ** 2 + (dy / radii[1]) ** 2 + (dz / radii[2]) ** 2 + np.float32(1e-8)
    )
    distance: Field = (rho - 1) * rho / slope
    return distance


def tube(
    plane: Plane,
    points: tuple[tuple[float, float, float, float], ...],
    *,
    flat: tuple[float, float, float] = (1.0, 1.0, 1.0),
    mirrored: bool = True,
) -> Field:
    """Signed distance to a chain of balls with changing radius.

    points: (x, y, z, radius) of each joint. flat: scale of each axis' distance, so that 2.0
    makes the tube half as thick along that axis. mirrored: as in `ellipsoid`.
    """
    x = plane.ax if mirrored else plane.x
    best: Field | None = None
    sx, sy, sz = (np.float32(value) for value in flat)
    for (x0, y0, z0, r0), (x1, y1, z1, r1) in pairwise(points):
        reach = max(r0, r1) / flat[2]
        if plane.misses(min(z0, z1) - reach, max(z0, z1) + reach):
            continue
        ux, uy, uz = x1 - x0, y1 - y0, z1 - z0
        length = ux * ux + uy * uy + uz * uz
        px, py, pz = x - np.float32(x0), plane.y - np.float32(y0), plane.z - np.float32(z0)
        along = (px * np.float32(ux) + py * np.float32(uy) + pz * np.float32(uz)) * np.float32(
            1.0 / length
        )
        np.clip(along, 0.0, 1.0, out=along)
        px = (px - along * np.float32(ux)) * sx
        py = (py - along * np.float32(uy)) * sy
        pz = (pz - along * np.float32(uz)) * sz
        distance = np.sqrt(px * px + py * py + pz * pz) - (
            np.float32(r0) + along * np.float32(r1 - r0)
        )
        best = distance if best is None else np.minimum(best, distance, out=best)
    return np.full_like(plane.x, FAR) if best is None else best


def curve(values: Field, knots: tuple[tuple[float, float], ...]) -> Field:
    """Piecewise-linear function of a field, given as (argument, value) knots."""
    where, what = zip(*knots, strict=True)
    fine = np.arange(where[0], where[-1] + 0.25, 0.25)
    table = np.interp(fine, where, what).astype(np.float32)
    steps = (values - np.float32(where[0])) * np.float32(4)
    found: Field = table[np.clip(steps, 0, len(table) - 1).astype(np.int32)]
    return found


class Noise:
    """Smooth random numbers in space: mean 0, standard deviation about 1.

    A random lattice under cubic B-splines: any plane of it costs two small matrix products.
    It lives in the scanner's frame, in millimetres from the centre of the field of view.
    """

    def __init__(
        self, rng: np.random.Generator, *, grain: float, extent: float, size: int, depth: float
    ) -> None:
        """grain: mm between lattice points; extent: mm of the field of view; size: pixels."""
        self._grain = grain
        across = int(np.ceil(extent / grain)) + 4
        deep = int(np.ceil(depth / grain)) + 4
        self._lattice = rng.standard_normal((deep, across, across)).astype(np.float32)
        positions = np.arange(size) * (extent / size / grain) + 1.5
        self._weights = np.zeros((size, across), np.float32)
        for row, position in enumerate(positions):
            first, weights = _spline(position)
            self._weights[row, first : first + 4] = weights
        self._depth = depth

    def plane(self, z: float) -> Field:
        """The noise on the plane at `z` millimetres from the middle of the set."""
        first, weights = _spline(
            float(np.clip((z + self._depth / 2) / self._grain, 0, self._lattice.shape[0] - 4)) + 1.0
        )
        coarse = np.tensordot(weights, self._lattice[first : first + 4], axes=1)
        fine: Field = self._weights @ coarse @ self._weights.T
        # A cubic B-spline keeps 0.479 of a lattice's variance along each axis.
        return fine * np.float32(0.479**-1.5)


def _spline(position: float) -> tuple[int, NDArray[np.float32]]:
    """First lattice point and the four cubic B-spline weights at a position ≥ 1."""
    base = int(np.floor(position))
    t = position - base
    weights = np.array(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    )
    return base - 1, (weights / 6).astype(np.float32)
