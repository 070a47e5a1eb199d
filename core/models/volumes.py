"""From a volume to the cube that a 3D network reads, and from its heat map back to slices.

The cube's axes are those of the patient, whatever axes the file had: slices from feet to head,
rows from front to back, columns from right to left (LPS). Where the orientation is not known,
the file's own axes are taken. scipy is imported where a volume is prepared: slices are answered
without it, and it takes a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from core.imaging.geometry import Geometry, Plane
from core.imaging.intensity import Quantity, apply_window, automatic_window
from core.imaging.volume import Volume
from core.models.answers import HeatMap
from core.models.card import Preprocessing
from core.models.preprocessing import slice_grey

if TYPE_CHECKING:
    from scipy import sparse

Cube = NDArray[np.uint8]
Span = tuple[float, float]
"""(start, length) along an axis, in voxels; may reach over the volume's ends."""

_AIR = 20
"""Grey level up to which a voxel is background, as in `core.models.preprocessing`."""
_MARGIN = 1.05
_HALF = 127
"""Grey level above which a voxel belongs to a shape."""
_LEVELS = 12
_LOOKED_AT = 2_000_000
"""Voxels that an automatic window is told from."""
_LOOK = 96
"""Voxels of the longest side at which the foreground is looked for."""


@dataclass(frozen=True)
class Axes:
    """How a file's axes become the patient's: `order` of the axes, then which are turned round."""

    order: tuple[int, int, int] = (0, 1, 2)
    turned: tuple[bool, bool, bool] = (False, False, False)

    def to_patient(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """(slices, rows, columns) of the file → of the patient; a view."""
        found = array.transpose(self.order)
        return found[tuple(slice(None, None, -1 if t else 1) for t in self.turned)]

    def to_file(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """The way back."""
        found = array[tuple(slice(None, None, -1 if t else 1) for t in self.turned)]
        return found.transpose(np.argsort(self.order))


@dataclass(frozen=True, eq=False)
class PreparedVolume:
    """pixels: uint8 (1, size, size, size) along the patient's axes.

    spans: what part of each *file* axis the cube shows. axes: how the two belong together.
    """

    pixels: Cube
    spans: tuple[Span, Span, Span]
    axes: Axes


def axes_of(geometry: Geometry) -> Axes:
    """The file axis nearest to each axis of the patient, each taken once."""
    if not geometry.has_orientation:
        return Axes()
    steps = geometry.affine[:3, :3] / np.linalg.norm(geometry.affine[:3, :3], axis=0)
    order: list[int] = []
    for patient in (2, 1, 0):  # z for slices, y for rows, x for columns
        free = [axis for axis in range(3) if axis not in order]
        order.append(max(free, key=lambda axis: abs(steps[patient, axis])))
    turned = [
        bool(steps[patient, axis] < 0) for patient, axis in zip((2, 1, 0), order, strict=True)
    ]
    return Axes(
        cast(tuple[int, int, int], tuple(order)), cast(tuple[bool, bool, bool], tuple(turned))
    )


def prepare_volume(volume: Volume, spec: Preprocessing) -> PreparedVolume:
    """Window, crop and resample a volume to a cube of `spec.size`; antialiased, 8 bit."""
    grey = _greys(volume, spec)
    if spec.depth:
        grey = _depth(grey, volume.geometry)
    spans = _spans(grey, volume.geometry, spec)
    cube = _resample(grey, spans, spec.size)
    axes = axes_of(volume.geometry)
    turned = np.ascontiguousarray(axes.to_patient(cube))
    return PreparedVolume(cast(Cube, turned)[None], spans, axes)


def _greys(volume: Volume, spec: Preprocessing) -> Cube:
    """Grey levels of all slices; of signal without units by one window for the whole volume."""
    if volume.summary.quantity is not Quantity.SIGNAL:
        return np.stack([_one_channel(slice_grey(volume, k, spec)) for k in range(volume.slices)])
    planes = [volume.values(Plane.SLICE, k) for k in range(volume.slices)]
    step = max(1, round((volume.voxels.size / _LOOKED_AT) ** (1 / 3)))
    some = [plane[::step, ::step].ravel() for plane in planes[::step]]
    window = automatic_window(np.concatenate(some))
    return np.stack([np.rint(apply_window(p, window) * 255).astype(np.uint8) for p in planes])


def _depth(mask: Cube, geometry: Geometry) -> Cube:
    """How deep each voxel of a shape lies, `_LEVELS` grey levels a voxel of the finest axis."""
    from scipy import ndimage

    spacing = np.asarray(geometry.spacing if geometry.has_spacing else (1.0, 1.0, 1.0))
    deep = ndimage.distance_transform_edt(mask > _HALF, sampling=spacing / spacing.min())
    return cast(Cube, np.minimum(np.rint(deep * _LEVELS), 255).astype(np.uint8))


def _one_channel(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return grey if grey.ndim == 2 else cast(NDArray[np.uint8], grey.max(axis=2))


def _spans(grey: Cube, geometry: Geometry, spec: Preprocessing) -> tuple[Span, Span, Span]:
    whole = cast(tuple[Span, Span, Span], tuple((0.0, float(n)) for n in grey.shape))
    if spec.crop == "whole":
        return whole
    from scipy import ndimage

    steps = [max(1, round(n / _LOOK)) for n in grey.shape]
    small = grey[tuple(slice(None, None, step) for step in steps)]
    parts, count = ndimage.label(small > _AIR)
    if count == 0:
        return whole
    largest = 1 + int(np.argmax(ndimage.sum_labels(parts > 0, parts, range(1, count + 1))))
    found = ndimage.find_objects(parts)[largest - 1]
    spacing = geometry.spacing if geometry.has_spacing else (1.0, 1.0, 1.0)
    edges = [(part.start * step, part.stop * step) for part, step in zip(found, steps, strict=True)]
    # A cube in space, so that a head is as tall for its width as it was.
    side = _MARGIN * max((b - a) * mm for (a, b), mm in zip(edges, spacing, strict=True))
    return cast(
        tuple[Span, Span, Span],
        tuple(
            ((a + b) / 2 - side / mm / 2, side / mm)
            for (a, b), mm in zip(edges, spacing, strict=True)
        ),
    )


def _resample(grey: Cube, spans: tuple[Span, Span, Span], size: int) -> Cube:
    """Each axis in turn, with a triangle that is as wide as a cell, or as a voxel if wider."""
    along, down, across = (
        _weights(n, span, size) for n, span in zip(grey.shape, spans, strict=True)
    )
    flat = np.stack([(across @ (down @ plane.astype(np.float32)).T).T.ravel() for plane in grey])
    cube = (along @ flat).reshape(size, size, size)
    return cast(Cube, np.clip(np.rint(cube), 0, 255).astype(np.uint8))


def _weights(voxels: int, span: Span, size: int) -> sparse.csr_matrix:
    """(size, voxels): how much of each voxel is in each cell. Outside is black."""
    from scipy import sparse

    start, length = span
    step = length / size
    reach = max(step, 1.0)
    centres = start + (np.arange(size) + 0.5) * step
    places = np.arange(voxels) + 0.5
    weights = np.maximum(0, 1 - np.abs(centres[:, None] - places[None]) / reach)
    # The sum over an endless row of voxels, so that what lies outside counts as black.
    around = np.arange(-np.ceil(reach), np.ceil(reach) + 1)
    phase = centres - np.floor(centres) - 0.5
    total = np.maximum(0, 1 - np.abs(phase[:, None] - around[None]) / reach).sum(axis=1)
    inside = (centres >= 0) & (centres <= voxels)
    weights *= inside[:, None]
    near_edge = inside & (weights.sum(axis=1) > 0)
    # A cell whose centre is in the volume is not darkened by the edge.
    total[near_edge] = weights.sum(axis=1)[near_edge]
    return sparse.csr_matrix((weights / total[:, None]).astype(np.float32))


def slice_maps(
    values: NDArray[np.float32], prepared: PreparedVolume, class_id: str, slices: int
) -> list[HeatMap | None]:
    """A 3D heat map as one map a slice of the file; None for slices that the cube did not show.

    values: (size/k,) * 3 along the patient's axes. Between the centres of its cells a map is
    linear, as the slices' own maps are, so that all three planes show the same.
    """
    own = prepared.axes.to_file(values)
    (first, depth), (top, height), (left, width) = prepared.spans
    found: list[HeatMap | None] = []
    for index in range(slices):
        if not first <= index + 0.5 < first + depth:
            found.append(None)
            continue
        place = np.clip((index + 0.5 - first) / depth * len(own) - 0.5, 0, len(own) - 1)
        low = int(place)
        high, part = min(low + 1, len(own) - 1), np.float32(place - low)
        plane = own[low] * (1 - part) + own[high] * part
        box = (top, left, height, width)
        found.append(HeatMap(np.ascontiguousarray(plane), box, class_id))
    return found
