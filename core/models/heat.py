"""Heat maps as pictures, for the window and for files: pure numpy.

The cells of a heat map cover its box; the value of a cell belongs to the cell's *centre*.
Values in between are bilinear, values outside the outermost centres are those of the nearest
cell, and pixels whose centre is outside the box have none.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core import places
from core.imaging.geometry import Plane
from core.models.answers import HeatMap

COLOUR_MAPS = ("inferno", "cividis", "red-blue")
"""Names that `colour_table` knows. The first two keep their order in grey and for colour-blind
readers; "red-blue" is the rainbow that older programs show, as a choice."""

NOTHING = np.float32(-np.inf)

_ALONE = 2**18
"""Multiplications in one product up to which OpenBLAS does not share it out among the cores.

It waits for all of them, and while a model answers or is trained one comes late: a product of a
quarter of a millisecond then held up the window's thread for a tenth of a second.
"""


@functools.cache
def colour_table(name: str) -> NDArray[np.uint8]:
    """(256, 3) uint8 RGB of a colour map, from low to high. Raises KeyError if unknown.

    Source of inferno and cividis: matplotlib, CC0.
    """
    if name not in COLOUR_MAPS:
        raise KeyError(name)
    table: NDArray[np.uint8]
    if name == "red-blue":
        x = np.linspace(0, 1, 256)[:, None]
        ramps = 1.5 - np.abs(4 * x - np.array([3.0, 2.0, 1.0]))
        table = (np.clip(ramps, 0, 1) * 255 + 0.5).astype(np.uint8)
        return table
    path = places.resources() / "colour-maps" / f"{name}.csv"
    table = np.loadtxt(path, np.uint8, delimiter=",")
    # Their first fifth cannot be told from dark tissue: weak evidence would look like none.
    positions = np.linspace(len(table) / 5, len(table) - 1, 256)
    columns = [np.interp(positions, np.arange(len(table)), column) for column in table.T]
    return (np.stack(columns, axis=1) + 0.5).astype(np.uint8)


def _weights(pixels: int, start: float, length: float, cells: int) -> NDArray[np.float32]:
    """(pixels, cells) matrix of bilinear weights along one axis; rows outside the box are 0."""
    centres = np.arange(pixels) + 0.5
    inside = (centres >= start) & (centres < start + length)
    position = np.clip((centres - start) / length * cells - 0.5, 0, cells - 1)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, cells - 1)
    part = (position - low).astype(np.float32)
    weights = np.zeros((pixels, cells), np.float32)
    rows = np.arange(pixels)
    np.add.at(weights, (rows, low), 1 - part)
    np.add.at(weights, (rows, high), part)
    weights[~inside] = 0
    return weights


@functools.lru_cache(maxsize=16)
def _both_weights(
    shape: tuple[int, int], box: tuple[float, float, float, float], cells: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_] | None]:
    top, left, height, width = box
    down = _weights(shape[0], top, height, cells[0])
    across = _weights(shape[1], left, width, cells[1])
    rows = np.asarray(down.any(axis=1))
    columns = np.asarray(across.any(axis=1))
    outside = None if rows.all() and columns.all() else ~(rows[:, None] & columns[None, :])
    return down, np.ascontiguousarray(across.T), outside


def on_slice(heat: HeatMap, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The heat map's values at each pixel centre of a slice of (rows, columns).

    Returns (rows, columns) float32; −inf where the heat map says nothing.
    """
    values = np.asarray(heat.values, np.float32)
    down, across, outside = _both_weights(shape, heat.box, (values.shape[0], values.shape[1]))
    along = down @ values
    full = np.empty(shape, np.float32)
    rows = max(_ALONE // across.size, 1)
    for top in range(0, shape[0], rows):
        np.matmul(along[top : top + rows], across, out=full[top : top + rows])
    if outside is not None:
        full[outside] = NOTHING
    return full


@dataclass(frozen=True)
class HeatStyle:
    """How evidence becomes colour.

    top: evidence that has the last colour; the same for all slices of a series. cut: part of
    `top` below which nothing is drawn, 0–1. colour_map: one of COLOUR_MAPS.
    """

    top: float
    cut: float = 0.25
    colour_map: str = "inferno"


def line_on_slice(
    heat: HeatMap, shape: tuple[int, int], plane: Plane, index: int
) -> NDArray[np.float32]:
    """One row (Plane.ROW) or column of what `on_slice` returns, without making the rest."""
    values = np.asarray(heat.values, np.float32)
    down, across, outside = _both_weights(shape, heat.box, (values.shape[0], values.shape[1]))
    if plane is Plane.ROW:
        line: NDArray[np.generic] = (down[index] @ values) @ across
        hidden = outside[index] if outside is not None else None
    else:
        line = down @ (values @ across[:, index])
        hidden = outside[:, index] if outside is not None else None
    found = line.astype(np.float32, copy=False)
    if hidden is not None:
        found[hidden] = NOTHING
    return found


def paint(values: NDArray[np.float32], style: HeatStyle) -> NDArray[np.uint8]:
    """Evidence at each pixel, (rows, columns), as (rows, columns, 4) uint8 RGBA.

    Alpha is 0 or 255: opacity is the same everywhere and belongs to the drawing. Negative
    evidence is not drawn.
    """
    packed = style_table(style).view(np.uint32).ravel()
    return packed.take(steps(values, style)).view(np.uint8).reshape(*values.shape, 4)


def style_table(style: HeatStyle) -> NDArray[np.uint8]:
    """(256, 4) uint8 RGBA: the colour of each of the `steps` of evidence; all 0 below the cut."""
    table = np.empty((256, 4), np.uint8)
    table[:, :3] = colour_table(style.colour_map)
    table[:, 3] = 255
    first = int(np.clip(np.ceil(style.cut * 255), 1, 255))
    table[:first] = 0
    return table


def steps(values: NDArray[np.float32], style: HeatStyle) -> NDArray[np.uint8]:
    """Evidence as rows of `style_table`, same shape: 0 for none or negative, 255 for `top`."""
    scaled = values * np.float32(255 / max(style.top, 1e-12))
    np.clip(scaled, 0, 255, out=scaled)
    return scaled.astype(np.uint8)


def series_top(heat_maps: list[HeatMap]) -> float:
    """The range for a series: its strongest positive evidence; 0 if there is none."""
    peaks = [float(item.values.max(initial=0.0)) for item in heat_maps if item.values.size]
    return max(peaks, default=0.0)
