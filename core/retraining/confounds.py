"""What gives a label away beside the picture's content: size, kind of file, scanner, a column.

A model would learn it instead of the finding, and fail where it goes with nothing. Judged over
patients, not slices, and without looking at any pixel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.imaging import acquisition
from core.retraining.dataset import Dataset
from core.retraining.statistics import auroc

CERTAIN = "certain-confound"
"""Code of a caution that stops a training unless a person passes it over."""

_CONFOUND = 0.75
"""AUROC from which a property beside the content counts as giving the label away."""
_CERTAIN_CONFOUND, _CERTAIN_GROUPS = 0.9, 10
"""From this AUROC, with so many groups of each kind, chance is no explanation: a hard stop."""
_FEWEST = 5
"""Groups of each kind below which chance would raise false alarms."""
_PARTS = 5
_VALUES = 20
"""Most values of a column beside the image that are looked at."""

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Caution:
    """Something to know before trusting a result. code: stable, lower case."""

    code: str
    message: str


def confounds(dataset: Dataset) -> list[Caution]:
    """Everything beside the content that predicts a class.

    What belongs to the file (size, stored type, alpha channel) stops a training where it tells
    the label surely. What belongs to the acquisition (scanner, kernel) and the columns that a
    person named are told and do not stop: they may be a part of the label by their meaning.
    """
    labelled = dataset.labels >= 0
    groups = dataset.groups[labelled]
    positive = dataset.positive_index
    facts = [dataset.acquisition(row) for row in range(len(dataset))]
    files, scanners = _of_files(dataset, facts), _of_acquisition(facts)
    found: list[Caution] = []
    for index in range(len(dataset.manifest.classes)) if positive is None else [positive]:
        name = dataset.manifest.classes[index]
        truth = dataset.labels[labelled] == index
        for what, values in files.items():
            area, fewest = group_auroc(truth, values[labelled], groups)
            found += _told(what, name, area, fewest, stops=True)
        for what, texts in scanners.items():
            area, fewest = _of_values(truth, texts[labelled], groups)
            found += _told(what, name, area, fewest, stops=False)
        found += _of_columns(dataset, labelled, truth, name)
    return found


def _told(what: str, name: str, area: float, fewest: int, *, stops: bool) -> list[Caution]:
    area = max(area, 1 - area)
    if area < _CONFOUND:
        return []
    certain = stops and area >= _CERTAIN_CONFOUND and fewest >= _CERTAIN_GROUPS
    message = (
        f"The {what} alone tells {name} apart (AUROC {area:.2f}): a model may learn it instead of "
        "the image."
    )
    return [Caution(CERTAIN if certain else "confound", message)]


def _of_files(dataset: Dataset, facts: Sequence[acquisition.Facts]) -> dict[str, Floats]:
    """What a person calls it → a number a row, of the picture and the file that it came from."""
    rows = range(len(dataset))
    found = {
        "number of rows": dataset.sizes[:, 0].astype(float),
        "number of columns": dataset.sizes[:, 1].astype(float),
        "shape of the picture": dataset.sizes[:, 0] / np.maximum(dataset.sizes[:, 1], 1),
        "stored type": _numbered([dataset.stored_type(row) for row in rows]),
        "mode, grey or colour": _numbered([dataset.quantity_of(row).value for row in rows]),
        "distance of slices": np.nan_to_num(dataset.spacing[:, 0], nan=-1.0),
        "pixel spacing": np.nan_to_num(dataset.spacing[:, 1], nan=-1.0),
        "number of slices in the series": dataset.depths * 1.0,
    }
    for name in (acquisition.ALPHA, acquisition.CHANNELS):
        found[name] = np.array([float(fact.get(name, -1.0)) for fact in facts])
    kinds = [str(fact.get(acquisition.FILE_KIND, "")) for fact in facts]
    found[acquisition.FILE_KIND] = _numbered(kinds)
    return found


def _of_acquisition(facts: Sequence[acquisition.Facts]) -> dict[str, NDArray[np.str_]]:
    """What a person calls it → a text a row, of the scanner and its settings; "" where unknown."""
    names = [
        acquisition.TRANSFER_SYNTAX,
        *acquisition.TEXTS.values(),
        *acquisition.NUMBERS.values(),
    ]
    present = set[str]().union(*facts)
    return {
        name: np.array([str(fact.get(name, "")) for fact in facts])
        for name in names
        if name in present
    }


def _of_columns(dataset: Dataset, labelled: Bools, truth: Bools, name: str) -> list[Caution]:
    """Columns that a person named, such as the scanner, of which one value tells the label."""
    found = []
    groups = dataset.groups[labelled]
    for column, values in dataset.subgroups.items():
        for value in np.unique(values)[:_VALUES]:
            area, _ = group_auroc(truth, (values[labelled] == value) * 1.0, groups)
            area = max(area, 1 - area)
            if area >= _CONFOUND:
                message = (
                    f"“{column}” being “{value or 'unknown'}” alone tells {name} apart "
                    f"(AUROC {area:.2f}): a model may learn what goes with it instead of the "
                    "finding."
                )
                found.append(Caution("confound", message))
                break
    return found


def _of_values(truth: Bools, values: NDArray[np.str_], groups: Numbers) -> tuple[float, int]:
    """How well a text tells a label, whatever order its values have; see `group_auroc`.

    Each group is scored by how often its value went with the label in four fifths of the other
    groups: a value that occurs once tells nothing, many values together may. Numbers are also
    taken as they stand, because each may occur once.
    """
    names, codes = np.unique(values, return_inverse=True)
    if len(names) < 2:
        return 0.5, 0
    # Slices of a patient that share label and value say it once.
    seen = np.unique(np.stack([groups, truth.astype(np.int64), codes], axis=1), axis=0)
    groups, truth, codes = seen[:, 0], seen[:, 1] > 0, seen[:, 2]
    fold = np.array([hashlib.sha256(str(group).encode()).digest()[0] % _PARTS for group in groups])
    scores = np.zeros(len(seen))
    for part in range(_PARTS):
        taught, asked = fold != part, fold == part
        known = np.bincount(codes[taught], minlength=len(names))
        went = np.bincount(codes[taught], truth[taught] * 1.0, minlength=len(names))
        # One case more of each value, at the mean rate: rare values lean towards it.
        scores[asked] = ((went + truth.mean()) / (known + 1))[codes[asked]]
    area, fewest = group_auroc(truth, scores, groups)
    numbers = _as_numbers(names)
    if numbers is not None:
        plain, _ = group_auroc(truth, numbers[codes], groups)
        area = max(area, plain, 1 - plain)
    return max(area, 0.5), fewest


def _as_numbers(values: NDArray[np.str_]) -> Floats | None:
    """Texts as numbers, −1 where there is none; None unless all of them are numbers."""
    try:
        return np.array([float(value) if value else -1.0 for value in values])
    except ValueError:
        return None


def _numbered(values: Sequence[str]) -> Floats:
    """Text as numbers; with two values, AUROC then says how far one of them tells the label."""
    return np.unique(values, return_inverse=True)[1].astype(np.float64)


def group_auroc(truth: Bools, values: Floats, groups: Numbers) -> tuple[float, int]:
    """AUROC over groups and classes: one case for each (group, label), its mean value.

    Also how many cases the rarer kind has. 0.5 where either side has fewer than five groups:
    chance would raise false alarms.
    """
    cases = groups * 2 + truth
    distinct, number = np.unique(cases, return_inverse=True)
    means = np.bincount(number, values) / np.bincount(number)
    kinds = distinct % 2
    fewest = int(min(kinds.sum(), (1 - kinds).sum()))
    return (0.5 if fewest < _FEWEST else auroc(kinds, means)), fewest
