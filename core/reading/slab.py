"""Slabs: several planes shown as one, by their highest, lowest or mean value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from core.imaging.geometry import Geometry, Plane
from core.imaging.volume import Volume

THICKEST_MM = 200.0


class Projection(Enum):
    """What is shown of the planes of a slab."""

    MAXIMUM = "MIP"
    MINIMUM = "MinIP"
    MEAN = "mean"


@dataclass(frozen=True)
class Slab:
    """A slab around each plane.

    thickness: millimetres; pixels where the source states no spacing.
    """

    projection: Projection
    thickness: float = 10.0

    def changed(self, factor: float) -> Slab:
        """The same slab, thicker or thinner, between 1 and 200 mm."""
        return Slab(self.projection, float(np.clip(self.thickness * factor, 1.0, THICKEST_MM)))


def distance(geometry: Geometry, plane: Plane) -> float:
    """Millimetres between neighbouring planes, at right angles to them."""
    sides = [axis for axis in range(3) if axis != plane.value]
    normal = np.cross(geometry.affine[:3, sides[0]], geometry.affine[:3, sides[1]])
    step = geometry.affine[:3, plane.value]
    return float(abs(step @ normal) / np.linalg.norm(normal))


def span(geometry: Geometry, plane: Plane, index: int, slab: Slab) -> range:
    """Indices of the planes of a slab around a plane: as many on each side, the plane included.

    At the ends of the volume the slab is cut off there.
    """
    around = round(slab.thickness / 2 / max(distance(geometry, plane), 1e-9))
    return range(max(0, index - around), min(geometry.shape[plane.value], index + around + 1))


def project(volume: Volume, plane: Plane, index: int, slab: Slab) -> NDArray[np.generic]:
    """Modality values of a slab: (rows, columns) of its plane, float32; RGB uint8 stays RGB.

    In a tilted series the slab follows the slices, which is along their step rather than along
    their normal.
    """
    return project_planes(volume, plane, span(volume.geometry, plane, index, slab), slab.projection)


def project_planes(
    volume: Volume, plane: Plane, indices: range, projection: Projection
) -> NDArray[np.generic]:
    """The highest, lowest or mean modality values of neighbouring planes."""
    if projection is Projection.MEAN or not volume.has_one_scale() or volume.is_colour:
        return _one_by_one(volume, plane, indices, projection)
    cut: list[slice] = [slice(None)] * 3
    cut[plane.value] = slice(indices.start, indices.stop)
    planes = volume.voxels[tuple(cut)]
    slope, intercept = np.float32(volume.slope[0]), np.float32(volume.intercept[0])
    highest = (projection is Projection.MAXIMUM) == (slope >= 0)
    stored = planes.max(axis=plane.value) if highest else planes.min(axis=plane.value)
    found: NDArray[np.generic] = stored.astype(np.float32) * slope + intercept
    return found


def _one_by_one(
    volume: Volume, plane: Plane, indices: range, projection: Projection
) -> NDArray[np.generic]:
    """For slopes that differ from slice to slice, for means and for colour."""
    found = volume.values(plane, indices.start).astype(np.float32)
    for index in indices[1:]:
        values = volume.values(plane, index)
        if projection is Projection.MAXIMUM:
            np.maximum(found, values, out=found)
        elif projection is Projection.MINIMUM:
            np.minimum(found, values, out=found)
        else:
            found += values
    if projection is Projection.MEAN:
        found /= len(indices)
    return np.rint(found).astype(np.uint8) if volume.is_colour else found
