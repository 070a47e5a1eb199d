"""From stored values to the picture's pixels, by one table look-up each.

A table serves every case alike: linear and sigmoid windows, inversion, a rescale that differs
from slice to slice. Pixels are 0xffRRGGBB: Qt enlarges such a picture smoothly in a third of
the time that it takes for bytes of grey, which it converts each time that it draws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.imaging.geometry import Plane
from core.imaging.intensity import Window, apply_window, automatic_window
from core.imaging.volume import Volume
from core.reading.slab import Projection, Slab, project, project_planes

Bytes = NDArray[np.uint8]
Pixels = NDArray[np.uint32]
"""(rows, columns) of 0xAARRGGBB."""


def _to_bytes(values: NDArray[np.generic], window: Window, inverted: bool) -> Bytes:
    grey = apply_window(values, window)
    if inverted:
        np.subtract(1.0, grey, out=grey)
    grey *= 255.0
    grey += 0.5
    return np.nan_to_num(grey, nan=0.0, copy=False).astype(np.uint8)


def _packed(grey: Bytes) -> Pixels:
    return grey.astype(np.uint32) * np.uint32(0x010101) | np.uint32(0xFF000000)


def _colour(values: NDArray[np.generic], inverted: bool) -> Pixels:
    colour = values.astype(np.uint32)
    packed: Pixels = colour[..., 0] << 16 | colour[..., 1] << 8 | colour[..., 2]
    return (packed ^ np.uint32(0xFFFFFF) if inverted else packed) | np.uint32(0xFF000000)


class GreyRenderer:
    """Draws planes of volumes; keeps the last table and reuses its buffer."""

    def __init__(self) -> None:
        self._key: object = None
        self._table: Pixels = np.zeros(0, np.uint32)
        self._buffer: Pixels = np.zeros((0, 0), np.uint32)
        self._projected_key: object = None
        self._projected: NDArray[np.generic] = np.zeros((0, 0), np.float32)

    def __call__(
        self,
        volume: Volume,
        plane: Plane,
        index: int,
        window: Window,
        *,
        inverted: bool = False,
        slab: Slab | None = None,
        whole: bool = False,
    ) -> Pixels:
        """One plane as (rows, columns) of 0xffRRGGBB; valid until the next call.

        Colour is shown as it is: windows do not apply to it, only inversion does. slab: shows
        planes around this one as one. whole: shows the highest values of the whole volume.
        """
        if slab is not None or whole:
            values = self._projection(volume, plane, index, slab, whole)
            if volume.is_colour:
                return _colour(values, inverted)
            # The highest values of a head through a brain window would be one white area.
            window = automatic_window(values) if whole else window
            return _packed(_to_bytes(values, window, inverted))
        stored = volume.stored(plane, index)
        if volume.is_colour:
            return _colour(stored, inverted)
        if stored.dtype == np.bool_:
            stored = stored.view(np.uint8)
        small_integer = stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2
        one_scale = plane is Plane.SLICE or volume.has_one_scale()
        if not (small_integer and one_scale):
            return _packed(_to_bytes(volume.values(plane, index), window, inverted))
        at = index if plane is Plane.SLICE else 0
        self._fill(stored.dtype, float(volume.slope[at]), float(volume.intercept[at]), window,
                   inverted)  # fmt: skip
        if self._buffer.shape != stored.shape:
            self._buffer = np.empty(stored.shape, np.uint32)
        unsigned = np.dtype(f"u{stored.dtype.itemsize}")
        # Every index is in the table, so "clip" changes nothing; it only spares the check.
        if not stored.dtype.isnative:
            stored = stored.astype(stored.dtype.newbyteorder("="))
        self._table.take(stored.view(unsigned), mode="clip", out=self._buffer)
        return self._buffer

    def _projection(
        self, volume: Volume, plane: Plane, index: int, slab: Slab | None, whole: bool
    ) -> NDArray[np.generic]:
        """Values of a slab, kept until another is asked for: a window is dragged over one."""
        key = (id(volume), plane, -1 if whole else index, None if whole else slab)
        if key != self._projected_key:
            if whole or slab is None:
                every = range(volume.geometry.shape[plane.value])
                self._projected = project_planes(volume, plane, every, Projection.MAXIMUM)
            else:
                self._projected = project(volume, plane, index, slab)
            self._projected_key = key
        return self._projected

    def forget(self) -> None:
        """Compute projections anew: more of the volume has arrived."""
        self._projected_key = None

    def _fill(
        self, dtype: np.dtype[np.generic], slope: float, intercept: float, window: Window,
        inverted: bool,
    ) -> None:  # fmt: skip
        """Make the table for all values of an integer type, in the order of their bits."""
        native = dtype.newbyteorder("=")
        key = (native.str, slope, intercept, window, inverted)
        if key == self._key:
            return
        unsigned = np.dtype(f"u{native.itemsize}")
        every = np.arange(1 << (8 * native.itemsize), dtype=np.uint32).astype(unsigned)
        values = every.view(native).astype(np.float64) * slope + intercept
        self._table = _packed(_to_bytes(values, window, inverted))
        self._key = key
