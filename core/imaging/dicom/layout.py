"""The files of one series are written alike: a header is checked against the one before it.

Walking a hundred elements in Python costs more than reading the file. So the first file of a
kind is walked and its layout kept. In the next file most elements hold the same bytes, headers
and values alike: they are compared in long runs. The few that differ from file to file (UIDs,
positions, times) are learnt as such and read one by one. Nothing is assumed: every byte from
the first element to the pixel data is either equal to a byte that was walked, or belongs to an
element whose tag and VR are what they should be. A file written differently is walked as usual.
"""

from __future__ import annotations

import bisect
import itertools
import struct
from collections.abc import Container
from dataclasses import dataclass
from typing import NamedTuple

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

_MOST_VARIABLE = 64
_LITTLE = Encoding()
_SHORT_LENGTH = struct.Struct("<H").unpack_from
_LONG_LENGTH = struct.Struct("<I").unpack_from
_serial = itertools.count(1)


@dataclass(frozen=True, slots=True)
class _Element:
    tag: int
    start: int
    value: int
    end: int
    is_fixed: bool  # a sequence without a stated length: compared, never read anew
    is_wanted: bool


class _Step(NamedTuple):
    """A run of equal bytes, and the element behind it that differs from file to file."""

    begin: int
    run: bytes
    size: int  # of the run
    head: bytes  # tag and VR
    is_long: bool
    length: int
    tag: int
    is_wanted: bool


@dataclass(slots=True)
class Followed:
    """A header read by a layout.

    raw: wanted values by tag. changed: tags whose values may differ from the layout's.
    """

    raw: dict[int, bytes]
    changed: frozenset[int]
    pixels: PixelElement


class Layout:
    """The elements of one explicit little-endian file, and which of them differ in others."""

    def __init__(self, data: bytes, elements: list[_Element], content: dict[int, bytes]) -> None:
        self.serial = next(_serial)
        self.reach = elements[-1].value
        self._data = data
        self._elements = elements
        self._starts = [element.start for element in elements]
        self._content = content
        self._variable: set[int] = {len(elements) - 1}  # the pixel data's length, always
        self._plan()

    def _plan(self) -> None:
        steps: list[_Step] = []
        begin = self._elements[0].start
        for index in sorted(self._variable):
            one = self._elements[index]
            is_long = one.value - one.start == 12
            steps.append(
                _Step(
                    begin=begin,
                    run=self._data[begin : one.start],
                    size=one.start - begin,
                    head=self._data[one.start : one.start + (8 if is_long else 6)],
                    is_long=is_long,
                    length=one.end - one.value,
                    tag=one.tag,
                    is_wanted=one.is_wanted,
                )
            )
            begin = one.end
        self._steps = steps
        self._changed = frozenset(step.tag for step in steps if step.is_wanted)

    def follow(self, data: bytes) -> Followed | None:
        """Read a file that is written like the layout; None where it is not."""
        while True:
            found = self._read(data)
            if not isinstance(found, int):
                return found
            # Bytes differ in an element that was the same so far: from now on it is variable.
            if found in self._variable or len(self._variable) > _MOST_VARIABLE:
                return None
            if self._elements[found].is_fixed:
                return None
            self._variable.add(found)
            self._plan()

    def _read(self, data: bytes) -> Followed | int | None:
        """The header; or the index of an element that differs; or None."""
        raw = self._content.copy()
        shift = 0
        end_of_data = len(data)
        same = data.startswith
        value = length = 0
        for step in self._steps:
            begin, run, size, head, is_long, usual, tag, is_wanted = step
            at = begin + shift
            if not same(run, at):
                return self._first_difference(step, data, at)
            end = at + size
            value = end + (12 if is_long else 8)
            if value > end_of_data or not same(head, end):
                return None
            if is_long:
                (length,) = _LONG_LENGTH(data, value - 4)
                if tag in PIXELS:
                    return Followed(raw, self._changed, PixelElement(tag, value, length, head[4:6]))
                if length == UNDEFINED:
                    return None
            else:
                (length,) = _SHORT_LENGTH(data, value - 2)
            after = value + length
            if after > end_of_data:
                return None
            if is_wanted:
                raw[tag] = data[value:after]
            shift += length - usual
        return None

    def _first_difference(self, step: _Step, data: bytes, at: int) -> int | None:
        """The element of a run in which a file differs first; None if the file ends there."""
        there = data[at : at + step.size]
        low, high = 0, len(there)
        if there == step.run[:high]:
            return None
        while low < high:  # the longest common beginning
            middle = (low + high + 1) // 2
            if there[:middle] == step.run[:middle]:
                low = middle
            else:
                high = middle - 1
        index = bisect.bisect_right(self._starts, step.begin + low) - 1
        one = self._elements[index]
        # Another tag or VR is another layout; another length or value is not.
        head = 8 if one.value - one.start == 12 else 6
        return index if step.begin + low >= one.start + head else None


def learn(data: bytes, begin: int, pixels_at: int, wanted: Container[int]) -> Layout | None:
    """The layout of a file's elements between two offsets; None if it is not worth keeping.

    pixels_at: offset of the pixel data element's value.
    """
    elements: list[_Element] = []
    content: dict[int, bytes] = {}
    at = begin
    try:
        while at < pixels_at:
            tag, _, value, length, vr = element_at(data, at, _LITTLE)
            if not vr:
                return None
            fixed = length == UNDEFINED and tag not in PIXELS
            if tag in PIXELS:
                end = value
            else:
                end = end_of_sequence(data, value, vr, _LITTLE) if fixed else value + length
            keep = tag in wanted and tag not in PIXELS
            if keep:
                content[tag] = data[value : end - 8 if fixed else end]
            elements.append(_Element(tag, at, value, end, fixed, keep))
            at = end
    except (MalformedError, RanOutError):
        return None
    if not elements or elements[-1].tag not in PIXELS or elements[-1].value != pixels_at:
        return None
    return Layout(data[:pixels_at], elements, content)
