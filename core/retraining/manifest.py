"""What a training set says of itself: its manifest, its rows, and the hashes that bind both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import UnusableDatasetError
from core.retraining.regions import SliceRegion

FORMAT = 1
"""Version of the folder's layout; a reader refuses a newer one."""

MANIFEST_FILE = "dataset.json"
TABLE_FILE = "slices.parquet"
PIXELS_FOLDER = "pixels"

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
"""The three parts, in the order in which they are told."""


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
    extends: id of the earlier set whose split this one took over. regions_sha256: of
    `regions.json`, None where nothing is marked. unit: what the labels are about, each slice or
    the whole series; health is looked at in these units.
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
    regions_sha256: str | None = None
    unit: Literal["slice", "series"] = "slice"


@dataclass(frozen=True)
class SliceRow:
    """One slice of a set.

    key: stable identifier of the slice on this site. group: patient's code. series: code.
    order: position in the series, 0, 1, 2 … without gaps. label: class index, -1 unlabelled.
    auxiliary: 0.0, 1.0 or NaN (unknown), one a name. subgroups: text, one a name.
    pixel_file: name under pixels/; pixel_row: slice in it. pixel_sha256: see `pixel_digest`.
    spacing: millimetres (slice, row, column), NaN where unknown.
    source: name of the slice without identity, for people.
    orientation: where slice, row and column numbers grow to, nearest, such as HPL (head, back,
    left); "" where unknown.
    acquisition: JSON of how it came to be (see `core.imaging.acquisition`), "" where unknown; it
    tells confounds and is never learnt.
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
    orientation: str = ""
    acquisition: str = ""


def pixel_digest(pixels: NDArray[Any]) -> str:
    """SHA-256 hex of one slice: type, shape and values."""
    digest = hashlib.sha256(f"{pixels.dtype.str} {pixels.shape} ".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def content_id(
    classes: Sequence[str],
    positive: str | None,
    auxiliary: Sequence[str],
    rows: Iterable[SliceRow],
    regions: Mapping[str, Sequence[SliceRegion]] | None = None,
) -> str:
    """SHA-256 hex over everything that a model could learn from these rows, in their order.

    regions: slice key → what a reader marked on it; a slice without any adds nothing.
    """
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
            # Sets without it keep the id that they have always had.
            *([row.orientation] if row.orientation else []),
        )
        for region in (regions or {}).get(row.key, ()):
            add("region", *region.facts())
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
