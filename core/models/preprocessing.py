"""From slices to the network's input: the one function for training, inference and test.

The result is 8-bit, so that it can be cached as it is and is the same on every road: a DICOM
slice in HU passes the card's window; a picture that somebody windowed already enters as it is.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.imaging.geometry import Plane
from core.imaging.intensity import Quantity, Window, WindowFunction, apply_window, automatic_window
from core.imaging.volume import Volume, rescaled
from core.models.bitmasks import largest_part, opened
from core.models.card import Preprocessing
from core.models.context import around

Grey = NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""(top, left, height, width) in pixels of the slice; may reach over its edges."""

_THREADS = 2
"""That prepare a batch: numpy and Pillow let go of the interpreter while they work."""
_LOOK = 192
"""Pixels of the longer side at which the foreground is looked for."""
_AIR = 20
"""Grey level (of 255) up to which a pixel is background: −31 HU under the 40/120 window."""
_MARGIN = 1.1
_BAND = 64
"""Rows that are looked up at once."""
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
        return Prepared(_three(Image.fromarray(middle), box, spec.size), box)
    box = _box(middle, spec)
    if len(greys) == 3:
        bands = Image.merge("RGB", [Image.fromarray(grey) for grey in greys])
        return Prepared(_three(bands, box, spec.size), box)
    cut = [cut_out(grey, box, spec.size) for grey in greys]
    if len(cut) < spec.channels:
        cut = [cut[len(cut) // 2]] * spec.channels
    return Prepared(np.stack(cut), box)


def prepare_slice(volume: Volume, index: int, spec: Preprocessing) -> Prepared:
    """Prepare slice `index` of a volume; beyond its ends the slice itself stands in."""
    return prepare_slices(volume, [index], spec)[0]


def prepare_slices(volume: Volume, indices: Sequence[int], spec: Preprocessing) -> list[Prepared]:
    """`prepare_slice` of several slices; what neighbours share is computed once."""
    near = {index: around(index, volume.slices, spec.reach) for index in indices}
    needed = sorted({k for planes in near.values() for k in planes})

    def grey(index: int) -> Grey:
        return slice_grey(volume, index, spec)

    def prepared(index: int) -> Prepared:
        return _prepared([greys[k] for k in near[index]], spec)

    if len(indices) == 1:  # a thread would take longer to begin than it saves
        greys = {k: grey(k) for k in needed}
        return [prepared(indices[0])]
    with ThreadPoolExecutor(_THREADS) as pool:
        greys = dict(zip(needed, pool.map(grey, needed), strict=True))
        return list(pool.map(prepared, indices))


def slice_grey(volume: Volume, index: int, spec: Preprocessing) -> Grey:
    """`to_grey` of one slice of a volume.

    Of Hounsfield units in 16 bits it is looked up: what `to_grey` says of each value that they
    can store. An eighth of the time, which is what the first answer waits for.
    """
    quantity, stored = volume.summary.quantity, volume.stored(Plane.SLICE, index)
    if quantity is not Quantity.HU or stored.dtype.kind not in "iu" or stored.itemsize != 2:
        return to_grey(volume.values(Plane.SLICE, index), quantity, spec)
    slope, intercept = float(volume.slope[index]), float(volume.intercept[index])
    window = (spec.window_center, spec.window_width)
    table = _grey_table(stored.dtype.str, slope, intercept, *window)
    grey = np.empty(stored.shape, np.uint8)
    codes = stored.view(stored.dtype.str.replace("i", "u"))
    for top in range(0, len(codes), _BAND):  # numpy widens what it looks up: a band at a time
        band = slice(top, top + _BAND)
        table.take(codes[band], out=grey[band], mode="clip")
    return grey


@functools.lru_cache(maxsize=8)
def _grey_table(kind: str, slope: float, intercept: float, center: float, width: float) -> Grey:
    """(65536,): the grey level of each 16-bit pattern that stands for a value of type `kind`."""
    stored = np.arange(1 << 16, dtype=kind.replace("i", "u")).view(kind)
    spec = Preprocessing(window_center=center, window_width=width)
    return to_grey(rescaled(stored, slope, intercept), Quantity.HU, spec)


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
    found = largest_part(opened(np.asarray(small) > _AIR, 4))
    if not found.any():
        side = float(max(rows, cols))
        return (rows - side) / 2, (cols - side) / 2, side, side
    down, across = _extent(np.max(found, axis=1)), _extent(np.max(found, axis=0))
    side = max(down.stop - down.start, across.stop - across.start) * scale * _MARGIN
    side = max(side, _SMALLEST * max(rows, cols))
    top = (down.start + down.stop) / 2 * scale - side / 2
    left = (across.start + across.stop) / 2 * scale - side / 2
    return top, left, side, side


def _extent(line: NDArray[np.bool_]) -> slice:
    """From the first to the last True."""
    places = np.flatnonzero(line)
    return slice(int(places[0]), int(places[-1]) + 1)


def cut_out(grey: Grey, box: Box, size: int) -> Grey:
    """Resample the box to size × size, antialiased; outside the picture is black."""
    return np.asarray(_cut(Image.fromarray(grey), box, size))


def _three(bands: Image.Image, box: Box, size: int) -> Grey:
    """`cut_out` of three planes at once, (3, size, size): the same pixels in less time."""
    return np.ascontiguousarray(np.asarray(_cut(bands, box, size)).transpose(2, 0, 1))


def _cut(picture: Image.Image, box: Box, size: int) -> Image.Image:
    top, left, height, width = box
    columns, rows = picture.size
    above, before = max(0, int(np.ceil(-top))), max(0, int(np.ceil(-left)))
    below = max(0, int(np.ceil(top + height - rows)))
    after = max(0, int(np.ceil(left + width - columns)))
    if any((above, before, below, after)):
        padded = Image.new(picture.mode, (before + columns + after, above + rows + below))
        padded.paste(picture, (before, above))
        picture = padded
    area = (left + before, top + above, left + before + width, top + above + height)
    return picture.resize((size, size), Image.Resampling.BILINEAR, box=area)
