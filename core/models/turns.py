"""In which order the slices of a series are computed: where the reader looks, then outwards.

Where somebody looks on, a long series is answered in turns of about a tenth of a second. Before
each, the reader may have gone on to another slice, which then comes next: whoever scrolls waits
for one turn, not for all the slices between. Where nobody does, turns are whole batches, the same
in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from core.models.context import around

_TURN = 0.1
"""Seconds that a turn shall take; on a graphics card a whole batch takes less."""


class Turns:
    """The slices of one series that wait for an answer, and those that were computed.

    slices: of the series. reach: neighbours on each side that an answer is averaged over. known:
    slices that need no answer. most: slices computed at once. first: the slice to begin with.
    looks: the slice that the reader looks at, asked before each turn instead.
    """

    def __init__(
        self,
        slices: int,
        reach: int,
        known: Collection[int],
        most: int,
        first: int,
        looks: Callable[[], int] | None = None,
    ) -> None:
        self._slices, self._reach, self._looks = slices, reach, looks
        self._waiting = set(range(slices)) - set(known)
        self._missing = {near for index in self._waiting for near in self._around(index)}
        self._size = self._most = most
        self._centre = first

    def __bool__(self) -> bool:
        """Whether an answer is still to be given."""
        return bool(self._waiting)

    def next(self) -> list[int]:
        """Slices to be computed now, the first of them nearest to where the reader looks.

        The slice looked at comes alone, so that something is said of it at once; those that its
        answer is averaged over follow together.
        """
        centre = self._centre = self._centre if self._looks is None else self._looks()
        if centre in self._waiting:
            if centre in self._missing:
                return [centre]
            near = self._missing.intersection(self._around(centre))
            if near:
                return outwards(near, centre)
        return outwards(self._missing, centre)[: self._size]

    def is_first(self, batch: list[int]) -> bool:
        """Whether a turn is of the slice looked at alone, whose own answer needs others still."""
        if batch != [self._centre] or self._centre not in self._waiting:
            return False
        return len(self._missing.intersection(self._around(self._centre))) > 1

    def took(self, batch: list[int], seconds: float) -> list[int]:
        """Note what a turn computed; the slices that can be answered now, the nearest first."""
        self._missing.difference_update(batch)
        if self._looks is not None:
            each = max(seconds, 1e-6) / len(batch)
            self._size = min(max(int(_TURN / each), 1), self._most)
        touched = self._waiting.intersection(k for index in batch for k in self._around(index))
        ready = [k for k in touched if self._missing.isdisjoint(self._around(k))]
        self._waiting.difference_update(ready)
        return outwards(ready, self._centre)

    def _around(self, index: int) -> list[int]:
        return around(index, self._slices, self._reach)


def outwards(indices: Iterable[int], centre: int) -> list[int]:
    """Slices by their distance from one, the lower of two first."""
    return sorted(indices, key=lambda index: (abs(index - centre), index))
