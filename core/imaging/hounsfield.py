"""Whether a volume whose file names no modality holds the Hounsfield units of a CT.

NIfTI, NRRD and most MetaImage files say nothing about what their values are. A CT is known by
its air: a mass of values near −1000, and nothing below but one or two constants that fill the
corners. Magnitudes and counts have no such values, phase images and differences spread below.
What is taken for a CT in this way is said in a warning.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_AIR = (-1100.0, -900.0)
_LEAST_AIR = 0.01
"""Least share of air among the values: a series cut closely around a head has little."""
_LEAST_SOFT = 0.001
_MOST_FILL = 2
"""Constants below the air that scanners fill corners with."""
_HIGHEST = 33_000.0
_SIDECAR = 1 << 20

SAMPLE = 1 << 20
"""Bytes that are looked at."""


def are_hounsfield(values: NDArray[np.generic]) -> bool:
    """Whether some of a volume's modality values look like a CT's."""
    plain = np.asarray(values, np.float64)
    plain = plain[np.isfinite(plain)]
    if not plain.size:
        return False
    air = (plain >= _AIR[0]) & (plain <= _AIR[1])
    below = plain[plain < _AIR[0]]
    # One constant alone may be a fill, unless there are edges of air, or fat, above it.
    soft = (plain > _AIR[1]) & (plain < 0)
    return bool(
        air.mean() >= _LEAST_AIR
        and plain.max() <= _HIGHEST
        and plain.max() > _AIR[1]
        and len(np.unique(below)) <= _MOST_FILL
        and (np.ptp(plain[air]) > 0 or soft.mean() > _LEAST_SOFT)
    )


def sidecar_modality(image: Path) -> str:
    """The modality that a JSON file of the image's name states, as dcm2niix writes it, or ""."""
    name = image.name
    for ending in (".gz", ".nii", ".hdr"):
        name = name[: -len(ending)] if name.lower().endswith(ending) else name
    path = image.with_name(f"{name}.json")
    try:
        if not path.is_file() or path.resolve().parent != image.parent.resolve():
            return ""
        with path.open("rb") as stream:
            stated = json.loads(stream.read(_SIDECAR))
    except (OSError, ValueError, RecursionError):
        return ""
    modality = stated.get("Modality") if isinstance(stated, dict) else None
    known = isinstance(modality, str) and modality.isascii() and modality.isalpha()
    return str(modality).upper() if known and len(str(modality)) <= 16 else ""
