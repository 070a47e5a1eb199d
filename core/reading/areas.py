"""Drawn regions as pixels: from shapes to masks and back, and filled between slices.

Masks are (rows, columns) bool of a whole slice. A pixel belongs to a shape if its centre does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.labels.schema import Attention, Region, RegionShape

Mask = NDArray[np.bool_]
Corner = tuple[float, float]
"""(row, column) in the coordinates of `Region.box`: pixel (r, c) covers [r, r + 1) × [c, c + 1)."""


def to_runs(mask: Mask) -> tuple[int, ...]:
    """Lengths of runs of a mask in column order, zeros first, as `Region.runs` holds them."""
    flat = np.asarray(mask, bool).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [len(flat)]]))
    lengths = tuple(int(run) for run in runs)
    return (0, *lengths) if len(flat) and flat[0] else lengths


def from_runs(runs: Sequence[int], shape: tuple[int, int]) -> Mask:
    """The mask of runs. Raises ValueError if they do not cover (rows, columns)."""
    if sum(runs) != shape[0] * shape[1]:
        raise ValueError("the run lengths of a region do not cover its slice")
    values = np.arange(len(runs)) % 2 == 1
    found: Mask = np.repeat(values, np.asarray(runs, np.int64)).reshape(shape, order="F")
    return found


def mask_of(region: Region, shape: tuple[int, int]) -> Mask:
    """The pixels of a region on a slice of (rows, columns)."""
    if region.runs and sum(region.runs) == shape[0] * shape[1]:
        return from_runs(region.runs, shape)
    if region.shape is RegionShape.POLYGON:
        return polygon_mask(region.outline, shape)
    top, left, height, width = region.box
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    v = (rows - (top + height / 2)) / (height / 2)
    u = (columns - (left + width / 2)) / (width / 2)
    if region.shape is RegionShape.ELLIPSE:
        found: Mask = u * u + v * v <= 1
        return found
    box: Mask = (np.abs(u) <= 1) & (np.abs(v) <= 1)
    return box


def polygon_mask(corners: Sequence[Corner], shape: tuple[int, int]) -> Mask:
    """The inside of a closed polygon, by the even-odd rule."""
    points = np.asarray(corners, float).reshape(-1, 2)
    found = np.zeros(shape, bool)
    columns = np.arange(shape[1]) + 0.5
    for row in range(shape[0]):
        y = row + 0.5
        crossings = []
        for (y0, x0), (y1, x1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            if (y0 <= y) != (y1 <= y):
                crossings.append(x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        if crossings:
            found[row] = np.searchsorted(np.sort(crossings), columns) % 2 == 1
    return found


def disc(mask: Mask, row: float, column: float, radius: tuple[float, float]) -> None:
    """Set the pixels of a mask under a brush, in place; radius: in (rows, columns).

    The pixel under the brush's middle is always set, however small the brush is.
    """
    top, bottom = int(np.floor(row - radius[0])), int(np.ceil(row + radius[0])) + 1
    left, right = int(np.floor(column - radius[1])), int(np.ceil(column + radius[1])) + 1
    rows = np.arange(max(top, 0), min(bottom, mask.shape[0]))
    columns = np.arange(max(left, 0), min(right, mask.shape[1]))
    v = (rows[:, None] + 0.5 - row) / max(radius[0], 1e-6)
    u = (columns[None, :] + 0.5 - column) / max(radius[1], 1e-6)
    mask[np.ix_(rows, columns)] |= u * u + v * v <= 1
    if 0 <= int(row) < mask.shape[0] and 0 <= int(column) < mask.shape[1]:
        mask[int(row), int(column)] = True


def stroke(mask: Mask, start: Corner, end: Corner, radius: tuple[float, float]) -> None:
    """Draw a brush along a line, in place, without gaps."""
    far = max(abs(end[0] - start[0]) / radius[0], abs(end[1] - start[1]) / radius[1])
    for part in np.linspace(0, 1, max(2, int(np.ceil(far * 2)) + 1)):
        row = start[0] + (end[0] - start[0]) * part
        column = start[1] + (end[1] - start[1]) * part
        disc(mask, float(row), float(column), radius)


def region_of_mask(mask: Mask, attention: Attention, class_id: str = "") -> Region | None:
    """A region that holds exactly these pixels; None for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    box = (
        float(rows[0]), float(columns[0]),
        float(rows[-1] - rows[0] + 1), float(columns[-1] - columns[0] + 1),
    )  # fmt: skip
    return Region(box, attention, class_id, RegionShape.BRUSH, runs=to_runs(mask))


def box_of(corners: Sequence[Corner]) -> tuple[float, float, float, float]:
    """(top, left, height, width) around corners; never without height or width."""
    points = np.asarray(corners, float)
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.maximum(high - low, 1e-3)
    return float(low[0]), float(low[1]), float(size[0]), float(size[1])


def drawn(
    shape: RegionShape,
    corners: Sequence[Corner],
    attention: Attention,
    size: tuple[int, int],
    class_id: str = "",
) -> Region | None:
    """A region from the corners that were drawn: two for a box or ellipse, more for a polygon.

    Cut to the slice of (rows, columns); None if no pixel of it lies inside.
    """
    limit = np.asarray(size, float)
    cut = [tuple(np.clip(np.asarray(corner, float), 0, limit)) for corner in corners]
    points = [(float(row), float(column)) for row, column in cut]
    region = Region(
        box_of(points), attention, class_id, shape,
        outline=tuple(points) if shape is RegionShape.POLYGON else (),
    )  # fmt: skip
    mask = mask_of(region, size)
    if not mask.any():
        return None
    runs = () if shape is RegionShape.BOX else to_runs(mask)
    return Region(region.box, attention, class_id, shape, region.outline, runs)


@dataclass(frozen=True)
class Edit:
    """One change of a slice's regions, as a reader's hand made it.

    added: what was drawn; taken: what was taken away. erases: `added` is a stroke of the brush
    that takes its pixels from what was brushed before.
    """

    added: Region | None = None
    taken: Region | None = None
    erases: bool = False

    def apply(self, now: Sequence[Region], size: tuple[int, int]) -> tuple[Region, ...]:
        """All regions of a slice of (rows, columns) after the change.

        Strokes of the brush become one region with what was brushed before in the same sense.
        It is applied to what stands when it is written, so that no quick hand outruns the disk.
        """
        kept = [region for region in now if region != self.taken]
        stroke = self.added
        if stroke is None:
            return tuple(kept)
        if stroke.shape is not RegionShape.BRUSH:
            return (*kept, stroke)
        mask = np.zeros(size, bool)
        for region in list(kept):
            if region.shape is RegionShape.BRUSH and region.attention is stroke.attention:
                mask |= mask_of(region, size)
                kept.remove(region)
        drawn_mask = mask_of(stroke, size)
        mask = mask & ~drawn_mask if self.erases else mask | drawn_mask
        made = region_of_mask(mask, stroke.attention, stroke.class_id)
        return (*kept, made) if made is not None else tuple(kept)


def fill_between(masks: Mapping[int, Mask]) -> dict[int, Mask]:
    """Masks for the slices between drawn ones, by blending their signed distances.

    masks: slice index → drawn mask. Returns only slices that were not drawn. The shapes are laid
    over each other by their centres before they are blended and put back between them after, so
    that a structure that wanders from slice to slice is followed rather than cut. Source: Raya
    and Udupa, IEEE TMI 1990 (shape-based interpolation).
    """
    indices = sorted(index for index, mask in masks.items() if mask.any())
    found: dict[int, Mask] = {}
    for low, high in itertools.pairwise(indices):
        if high - low < 2:
            continue
        for index, mask in zip(
            range(low + 1, high), _between(masks[low], masks[high], high - low), strict=True
        ):
            if mask.any():
                found[index] = mask
    return found


def _between(first: Mask, second: Mask, steps: int) -> Iterator[Mask]:
    """The masks after 1, 2 … steps − 1 of the way from one to another."""
    from scipy.ndimage import shift

    either = first | second
    rows, columns = np.flatnonzero(either.any(axis=1)), np.flatnonzero(either.any(axis=0))
    part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    one, two = _signed_distance(first[part]), _signed_distance(second[part])
    start, end = _centre(first[part]), _centre(second[part])
    for step in range(1, steps):
        weight = step / steps
        middle = start + (end - start) * weight
        here = shift(one, middle - start, order=1, mode="nearest")
        there = shift(two, middle - end, order=1, mode="nearest")
        whole = np.zeros(first.shape, bool)
        whole[part] = (1 - weight) * here + weight * there > 0
        yield whole


def _centre(mask: Mask) -> NDArray[np.float64]:
    centre: NDArray[np.float64] = np.argwhere(mask).mean(axis=0)
    return centre


def _signed_distance(mask: Mask) -> NDArray[np.float64]:
    """Pixels to the edge, positive inside; beyond the array there is nothing of the shape."""
    from scipy.ndimage import distance_transform_edt

    padded = np.pad(mask, 1)
    within = distance_transform_edt(padded)[1:-1, 1:-1]
    without = distance_transform_edt(~mask)
    # Half a pixel each way, so that the edge lies between the pixels.
    signed: NDArray[np.float64] = np.where(mask, within - 0.5, 0.5 - without)
    return signed
