"""Two training sets as one: older data rehearsed beside new labels, against forgetting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.errors import LeakError, NotComparableError
from core.imaging.intensity import Quantity
from core.imaging.volume import Progress
from core.retraining.dataset import Dataset
from core.retraining.manifest import SPLITS, DatasetManifest, Provenance, SliceRow, Split
from core.retraining.snapshot import SliceFacts, SnapshotWriter, Target


def merge(
    folders: Sequence[Path], out: Path, *, progress: Progress | None = None
) -> DatasetManifest:
    """Put sets of the same classes together; the first has the say where they overlap.

    A slice that is in several sets enters once, as the first set labels it. Groups keep their
    part; one that is in the test part of any set is tested on in the new one, with all of its
    slices. Auxiliary targets and subgroups that a set lacks are unknown for its slices.

    Raises NotComparableError where classes differ or values mean different things, LeakError
    where a group trains in one set and validates in another.
    """
    sets = [Dataset.open(folder) for folder in folders]
    target = _target(sets)
    parts = _parts(sets)
    total, done, seen = sum(map(len, sets)), 0, set[str]()
    with SnapshotWriter(out, target) as writer:
        for dataset in sets:
            for index in range(len(dataset)):
                done += 1
                row = dataset.row(index)
                if row.key not in seen:
                    seen.add(row.key)
                    pixels = np.array(dataset.stored(index))
                    writer.add(_facts(row, dataset, target), pixels, dataset.regions_of(index))
                if progress is not None and (done % 50 == 0 or done == total):
                    progress(done, total)
        return writer.publish(
            Provenance(
                source="import",
                digest=",".join(dataset.manifest.id for dataset in sets),
                events=sets[-1].manifest.provenance.events,
            ),
            parts,
            extends=sets[-1].manifest.id,
            unit="series" if all(one.manifest.unit == "series" for one in sets) else "slice",
        )


def _target(sets: Sequence[Dataset]) -> Target:
    first = sets[0].manifest
    for dataset in sets[1:]:
        other = dataset.manifest
        if (other.classes, other.positive) != (first.classes, first.positive):
            raise NotComparableError(
                f"one set tells {', '.join(first.classes)} apart, another "
                f"{', '.join(other.classes)}"
            )
    return Target(
        first.classes,
        first.positive,
        tuple(dict.fromkeys(name for one in sets for name in one.manifest.auxiliary)),
        tuple(dict.fromkeys(name for one in sets for name in one.manifest.subgroups)),
    )


def _parts(sets: Sequence[Dataset]) -> dict[str, Split]:
    said: dict[str, set[Split]] = {}
    for dataset in sets:
        for group, split in zip(dataset.groups, dataset.splits, strict=True):
            known = next(name for name in SPLITS if name == split)
            said.setdefault(dataset.group_codes[group], set()).add(known)
    torn = [code for code, splits in said.items() if splits == {"train", "validation"}]
    if torn:
        raise LeakError(f"{len(torn)} groups train in one set and validate in another", tuple(torn))
    return {
        code: "test" if "test" in splits else next(iter(splits)) for code, splits in said.items()
    }


def _facts(row: SliceRow, dataset: Dataset, target: Target) -> SliceFacts:
    auxiliary = dict(zip(dataset.manifest.auxiliary, row.auxiliary, strict=True))
    subgroups = dict(zip(dataset.manifest.subgroups, row.subgroups, strict=True))
    return SliceFacts(
        key=row.key,
        group=row.group,
        series=row.series,
        label=row.label,
        source=row.source,
        auxiliary=tuple(auxiliary.get(name, float("nan")) for name in target.auxiliary),
        subgroups=tuple(subgroups.get(name, "") for name in target.subgroups),
        slope=row.slope,
        intercept=row.intercept,
        quantity=Quantity(row.quantity),
        spacing=row.spacing,
        orientation=row.orientation,
        acquisition=row.acquisition,
    )
