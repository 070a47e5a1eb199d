"""A training set: immutable, content-addressed, split by patient, read without loading it.

A set is a folder:

- `dataset.json`: the manifest (`DatasetManifest`);
- `slices.parquet`: one row a slice, in canonical order (see `SliceRow`);
- `pixels/*.npy`: slices of one size and stored type, (slices, rows, columns[, 3]).

The id is a SHA-256 over what a model can learn from it: pixels, labels, auxiliary targets, split
and which slices belong to one series and one patient. Names, codes and dates do not enter, so
that the same content has the same id on every computer.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import UnusableDatasetError
from core.imaging.intensity import Quantity

FORMAT = 1
"""Version of the folder's layout; a reader refuses a newer one."""

MANIFEST_FILE = "dataset.json"
TABLE_FILE = "slices.parquet"
PIXELS_FOLDER = "pixels"

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
"""The three parts, in the order in which they are told."""

_OPEN_FILES = 32
"""How many pixel files stay mapped at once: bounds resident memory whatever the set's size."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Provenance(_Frozen):
    """Where a set's labels came from, without anything that names a person or a file.

    source: "table" (a CSV), "labels" (the journal of the window) or "import".
    digest: SHA-256 of the table's bytes, or the digest of the journal's last entry used.
    columns: role → column name of a table.
    events: sequence numbers of the label events used, for a set made from labels.
    left_out: reasons why labelled cases are not in the set, with their number.
    """

    source: Literal["table", "labels", "import"]
    digest: str
    columns: dict[str, str] = Field(default_factory=dict)
    events: tuple[int, ...] = ()
    left_out: dict[str, int] = Field(default_factory=dict)
    program: str = "sliceloop"


class PartCounts(_Frozen):
    """Size of one part. classes: class id → labelled slices."""

    slices: int
    series: int
    groups: int
    unlabelled: int
    classes: dict[str, int]


class DatasetManifest(_Frozen):
    """What a set is, in one page of JSON.

    id: SHA-256 hex over the content. classes: class ids; a label is an index into them.
    positive: class id of the finding, None where classes are only alternatives.
    auxiliary: names of the 0/1 targets kept beside the label. subgroups: names of the columns
    by which results are told apart. quantity: a `Quantity` value.
    split_hash: SHA-256 over (pixels, part) of all slices; test_hash: over the test part alone.
    extends: id of the earlier set whose split this one took over.
    """

    format: int = FORMAT
    id: str
    created: str
    classes: tuple[str, ...]
    positive: str | None
    auxiliary: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    quantity: str
    provenance: Provenance
    split_hash: str
    test_hash: str
    counts: dict[str, PartCounts]
    table_sha256: str
    extends: str | None = None


@dataclass(frozen=True)
class SliceRow:
    """One slice of a set.

    key: stable identifier of the slice on this site. group: patient's code. series: code.
    order: position in the series, 0, 1, 2 … without gaps. label: class index, -1 unlabelled.
    auxiliary: 0.0, 1.0 or NaN (unknown), one a name. subgroups: text, one a name.
    pixel_file: name under pixels/; pixel_row: slice in it. pixel_sha256: see `pixel_digest`.
    spacing: millimetres (slice, row, column), NaN where unknown.
    source: name of the slice without identity, for people.
    """

    key: str
    group: str
    series: str
    order: int
    split: str
    label: int
    auxiliary: tuple[float, ...]
    subgroups: tuple[str, ...]
    pixel_file: str
    pixel_row: int
    pixel_sha256: str
    height: int
    width: int
    slope: float
    intercept: float
    quantity: str
    spacing: tuple[float, float, float]
    source: str


def pixel_digest(pixels: NDArray[Any]) -> str:
    """SHA-256 hex of one slice: type, shape and values."""
    digest = hashlib.sha256(f"{pixels.dtype.str} {pixels.shape} ".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def content_id(
    classes: Sequence[str], positive: str | None, auxiliary: Sequence[str], rows: Iterable[SliceRow]
) -> str:
    """SHA-256 hex over everything that a model could learn from these rows, in their order."""
    digest = hashlib.sha256()

    def add(*facts: object) -> None:
        digest.update(json.dumps(facts, ensure_ascii=True).encode())
        digest.update(b"\n")

    add("sliceloop dataset", FORMAT, list(classes), positive, list(auxiliary))
    groups: dict[str, int] = {}
    series: dict[str, int] = {}
    for row in rows:
        add(
            groups.setdefault(row.group, len(groups)),
            series.setdefault(row.series, len(series)),
            row.order,
            row.split,
            row.label,
            [None if np.isnan(value) else float(value) for value in row.auxiliary],
            row.pixel_sha256,
            float(row.slope),
            float(row.intercept),
            row.quantity,
            [None if np.isnan(value) else round(float(value), 6) for value in row.spacing],
        )
    return digest.hexdigest()


def split_digest(rows: Iterable[tuple[str, str]], part: str | None = None) -> str:
    """SHA-256 hex over (pixel SHA-256, part) pairs, independent of their order and of names."""
    lines = sorted(f"{pixels} {split}\n" for pixels, split in rows if part in (None, split))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def count_parts(rows: Sequence[SliceRow], classes: Sequence[str]) -> dict[str, PartCounts]:
    """Sizes of the three parts."""
    counts: dict[str, PartCounts] = {}
    for part in SPLITS:
        chosen = [row for row in rows if row.split == part]
        counts[part] = PartCounts(
            slices=len(chosen),
            series=len({row.series for row in chosen}),
            groups=len({row.group for row in chosen}),
            unlabelled=sum(row.label < 0 for row in chosen),
            classes={
                name: sum(row.label == index for row in chosen)
                for index, name in enumerate(classes)
            },
        )
    return counts


class Dataset:
    """A set opened for reading. Rows are numbered 0 … n-1 in the table's order.

    labels: (n,) class index, -1 unlabelled. groups, series: (n,) numbers 0, 1, 2 …
    auxiliary: (n, k) float32, NaN where unknown. splits: (n,) "train", "validation" or "test".
    May be sent to other processes; pixel files are mapped again there.
    """

    def __init__(self, folder: Path, manifest: DatasetManifest, columns: dict[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
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
        for name in sorted(set(dataset._pixel_files)):
            if not (folder / PIXELS_FOLDER / name).is_file():
                raise UnusableDatasetError(folder, f"the pixel file {name} is missing")
        return dataset

    def __len__(self) -> int:
        return len(self.labels)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": OrderedDict()}

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

    def keys(self) -> list[str]:
        """Stable identifiers of all slices."""
        return list(self._keys)

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
        if content_id(manifest.classes, manifest.positive, manifest.auxiliary, rows) != manifest.id:
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
        )

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


def read_manifest(folder: Path) -> DatasetManifest:
    """The manifest of a set. Raises UnusableDatasetError."""
    path = folder / MANIFEST_FILE
    if not path.is_file():
        reason = (
            "it does not exist" if not folder.exists() else f"there is no {MANIFEST_FILE} in it"
        )
        raise UnusableDatasetError(folder, reason)
    try:
        facts = json.loads(path.read_bytes())
        if isinstance(facts, dict) and facts.get("format", FORMAT) > FORMAT:
            raise UnusableDatasetError(
                folder, "a newer version of Sliceloop wrote it", "Update Sliceloop."
            )
        return DatasetManifest.model_validate(facts)
    except (ValueError, TypeError, ValidationError) as error:
        raise UnusableDatasetError(folder, f"{MANIFEST_FILE} is damaged") from error


def file_digest(path: Path) -> str:
    """SHA-256 hex of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _numbered(codes: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Distinct codes in order of appearance, and the number of each row's code."""
    numbers: dict[str, int] = {}
    each = np.fromiter(
        (numbers.setdefault(code, len(numbers)) for code in codes), np.int64, len(codes)
    )
    return list(numbers), each


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
