"""Is a training set fit to be trained on, and fit to be tested on?

A *leak* is a hard stop: the same patient, or the same picture, on two sides of the split makes
every figure a lie. So is a *confound*: something beside the picture's content (its size, an alpha
channel; see `core.retraining.confounds`) that gives the label away. A person may pass both over,
by name and with a reason, which stays on the model's card. Other cautions are said and do not
stop, such as a scanner that tells the label, or too few findings.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from core import durable, places
from core.errors import ConfoundError, LeakError, NotDurableError
from core.imaging.volume import Progress
from core.retraining.confounds import CERTAIN, Caution, confounds
from core.retraining.dataset import Dataset
from core.retraining.fingerprints import Fingerprints, comparable, substantial_links
from core.retraining.manifest import SPLITS

_FEW_POSITIVES = 10
"""Groups with a finding below which an interval says little."""
_EXAMPLES = 5
_RULES = 6
"""Version of the rules here, in `confounds` and in `fingerprints`; others void a kept result."""


@dataclass(frozen=True)
class Leak:
    """Something on two sides of the split. count: how often; examples: codes or keys."""

    code: str
    what: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Override:
    """A person's decision to train on a set that a hard stop refuses. Neither may be empty."""

    by: str
    reason: str

    def __post_init__(self) -> None:
        if not self.by.strip() or not self.reason.strip():
            raise ValueError("an override names who decided and why")

    def __str__(self) -> str:
        return f"passed over by {self.by.strip()}: {self.reason.strip().rstrip('.')}"


@dataclass(frozen=True)
class Health:
    """What `dataset check` found. duplicates: pairs of the same picture within one side."""

    leaks: tuple[Leak, ...]
    cautions: tuple[Caution, ...]
    duplicates: int


def examine(dataset: Dataset, progress: Progress | None = None) -> Health:
    """Look for everything; reads all pixels once. Where labels are about series, at series."""
    dataset = dataset.as_labelled()
    groups = _groups_on_two_sides(dataset)
    same = _same_pixels(dataset)
    near, within = _near_duplicates(dataset, progress)
    leaks = tuple(leak for leak in (groups, same, near) if leak is not None)
    return Health(leaks, tuple(_cautions(dataset)), within)


def check_or_raise(
    dataset: Dataset, progress: Progress | None = None, *, override: Override | None = None
) -> tuple[Caution, ...]:
    """The trainer's door: LeakError, ConfoundError, or the cautions.

    A clean result is kept by the set's id, so that a run that is resumed does not read all
    pixels again. override: a person who trains all the same, and why; what they passed over is
    among the cautions then, and stays on the model's card. The same group on two sides cannot
    be passed over.
    """
    kept = places.cache_folder() / "health" / f"{dataset.manifest.id}.json"
    known = _read_kept(kept, dataset)
    if known is not None:
        return _passed(known, override)
    health = examine(dataset, progress)
    if health.leaks:
        worst = health.leaks[0]
        if override is None or any(leak.code == "group" for leak in health.leaks):
            raise LeakError(worst.what, worst.examples)
        told = [Caution("leak", f"{leak.what} ({override}).") for leak in health.leaks]
        return (*told, *_passed(health.cautions, override))
    facts = {
        "rules": _RULES,
        "table_sha256": dataset.manifest.table_sha256,
        "cautions": [asdict(caution) for caution in health.cautions],
    }
    with contextlib.suppress(NotDurableError):  # a cache that cannot be written is no harm
        durable.write_json(kept, facts)
    return _passed(health.cautions, override)


def _passed(cautions: Sequence[Caution], override: Override | None) -> tuple[Caution, ...]:
    """The cautions, with who passed a confound over; ConfoundError if nobody did."""
    confounds = [caution for caution in cautions if caution.code == CERTAIN]
    if confounds and override is None:
        raise ConfoundError(confounds[0].message.rstrip("."))
    return tuple(
        Caution(caution.code, f"{caution.message} ({override}.)")
        if caution.code == CERTAIN
        else caution
        for caution in cautions
    )


def _read_kept(file: Path, dataset: Dataset) -> tuple[Caution, ...] | None:
    """Cautions of a set that was found clean before, under the same rules; else None."""
    if _groups_on_two_sides(dataset) is not None:
        return None
    try:
        facts = json.loads(file.read_bytes())
        if (facts["rules"], facts["table_sha256"]) != (_RULES, dataset.manifest.table_sha256):
            return None
        return tuple(Caution(**caution) for caution in facts["cautions"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


# ----------------------------------------------------------------- leaks


def _groups_on_two_sides(dataset: Dataset) -> Leak | None:
    pairs = {(int(g), str(s)) for g, s in zip(dataset.groups, dataset.splits, strict=True)}
    seen: dict[int, int] = {}
    for group, _ in pairs:
        seen[group] = seen.get(group, 0) + 1
    both = [dataset.group_codes[group] for group, sides in sorted(seen.items()) if sides > 1]
    if not both:
        return None
    what = f"{_many(len(both), 'group')} on two sides of the split"
    return Leak("group", what, len(both), tuple(both[:_EXAMPLES]))


def _same_pixels(dataset: Dataset) -> Leak | None:
    sides: dict[str, dict[str, str]] = {}
    keys = dataset.keys()
    for row, digest in enumerate(dataset.pixel_sha256):
        # Whether it is flat is read only where the same pixels were met before.
        if digest not in sides or not dataset.is_flat(row):
            sides.setdefault(digest, {}).setdefault(str(dataset.splits[row]), keys[row])
    both = [found for found in sides.values() if len(found) > 1]
    if not both:
        return None
    what = f"{_many(len(both), 'picture')} in exactly the same form on two sides of the split"
    examples = tuple(" = ".join(found.values()) for found in both[:_EXAMPLES])
    return Leak("same-pixels", what, len(both), examples)


def _near_duplicates(dataset: Dataset, progress: Progress | None) -> tuple[Leak | None, int]:
    def plane(row: int) -> NDArray[Any]:
        return comparable(dataset.appearance(row), dataset.quantity_of(row))

    prints = Fingerprints()
    for row in range(len(dataset)):
        prints.add(plane(row))
        if progress is not None and (row % 50 == 49 or row + 1 == len(dataset)):
            progress(row + 1, len(dataset))
    duplicates = prints.duplicates(dataset.groups, plane)
    linked = set(substantial_links(duplicates, dataset.groups))
    keys = dataset.keys()
    across, within = [], 0
    for pair in duplicates:
        one, two = sorted((int(dataset.groups[pair.first]), int(dataset.groups[pair.second])))
        if (one, two) not in linked:
            continue
        if dataset.splits[pair.first] != dataset.splits[pair.second]:
            across.append(f"{keys[pair.first]} ≈ {keys[pair.second]}")
        else:
            within += 1
    if not across:
        return None, within
    verb = "shows" if len(across) == 1 else "show"
    what = f"{len(across)} pairs of pictures on two sides of the split {verb} the same thing"
    return Leak("near-duplicate", what, len(across), tuple(across[:_EXAMPLES])), within


def _many(count: int, noun: str) -> str:
    return f"{count} {noun} stands" if count == 1 else f"{count} {noun}s stand"


# ----------------------------------------------------------------- cautions


def _cautions(dataset: Dataset) -> list[Caution]:
    return [*_sizes(dataset), *confounds(dataset)]


def _sizes(dataset: Dataset) -> list[Caution]:
    found = []
    for part in SPLITS:
        rows = dataset.part(part)
        if len(rows) == 0:
            found.append(Caution(f"no-{part}", f"There is no {part} part."))
            continue
        absent = [
            name
            for index, name in enumerate(dataset.manifest.classes)
            if not (dataset.labels[rows] == index).any()
        ]
        if absent:
            message = f"The {part} part holds no case labelled {', '.join(absent)}."
            found.append(Caution(f"class-missing-{part}", message))
    positive = dataset.positive_index
    tested = dataset.part("test")
    if positive is not None and len(tested):
        groups = len(set(dataset.groups[tested][dataset.labels[tested] == positive]))
        if 0 < groups < _FEW_POSITIVES:
            message = f"The test part holds {groups} groups with a finding: intervals will be wide."
            found.append(Caution("few-test-findings", message))
    unlabelled = int((dataset.labels < 0).sum())
    if unlabelled:
        message = f"{unlabelled} cases carry no label; slices among them serve as neighbours."
        found.append(Caution("unlabelled", message))
    return found
