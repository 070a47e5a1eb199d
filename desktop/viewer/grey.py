"""From stored values to the picture's bytes, by one table look-up a pixel.

A table serves every case alike: linear and sigmoid windows, inversion, a rescale that differs
from slice to slice. It costs 0.35 ms for 512 × 512, a quarter of what drawing it costs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.imaging.geometry import Plane
from core.imaging.intensity import Window, apply_window
from core.imaging.volume import Volume

Bytes = NDArray[np.uint8]


def _to_bytes(values: NDArray[np.generic], window: Window, inverted: bool) -> Bytes:
    grey = apply_window(values, window)
    if inverted:
        np.subtract(1.0, grey, out=grey)
    grey *= 255.0
    grey += 0.5
    return np.nan_to_num(grey, nan=0.0, copy=False).astype(np.uint8)


class GreyRenderer:
    """Draws planes of volumes; keeps the last table and reuses its buffer."""

    def __init__(self) -> None:
        self._key: object = None
        self._table: Bytes = np.zeros(0, np.uint8)
        self._buffer: Bytes = np.zeros((0, 0), np.uint8)

    def __call__(
        self, volume: Volume, plane: Plane, index: int, window: Window, *, inverted: bool = False
    ) -> Bytes:
        """One plane as (rows, columns) or, for colour, (rows, columns, 3) uint8.

        The grey picture is valid until the next call. Colour is shown as it is, windows do not
        apply to it; only inversion does.
        """
        stored = volume.stored(plane, index)
        if volume.is_colour:
            colour = np.ascontiguousarray(stored).astype(np.uint8, copy=False)
            return 255 - colour if inverted else colour
        if stored.dtype == np.bool_:
            stored = stored.view(np.uint8)
        small_integer = stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2
        one_scale = plane is Plane.SLICE or volume.has_one_scale()
        if not (small_integer and one_scale):
            return _to_bytes(volume.values(plane, index), window, inverted)
        at = index if plane is Plane.SLICE else 0
        self._fill(stored.dtype, float(volume.slope[at]), float(volume.intercept[at]), window,
                   inverted)  # fmt: skip
        if self._buffer.shape != stored.shape:
            self._buffer = np.empty(stored.shape, np.uint8)
        unsigned = np.dtype(f"u{stored.dtype.itemsize}")
        # Every index is in the table, so "clip" changes nothing; it only spares the check.
        if not stored.dtype.isnative:
            stored = stored.astype(stored.dtype.newbyteorder("="))
        self._table.take(stored.view(unsigned), mode="clip", out=self._buffer)
        return self._buffer

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
        self._table = _to_bytes(values, window, inverted)
        self._key = key
