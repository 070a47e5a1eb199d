"""The measurements of one series, with undo and redo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from core.events import Signal
from core.imaging.geometry import Plane
from core.reading.measurements import Measurement


class MeasurementBook:
    """Owner of a series' measurements. Every change is one step that can be undone."""

    changed = Signal()
    """After anything changed, also by undo and by what was kept."""
    stepped = Signal()
    """After a step that can be undone, behind `changed`."""

    def __init__(self) -> None:
        self._items: tuple[Measurement, ...] = ()
        self._before: list[tuple[Measurement, ...]] = []
        self._after: list[tuple[Measurement, ...]] = []
        self._given = 0

    def __iter__(self) -> Iterator[Measurement]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def on(self, plane: Plane, index: int) -> tuple[Measurement, ...]:
        """The measurements on one plane, in the order in which they were made."""
        return tuple(k for k in self._items if k.plane is plane and k.index == index)

    def find(self, number: int) -> Measurement | None:
        """The measurement of that number, if it is there."""
        return next((item for item in self._items if item.number == number), None)

    def add(self, item: Measurement) -> Measurement:
        """Keep a new measurement. Returns it with its number."""
        self._given += 1
        numbered = replace(item, number=self._given)
        self._set((*self._items, numbered))
        return numbered

    def change(self, item: Measurement) -> None:
        """Replace the measurement of the same number. Raises KeyError if there is none."""
        if self.find(item.number) is None:
            raise KeyError(item.number)
        self._set(tuple(item if k.number == item.number else k for k in self._items))

    def remove(self, number: int) -> None:
        """Take one measurement away, if it is there."""
        self._set(tuple(item for item in self._items if item.number != number))

    def clear(self) -> None:
        """Take all measurements away, as one step."""
        self._set(())

    def fill(self, kept: Sequence[Measurement]) -> None:
        """Put in what was measured in an earlier session: no step, and before all of this one."""
        numbered = tuple(
            replace(item, number=self._given + place) for place, item in enumerate(kept, start=1)
        )
        self._given += len(numbered)
        self._items = (*numbered, *self._items)
        self._before = [(*numbered, *items) for items in self._before]
        self._after = [(*numbered, *items) for items in self._after]
        if numbered:
            self.changed.emit()

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone step."""
        return bool(self._after)

    def undo(self) -> bool:
        """Take the last step back; whether there was one."""
        return self._turn(self._before, self._after)

    def redo(self) -> bool:
        """Make the step again that was undone last; whether there was one."""
        return self._turn(self._after, self._before)

    def _set(self, items: tuple[Measurement, ...]) -> None:
        if items != self._items:
            self._before.append(self._items)
            self._after.clear()
            self._items = items
            self.changed.emit()
            self.stepped.emit()

    def _turn(
        self, source: list[tuple[Measurement, ...]], sink: list[tuple[Measurement, ...]]
    ) -> bool:
        if not source:
            return False
        sink.append(self._items)
        self._items = source.pop()
        self.changed.emit()
        return True
