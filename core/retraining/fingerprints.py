"""The same picture again: found after re-compression, resizing or another exposure.

Three looks, each stricter than the one before, because a false alarm stops a training:

1. thumbnails of 16 × 16, normalised for brightness and contrast, that correlate;
2. their difference hashes (is a pixel brighter than its left neighbour?) that nearly agree;
3. fine detail at 96 × 96 that correlates, after the coarse shape is taken away, and only where
   both pictures are neither black nor white: two heads share the edges of skull and table, but
   not their sulci and not their noise.

Measured on real sets: pictures of different patients reach at most 0.976 in the first look;
those that come nearest reach 0.06 (head CT) and 0.47 (radiographs) in the third. The same
picture saved again at half size reaches 0.998 and 0.92.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.imaging.intensity import Quantity

THUMBNAIL = 16
THUMBNAIL_CORRELATION = 0.985
HASH_BITS = THUMBNAIL * THUMBNAIL
HASH_DISTANCE = 32
"""Most differing bits of `HASH_BITS`."""

_DETAIL = 96
DETAIL_CORRELATION = 0.65
_FLAT = 1e-3
"""Pictures whose contrast is below this part of their largest value have no fingerprint."""
_LEAST_TOLD = 0.05
_BLOCK = 2048
_AXES = 24
"""Main axes along which thumbnails are compared first."""
_APART = 2 * (1 - THUMBNAIL_CORRELATION) + 1e-4
"""Square of the distance of two thumbnails of unit length that correlate just enough."""


@dataclass(frozen=True)
class Duplicate:
    """Two rows that show the same picture. similarity: correlation of fine detail, 0 … 1."""

    first: int
    second: int
    similarity: float


class Fingerprints:
    """Fingerprints of a set's slices, added one by one; 320 bytes a slice."""

    def __init__(self) -> None:
        self._thumbnails: list[NDArray[np.float32]] = []
        self._hashes: list[NDArray[np.uint8]] = []

    def add(self, plane: NDArray[Any]) -> None:
        """Take the next slice: (rows, columns[, 3]), any values."""
        grey = _grey(plane)
        thumbnail = _resized(grey, THUMBNAIL, THUMBNAIL)
        self._thumbnails.append(_normalised(thumbnail).ravel())
        wider = _resized(grey, THUMBNAIL, THUMBNAIL + 1)
        self._hashes.append(np.packbits(np.diff(wider, axis=1) > 0))

    def candidates(self, sides: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Pairs of rows on different sides that pass the first two looks, in rising order.

        Thumbnails are compared along their main axes first, in the order of the first: what is
        farther apart there than the limit allows is farther apart altogether.
        """
        if not self._thumbnails:
            return []
        thumbnails, hashes = np.stack(self._thumbnails), np.stack(self._hashes)
        told = np.flatnonzero(thumbnails.any(axis=1))
        coarse = thumbnails[told] @ _main_axes(thumbnails[told])
        order = np.argsort(coarse[:, 0], kind="stable")
        coarse, rows = coarse[order], told[order]
        lengths = np.square(coarse).sum(axis=1)
        found = []
        for start in range(0, len(rows), _BLOCK):
            block = slice(start, start + _BLOCK)
            end = np.searchsorted(coarse[:, 0], coarse[block, 0][-1] + np.sqrt(_APART))
            for other in range(start, int(end), _BLOCK):
                against = slice(other, min(other + _BLOCK, int(end)))
                near = coarse[block] @ coarse[against].T
                near *= -2
                near += lengths[block, None]
                near += lengths[None, against]
                alike = (near <= _APART) & (sides[rows[block], None] != sides[rows[against]])
                found += _exactly(alike, rows[block], rows[against], thumbnails, hashes)
        return sorted(set(found))

    def duplicates(
        self, sides: NDArray[np.int64], plane: Callable[[int], NDArray[Any]]
    ) -> list[Duplicate]:
        """Pairs on different sides that pass all looks. plane: gives a row's picture again."""
        details: dict[int, Detail] = {}

        def detail(row: int) -> Detail:
            if row not in details:
                if len(details) > 4096:
                    details.clear()
                details[row] = fine_detail(plane(row))
            return details[row]

        found = []
        for first, second in self.candidates(sides):
            similarity = detail(first).similarity(detail(second))
            if similarity >= DETAIL_CORRELATION:
                found.append(Duplicate(first, second, similarity))
        return found


def comparable(values: NDArray[Any], quantity: Quantity) -> NDArray[Any]:
    """Modality values as pictures are compared: soft tissue for CT.

    Unclipped, the skull's edges would outweigh everything that tells two heads apart.
    """
    return np.clip(values, -150, 250) if quantity is Quantity.HU else values


@dataclass(frozen=True, eq=False)
class Detail:
    """What is left of a picture at 96 × 96 without its coarse shape, and where that tells.

    values: float32; told: bool, True where the picture is neither black nor white.
    """

    values: NDArray[np.float32]
    told: NDArray[np.bool_]

    def similarity(self, other: Detail) -> float:
        """Correlation where both tell something; 0 if that is less than a twentieth."""
        both = self.told & other.told
        if both.sum() < _LEAST_TOLD * both.size:
            return 0.0
        one, two = self.values[both], other.values[both]
        one, two = one - one.mean(), two - two.mean()
        lengths = float(np.linalg.norm(one) * np.linalg.norm(two))
        return float(one @ two) / lengths if lengths > 0 else 0.0


def fine_detail(plane: NDArray[Any]) -> Detail:
    """Fine detail of a picture: (rows, columns[, 3]), any values."""
    from scipy import ndimage

    small = _resized(_grey(plane), _DETAIL, _DETAIL)
    low, high = float(small.min()), float(small.max())
    edge = 0.1 * (high - low)
    told = ndimage.binary_erosion((small > low + edge) & (small < high - edge), iterations=2)
    # The coarse shape is averaged over told pixels alone: an edge nearby must not shine in.
    share = ndimage.gaussian_filter(told.astype(np.float32), 2.0)
    coarse = ndimage.gaussian_filter(small * told, 2.0) / np.maximum(share, 1e-3)
    return Detail(small - coarse, told)


def _main_axes(thumbnails: NDArray[np.float32]) -> NDArray[np.float32]:
    """(pixels, axes), of unit length and at right angles: where thumbnails differ most."""
    step = max(1, len(thumbnails) // 4096)
    some = thumbnails[::step].astype(np.float64)
    axes = np.linalg.eigh(some.T @ some)[1][:, ::-1][:, :_AXES]
    return np.ascontiguousarray(axes, np.float32)


def substantial_links(
    duplicates: list[Duplicate], groups: NDArray[np.int64], share: float = 0.1
) -> list[tuple[int, int]]:
    """Pairs of groups of which enough is the same.

    At least `share` of the smaller group's slices must have a partner in the other: a single
    slice in forty that looks alike does not make one patient of two.
    """
    sizes = np.bincount(groups)
    partners: dict[tuple[int, int], tuple[set[int], set[int]]] = {}
    for item in duplicates:
        one, two = (int(groups[row]) for row in (item.first, item.second))
        first, second = (item.first, item.second) if one < two else (item.second, item.first)
        sets = partners.setdefault((min(one, two), max(one, two)), (set(), set()))
        sets[0].add(first)
        sets[1].add(second)
    return [
        (one, two)
        for (one, two), (first, second) in partners.items()
        if min(len(first), len(second)) >= share * min(sizes[one], sizes[two])
    ]


def _grey(plane: NDArray[Any]) -> NDArray[np.float32]:
    values = np.asarray(plane, np.float32)
    return values.mean(axis=2) if values.ndim == 3 else values


def _resized(grey: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    picture = Image.fromarray(grey).resize((columns, rows), Image.Resampling.BOX)
    return np.asarray(picture, np.float32)


def _normalised(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Zero mean and unit length; all zero for a flat picture."""
    centred = values - values.mean()
    length = float(np.linalg.norm(centred))
    if length <= _FLAT * max(float(np.abs(values).max()), 1e-6) * np.sqrt(values.size):
        return np.zeros_like(centred)
    unit: NDArray[np.float32] = centred / np.float32(length)
    return unit


def _exactly(
    alike: NDArray[np.bool_],
    one: NDArray[np.int64],
    two: NDArray[np.int64],
    thumbnails: NDArray[np.float32],
    hashes: NDArray[np.uint8],
) -> list[tuple[int, int]]:
    """Pairs of rows, the smaller first, that are alike in whole thumbnails and in hashes.

    alike: (one, two), what main axes let pass: nearly everything where all pictures share a
    coarse shape, so that no pair is looked at by itself before the whole thumbnails were.
    """
    if np.count_nonzero(alike) > len(one):
        alike = alike & (thumbnails[one] @ thumbnails[two].T >= THUMBNAIL_CORRELATION)
        first, second = (side[at] for side, at in zip((one, two), np.nonzero(alike), strict=True))
    else:
        first, second = (side[at] for side, at in zip((one, two), np.nonzero(alike), strict=True))
        correlation = np.einsum("ij,ij->i", thumbnails[first], thumbnails[second])
        close = correlation >= THUMBNAIL_CORRELATION
        first, second = first[close], second[close]
    apart = np.bitwise_count(hashes[first] ^ hashes[second]).sum(axis=1)
    near = apart <= HASH_DISTANCE
    return [
        (min(pair), max(pair))
        for pair in zip(first[near].tolist(), second[near].tolist(), strict=True)
    ]
