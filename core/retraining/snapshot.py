"""Writing a training set: slice by slice, in bounded memory, complete or invisible."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import psutil
from numpy.typing import NDArray

from core.durable import publish_folder, write_json
from core.errors import NotDurableError, UnusableDatasetError
from core.imaging.intensity import Quantity
from core.retraining.fingerprints import comparable
from core.retraining.manifest import (
    MANIFEST_FILE,
    PIXELS_FOLDER,
    TABLE_FILE,
    DatasetManifest,
    Provenance,
    SliceRow,
    Split,
    content_id,
    count_parts,
    file_digest,
    pixel_digest,
    split_digest,
)
from core.retraining.regions import REGIONS_FILE, SliceRegion, as_bytes

_FILE_BYTES = 8_000_000
"""Slices of one size and type are gathered into files of about this size: a mapped file
counts as resident memory once read."""

_WAITING_BYTES = 128_000_000
"""Most pixels that wait in memory for their file, over all sizes and types."""


@dataclass(frozen=True)
class Target:
    """What a set teaches. classes: ids, a label is an index; positive: id or None."""

    classes: tuple[str, ...]
    positive: str | None
    auxiliary: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()


@dataclass(frozen=True)
class SliceFacts:
    """What is known of a slice before it is written; fields as in `SliceRow`."""

    key: str
    group: str
    series: str
    label: int
    source: str
    auxiliary: tuple[float, ...] = ()
    subgroups: tuple[str, ...] = ()
    slope: float = 1.0
    intercept: float = 0.0
    quantity: Quantity = Quantity.GREY
    spacing: tuple[float, float, float] = (float("nan"),) * 3
    orientation: str = ""
    acquisition: str = ""


@dataclass
class _Waiting:
    """Slices of one size and type that will form one file."""

    name: str
    slices: list[NDArray[Any]] = field(default_factory=list)
    size: int = 0


class SnapshotWriter:
    """Fills a hidden folder beside `out` and publishes it in one step.

    Add the slices of one series one after another, in order, and the series of one group one
    after another. Leaving the `with` block without `publish` removes everything.
    Raises UnusableDatasetError where `out` exists and is not an empty folder.
    """

    def __init__(self, out: Path, target: Target) -> None:
        refuse_occupied(out)
        self._out = out
        self._target = target
        self._folder = out.parent / f".{out.name}.{os.getpid()}-{secrets.token_hex(4)}.part"
        self._waiting: dict[tuple[Any, ...], _Waiting] = {}
        self._waiting_bytes = 0
        self._files = 0
        self._rows: list[SliceRow] = []
        self._regions: dict[str, tuple[SliceRegion, ...]] = {}

    def __enter__(self) -> SnapshotWriter:
        _clear_abandoned(self._out)
        try:
            (self._folder / PIXELS_FOLDER).mkdir(parents=True)
        except OSError as error:
            raise NotDurableError(self._out, error.strerror or str(error)) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(
        self, facts: SliceFacts, pixels: NDArray[Any], regions: Sequence[SliceRegion] = ()
    ) -> None:
        """Append one slice: stored values (rows, columns[, 3]), and what is marked on it."""
        pixels = np.ascontiguousarray(pixels)
        if regions:
            self._regions[facts.key] = tuple(regions)
        kind = (pixels.dtype.str, pixels.shape)
        waiting = self._waiting.get(kind)
        if waiting is None:
            waiting = self._waiting[kind] = _Waiting(f"{self._files:05d}.npy")
            self._files += 1
        last = self._rows[-1] if self._rows else None
        self._rows.append(
            SliceRow(
                key=facts.key,
                group=facts.group,
                series=facts.series,
                order=last.order + 1 if last is not None and last.series == facts.series else 0,
                split="",
                label=facts.label,
                auxiliary=facts.auxiliary,
                subgroups=facts.subgroups,
                pixel_file=waiting.name,
                pixel_row=len(waiting.slices),
                pixel_sha256=pixel_digest(pixels),
                height=pixels.shape[0],
                width=pixels.shape[1],
                slope=facts.slope,
                intercept=facts.intercept,
                quantity=facts.quantity.value,
                spacing=facts.spacing,
                source=facts.source,
                orientation=facts.orientation,
                acquisition=facts.acquisition,
            )
        )
        waiting.slices.append(pixels)
        waiting.size += pixels.nbytes
        self._waiting_bytes += pixels.nbytes
        if waiting.size >= _FILE_BYTES:
            self._write(kind)
        elif self._waiting_bytes >= _WAITING_BYTES:
            self._write_all()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def groups(self) -> list[str]:
        """Group code of each slice added so far."""
        return [row.group for row in self._rows]

    @property
    def pixel_digests(self) -> list[str]:
        """Pixel SHA-256 of each slice added so far."""
        return [row.pixel_sha256 for row in self._rows]

    def comparable(self, index: int) -> NDArray[Any]:
        """A slice added before, read back for comparison; flushes what waits in memory."""
        self._write_all()
        row = self._rows[index]
        stored = np.load(
            self._folder / PIXELS_FOLDER / row.pixel_file, mmap_mode="r", allow_pickle=False
        )[row.pixel_row]
        return comparable_stored(stored, row.slope, row.intercept, Quantity(row.quantity))

    def publish(
        self,
        provenance: Provenance,
        splits: Mapping[str, Split],
        extends: str | None = None,
        unit: Literal["slice", "series"] = "slice",
    ) -> DatasetManifest:
        """Finish: the set appears under its name, complete and durable.

        splits: group code → part. extends: id of the set whose assignments it kept. unit: what
        the labels are about.
        Raises UnusableDatasetError if nothing was added, NotDurableError if it cannot be saved.
        """
        if not self._rows:
            raise UnusableDatasetError(self._out, "there is nothing to put into it")
        self._rows = [replace(row, split=splits[row.group]) for row in self._rows]
        self._write_all()
        table = self._folder / TABLE_FILE
        try:
            write_table(table, self._rows, self._target)
            if self._regions:
                (self._folder / REGIONS_FILE).write_bytes(as_bytes(self._regions))
        except OSError as error:
            raise NotDurableError(self._out, error.strerror or str(error)) from error
        target, rows = self._target, self._rows
        pairs = [(row.pixel_sha256, row.split) for row in rows]
        manifest = DatasetManifest(
            id=content_id(target.classes, target.positive, target.auxiliary, rows, self._regions),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            classes=target.classes,
            positive=target.positive,
            auxiliary=target.auxiliary,
            subgroups=target.subgroups,
            quantity=self._quantity(),
            provenance=provenance,
            split_hash=split_digest(pairs),
            test_hash=split_digest(pairs, "test"),
            counts=count_parts(rows, target.classes),
            table_sha256=file_digest(table),
            extends=extends,
            regions_sha256=file_digest(self._folder / REGIONS_FILE) if self._regions else None,
            unit=unit,
        )
        write_json(self._folder / MANIFEST_FILE, manifest.model_dump(mode="json"))
        refuse_occupied(self._out)
        if self._out.exists():
            self._out.rmdir()
        publish_folder(self._folder, self._out)
        return manifest

    def _quantity(self) -> str:
        found = {row.quantity for row in self._rows}
        pictures = {Quantity.GREY.value, Quantity.COLOUR.value}
        if len(found) > 1 and not found <= pictures:
            raise UnusableDatasetError(
                self._out,
                f"it would mix values of different meaning: {', '.join(sorted(found))}",
                "Build one set for each kind of image.",
            )
        return found.pop() if len(found) == 1 else Quantity.COLOUR.value

    def _write(self, kind: tuple[Any, ...]) -> None:
        waiting = self._waiting.pop(kind)
        self._waiting_bytes -= waiting.size
        try:
            np.save(
                self._folder / PIXELS_FOLDER / waiting.name,
                np.stack(waiting.slices),
                allow_pickle=False,
            )
        except OSError as error:
            raise NotDurableError(self._out, error.strerror or str(error)) from error

    def _write_all(self) -> None:
        for kind in list(self._waiting):
            self._write(kind)


def comparable_stored(
    stored: NDArray[Any], slope: float, intercept: float, quantity: Quantity
) -> NDArray[Any]:
    """Stored values as `fingerprints.comparable` wants them."""
    values = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    return comparable(values, quantity)


def _clear_abandoned(out: Path) -> None:
    """Remove what a process that was killed had begun to write under this name."""
    for folder in out.parent.glob(f".{glob.escape(out.name)}.*-*.part"):
        owner = folder.name.removeprefix(f".{out.name}.").split("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def refuse_occupied(out: Path) -> None:
    """Raise UnusableDatasetError unless a folder can appear as `out`: absent, or empty."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UnusableDatasetError(
            out,
            "something is there already, and a training set is never overwritten",
            "Choose another folder for --out.",
        )


def write_table(path: Path, rows: Sequence[SliceRow], target: Target) -> None:
    """Write the rows as Parquet, one column a field (see `SliceRow`)."""
    import pyarrow
    from pyarrow import parquet

    types = {
        "order": pyarrow.int32(),
        "label": pyarrow.int16(),
        "pixel_row": pyarrow.int32(),
        "height": pyarrow.int32(),
        "width": pyarrow.int32(),
        "slope": pyarrow.float64(),
        "intercept": pyarrow.float64(),
    }
    columns: dict[str, Any] = {
        name: pyarrow.array([getattr(row, name) for row in rows], types.get(name, pyarrow.string()))
        for name in SliceRow.__dataclass_fields__
        if name not in ("auxiliary", "subgroups", "spacing")
    }
    for index, axis in enumerate("zyx"):
        columns[f"spacing_{axis}"] = pyarrow.array(
            [row.spacing[index] for row in rows], pyarrow.float64()
        )
    for index, name in enumerate(target.auxiliary):
        columns[f"auxiliary:{name}"] = pyarrow.array(
            [row.auxiliary[index] for row in rows], pyarrow.float32()
        )
    for index, name in enumerate(target.subgroups):
        columns[f"subgroup:{name}"] = pyarrow.array(
            [row.subgroups[index] for row in rows], pyarrow.string()
        )
    parquet.write_table(pyarrow.table(columns), path, compression="zstd")
