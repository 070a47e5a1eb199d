"""Occlusion: how much a logit falls where a part of the input is covered. Any network, 2D or 3D.

It asks the model itself and no gradient, and therefore needs many passes: it is for a doubt about
one slice, not for a series. Source: Zeiler & Fergus, ECCV 2014.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Ask = Callable[[Pixels], NDArray[np.float64]]
"""uint8 (n, channels, …) → the explained logit, (n,)."""


def occlusion(
    ask: Ask, pixels: Pixels, window: int, stride: int, batch: int = 16
) -> NDArray[np.float32]:
    """How much the logit falls for each place of the window.

    pixels: uint8 (channels, [slices,] rows, cols), prepared. window, stride: pixels of a side.
    Returns float32 ([slices,] rows, cols) on the grid of the windows; positive where covering
    lowers the logit. The cover is the mean grey of the picture, so that no edge is added in
    what is dark already. Raises ValueError if the window does not fit.
    """
    shape = pixels.shape[1:]
    if not 1 <= stride <= window <= min(shape):
        raise ValueError(f"a window of {window} in steps of {stride} does not fit {shape}")
    starts = [list(range(0, side - window + 1, stride)) for side in shape]
    corners = list(itertools.product(*starts))
    cover = np.uint8(round(float(pixels.mean())))
    whole = float(ask(pixels[None])[0])
    falls: list[float] = []
    for at in range(0, len(corners), batch):
        covered = np.repeat(pixels[None], len(corners[at : at + batch]), axis=0)
        for one, corner in zip(covered, corners[at : at + batch], strict=True):
            place = tuple(slice(k, k + window) for k in corner)
            one[(slice(None), *place)] = cover
        falls.extend(whole - ask(covered))
    return np.asarray(falls, np.float32).reshape([len(axis) for axis in starts])
