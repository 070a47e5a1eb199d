"""Regions of a training set's slices: where the model should look, and where it should not.

They lie beside the table in `regions.json`, by slice key, so that a set without them is what it
always was. A region is a box; one that came from a mask also keeps the mask, run-length encoded
as COCO does it (column by column, beginning with a run of zeros).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UnusableDatasetError
from core.labels.schema import Attention, Region

REGIONS_FILE = "regions.json"

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SliceRegion:
    """A region of one slice.

    box: (top, left, height, width) in pixels of the stored slice, as `core.labels.schema.Region`.
    class_id: the class that it is about; "" for the finding. runs: lengths of runs over the
    whole slice in column order, zeros first; empty where the box is the region.
    """

    attention: Attention
    box: tuple[float, float, float, float]
    class_id: str = ""
    runs: tuple[int, ...] = ()

    def mask(self, rows: int, columns: int) -> Mask:
        """The region as pixels, (rows, columns). A box covers every pixel that it touches."""
        if self.runs:
            return from_runs(self.runs, rows, columns)
        top, left, height, width = self.box
        found = np.zeros((rows, columns), bool)
        found[
            max(0, math.floor(top)) : max(0, math.ceil(top + height)),
            max(0, math.floor(left)) : max(0, math.ceil(left + width)),
        ] = True
        return found

    def facts(self) -> list[Any]:
        """As JSON holds it: [attention, class, box, runs]."""
        return [self.attention.value, self.class_id, list(self.box), list(self.runs)]


Regions = Mapping[str, tuple[SliceRegion, ...]]
"""Slice key → its regions."""


def of_label(region: Region) -> SliceRegion:
    """A region as a reader drew it."""
    return SliceRegion(region.attention, region.box, region.class_id, region.runs)


def of_mask(mask: NDArray[Any], class_id: str = "", most: int = 64) -> tuple[SliceRegion, ...]:
    """Where a mask is not zero, as regions to look at: one for each connected part.

    most: parts beyond this number, the smallest first, are left out: specks are no findings.
    """
    from scipy import ndimage

    parts, count = ndimage.label(np.asarray(mask) != 0, np.ones((3, 3), int))
    if count == 0:
        return ()
    sizes = ndimage.sum_labels(np.ones_like(parts), parts, range(1, count + 1))
    chosen = sorted(np.argsort(-sizes, kind="stable")[:most] + 1)
    found = ndimage.find_objects(parts)
    regions = []
    for number in chosen:
        down, across = found[number - 1]
        box = (
            float(down.start),
            float(across.start),
            float(down.stop - down.start),
            float(across.stop - across.start),
        )
        runs = to_runs(parts == number)
        regions.append(SliceRegion(Attention.LOOK_HERE, box, class_id, runs))
    return tuple(regions)


def joined(regions: Iterable[SliceRegion], attention: Attention, rows: int, columns: int) -> Mask:
    """All regions of one kind as one mask, (rows, columns)."""
    found = np.zeros((rows, columns), bool)
    for region in regions:
        if region.attention is attention:
            found |= region.mask(rows, columns)
    return found


def to_runs(mask: Mask) -> tuple[int, ...]:
    """Lengths of runs of a mask in column order, zeros first. Source: COCO's mask API."""
    flat = np.asarray(mask, bool).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [len(flat)]]))
    lengths = [int(run) for run in runs]
    return (0, *lengths) if len(flat) and flat[0] else tuple(lengths)


def from_runs(runs: Sequence[int], rows: int, columns: int) -> Mask:
    """The mask of run lengths. Raises ValueError if they do not cover rows × columns."""
    if any(run < 0 for run in runs) or sum(runs) != rows * columns:
        raise ValueError("the run lengths of a region do not cover its slice")
    values = np.arange(len(runs)) % 2 == 1
    found: Mask = np.repeat(values, np.asarray(runs, np.int64)).reshape((rows, columns), order="F")
    return found


def as_bytes(regions: Regions) -> bytes:
    """The content of `regions.json`: the same regions give the same bytes."""
    content = {key: [region.facts() for region in own] for key, own in sorted(regions.items())}
    return (json.dumps(content, separators=(",", ":")) + "\n").encode("ascii")


def read_regions(folder: Path) -> dict[str, tuple[SliceRegion, ...]]:
    """The regions of a set's folder. Raises UnusableDatasetError."""
    path = folder / REGIONS_FILE
    try:
        content = json.loads(path.read_bytes())
        return {
            str(key): tuple(
                SliceRegion(
                    Attention(attention),
                    Region(tuple(box), Attention(attention)).box,
                    str(class_id),
                    tuple(int(run) for run in runs),
                )
                for attention, class_id, box, runs in own
            )
            for key, own in content.items()
        }
    except FileNotFoundError:
        raise UnusableDatasetError(folder, f"{REGIONS_FILE} is missing") from None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UnusableDatasetError(folder, f"{REGIONS_FILE} is damaged") from error
