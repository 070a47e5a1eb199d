"""Series as the rows of a training set: what a model of volumes learns from and is judged on.

A set keeps slices. A model of volumes answers for a series at once, so that this view gives each
series one row, one label and one key; everything that takes rows of a set takes it alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.imaging.geometry import Geometry, Plane
from core.imaging.volume import Volume
from core.retraining.dataset import Dataset, columns_of
from core.retraining.manifest import SliceRow

_GROWS = ("HF", "PA", "LR")
"""For each of the patient's axes z, y, x: the letter where it rises, and where it falls."""

_SIDE = 96
"""Side of a plane in the picture by which a series is known again, pixels."""


class SeriesSet(Dataset):
    """A set whose rows are its series. `plane` and the like give the middle slice of each.

    A series shows the finding if any slice of it does. It shows its absence only if every slice
    is labelled so: one slice without a finding says nothing of the others. Where no class is the
    finding, a series has the most frequent label of its slices.
    """

    unit = "volume"

    def __init__(self, slices: Dataset) -> None:
        starts = np.flatnonzero(np.diff(slices.series, prepend=-1))
        self._slices = slices
        self._of = [slices.rows_of_series(int(row)) for row in starts]
        rows = [_as_row(slices, rows) for rows in self._of]
        super().__init__(slices.folder, slices.manifest, columns_of(rows, slices.manifest))

    def by_series(self) -> SeriesSet:
        """This set."""
        return self

    @property
    def slices(self) -> Dataset:
        """The set with its slices as rows."""
        return self._slices

    @property
    def slice_count(self) -> int:
        """Slices of all series."""
        return len(self._slices)

    def volume(self, row: int) -> Volume:
        """All slices of one series. Raises UnusableDatasetError if they do not stack."""
        return self._slices.volume(int(self._of[row][0]))

    def appearance(self, row: int) -> NDArray[Any]:
        """The three middle planes of one series, side by side, (_SIDE, 3 × _SIDE[, 3])."""
        volume = self.volume(row)
        middles = ((plane, volume.voxels.shape[plane.value] // 2) for plane in Plane)
        return np.concatenate([_square(volume.values(*middle)) for middle in middles], axis=1)

    def is_flat(self, row: int) -> bool:
        """Whether all slices of one series are of one value only."""
        return all(self._slices.is_flat(int(one)) for one in self._of[row])

    @property
    def depths(self) -> NDArray[np.int64]:
        """Slices of each series, (n,)."""
        return np.array([len(rows) for rows in self._of], np.int64)

    def verify(self) -> None:
        """Read every pixel and recompute every hash. Raises UnusableDatasetError."""
        self._slices.verify()


def label_of(labels: NDArray[np.int64], positive: int | None) -> int:
    """The label of a series from those of its slices, −1 where they do not tell it."""
    known = labels[labels >= 0]
    if len(known) == 0:
        return -1
    if positive is None:
        return int(np.bincount(known).argmax())
    if (known == positive).any():
        return positive
    return int(np.bincount(known).argmax()) if len(known) == len(labels) else -1


def _as_row(slices: Dataset, rows: NDArray[np.int64]) -> SliceRow:
    middle = slices.row(int(rows[len(rows) // 2]))
    digest = hashlib.sha256("".join(slices.pixel_sha256[row] for row in rows).encode())
    return replace(
        middle,
        key=middle.series,
        order=0,
        label=label_of(slices.labels[rows], slices.positive_index),
        auxiliary=_any(slices.auxiliary[rows]),
        pixel_sha256=digest.hexdigest(),
    )


def _square(plane: NDArray[Any]) -> NDArray[Any]:
    down, across = (np.linspace(0, n - 1, _SIDE).round().astype(int) for n in plane.shape[:2])
    square: NDArray[Any] = plane[np.ix_(down, across)]
    return square


def _any(auxiliary: NDArray[np.float32]) -> tuple[float, ...]:
    """Whether any slice has each further target; NaN where none says."""
    found = np.where(np.isnan(auxiliary), -1.0, auxiliary).max(axis=0)
    return tuple(float(value) if value >= 0 else float("nan") for value in found)


# ----------------------------------------------------------------- where a series lies


def letters_of(geometry: Geometry) -> str:
    """Where the indices of slices, rows and columns grow to, nearest: such as HPL; "" if unknown.

    H, F: head, feet. P, A: back, front. L, R: left, right.
    """
    if not geometry.has_orientation:
        return ""
    from core.models.volumes import axes_of  # SciPy, which the window does not start with

    axes = axes_of(geometry)
    letters = [""] * 3
    for patient, axis in enumerate(axes.order):
        letters[axis] = _GROWS[patient][axes.turned[axes.order.index(axis)]]
    return "".join(letters)


def geometry_of(
    letters: str, shape: tuple[int, int, int], spacing: Sequence[float] | NDArray[Any]
) -> Geometry:
    """A geometry that `letters_of` and the spacing (NaN where unknown) describe.

    Position and obliqueness are not kept; a volume is prepared alike without them.
    """
    steps = np.asarray(spacing, np.float64)
    has_spacing = bool(np.isfinite(steps).all())
    steps = steps if has_spacing else np.ones(3)
    affine = np.eye(4)
    affine[:3, :3] = 0.0
    for axis, letter in enumerate(letters or "HPL"):
        patient = next(place for place, pair in enumerate(_GROWS) if letter in pair)
        sign = 1.0 if _GROWS[patient].startswith(letter) else -1.0
        affine[2 - patient, axis] = sign * steps[axis]
    return Geometry(shape, affine, has_spacing=has_spacing, has_orientation=bool(letters))
