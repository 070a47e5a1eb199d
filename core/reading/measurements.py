"""Measurements: where they lie in the patient, what they are, how they read. Pure geometry.

Points are patient positions in LPS millimetres; where the source states no pixel spacing they
count pixels, and nothing is said in millimetres. A measurement belongs to one plane of one
series and is shown on that plane alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from core.imaging.geometry import Geometry, Plane
from core.imaging.volume import Volume

Point = tuple[float, float, float]
Matrix = NDArray[np.float64]


class Kind(Enum):
    """What is measured, and by how many points it is given."""

    LENGTH = "length"
    ANGLE = "angle"
    RECTANGLE = "rectangle"
    ELLIPSE = "ellipse"

    @property
    def points(self) -> int:
        """How many points define it; the middle one of an angle is its vertex."""
        return 3 if self is Kind.ANGLE else 2

    @property
    def is_area(self) -> bool:
        """Whether it has an inside."""
        return self in (Kind.RECTANGLE, Kind.ELLIPSE)


@dataclass(frozen=True)
class Measurement:
    """One measurement on one plane of a series.

    points: in LPS millimetres, on the plane. Of an area they are two opposite corners of the
        box around it, whose sides run along the plane's columns and at right angles to them.
    number: tells measurements of a series apart; given by the book that holds it.
    """

    kind: Kind
    plane: Plane
    index: int
    points: tuple[Point, ...]
    number: int = 0

    def moved(self, by: Point) -> Measurement:
        """The same measurement, shifted by millimetres."""
        shifted = [tuple(float(a + b) for a, b in zip(p, by, strict=True)) for p in self.points]
        return replace(self, points=tuple(shifted))  # type: ignore[arg-type]

    def with_point(self, place: int, point: Point) -> Measurement:
        """The same measurement with one point elsewhere."""
        points = list(self.points)
        points[place] = point
        return replace(self, points=tuple(points))


@dataclass(frozen=True)
class Statistics:
    """Modality values of the pixels whose centres lie inside an area.

    deviation: sample standard deviation (n − 1); 0 for a single pixel. area: of the drawn shape,
    mm² or pixels².
    """

    count: int
    mean: float
    deviation: float
    minimum: float
    maximum: float
    area: float


# ----------------------------------------------------------------- planes


def axes(geometry: Geometry, plane: Plane) -> tuple[Matrix, Matrix]:
    """Two unit vectors in a plane: along its columns, and at right angles to it downwards."""
    down_axis, across_axis = [axis for axis in range(3) if axis != plane.value]
    across = geometry.affine[:3, across_axis]
    across = across / np.linalg.norm(across)
    down = geometry.affine[:3, down_axis]
    down = down - (down @ across) * across
    return across, down / np.linalg.norm(down)


def to_patient(geometry: Geometry, plane: Plane, index: int, x: float, y: float) -> Point:
    """The patient position of pixel coordinates (x, y) of a plane.

    Pixel (row r, column c) covers [c, c + 1) × [r, r + 1): its centre is (c + 0.5, r + 0.5).
    """
    down, across = [axis for axis in range(3) if axis != plane.value]
    at = np.zeros(3)
    at[plane.value], at[down], at[across] = index, y - 0.5, x - 0.5
    found = geometry.to_patient(at)
    return float(found[0]), float(found[1]), float(found[2])


def to_pixel(geometry: Geometry, plane: Plane, point: Point) -> tuple[float, float]:
    """Pixel coordinates (x, y) of a patient position on a plane; the inverse of `to_patient`."""
    down, across = [axis for axis in range(3) if axis != plane.value]
    at = geometry.to_index(np.asarray(point))
    return float(at[across]) + 0.5, float(at[down]) + 0.5


# ----------------------------------------------------------------- what they say


def length(first: Point, second: Point) -> float:
    """Distance of two points, in their unit."""
    return float(np.linalg.norm(np.subtract(second, first)))


def angle(first: Point, vertex: Point, second: Point) -> float:
    """Degrees between two legs, 0–180; 0 where a leg has no length."""
    one, two = np.subtract(first, vertex), np.subtract(second, vertex)
    across = float(np.linalg.norm(np.cross(one, two)))
    return float(np.degrees(np.arctan2(across, float(one @ two))))


def sides(geometry: Geometry, item: Measurement) -> tuple[float, float]:
    """Width and height of the box around an area."""
    across, down = axes(geometry, item.plane)
    diagonal = np.subtract(item.points[1], item.points[0])
    return float(abs(diagonal @ across)), float(abs(diagonal @ down))


def area(geometry: Geometry, item: Measurement) -> float:
    """Area of a rectangle or an ellipse, in square units; 0 for what has none."""
    if not item.kind.is_area:
        return 0.0
    width, height = sides(geometry, item)
    return width * height * (1.0 if item.kind is Kind.RECTANGLE else float(np.pi) / 4)


def outline(geometry: Geometry, item: Measurement, corners: int = 64) -> tuple[Point, ...]:
    """Points along a measurement as it is drawn: its points, or the closed edge of an area."""
    if not item.kind.is_area:
        return item.points
    across, down = axes(geometry, item.plane)
    first = np.asarray(item.points[0])
    diagonal = np.subtract(item.points[1], item.points[0])
    half_x, half_y = diagonal @ across / 2, diagonal @ down / 2
    middle = first + half_x * across + half_y * down
    if item.kind is Kind.RECTANGLE:
        steps = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    else:
        turns = np.linspace(0, 2 * np.pi, corners + 1)
        steps = list(zip(np.cos(turns), np.sin(turns), strict=True))
    found = [middle + x * half_x * across + y * half_y * down for x, y in steps]
    return tuple((float(p[0]), float(p[1]), float(p[2])) for p in found)


def inside(geometry: Geometry, item: Measurement) -> tuple[slice, slice, NDArray[np.bool_]]:
    """Which pixels of its plane an area holds: those whose centres are inside.

    Returns the rows and columns of a part of the plane, and (rows, columns) for that part.
    """
    down_axis, across_axis = [axis for axis in range(3) if axis != item.plane.value]
    rows, columns = geometry.shape[down_axis], geometry.shape[across_axis]
    edge = np.array([to_pixel(geometry, item.plane, point) for point in outline(geometry, item)])
    left, top = np.floor(edge.min(axis=0)).astype(int)
    right, bottom = np.ceil(edge.max(axis=0)).astype(int)
    down = slice(int(np.clip(top, 0, rows)), int(np.clip(bottom, 0, rows)))
    across = slice(int(np.clip(left, 0, columns)), int(np.clip(right, 0, columns)))
    y, x = np.mgrid[down, across]
    at = np.zeros((*y.shape, 3))
    at[..., item.plane.value], at[..., down_axis], at[..., across_axis] = item.index, y, x
    first, second = np.asarray(item.points[0]), np.asarray(item.points[1])
    offset = geometry.to_patient(at) - (first + second) / 2
    along, upright = axes(geometry, item.plane)
    width, height = sides(geometry, item)
    u = np.abs(offset @ along) / max(width / 2, 1e-12)
    v = np.abs(offset @ upright) / max(height / 2, 1e-12)
    if item.kind is Kind.RECTANGLE:
        return down, across, (u <= 1) & (v <= 1)
    return down, across, u * u + v * v <= 1


def statistics(volume: Volume, item: Measurement) -> Statistics | None:
    """Statistics of an area; None for other kinds, colour pictures and areas without a pixel."""
    if not item.kind.is_area or volume.is_colour:
        return None
    down, across, mask = inside(volume.geometry, item)
    values = volume.values(item.plane, item.index)[down, across][mask].astype(np.float64)
    if values.size == 0:
        return None
    return Statistics(
        int(values.size),
        float(values.mean()),
        float(values.std(ddof=1)) if values.size > 1 else 0.0,
        float(values.min()),
        float(values.max()),
        area(volume.geometry, item),
    )
