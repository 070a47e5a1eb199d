"""A loaded series: voxels in their stored type, where they lie, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.imaging.geometry import Geometry, Plane
from core.imaging.intensity import Quantity, Window


@dataclass(frozen=True)
class ImageWarning:
    """Something about a series that a reader must know before trusting what is shown.

    code: stable, lower case, such as "gantry-tilt", "missing-slices", "no-spacing".
    message: one English sentence without patient data.
    slices: indices concerned, in sorted order; empty if all or none in particular.
    """

    code: str
    message: str
    slices: tuple[int, ...] = ()


@dataclass(frozen=True)
class Skipped:
    """A file that was looked at and is not shown, and why."""

    file: Path
    reason: str


@dataclass(frozen=True)
class SeriesSummary:
    """What the headers say about one series, known before any pixel is read.

    uid: Series Instance UID; for other formats "file-" + SHA-256 of the name and size list.
    case_id: stable identifier under which labels are kept (derived from uid; no path in it).
    shape: (slices, rows, columns).
    is_volume: False where slices cannot be stacked in space (localisers, photographs).
    patient_name, patient_id, study_date: as stated, or ""; shown, never logged or exported.
    slice_ids: one stable identifier a slice: SOP Instance UID, or name-derived for pictures.
    """

    uid: str
    case_id: str
    modality: str
    description: str
    geometry: Geometry
    quantity: Quantity
    transfer_syntax: str
    slice_ids: tuple[str, ...]
    warnings: tuple[ImageWarning, ...] = ()
    windows: tuple[Window, ...] = ()
    is_volume: bool = True
    patient_name: str = ""
    patient_id: str = ""
    study_date: str = ""
    study_description: str = ""
    is_synthetic: bool = False
    path: Path = field(default=Path(), compare=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns)."""
        return self.geometry.shape


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels of one series with their geometry and meaning.

    voxels: (slices, rows, columns) in the stored type, or (slices, rows, columns, 3) uint8.
        MONOCHROME1 and palettes are resolved; nothing else is.
    slope, intercept: float64 (slices,), the Modality LUT of each slice: value = stored × slope
        + intercept.
    padding: stored values from … to … (both included) that stand for "nothing was measured
        here", as around the round field of a CT; None if the source states none.
    """

    summary: SeriesSummary
    voxels: NDArray[np.generic]
    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]
    padding: tuple[float, float] | None = None

    @property
    def geometry(self) -> Geometry:
        """Where the voxels lie."""
        return self.summary.geometry

    @property
    def slices(self) -> int:
        """Number of slices."""
        return int(self.voxels.shape[0])

    @property
    def is_colour(self) -> bool:
        """Whether voxels are RGB."""
        return self.voxels.ndim == 4

    def has_one_scale(self) -> bool:
        """Whether all slices share one slope and intercept."""
        return bool(np.ptp(self.slope) == 0 and np.ptp(self.intercept) == 0)

    def stored(self, plane: Plane, index: int) -> NDArray[np.generic]:
        """One plane of stored values as a view: no copy."""
        cut: list[slice | int] = [slice(None)] * 3
        cut[plane.value] = index
        return self.voxels[tuple(cut)]

    def values(self, plane: Plane, index: int) -> NDArray[np.float32]:
        """One plane of modality values (HU for CT), float32; RGB stays as it is."""
        stored = self.stored(plane, index)
        if self.is_colour:
            return stored.astype(np.float32)
        if plane is Plane.SLICE:
            return rescaled(stored, self.slope[index], self.intercept[index])
        return rescaled(stored, self.slope[:, None], self.intercept[:, None])


def rescaled(
    stored: NDArray[np.generic], slope: ArrayLike, intercept: ArrayLike
) -> NDArray[np.float32]:
    """The Modality LUT: stored × slope + intercept, computed in float32."""
    scale, offset = np.asarray(slope, np.float32), np.asarray(intercept, np.float32)
    values: NDArray[np.float32] = stored.astype(np.float32) * scale + offset
    return values


def measured_values(volume: Volume, index: int) -> NDArray[np.float32]:
    """Modality values of one slice without its padding, (n,): what an automatic window looks at.

    All values where the source states no padding, or where there is nothing else.
    """
    values = volume.values(Plane.SLICE, index)
    if volume.padding is None:
        return values.reshape(-1)
    low, high = volume.padding
    stored = volume.voxels[index]
    kept = values[(stored < low) | (stored > high)]
    return kept if kept.size else values.reshape(-1)


Progress = Callable[[int, int], None]
"""Called with (done, total); may be called from another thread than the caller's."""

Cancelled = Callable[[], bool]
"""Asked now and then; True stops the work with CancelledError."""

Looks = Callable[[], int]
"""Asked now and then, on any thread; the index of the slice that somebody looks at."""


class Series(Protocol):
    """One series that was found and can be loaded. Readers of each format provide it."""

    @property
    def summary(self) -> SeriesSummary:
        """What the headers say."""

    def load(
        self,
        *,
        first: int | None = None,
        on_slice: Callable[[Volume, int], None] | None = None,
        cancelled: Cancelled | None = None,
        looks: Looks | None = None,
    ) -> Volume:
        """Read all voxels, beginning with slice `first` (default: the middle) and outwards.

        on_slice: called with the volume being filled and the index of each slice that has
            just become valid, so that a window can show it while the rest streams in.
        looks: the slice that somebody looks at now, asked on any thread before each slice: where
            the source allows it, what is nearest to it comes next.
        Raises UnreadableImageError, MissingCodecError, DecoderDiedError, CancelledError.
        """

    def read_slice(self, index: int) -> Volume:
        """Read one slice alone, as a volume of one slice."""


@dataclass(frozen=True)
class Opened:
    """What was found under a path: series in a stable order, and files that were skipped."""

    series: tuple[Series, ...]
    skipped: tuple[Skipped, ...] = ()
