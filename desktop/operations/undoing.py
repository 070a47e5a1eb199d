"""One undo over everything: labels, regions and notes in the journal, measurements in the case.

Each keeps its own history; here is only the order in which a person did things, so that Ctrl+Z
takes back what was done last, whichever it was. What is turned back is looked at: where none of
it lies on the slice shown, the nearest slice that it changed is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial

from core.events import Signal
from core.imaging.geometry import Plane
from core.session import Reading, Session
from desktop.operations.labelling import LabelOperations


class Kind(Enum):
    """In whose history a step lies."""

    LABELS = auto()
    MEASUREMENTS = auto()


@dataclass
class _Order:
    done: list[Kind] = field(default_factory=list)
    undone: list[Kind] = field(default_factory=list)
    listener: Callable[[], None] | None = None


class Undoing:
    """What undo and redo do."""

    changed = Signal(object)
    """A Reading of which something can be undone or redone that could not, or no longer."""

    def __init__(self, session: Session, labels: LabelOperations) -> None:
        self._session = session
        self._labels = labels
        self._orders: dict[str, _Order] = {}
        session.added.connect(self._added)
        session.removed.connect(self._removed)
        labels.stepped.connect(self._labelled)
        labels.turned.connect(self._look)

    def close(self) -> None:
        """Stop listening."""
        self._session.added.disconnect(self._added)
        self._session.removed.disconnect(self._removed)
        self._labels.stepped.disconnect(self._labelled)
        self._labels.turned.disconnect(self._look)
        for reading in self._session:
            self._removed(reading)

    def _added(self, reading: Reading) -> None:
        order = self._orders[reading.key] = _Order()
        order.listener = partial(self._measured, reading)
        reading.case.measurements.stepped.connect(order.listener)

    def _removed(self, reading: Reading) -> None:
        order = self._orders.pop(reading.key, None)
        if order is not None and order.listener is not None:
            reading.case.measurements.stepped.disconnect(order.listener)

    def _labelled(self, reading: Reading) -> None:
        self._did(reading, Kind.LABELS)

    def _measured(self, reading: Reading) -> None:
        self._did(reading, Kind.MEASUREMENTS)

    def _did(self, reading: Reading, kind: Kind) -> None:
        order = self._orders.get(reading.key)
        if order is not None:
            order.done.append(kind)
            order.undone.clear()
            self.changed.emit(reading)

    def can_undo(self, reading: Reading) -> bool:
        """Whether there is a step of this person to take back."""
        return reading.case.measurements.can_undo or self._labels.can_undo(reading)

    def can_redo(self, reading: Reading) -> bool:
        """Whether there is a step to make again."""
        return reading.case.measurements.can_redo or self._labels.can_redo(reading)

    def undo(self, reading: Reading) -> bool:
        """Take back what was done last; whether there was something."""
        order = self._orders.get(reading.key, _Order())
        kind = order.done.pop() if order.done else None
        if kind is not Kind.LABELS and reading.case.measurements.can_undo:
            self._turn(reading, reading.case.measurements.undo)
            order.undone.append(Kind.MEASUREMENTS)
        elif self._labels.can_undo(reading) or kind is Kind.LABELS:
            self._labels.undo(reading)
            order.undone.append(Kind.LABELS)
        else:
            return False
        self.changed.emit(reading)
        return True

    def redo(self, reading: Reading) -> bool:
        """Make again what was taken back last; whether there was something."""
        order = self._orders.get(reading.key, _Order())
        kind = order.undone.pop() if order.undone else None
        if kind is not Kind.LABELS and reading.case.measurements.can_redo:
            self._turn(reading, reading.case.measurements.redo)
            order.done.append(Kind.MEASUREMENTS)
        elif self._labels.can_redo(reading) or kind is Kind.LABELS:
            self._labels.redo(reading)
            order.done.append(Kind.LABELS)
        else:
            return False
        self.changed.emit(reading)
        return True

    def _turn(self, reading: Reading, act: Callable[[], bool]) -> None:
        before = set(reading.case.measurements)
        act()
        changed = before ^ set(reading.case.measurements)
        for plane in Plane:
            if places := {item.index for item in changed if item.plane is plane}:
                self._look(reading, places, plane)
                break

    @staticmethod
    def _look(reading: Reading, changed: Collection[int], plane: Plane = Plane.SLICE) -> None:
        """Go to the nearest slice that was changed; nowhere if this one was."""
        navigation = reading.case.navigation
        here = navigation.index(plane)
        if changed:
            navigation.go(min(changed, key=lambda index: abs(index - here)), plane)
