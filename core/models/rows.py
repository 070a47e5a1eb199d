"""Rows of a training set, prepared exactly as slices and volumes are when a model answers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.imaging.intensity import Quantity
from core.imaging.volume import Volume
from core.models.card import Preprocessing
from core.models.preprocessing import Prepared, prepare
from core.models.volumes import prepare_volume


class SliceSet(Protocol):
    """What `Predictor.predict_dataset` needs of a training set."""

    def quantity_of(self, row: int) -> Quantity:
        """What the values of one slice are."""

    def plane(self, row: int) -> NDArray[np.generic]:
        """Modality values of one slice."""

    def neighbours(self, row: int, reach: int) -> list[int]:
        """Rows of the slice's neighbours, itself in the middle."""

    def volume(self, row: int) -> Volume:
        """The series that a row belongs to."""


def prepare_row(dataset: SliceSet, row: int, spec: Preprocessing) -> Prepared:
    """Prepare one slice of a training set, exactly as `prepare_slice` does for a volume."""
    planes = [dataset.plane(k) for k in dataset.neighbours(row, spec.reach)]
    return prepare(planes, dataset.quantity_of(row), spec)


def row_pixels(dataset: SliceSet, row: int, spec: Preprocessing) -> NDArray[np.uint8]:
    """What the network reads of one row: of a slice, or of its whole series in 3D."""
    if spec.dimensions == 3:
        return prepare_volume(dataset.volume(row), spec).pixels
    return prepare_row(dataset, row, spec).pixels
