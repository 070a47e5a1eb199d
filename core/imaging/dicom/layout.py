"""The files of one series are written alike: a header is checked against the one before it.

Walking a hundred elements in Python costs more than reading the file. So the first file of a
kind is walked and its layout kept: where each element's tag, VR and length stand. For the next
file all of these bytes are compared at once; where one differs because a value is longer, the
rest is compared again, shifted. Nothing is assumed: an element is taken only where the bytes
of its own header say so, and a file that is written differently is walked as usual.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.imaging.dicom.walk import (
    PIXELS,
    UNDEFINED,
    Encoding,
    MalformedError,
    PixelElement,
    RanOutError,
    element_at,
    end_of_sequence,
)

_MOST_SHIFTS = 24
_LITTLE = Encoding()


@dataclass(frozen=True, eq=False)
class Layout:
    """The elements of one explicit little-endian file, from `start` to its pixel data.

    tags, values, ends: of each element: its tag, and where its value begins and ends.
    index, sample: the bytes of all element headers: where they stand, and what they are.
    owner: index of the element that each of these bytes belongs to.
    nested: sequences without a stated length: element → its bytes, which must be the same.
    wanted: indices of the elements to keep.
    """

    tags: tuple[int, ...]
    starts: tuple[int, ...]
    values: tuple[int, ...]
    ends: tuple[int, ...]
    index: NDArray[np.intp]
    sample: NDArray[np.uint8]
    owner: NDArray[np.intp]
    firsts: tuple[int, ...]
    nested: dict[int, bytes]
    wanted: tuple[int, ...]
    reach: int


def learn(data: bytes, start: int, pixels_at: int, wanted: Container[int]) -> Layout | None:
    """The layout of a file's elements between two offsets; None if it is not worth keeping.

    pixels_at: offset of the pixel data element's value.
    """
    tags: list[int] = []
    starts: list[int] = []
    values: list[int] = []
    ends: list[int] = []
    nested: dict[int, bytes] = {}
    at = start
    try:
        while at < pixels_at:
            tag, _, value, length, vr = element_at(data, at, _LITTLE)
            if not vr:
                return None
            if length == UNDEFINED and tag not in PIXELS:
                end = end_of_sequence(data, value, vr, _LITTLE)
                nested[len(tags)] = data[value:end]
            else:
                end = value if tag in PIXELS else value + length
            tags.append(tag)
            starts.append(at)
            values.append(value)
            ends.append(end)
            at = end
    except (MalformedError, RanOutError):
        return None
    if not tags or tags[-1] not in PIXELS or values[-1] != pixels_at:
        return None
    pieces = [np.arange(a, b) for a, b in zip(starts, values, strict=True)]
    index = np.concatenate(pieces)
    counts = np.array([len(piece) for piece in pieces])
    return Layout(
        tags=tuple(tags),
        starts=tuple(starts),
        values=tuple(values),
        ends=tuple(ends),
        index=index,
        sample=np.frombuffer(data, np.uint8)[index],
        owner=np.repeat(np.arange(len(tags)), counts),
        firsts=tuple(int(v) for v in np.cumsum(counts) - counts),
        nested=nested,
        wanted=tuple(i for i, tag in enumerate(tags) if tag in wanted),
        reach=pixels_at,
    )


def follow(  # noqa: PLR0911 - each return is one way in which files differ
    layout: Layout, data: bytes
) -> tuple[dict[int, bytes], PixelElement] | None:
    """Read a file that is written like the layout: wanted values, and its pixel element.

    Returns None where it is not written alike, or does not fit into `data`; else the raw
    values by tag, and the pixel element.
    """
    array = np.frombuffer(data, np.uint8)
    size = len(data)
    shift, element = 0, 0
    last = len(layout.tags) - 1
    # (first element of a stretch, its shift): values are cut out once all headers agree.
    stretches: list[tuple[int, int]] = [(0, 0)]
    for _ in range(_MOST_SHIFTS):
        if layout.reach + shift > size:
            return None
        begin = layout.firsts[element]
        index = layout.index[begin:]
        if shift:
            index = index + shift
        same = array[index] == layout.sample[begin:]
        position = int(same.argmin())
        if same[position]:
            break
        element = int(layout.owner[begin + position])
        at = layout.starts[element] + shift
        try:
            tag, _, value, length, vr = element_at(data, at, _LITTLE)
        except RanOutError:
            return None
        if (
            tag != layout.tags[element]
            or value - at != layout.values[element] - layout.starts[element]
        ):
            return None
        if element == last:
            if not vr:
                return None
            break  # only the length of the pixel data differs
        if length == UNDEFINED or element in layout.nested or not vr:
            return None
        shift += value + length - (layout.ends[element] + shift)
        element += 1
        stretches.append((element, shift))
    else:
        return None
    return _cut(layout, data, stretches)


def _cut(
    layout: Layout, data: bytes, stretches: list[tuple[int, int]]
) -> tuple[dict[int, bytes], PixelElement] | None:
    found: dict[int, bytes] = {}
    tags, values, ends = layout.tags, layout.values, layout.ends
    number = 0
    shift = 0
    following = stretches[1] if len(stretches) > 1 else (len(tags), 0)
    for i, content in layout.nested.items():
        moved = next(s for first, s in reversed(stretches) if first <= i)
        if data[values[i] + moved : ends[i] + moved] != content:
            return None
    for i in layout.wanted:
        while i >= following[0]:
            number += 1
            shift = following[1]
            following = stretches[number + 1] if number + 1 < len(stretches) else (len(tags), 0)
        # The last element before a stretch is the one whose length differs.
        end = ends[i] + (following[1] if i + 1 == following[0] else shift)
        found[tags[i]] = data[values[i] + shift : end]
    for i, content in layout.nested.items():
        if tags[i] in found:
            found[tags[i]] = content[:-8]
    at = layout.starts[-1] + stretches[-1][1]
    _, _, value, length, vr = element_at(data, at, _LITTLE)
    return found, PixelElement(tags[-1], value, length, vr)
