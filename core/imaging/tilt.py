"""Tilt correction: a sheared series resampled to a rectangular grid, as an explicit step.

Nothing here happens by itself. The result says in its description and in a warning that its
voxels are interpolated, and it has a case identifier of its own, so that labels given on the
acquired slices and on the corrected ones never mix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.errors import CancelledError
from core.imaging.geometry import Geometry
from core.imaging.loading import allocate, outward, single_slice
from core.imaging.volume import (
    Cancelled,
    ImageWarning,
    Looks,
    Progress,
    Series,
    SeriesSummary,
    Volume,
)

Array = NDArray[np.generic]
_SHEAR_CODES = ("gantry-tilt", "sheared-grid")


@dataclass(frozen=True)
class _Grid:
    """The rectangular grid of a sheared one: where slice 0 begins in it, and each next one."""

    geometry: Geometry
    down: float
    across: float
    top: float
    left: float

    @classmethod
    def of(cls, geometry: Geometry) -> _Grid:
        down, across = _shift_per_slice(geometry)
        count, rows, columns = geometry.shape
        top, more_rows = _room(down, count)
        left, more_columns = _room(across, count)
        affine = geometry.affine.copy()
        affine[:3, 0] = geometry.normal * float(geometry.affine[:3, 0] @ geometry.normal)
        affine[:3, 3] -= affine[:3, 1] * top + affine[:3, 2] * left
        shape = (count, rows + more_rows, columns + more_columns)
        straight = Geometry(shape, affine, geometry.has_spacing, geometry.has_orientation)
        return cls(straight, down, across, top, left)

    def place(self, index: int, source: Array, target: Array) -> None:
        """Write slice `index` where it belongs into a slice of this grid, already filled."""
        _place(source, target, self.top + self.down * index, self.left + self.across * index)


def _described(summary: SeriesSummary, grid: _Grid) -> SeriesSummary:
    kept = tuple(w for w in summary.warnings if w.code not in _SHEAR_CODES)
    said = ImageWarning(
        "tilt-corrected",
        f"Corrected for a tilt of {summary.geometry.tilt_degrees:.1f}°: voxels are interpolated, "
        "not as acquired.",
    )
    return replace(
        summary,
        case_id=f"{summary.case_id}-straight",
        description=f"{summary.description} (tilt corrected)".strip(),
        geometry=grid.geometry,
        slice_ids=tuple(f"{one}~straight" for one in summary.slice_ids),
        warnings=(said, *kept),
    )


def corrected(
    volume: Volume, *, progress: Progress | None = None, cancelled: Cancelled | None = None
) -> Volume:
    """Shift each slice within its own plane so that the grid becomes rectangular.

    Slices keep their planes and their pixels' size; rows and columns are added so that nothing
    is cut off, and filled with the smallest value. Between pixels it is interpolated linearly;
    nothing is interpolated between slices. The stored type and the Modality LUT stay.

    Returns the volume itself if it is not sheared. Raises TooLargeError, CancelledError.
    """
    geometry = volume.geometry
    if not geometry.is_sheared:
        return volume
    grid = _Grid.of(geometry)
    shape = (*grid.geometry.shape, *volume.voxels.shape[3:])
    voxels = allocate(volume.summary.path, shape, volume.voxels.dtype)
    voxels[...] = volume.voxels.min()
    for index in range(volume.slices):
        if cancelled is not None and cancelled():
            raise CancelledError("tilt correction")
        grid.place(index, volume.voxels[index], voxels[index])
        if progress is not None:
            progress(index + 1, volume.slices)
    return Volume(
        _described(volume.summary, grid), voxels, volume.slope, volume.intercept, volume.padding
    )


class StraightSeries:
    """A sheared series seen through its tilt correction: a series like any other.

    It has an identifier, a description and a warning of its own; see `corrected`.
    """

    def __init__(self, series: Series) -> None:
        self._series = series
        self._grid = _Grid.of(series.summary.geometry)
        self._summary = _described(series.summary, self._grid)

    @property
    def summary(self) -> SeriesSummary:
        """What the headers say, on the rectangular grid."""
        return self._summary

    def load(
        self,
        *,
        first: int | None = None,
        on_slice: Callable[[Volume, int], None] | None = None,
        cancelled: Cancelled | None = None,
        looks: Looks | None = None,  # they all come at once
    ) -> Volume:
        """Read and correct all slices; they come once all are read. See Series."""
        volume = corrected(self._series.load(first=first, cancelled=cancelled), cancelled=cancelled)
        if on_slice is not None:
            for index in outward(volume.slices, first):
                on_slice(volume, index)
        return volume

    def read_slice(self, index: int) -> Volume:
        """Read and correct one slice alone, as a volume of one slice."""
        one = self._series.read_slice(index)
        shape = (*self._grid.geometry.shape[1:], *one.voxels.shape[3:])
        voxels = allocate(self._summary.path, shape, one.voxels.dtype)
        voxels[...] = one.voxels.min()
        self._grid.place(index, one.voxels[0], voxels)
        slope, intercept = float(one.slope[0]), float(one.intercept[0])
        return single_slice(self._summary, index, voxels, slope, intercept, one.padding)


def straightened(series: Series) -> Series:
    """The series through its tilt correction; the series itself if it is not sheared."""
    summary = series.summary
    if not summary.is_volume or not summary.geometry.is_sheared:
        return series
    return StraightSeries(series)


def _shift_per_slice(geometry: Geometry) -> tuple[float, float]:
    """Pixels (down, across) by which each slice lies further than the one before."""
    step = geometry.affine[:3, 0]
    sideways = step - geometry.normal * float(step @ geometry.normal)
    plane = geometry.affine[:3, 1:3]
    shift, *_ = np.linalg.lstsq(plane, sideways, rcond=None)
    return float(shift[0]), float(shift[1])


def _room(shift: float, count: int) -> tuple[float, int]:
    """Pixels before the first slice's own, and how many more are needed in all."""
    far = shift * (count - 1)
    more = int(np.ceil(abs(far) - 1e-6))
    return (0.0 if far >= 0 else float(-far)), more


def _place(source: Array, target: Array, down: float, across: float) -> None:
    """Write a slice into a larger one, its first pixel at a fractional place."""
    row, column = int(np.floor(down + 1e-9)), int(np.floor(across + 1e-9))
    wide = source.astype(np.float32)
    fill = np.float32(target.flat[0])
    for axis, part in ((0, down - row), (1, across - column)):
        if part > 1e-6:
            wide = _between(wide, axis, np.float32(part), fill)
    moved = np.rint(wide) if target.dtype.kind in "iu" else wide
    rows = min(moved.shape[0], target.shape[0] - row)
    columns = min(moved.shape[1], target.shape[1] - column)
    target[row : row + rows, column : column + columns] = moved[:rows, :columns].astype(
        target.dtype
    )


def _between(
    array: NDArray[np.float32], axis: int, part: np.float32, fill: np.float32
) -> NDArray[np.float32]:
    """An image moved on by a part of a pixel along an axis; one pixel longer there."""
    edges = [(0, 0)] * array.ndim
    edges[axis] = (1, 1)
    padded = np.pad(array, edges, constant_values=fill)
    length = array.shape[axis]
    here = np.take(padded, np.arange(1, length + 2), axis)
    before = np.take(padded, np.arange(0, length + 1), axis)
    moved: NDArray[np.float32] = here + (before - here) * part
    return moved
