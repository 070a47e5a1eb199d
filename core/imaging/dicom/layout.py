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
_UNDEFINED_LENGTH = struct.pack("<I", UNDEFINED)
_serial = itertools.count(1)


@dataclass(frozen=True, slots=True)
class _Element:
    tag: int
    start: int
    value: int
    end: int
    is_fixed: bool  # compared, never read anew: a sequence without a stated length, or asked for
    is_wanted: bool


class _Step(NamedTuple):
    """A run of equal bytes, and the element behind it that differs from file to file."""

    begin: int
    lead: bytes  # the run, and tag and VR of the element
    behind: int  # where the element states its length
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
        self.is_native = data[self.reach - 4 : self.reach] != _UNDEFINED_LENGTH
        self._data = data
        self._elements = elements
        self._starts = [element.start for element in elements]
        self._content = content
        self._variable: set[int] = set()
        self._plan()

    def _plan(self) -> None:
        steps: list[_Step] = []
        begin = self._elements[0].start
        # The pixel data's length always differs: it is the last step.
        for index in (*sorted(self._variable), len(self._elements) - 1):
            one = self._elements[index]
            is_long = one.value - one.start == 12
            behind = one.start + (8 if is_long else 6)
            steps.append(
                _Step(
                    begin=begin,
                    lead=self._data[begin:behind],
                    behind=behind,
                    is_long=is_long,
                    length=one.end - one.value,
                    tag=one.tag,
                    is_wanted=one.is_wanted,
                )
            )
            begin = one.end
        self._last = steps.pop()
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
        same = data.startswith
        try:
            for step in self._steps:
                begin, lead, at, is_long, usual, tag, is_wanted = step
                if not same(lead, begin + shift):
                    return self._first_difference(step, data, begin + shift)
                at += shift
                if is_long:
                    (length,) = _LONG_LENGTH(data, at)
                    at += 4
                else:
                    (length,) = _SHORT_LENGTH(data, at)
                    at += 2
                # A value that ends beyond the data, or has no stated end: the next run, which
                # would have to begin behind it, is not found.
                if is_wanted:
                    raw[tag] = data[at : at + length]
                shift += length - usual
            last = self._last
            if not same(last.lead, last.begin + shift):
                return self._first_difference(last, data, last.begin + shift)
            at = last.behind + shift
            (length,) = _LONG_LENGTH(data, at)
        except struct.error:
            return None
        pixels = PixelElement(last.tag, at + 4, length, last.lead[-4:-2])
        return Followed(raw, self._changed, pixels)

    def _first_difference(self, step: _Step, data: bytes, at: int) -> int | None:
        """The element of a run in which a file differs first; None if the file ends there."""
        run = step.lead[: -8 if step.is_long else -6]
        there = data[at : at + len(run)]
        low, high = 0, len(there)
        if there == run[:high]:
            return None
        while low < high:  # the longest common beginning
            middle = (low + high + 1) // 2
            if there[:middle] == run[:middle]:
                low = middle
            else:
                high = middle - 1
        index = bisect.bisect_right(self._starts, step.begin + low) - 1
        one = self._elements[index]
        # Another tag or VR is another layout; another length or value is not.
        head = 8 if one.value - one.start == 12 else 6
        return index if step.begin + low >= one.start + head else None


def learn(
    data: bytes, begin: int, pixels_at: int, wanted: Container[int], same: Container[int] = ()
) -> Layout | None:
    """The layout of a file's elements between two offsets; None if it is not worth keeping.

    pixels_at: offset of the pixel data element's value. same: elements whose values make a
    layout: a file in which they differ does not follow it.
    """
    elements: list[_Element] = []
    content: dict[int, bytes] = {}
    at = begin
    try:
        while at < pixels_at:
            tag, _, value, length, vr = element_at(data, at, _LITTLE)
            if not vr:
                return None
            open_ended = length == UNDEFINED and tag not in PIXELS
            if tag in PIXELS:
                end = value
            else:
                end = end_of_sequence(data, value, vr, _LITTLE) if open_ended else value + length
            keep = tag in wanted and tag not in PIXELS
            if keep:
                content[tag] = data[value : end - 8 if open_ended else end]
            elements.append(_Element(tag, at, value, end, open_ended or tag in same, keep))
            at = end
    except (MalformedError, RanOutError):
        return None
    last = elements[-1] if elements else None
    if last is None or last.tag not in PIXELS or last.value != pixels_at:
        return None
    if last.value - last.start != 12:  # no pixel data have a VR with a short length
        return None
    return Layout(data[:pixels_at], elements, content)
