"""A training set from a table: files found, decoded, split by group, published in one step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadTableError, CoreError, LeakError, UnreadableImageError
from core.imaging.acquisition import acquisition_text
from core.imaging.deidentify import pseudonym, site_key
from core.imaging.opening import open_path
from core.imaging.volume import Volume
from core.retraining.dataset import Dataset
from core.retraining.fingerprints import Fingerprints, substantial_links
from core.retraining.manifest import SPLITS, DatasetManifest, Provenance, Split
from core.retraining.masks import Masks
from core.retraining.series import letters_of
from core.retraining.snapshot import SliceFacts, SnapshotWriter, comparable_stored, refuse_occupied
from core.retraining.splits import ALIASES, draw_linked, name_digest
from core.retraining.tables import Table, TableColumns, TableRow, natural_key, read_table
from core.retraining.tested import TestedPictures

Progress = Callable[[int, int], None]
"""Called with (files done, files in all)."""

_AHEAD = 8
"""Files decoded before they are needed: keeps the decoders busy, bounds memory."""


@dataclass(frozen=True)
class TableRequest:
    """What `sliceloop dataset build` was asked for.

    split: "auto", "test" (every row into the test part) or the name of a column that holds
        train, validation or test. keep_names: keep the table's file names in the set, for
        public data; otherwise a slice's source is a pseudonym. extends: an earlier set whose
        assignments of groups stay. mask: the column of mask files: where they are not zero
        lies the finding.
    """

    table: Path
    file: str
    label: str
    group: str
    out: Path
    positive: str | None = None
    negative: str | None = None
    split: str = "auto"
    series: str | None = None
    order: str | None = None
    mask: str | None = None
    subgroups: tuple[str, ...] = ()
    group_block: int | None = None
    keep_names: bool = False
    extends: Path | None = None


def build_from_table(request: TableRequest, progress: Progress | None = None) -> DatasetManifest:
    """Build a set from a CSV table; paths in it are relative to it.

    Slices are ordered by group (by the SHA-256 of its name), series, then `order` or the
    natural order of file names, whatever the table's order. A file with several slices, or a
    folder with one series, gives them all, with the row's label; it is a series by itself unless
    a column names the series. Where every row is such a volume, labels are about series. Whoever
    was in a drawn test part before stays there, by the pictures (`core.retraining.tested`).

    Raises BadTableError naming the column, value or file; LeakError if a split column puts a
    group on two sides; UnreadableImageError; UnusableDatasetError if `out` is occupied.
    """
    refuse_occupied(request.out)
    split_column = None if request.split in ("auto", "test") else request.split
    columns = TableColumns(
        request.file,
        request.label,
        request.group,
        request.series,
        request.order,
        split_column,
        request.subgroups,
        request.mask,
    )
    table = read_table(
        request.table, columns, request.positive, request.negative, request.group_block
    )
    key = site_key()
    codes = {row.group: pseudonym(key, f"patient:{row.group}") for row in table.rows}
    stated = _stated_splits(request, table)
    earlier = None if request.extends is None else Dataset.open(request.extends)
    rows = sorted(
        table.rows,
        key=lambda row: (
            name_digest(row.group),
            natural_key(row.series),
            natural_key(row.order),
            natural_key(row.file),
        ),
    )
    prints = Fingerprints()
    masks = Masks(table)
    tested = TestedPictures()
    telling: list[bool] = []  # a slice of one value is like those of other patients
    volumes = True
    with SnapshotWriter(request.out, table.target) as writer:
        for done, (row, read) in enumerate(_decoded(table, rows, key)):
            volumes &= read.volume.slices > 1
            for facts, pixels in _slices(key, codes, row, read, request):
                writer.add(facts, pixels, masks.of(row, facts, pixels.shape))
                telling.append(bool(pixels.min() < pixels.max()))
                if stated is None:
                    prints.add(
                        comparable_stored(pixels, facts.slope, facts.intercept, facts.quantity)
                    )
            if progress is not None:
                progress(done + 1, len(rows))
        if stated is None:
            pictures = [
                (code, digest)
                for code, digest, tells in zip(
                    writer.groups, writer.pixel_digests, telling, strict=True
                )
                if tells
            ]
            drawn = _draw(table, codes, _known(earlier, codes, pictures, tested), writer, prints)
            tested.add(digest for code, digest in pictures if drawn[code] == "test")
        else:
            drawn = {codes[name]: split for name, split in stated.items()}
        return writer.publish(
            Provenance(source="table", digest=table.digest, columns=_roles(columns)),
            splits=drawn,
            extends=None if earlier is None else earlier.manifest.id,
            unit="series" if volumes else "slice",
        )


def _draw(
    table: Table,
    codes: dict[str, str],
    known: dict[str, Split],
    writer: SnapshotWriter,
    prints: Fingerprints,
) -> dict[str, Split]:
    """Group code → part, drawn by name; groups that show the same thing go to one part.

    known: group name → part that it keeps.
    """
    groups = _findings(table)
    names = list(groups)
    of_code = {codes[name]: index for index, name in enumerate(names)}
    sides = np.array([of_code[code] for code in writer.groups])
    links = substantial_links(prints.duplicates(sides, writer.comparable), sides)
    drawn = draw_linked(groups, [(names[one], names[two]) for one, two in links], known)
    return {codes[name]: split for name, split in drawn.items()}


def _known(
    earlier: Dataset | None,
    codes: dict[str, str],
    pictures: Sequence[tuple[str, str]],
    tested: TestedPictures,
) -> dict[str, Split]:
    """Group name → part that it had before, under whatever code; tested on is tested on.

    pictures: (group code, pixel SHA-256) of each picture that tells patients apart. Another
    site's codes, or a patient under a new number, would otherwise be drawn anew.
    """
    part_of: dict[str, Split] = {}
    before: dict[str, Split] = {}
    if earlier is not None:
        part_of = {
            digest: ALIASES[str(split)]
            for digest, split in zip(earlier.pixel_sha256, earlier.splits, strict=True)
        }
        before = assignments(earlier)
    name_of = {code: name for name, code in codes.items()}
    known = {name_of[code]: part for code, part in tested.parts_of(pictures).items()}
    for code, digest in pictures:
        part = part_of.get(digest)
        if part is not None:
            name = name_of[code]
            known[name] = max(known.get(name, "train"), part, key=SPLITS.index)
    return known | {name: before[code] for name, code in codes.items() if code in before}


def _findings(table: Table) -> dict[str, bool]:
    """Group name → whether any of its slices has the finding (or, without one, class 0)."""
    positive = table.target.positive
    finding = 0 if positive is None else table.target.classes.index(positive)
    groups: dict[str, bool] = {}
    for row in table.rows:
        groups[row.group] = groups.get(row.group, False) or row.label == finding
    return groups


def assignments(dataset: Dataset) -> dict[str, Split]:
    """Group code → part of a set."""
    return {
        code: ALIASES[str(split)]
        for code, split in zip(
            (dataset.group_codes[group] for group in dataset.groups), dataset.splits, strict=True
        )
    }


def _stated_splits(request: TableRequest, table: Table) -> dict[str, Split] | None:
    """Group name → part as the request or a column of the table states it, else None."""
    if request.split == "auto":
        return None
    if request.split == "test":
        return dict.fromkeys((row.group for row in table.rows), "test")
    stated: dict[str, Split] = {}
    both: set[str] = set()
    for row in table.rows:
        split = ALIASES.get(row.split.lower())
        if split is None:
            reason = f"line {row.line}: “{row.split}” in the column “{request.split}” is none of "
            raise BadTableError(table.path, f"{reason}train, validation, test")
        if stated.setdefault(row.group, split) != split:
            both.add(row.group)
    if both:
        what = f"{len(both)} values of “{request.group}” stand on two sides of “{request.split}”"
        raise LeakError(what, tuple(sorted(both, key=natural_key)[:5]))
    return stated


@dataclass(frozen=True, eq=False)
class _Decoded:
    """What a row's file holds, and how it came to be (see `core.imaging.acquisition`)."""

    volume: Volume
    acquisition: str


def _decoded(table: Table, rows: list[TableRow], key: bytes) -> Iterator[tuple[TableRow, _Decoded]]:
    """Rows with their decoded files, in order; a few are decoded ahead."""
    waiting: deque[tuple[TableRow, Future[_Decoded]]] = deque()
    with ThreadPoolExecutor(2, thread_name_prefix="decode") as pool:
        try:
            for row in rows:
                waiting.append((row, pool.submit(_decode, table, row, key)))
                if len(waiting) > _AHEAD:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def _decode(table: Table, row: TableRow, key: bytes) -> _Decoded:
    path = (table.path.parent / row.file).resolve()
    if not path.exists():
        raise BadTableError(table.path, f"line {row.line}: the file {row.file} does not exist")
    try:
        series = open_path(path).series
        if len(series) != 1:
            raise UnreadableImageError(path, f"it holds {len(series)} series instead of one")
        one = series[0]
        volume = one.read_slice(0) if one.summary.shape[0] == 1 else one.load()
        return _Decoded(volume, acquisition_text(one, key))
    except CoreError:
        raise
    except MemoryError as error:
        raise UnreadableImageError(path, "it does not fit into memory") from error


def _slices(
    key: bytes, codes: dict[str, str], row: TableRow, read: _Decoded, request: TableRequest
) -> Iterator[tuple[SliceFacts, NDArray[Any]]]:
    """The slices of one file: what is known of each, and its stored values."""
    volume, geometry = read.volume, read.volume.geometry
    spacing = geometry.spacing if geometry.has_spacing else (float("nan"),) * 3
    alone = volume.slices > 1 and request.series is None
    series = f"{row.series}/{row.file}" if alone else row.series
    for index in range(volume.slices):
        name = f"{row.file}#{index}" if volume.slices > 1 else row.file
        code = pseudonym(key, f"slice:{row.group}/{series}/{name}")
        facts = SliceFacts(
            key=code,
            group=codes[row.group],
            series=pseudonym(key, f"series:{row.group}/{series}"),
            label=row.label,
            source=name if request.keep_names else code,
            auxiliary=row.auxiliary,
            subgroups=row.subgroups,
            slope=float(volume.slope[index]),
            intercept=float(volume.intercept[index]),
            quantity=volume.summary.quantity,
            spacing=spacing,
            orientation=letters_of(geometry),
            acquisition=read.acquisition,
        )
        yield facts, np.asarray(volume.voxels[index])


def _roles(columns: TableColumns) -> dict[str, str]:
    roles = {
        "file": columns.file,
        "label": columns.label,
        "group": columns.group,
        "series": columns.series,
        "order": columns.order,
        "split": columns.split,
        "mask": columns.mask,
    }
    return {role: name for role, name in roles.items() if name is not None}
