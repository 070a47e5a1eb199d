"""From slices to the network's input: the one function for training, inference and test.

The result is 8-bit, so that it can be cached as it is and is the same on every road: a DICOM
slice in HU passes the card's window; a picture that somebody windowed already enters as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from core.imaging.geometry import Plane
from core.imaging.intensity import Quantity, Window, WindowFunction, apply_window, automatic_window
from core.imaging.volume import Volume
from core.models.card import Preprocessing

Grey = NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""(top, left, height, width) in pixels of the slice; may reach over its edges."""

_LOOK = 192
"""Pixels of the longer side at which the foreground is looked for."""
_AIR = 20
"""Grey level (of 255) up to which a pixel is background: −31 HU under the 40/120 window."""
_MARGIN = 1.1
_SMALLEST = 0.35
"""Least side of a crop, as a part of the picture: near the vertex a head is small."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """pixels: uint8 (channels, size, size); box: the area of the slice that they show."""

    pixels: Grey
    box: Box


def prepare(
    planes: Sequence[NDArray[np.generic]], quantity: Quantity, spec: Preprocessing
) -> Prepared:
    """Prepare one slice with its neighbours.

    planes: 2 × spec.reach + 1 planes of modality values, (rows, cols) or (rows, cols, 3) each,
        the slice itself in the middle; HU for CT, 0–255 for pictures.
    quantity: what the values are.
    """
    return _prepared([to_grey(plane, quantity, spec) for plane in planes], spec)


def _prepared(greys: Sequence[Grey], spec: Preprocessing) -> Prepared:
    middle = greys[len(greys) // 2]
    if middle.ndim == 3:  # a photograph: its colours are the channels
        box = _box(cast(Grey, middle.max(axis=2)), spec)
        return Prepared(np.stack([cut_out(middle[..., k], box, spec.size) for k in range(3)]), box)
    box = _box(middle, spec)
    cut = [cut_out(grey, box, spec.size) for grey in greys]
    if len(cut) < spec.channels:
        cut = [cut[len(cut) // 2]] * spec.channels
    return Prepared(np.stack(cut), box)


def prepare_slice(volume: Volume, index: int, spec: Preprocessing) -> Prepared:
    """Prepare slice `index` of a volume; beyond its ends the slice itself stands in."""
    return prepare_slices(volume, [index], spec)[0]


def prepare_slices(volume: Volume, indices: Sequence[int], spec: Preprocessing) -> list[Prepared]:
    """`prepare_slice` of several slices; what neighbours share is computed once."""
    greys: dict[int, Grey] = {}

    def grey(index: int) -> Grey:
        if index not in greys:
            values = volume.values(Plane.SLICE, index)
            greys[index] = to_grey(values, volume.summary.quantity, spec)
        return greys[index]

    found = []
    for index in indices:
        near = range(index - spec.reach, index + spec.reach + 1)
        planes = [grey(k if 0 <= k < volume.slices else index) for k in near]
        found.append(_prepared(planes, spec))
    return found


def to_grey(values: NDArray[np.generic], quantity: Quantity, spec: Preprocessing) -> Grey:
    """Modality values as 8-bit grey levels, (rows, cols) or (rows, cols, 3)."""
    if quantity in (Quantity.GREY, Quantity.COLOUR):
        if values.dtype == np.uint8:
            return cast(Grey, values)
        pixels: Grey = np.clip(np.rint(values), 0, 255).astype(np.uint8)
        return pixels
    window = (
        Window(spec.window_center, spec.window_width, function=WindowFunction.LINEAR_EXACT)
        if quantity is Quantity.HU
        else automatic_window(values)
    )
    grey: Grey = np.rint(apply_window(values, window) * 255).astype(np.uint8)
    return grey


def _box(grey: Grey, spec: Preprocessing) -> Box:
    rows, cols = grey.shape
    if spec.crop == "whole":
        return 0.0, 0.0, float(rows), float(cols)
    scale = max(rows, cols) / _LOOK
    small = Image.fromarray(grey).resize(
        (max(1, round(cols / scale)), max(1, round(rows / scale))), Image.Resampling.BILINEAR
    )
    # Opening removes the table's thin arc, which would widen the crop.
    parts, count = ndimage.label(opened(np.asarray(small) > _AIR, 4))
    if count == 0:
        side = float(max(rows, cols))
        return (rows - side) / 2, (cols - side) / 2, side, side
    largest = int(np.argmax(np.bincount(parts.ravel())[1:]))
    down, across = ndimage.find_objects(parts)[largest]
    side = max(down.stop - down.start, across.stop - across.start) * scale * _MARGIN
    side = max(side, _SMALLEST * max(rows, cols))
    top = (down.start + down.stop) / 2 * scale - side / 2
    left = (across.start + across.stop) / 2 * scale - side / 2
    return top, left, side, side


def opened(mask: NDArray[np.bool_], times: int) -> NDArray[np.bool_]:
    """Erosion, then dilation, by a cross, each so many times; outside the mask is False.

    scipy's `binary_opening` to the pixel, at a tenth of its time: it stands before every answer.
    """
    rows, cols = mask.shape
    framed = np.zeros((rows + 2, cols + 2), bool)
    inner = framed[1:-1, 1:-1]
    inner[...] = mask
    for meet in (np.logical_and, np.logical_or):
        for _ in range(times):
            sides = (framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:])
            found = inner.copy()
            for side in sides:
                meet(found, side, out=found)
            inner[...] = found
    return inner.copy()


def cut_out(grey: Grey, box: Box, size: int) -> Grey:
    """Resample the box to size × size, antialiased; outside the picture is black."""
    top, left, height, width = box
    rows, cols = grey.shape
    above, before = max(0, int(np.ceil(-top))), max(0, int(np.ceil(-left)))
    below = max(0, int(np.ceil(top + height - rows)))
    after = max(0, int(np.ceil(left + width - cols)))
    padded = (
        np.pad(grey, ((above, below), (before, after)))
        if any((above, before, below, after))
        else grey
    )
    area = (left + before, top + above, left + before + width, top + above + height)
    picture = Image.fromarray(padded).resize((size, size), Image.Resampling.BILINEAR, box=area)
    return np.asarray(picture)
