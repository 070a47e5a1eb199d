"""Grey levels: from stored values to modality values to what the screen shows.

Stored → (Modality LUT: slope, intercept) → modality values, HU for CT → (window) → [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray


class Quantity(Enum):
    """What the modality values of a series are."""

    HU = "HU"
    SIGNAL = "signal"
    GREY = "grey"
    """8-bit pictures that somebody windowed already; 0–255 are display levels."""
    COLOUR = "colour"


class WindowFunction(Enum):
    """VOI LUT function, DICOM (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True)
class VoiTable:
    """A VOI LUT: grey levels by modality value, for windows that are no formula.

    first: modality value of the first level; values below and above take the end levels.
    levels: little-endian uint16, 0 black and 65535 white, one for each whole modality value.
    """

    first: float
    levels: bytes

    def apply(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Grey levels, float32 in [0, 1]. Source: DICOM PS3.3 C.11.2.1.1."""
        table = np.frombuffer(self.levels, "<u2").astype(np.float32) / np.float32(65535)
        index = np.rint(np.asarray(values, np.float32) - np.float32(self.first))
        clipped = np.clip(np.nan_to_num(index), 0, len(table) - 1).astype(np.int32)
        grey: NDArray[np.float32] = table[clipped]
        return grey


@dataclass(frozen=True)
class Window:
    """A grey-level window in modality values (HU for CT).

    table: a VOI LUT of the header, which then makes the grey levels; center and width tell
        what part of the values it covers.
    """

    center: float
    width: float
    name: str = ""
    function: WindowFunction = WindowFunction.LINEAR
    table: VoiTable | None = None

    def levels(self) -> tuple[float, float]:
        """Modality values that become black and white under the linear functions.

        Source: DICOM PS3.3 C.11.2.1.2.1 (LINEAR) and C.11.2.1.3.2 (LINEAR_EXACT).
        """
        if self.function is WindowFunction.LINEAR:
            half = (self.width - 1) / 2
            return self.center - 0.5 - half, self.center - 0.5 + half
        return self.center - self.width / 2, self.center + self.width / 2


CT_PRESETS = (
    Window(40, 80, "Brain"),
    Window(75, 215, "Subdural"),
    Window(40, 400, "Soft tissue"),
    Window(480, 2500, "Bone"),
    Window(-600, 1500, "Lung"),
)
"""Presets on keys 1–5. Source: the defaults of the common viewers; head CT first."""


def apply_window(values: NDArray[np.generic], window: Window) -> NDArray[np.float32]:
    """Map modality values to grey levels.

    values: any shape, after the Modality LUT; HU for CT.
    Returns float32 in [0, 1], same shape. Source: DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3.
    """
    if window.table is not None:
        return window.table.apply(values)
    if window.function is WindowFunction.SIGMOID:
        exponent = -4.0 * (np.asarray(values, np.float32) - window.center) / window.width
        np.clip(exponent, -80.0, 80.0, out=exponent)  # beyond, float32 overflows; it is 0 or 1
        sigmoid: NDArray[np.float32] = 1.0 / (1.0 + np.exp(exponent, dtype=np.float32))
        return sigmoid
    low, high = window.levels()
    scale = np.float32(1.0 / max(high - low, 1e-6))
    grey = (np.asarray(values, np.float32) - np.float32(low)) * scale
    return np.clip(grey, 0.0, 1.0, out=grey)


PERCENTILES = ((0.1, 99.9), (1.0, 99.0), (5.0, 95.0), (25.0, 99.9), (0.1, 75.0))
"""Windows of values without a unit: the whole, its middle, its bright and its dark part."""


def percentile_window(
    values: NDArray[np.generic], low: float = 0.1, high: float = 99.9, name: str = "Automatic"
) -> Window:
    """Window between two percentiles of the finite values; 0.5 ± 0.5 where there are none."""
    sample = np.asarray(values).ravel()
    if sample.size > 1_000_000:
        sample = sample[:: sample.size // 1_000_000]
    if sample.dtype.kind == "f":
        sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return Window(0.5, 1.0, name, WindowFunction.LINEAR_EXACT)
    lowest, highest = np.percentile(sample, (low, high))
    width = max(float(highest - lowest), 1.0 if sample.dtype.kind in "iub" else 1e-6)
    center = float(lowest + highest) / 2
    return Window(center, width, name, WindowFunction.LINEAR_EXACT)


def automatic_window(values: NDArray[np.generic]) -> Window:
    """Window between the 0.1st and the 99.9th percentile of the finite values."""
    return percentile_window(values)
