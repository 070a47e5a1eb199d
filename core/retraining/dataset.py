"""A training set: immutable, content-addressed, split by patient, read without loading it.

A set is a folder:

- `dataset.json`: the manifest (`DatasetManifest`);
- `slices.parquet`: one row a slice, in canonical order (see `SliceRow`);
- `pixels/*.npy`: slices of one size and stored type, (slices, rows, columns[, 3]);
- `regions.json`: what is marked on slices, if anything is (see `core.retraining.regions`).

The id is a SHA-256 over what a model can learn from it: pixels, labels, auxiliary targets, split
and which slices belong to one series and one patient. Names, codes and dates do not enter, so
that the same content has the same id on every computer.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UnusableDatasetError
from core.imaging.intensity import Quantity
from core.imaging.volume import SeriesSummary, Volume
from core.retraining.manifest import (
    PIXELS_FOLDER,
    SPLITS,
    TABLE_FILE,
    DatasetManifest,
    SliceRow,
    content_id,
    file_digest,
    pixel_digest,
    read_manifest,
)
from core.retraining.regions import REGIONS_FILE, Regions, SliceRegion, read_regions

if TYPE_CHECKING:
    from core.retraining.series import SeriesSet

__all__ = ["Dataset", "DatasetManifest", "SliceRow", "columns_of", "read_manifest"]

_OPEN_FILES = 32
"""How many pixel files stay mapped at once: bounds resident memory whatever the set's size."""


class Dataset:
    """A set opened for reading. Rows are numbered 0 … n-1 in the table's order.

    labels: (n,) class index, -1 unlabelled. groups, series: (n,) numbers 0, 1, 2 …
    auxiliary: (n, k) float32, NaN where unknown. splits: (n,) "train", "validation" or "test".
    regions: slice key → what is marked on it.
    May be sent to other processes; pixel files are mapped again there.
    """

    unit = "slice"
    """What a row is, in words."""

    def __init__(self, folder: Path, manifest: DatasetManifest, columns: dict[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.regions: Regions = {}
        self.labels: NDArray[np.int64] = np.asarray(columns["label"], np.int64)
        self.splits: NDArray[np.str_] = np.asarray(columns["split"], np.str_)
        self.group_codes, self.groups = _numbered(columns["group"])
        self.series_codes, self.series = _numbered(columns["series"])
        count = len(self.labels)
        self.auxiliary: NDArray[np.float32] = np.full(
            (count, len(manifest.auxiliary)), np.nan, np.float32
        )
        for index, name in enumerate(manifest.auxiliary):
            self.auxiliary[:, index] = columns[f"auxiliary:{name}"]
        self.subgroups: dict[str, NDArray[np.str_]] = {
            name: np.asarray(columns[f"subgroup:{name}"], np.str_) for name in manifest.subgroups
        }
        self.orders: NDArray[np.int64] = np.asarray(columns["order"], np.int64)
        self.sizes: NDArray[np.int64] = np.stack(
            [np.asarray(columns["height"]), np.asarray(columns["width"])], axis=1
        ).astype(np.int64)
        self.spacing: NDArray[np.float64] = np.stack(
            [np.asarray(columns[f"spacing_{axis}"], np.float64) for axis in "zyx"], axis=1
        )
        self.pixel_sha256: list[str] = columns["pixel_sha256"]
        self.sources: list[str] = columns["source"]
        self._keys: list[str] = columns["key"]
        self._quantities = [Quantity(name) for name in columns["quantity"]]
        # Sets made before it was kept have no such column.
        self._orientations: list[str] = columns.get("orientation") or [""] * count
        acquisitions: list[str] = columns.get("acquisition") or [""] * count
        self._acquisitions = _numbered(acquisitions)
        self._pixel_files: list[str] = columns["pixel_file"]
        self._pixel_rows: NDArray[np.int64] = np.asarray(columns["pixel_row"], np.int64)
        self._slope = np.asarray(columns["slope"], np.float64)
        self._intercept = np.asarray(columns["intercept"], np.float64)
        breaks = np.flatnonzero(np.diff(self.series)) + 1
        starts = np.concatenate([[0], breaks]) if count else np.zeros(0, int)
        ends = np.concatenate([breaks, [count]]) if count else np.zeros(0, int)
        self._start = np.repeat(starts, ends - starts)
        self._end = np.repeat(ends, ends - starts)
        self._maps: OrderedDict[str, NDArray[Any]] = OrderedDict()

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """Open a set; checks manifest, table and the presence of pixels, reads no pixels.

        Raises UnusableDatasetError where it is absent, damaged or of a newer format.
        """
        manifest = read_manifest(folder)
        table = folder / TABLE_FILE
        if not table.is_file():
            raise UnusableDatasetError(folder, f"{TABLE_FILE} is missing")
        if file_digest(table) != manifest.table_sha256:
            raise UnusableDatasetError(folder, f"{TABLE_FILE} was altered since it was written")
        dataset = cls(folder, manifest, _read_table(table))
        if manifest.regions_sha256 is not None:
            dataset.regions = read_regions(folder)
            if file_digest(folder / REGIONS_FILE) != manifest.regions_sha256:
                raise UnusableDatasetError(
                    folder, f"{REGIONS_FILE} was altered since it was written"
                )
        for name in sorted(set(dataset._pixel_files)):
            if not (folder / PIXELS_FOLDER / name).is_file():
                raise UnusableDatasetError(folder, f"the pixel file {name} is missing")
        return dataset

    def __len__(self) -> int:
        return len(self.labels)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": OrderedDict()}

    @property
    def slice_count(self) -> int:
        """Slices of the set."""
        return len(self)

    def by_series(self) -> SeriesSet:
        """The same set with its series as rows, for models of volumes."""
        from core.retraining.series import SeriesSet

        return SeriesSet(self)

    def as_labelled(self) -> Dataset:
        """The set with those rows that its labels are about: slices, or whole series."""
        return self.by_series() if self.manifest.unit == "series" else self

    def as_seen(self, dimensions: int) -> Dataset:
        """The set with those rows that a model of slices (2) or of volumes (3) answers for."""
        return self.by_series() if dimensions == 3 else self.slices

    @property
    def slices(self) -> Dataset:
        """The same set with its slices as rows."""
        return self

    @property
    def positive_index(self) -> int | None:
        """Class index of the finding, or None."""
        positive = self.manifest.positive
        return None if positive is None else self.manifest.classes.index(positive)

    def part(self, split: str) -> NDArray[np.int64]:
        """Row numbers of one part in rising order; "all" gives every row."""
        if split == "all":
            return np.arange(len(self))
        if split not in SPLITS:
            raise ValueError(split)
        return np.flatnonzero(self.splits == split)

    def stored(self, row: int) -> NDArray[Any]:
        """Stored values of one slice, (rows, columns[, 3]): a read-only view of the file."""
        pixels: NDArray[Any] = self._map(self._pixel_files[row])[self._pixel_rows[row]]
        return pixels

    def plane(self, row: int) -> NDArray[Any]:
        """Modality values of one slice, (rows, columns[, 3]).

        uint8 as stored for 8-bit grey and colour pictures; else float32 after the Modality LUT
        (HU for CT).
        """
        stored = self.stored(row)
        if self._quantities[row] in (Quantity.GREY, Quantity.COLOUR) and stored.dtype == np.uint8:
            return np.array(stored)
        slope, intercept = np.float32(self._slope[row]), np.float32(self._intercept[row])
        values: NDArray[np.float32] = stored.astype(np.float32) * slope + intercept
        return values

    @property
    def quantity(self) -> Quantity:
        """What the values of all slices are; a set with grey and colour pictures is COLOUR."""
        return Quantity(self.manifest.quantity)

    def quantity_of(self, row: int) -> Quantity:
        """What the values of one slice are."""
        return self._quantities[row]

    def stored_type(self, row: int) -> str:
        """Stored type of one slice in numpy's short form, such as "|u1" or "<i2"."""
        return self._map(self._pixel_files[row]).dtype.str

    def neighbours(self, row: int, reach: int) -> list[int]:
        """The 2 × reach + 1 rows around one, in order, within its series.

        Neighbours are by position in the series, whatever the gaps in its numbering. Where
        there is none (before the first, after the last, or grey beside colour), the row itself
        stands in.
        """
        start, end = int(self._start[row]), int(self._end[row])
        own = self._quantities[row]
        return [
            other if start <= other < end and self._quantities[other] is own else row
            for other in range(row - reach, row + reach + 1)
        ]

    def rows_of_series(self, row: int) -> NDArray[np.int64]:
        """All rows of the series that a row belongs to, in order."""
        return np.arange(self._start[row], self._end[row])

    def volume(self, row: int) -> Volume:
        """The series that a row belongs to, as the readers give it; in memory.

        Raises UnusableDatasetError if its slices differ in size, and do not stack.
        """
        from core.retraining.series import geometry_of

        rows = self.rows_of_series(row)
        planes = [self.stored(int(one)) for one in rows]
        code = self.series_codes[self.series[row]]
        if len({plane.shape for plane in planes}) > 1:
            raise UnusableDatasetError(
                self.folder, f"the slices of its series {code} differ in size: they do not stack"
            )
        shape = (len(planes), int(planes[0].shape[0]), int(planes[0].shape[1]))
        summary = SeriesSummary(
            uid=code,
            case_id=code,
            modality="",
            description="",
            geometry=geometry_of(self._orientations[row], shape, self.spacing[row]),
            quantity=self._quantities[row],
            transfer_syntax="",
            slice_ids=tuple(self._keys[one] for one in rows),
        )
        return Volume(summary, np.stack(planes), self._slope[rows], self._intercept[rows])

    def appearance(self, row: int) -> NDArray[Any]:
        """A picture by which a row is known again, (rows, columns[, 3]), modality values."""
        return self.plane(row)

    def is_flat(self, row: int) -> bool:
        """Whether a row is of one value only, as beyond the ends of an object: it tells nothing."""
        return bool(np.ptp(self.stored(row)) == 0)

    @property
    def depths(self) -> NDArray[np.int64]:
        """Slices in the series of each row, (n,)."""
        depths: NDArray[np.int64] = (self._end - self._start).astype(np.int64)
        return depths

    def regions_of(self, row: int) -> tuple[SliceRegion, ...]:
        """What is marked on one slice."""
        return self.regions.get(self._keys[row], ())

    def keys(self) -> list[str]:
        """Stable identifiers of all slices."""
        return list(self._keys)

    def pixel_keys(self, reach: int) -> list[str]:
        """SHA-256 hex of what a network may read of each row and `reach` rows on each side.

        Labels, parts and names do not enter: what is kept under these keys serves every set in
        which a slice stands between the same neighbours.
        """
        own = [
            f"{pixels} {slope!r} {intercept!r} {spacing.tolist()} {quantity.value} {orientation}"
            for pixels, slope, intercept, spacing, quantity, orientation in zip(
                self.pixel_sha256,
                self._slope.tolist(),
                self._intercept.tolist(),
                self.spacing,
                self._quantities,
                self._orientations,
                strict=True,
            )
        ]
        return [
            hashlib.sha256(
                "|".join(own[near] for near in self.neighbours(row, reach)).encode()
            ).hexdigest()
            for row in range(len(self))
        ]

    def verify(self) -> None:
        """Read every pixel and recompute every hash.

        Raises UnusableDatasetError naming the first thing that is not as it was written.
        """
        rows = [self.row(index) for index in range(len(self))]
        for index, row in enumerate(rows):
            if pixel_digest(self.stored(index)) != row.pixel_sha256:
                raise UnusableDatasetError(
                    self.folder, f"slice {row.pixel_row} of {row.pixel_file} was altered"
                )
        manifest = self.manifest
        found = content_id(
            manifest.classes, manifest.positive, manifest.auxiliary, rows, self.regions
        )
        if found != manifest.id:
            raise UnusableDatasetError(self.folder, "its content does not match its id")

    def row(self, index: int) -> SliceRow:
        """Everything about one slice but its pixels."""
        z, y, x = (float(value) for value in self.spacing[index])
        return SliceRow(
            key=self._keys[index],
            group=self.group_codes[self.groups[index]],
            series=self.series_codes[self.series[index]],
            order=int(self.orders[index]),
            split=str(self.splits[index]),
            label=int(self.labels[index]),
            auxiliary=tuple(float(value) for value in self.auxiliary[index]),
            subgroups=tuple(str(values[index]) for values in self.subgroups.values()),
            pixel_file=self._pixel_files[index],
            pixel_row=int(self._pixel_rows[index]),
            pixel_sha256=self.pixel_sha256[index],
            height=int(self.sizes[index, 0]),
            width=int(self.sizes[index, 1]),
            slope=float(self._slope[index]),
            intercept=float(self._intercept[index]),
            quantity=self._quantities[index].value,
            spacing=(z, y, x),
            source=self.sources[index],
            orientation=self._orientations[index],
            acquisition=self._acquisition(index),
        )

    def acquisition(self, row: int) -> dict[str, str | float]:
        """How a row came to be, as `core.imaging.acquisition` tells it; {} where unknown."""
        found: dict[str, str | float] = json.loads(self._acquisition(row) or "{}")
        return found

    def _acquisition(self, row: int) -> str:
        texts, numbers = self._acquisitions
        return texts[int(numbers[row])]

    def _map(self, name: str) -> NDArray[Any]:
        mapped = self._maps.get(name)
        if mapped is None:
            try:
                mapped = np.load(
                    self.folder / PIXELS_FOLDER / name, mmap_mode="r", allow_pickle=False
                )
            except (OSError, ValueError, EOFError) as error:
                reason = f"the pixel file {name} is missing or damaged"
                raise UnusableDatasetError(self.folder, reason) from error
            self._maps[name] = mapped
            if len(self._maps) > _OPEN_FILES:
                self._maps.popitem(last=False)
        else:
            self._maps.move_to_end(name)
        return mapped


def _numbered(codes: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Distinct codes in order of appearance, and the number of each row's code."""
    numbers: dict[str, int] = {}
    each = np.fromiter(
        (numbers.setdefault(code, len(numbers)) for code in codes), np.int64, len(codes)
    )
    return list(numbers), each


def columns_of(rows: Sequence[SliceRow], manifest: DatasetManifest) -> dict[str, Any]:
    """Rows as the columns of a table."""
    columns: dict[str, Any] = {
        name: [getattr(row, name) for row in rows]
        for name in SliceRow.__dataclass_fields__
        if name not in ("auxiliary", "subgroups", "spacing")
    }
    for index, axis in enumerate("zyx"):
        columns[f"spacing_{axis}"] = [row.spacing[index] for row in rows]
    for index, name in enumerate(manifest.auxiliary):
        columns[f"auxiliary:{name}"] = [row.auxiliary[index] for row in rows]
    for index, name in enumerate(manifest.subgroups):
        columns[f"subgroup:{name}"] = [row.subgroups[index] for row in rows]
    return columns


def _read_table(path: Path) -> dict[str, Any]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise UnusableDatasetError(path.parent, f"{TABLE_FILE} is damaged") from error
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name)
        columns[name] = (
            column.to_pylist()
            if pyarrow.types.is_string(column.type)
            else column.to_numpy(zero_copy_only=False)
        )
    return columns
