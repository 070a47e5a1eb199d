"""Prepared pixels of a training set on disk: decoded and cropped once, mapped ever after."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import durable, places
from core.models.card import Preprocessing
from core.models.predictor import row_pixels
from core.retraining.dataset import Dataset

VERSION = 1
"""Raised whenever `core.models.preprocessing` changes what it gives."""


def prepared_pixels(
    dataset: Dataset,
    spec: Preprocessing,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.uint8]:
    """All rows of a set as the network sees them, mapped read-only.

    (n, channels, size, size) of slices, (n, 1, size, size, size) of series.

    Kept under the id of the set and the preprocessing, so that the next run starts at once.
    The whole set is never in memory.
    """
    key = hashlib.sha256(
        f"{VERSION} {dataset.manifest.id} {spec.model_dump_json()}".encode()
    ).hexdigest()[:24]
    path = (folder or places.cache_folder() / "prepared") / f"{key}.npy"
    shape = (len(dataset), *spec.input_shape)
    found = _open(path, shape)
    if found is not None:
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{key}.{os.getpid()}.part")
    pixels: Any = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
    for row in range(len(dataset)):
        pixels[row] = row_pixels(dataset, row, spec)
        if progress and row % 50 == 0:
            progress(row, len(dataset))
    pixels.flush()
    del pixels
    temporary.replace(path)
    durable.fsync_folder(path.parent)
    made = _open(path, shape)
    if made is None:
        raise OSError(f"{path.name} vanished after it was written")
    return made


def _open(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    try:
        pixels: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return pixels if pixels.shape == shape else None
