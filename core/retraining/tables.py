"""What a table of labels says: columns checked, values understood, classes named.

Nothing is decoded here. Everything that is wrong is a BadTableError naming column, value or
file, so that a typing error costs a sentence and not an hour.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import BadTableError
from core.retraining.snapshot import Target

_NEGATIVE_WORDS = ("no", "non", "not", "normal", "negative", "free", "healthy", "benign", "absent")
"""First words of class names that stand for the absence of a finding."""

_UNKNOWN = ("", "na", "nan", "none", "null", "unknown")
"""Cells (in lower case) that state nothing."""


@dataclass(frozen=True)
class TableColumns:
    """Which column plays which part; None where the table has none."""

    file: str
    label: str
    group: str
    series: str | None = None
    order: str | None = None
    split: str | None = None
    subgroups: tuple[str, ...] = ()
    mask: str | None = None


@dataclass(frozen=True)
class TableRow:
    """One row: a file, as the table names it, and what is said of it.

    label: class index, -1 if unlabelled. auxiliary: 0, 1 or NaN. split: as written, or "".
    line: line in the file, for messages. mask: file in which pixels of the finding are not
    zero, or "".
    """

    file: str
    group: str
    series: str
    order: str
    split: str
    label: int
    auxiliary: tuple[float, ...]
    subgroups: tuple[str, ...]
    line: int
    mask: str = ""


@dataclass(frozen=True)
class Table:
    """A table understood. digest: SHA-256 hex of its bytes."""

    path: Path
    digest: str
    target: Target
    rows: tuple[TableRow, ...]


def read_table(
    path: Path,
    columns: TableColumns,
    positive: str | None = None,
    negative: str | None = None,
    group_block: int | None = None,
) -> Table:
    """Read a CSV table (UTF-8, comma, semicolon or tab; first line names the columns).

    positive: the label value that is the finding; all others become its absence. negative: the
    value that is the absence; all others together become the finding. group_block: numbers in
    the group column fall into blocks of this size (neighbours in a production line).

    Every further column whose values are all 0, 1 or empty becomes an auxiliary target.
    Raises BadTableError.
    """
    content = _read(path)
    header, body = _parse(path, content)
    named = (
        columns.file,
        columns.label,
        columns.group,
        columns.series,
        columns.order,
        columns.mask,
    )
    for name in (*named, columns.split, *columns.subgroups):
        if name is not None and name not in header:
            raise BadTableError(path, f"there is no column “{name}”", tuple(header))
    cells = {name: [row[index].strip() for _, row in body] for index, name in enumerate(header)}
    target, labels = _target(path, columns.label, cells[columns.label], positive, negative)
    used = {name for name in (*named, columns.split, *columns.subgroups) if name is not None}
    auxiliary = {
        name: numbers
        for name in header
        if name not in used and (numbers := _zeros_and_ones(cells[name])) is not None
    }
    lines = [line for line, _ in body]
    groups = _groups(path, columns.group, cells[columns.group], lines, group_block)
    blank = [""] * len(body)
    series = cells[columns.series] if columns.series else groups
    rows = tuple(
        TableRow(*facts)
        for facts in zip(
            cells[columns.file],
            groups,
            series,
            cells[columns.order] if columns.order else blank,
            cells[columns.split] if columns.split else blank,
            labels,
            zip(*auxiliary.values(), strict=True) if auxiliary else [()] * len(body),
            zip(*(cells[name] for name in columns.subgroups), strict=True)
            if columns.subgroups
            else [()] * len(body),
            lines,
            cells[columns.mask] if columns.mask else blank,
            strict=True,
        )
    )
    _check_rows(path, columns, rows)
    target = Target(target.classes, target.positive, tuple(auxiliary), columns.subgroups)
    return Table(path, hashlib.sha256(content).hexdigest(), target, rows)


def class_id(text: str) -> str:
    """A label value as a class id: lower case, words joined by underscores."""
    return re.sub(r"[^\w]+", "_", text.strip().lower()).strip("_") or "unnamed"


def natural_key(text: str) -> tuple[tuple[int, int | str], ...]:
    """Sort key under which "slice 9" stands before "slice 10"."""
    return tuple(
        (0, int(part)) if part.isdecimal() else (1, part.casefold())
        for part in re.split(r"(\d+)", text)
        if part
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BadTableError(path, "it does not exist") from None
    except OSError as error:
        raise BadTableError(path, error.strerror or str(error)) from error


def _parse(path: Path, content: bytes) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Column names, and (line number, cells) of each row that is not empty."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadTableError(path, "it is not UTF-8 text; save it as CSV UTF-8") from error
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise BadTableError(path, f"it is not a CSV table: {error}") from error
    if len(rows) < 2:
        raise BadTableError(path, "it has no rows below its line of column names")
    header = [name.strip() for name in rows[0][1]]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise BadTableError(path, f"the column “{twice[0]}” is there twice")
    for line, row in rows[1:]:
        if len(row) != len(header):
            reason = f"line {line} has {len(row)} cells instead of {len(header)}"
            raise BadTableError(path, reason, tuple(header))
    return header, rows[1:]


def _target(
    path: Path, column: str, cells: Sequence[str], positive: str | None, negative: str | None
) -> tuple[Target, list[int]]:
    """Classes and the class index of each cell."""
    values = [None if cell.lower() in _UNKNOWN else _canonical(cell) for cell in cells]
    present = sorted({value for value in values if value is not None}, key=natural_key)
    if not present:
        raise BadTableError(path, f"the column “{column}” holds no label")
    if positive is not None and negative is not None:
        raise BadTableError(path, "both --positive and --negative are given; one suffices")
    for chosen in (positive, negative):
        if chosen is not None and _canonical(chosen) not in present:
            reason = f"no row of the column “{column}” holds “{chosen}”"
            raise BadTableError(path, f"{reason}; it holds {', '.join(present[:12])}")
    positive = None if positive is None else _canonical(positive)
    negative = None if negative is None else _canonical(negative)
    if len({class_id(value) for value in present}) < len(present):
        raise BadTableError(path, f"two labels of the column “{column}” differ only in spelling")
    if set(present) <= {"0", "1"}:
        one = "1" if positive is None and negative is None else positive or _other(negative)
        name = class_id(column)
        classes: tuple[str, ...] = (f"no_{name}", name)
        return Target(classes, name), [-1 if v is None else int(v == one) for v in values]
    if positive is None and negative is None and len(present) == 2:
        negative = next((value for value in present if _is_absence(value)), present[0])
    if positive is not None:
        finding = class_id(positive)
        rest = [value for value in present if value != positive]
        absence = class_id(rest[0]) if len(rest) == 1 else f"no_{finding}"
        return Target((absence, finding), finding), [
            -1 if value is None else int(value == positive) for value in values
        ]
    if negative is not None:
        absence = class_id(negative)
        rest = [value for value in present if value != negative]
        finding = class_id(rest[0]) if len(rest) == 1 else f"not_{absence}"
        return Target((absence, finding), finding), [
            -1 if value is None else int(value != negative) for value in values
        ]
    classes = tuple(class_id(value) for value in present)
    return Target(classes, None), [
        -1 if value is None else present.index(value) for value in values
    ]


def _canonical(cell: str) -> str:
    """Numbers and yes-no words as they are counted: “1.0”, “true” and “yes” are 1."""
    low = cell.strip().lower()
    if low in ("true", "yes"):
        return "1"
    if low in ("false", "no"):
        return "0"
    try:
        number = float(low)
    except ValueError:
        return cell.strip()
    return str(int(number)) if number.is_integer() else cell.strip()


def _other(value: str | None) -> str:
    return "0" if value == "1" else "1"


def _is_absence(value: str) -> bool:
    return class_id(value).split("_")[0] in _NEGATIVE_WORDS


def _zeros_and_ones(cells: Sequence[str]) -> list[float] | None:
    """The cells as 0, 1 or NaN (empty), if that is all there is and both occur; else None."""
    numbers = []
    for cell in cells:
        if cell.lower() in _UNKNOWN:
            numbers.append(float("nan"))
        elif (value := _canonical(cell)) in ("0", "1"):
            numbers.append(float(value))
        else:
            return None
    return numbers if {0.0, 1.0} <= set(numbers) else None


def _groups(
    path: Path, column: str, cells: Sequence[str], lines: Sequence[int], block: int | None
) -> list[str]:
    if block is None:
        return list(cells)
    groups = []
    for cell, line in zip(cells, lines, strict=True):
        if not cell.isdecimal():
            reason = f"line {line}: “{column}” is not a number, as blocks of {block} need it"
            raise BadTableError(path, reason)
        groups.append(str(int(cell) // block))
    return groups


def _check_rows(path: Path, columns: TableColumns, rows: Sequence[TableRow]) -> None:
    group_of_series: dict[str, str] = {}
    seen: dict[str, int] = {}
    for row in rows:
        for column, value in ((columns.file, row.file), (columns.group, row.group)):
            if not value:
                raise BadTableError(path, f"line {row.line}: the column “{column}” is empty")
        if not row.series:
            raise BadTableError(path, f"line {row.line}: the column “{columns.series}” is empty")
        if group_of_series.setdefault(row.series, row.group) != row.group:
            reason = f"line {row.line}: the series “{row.series}” belongs to two groups"
            raise BadTableError(path, reason)
        if row.file in seen:
            reason = f"line {row.line}: the file {row.file} is there already, on line "
            raise BadTableError(path, f"{reason}{seen[row.file]}")
        seen[row.file] = row.line
