"""One undo over everything: labels, regions and notes in the journal, measurements in the case.

Each keeps its own history; here is only the order in which a person did things, so that Ctrl+Z
takes back what was done last, whichever it was. What is turned back is looked at: where none of
it lies on the slice shown, the nearest slice that it changed is.

Nothing unseen is turned back: a class that was given or regions that were drawn while another
label set was read for are passed over, and wait until that one is read for again (see
`Labelling.undo`).
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


@dataclass(frozen=True)
class _Step:
    """label_set: the one without which it is not seen; None: always."""

    kind: Kind
    label_set: str | None = None


@dataclass
class _Order:
    done: list[_Step] = field(default_factory=list)
    undone: list[_Step] = field(default_factory=list)
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

    def _labelled(self, reading: Reading, label_set: str | None) -> None:
        self._did(reading, _Step(Kind.LABELS, label_set))

    def _measured(self, reading: Reading) -> None:
        self._did(reading, _Step(Kind.MEASUREMENTS))

    def _did(self, reading: Reading, step: _Step) -> None:
        order = self._orders.get(reading.key)
        if order is not None:
            order.done.append(step)
            order.undone = [item for item in order.undone if not self._is_seen(item)]
            self.changed.emit(reading)

    def _is_seen(self, step: _Step) -> bool:
        return step.label_set in (None, self._session.label_set.id)

    def _last_seen(self, steps: list[_Step]) -> _Step | None:
        """Take the last of some steps that is seen now."""
        for place in reversed(range(len(steps))):
            if self._is_seen(steps[place]):
                return steps.pop(place)
        return None

    def can_undo(self, reading: Reading) -> bool:
        """Whether there is a step of this person to take back."""
        return reading.case.measurements.can_undo or self._labels.can_undo(reading)

    def can_redo(self, reading: Reading) -> bool:
        """Whether there is a step to make again."""
        return reading.case.measurements.can_redo or self._labels.can_redo(reading)

    def undo(self, reading: Reading) -> bool:
        """Take back what was done last of what is seen; whether there was something."""
        order = self._orders.get(reading.key, _Order())
        step = self._last_seen(order.done)
        label = step if step is not None and step.kind is Kind.LABELS else None
        if label is None and reading.case.measurements.can_undo:
            self._turn(reading, reading.case.measurements.undo)
            order.undone.append(_Step(Kind.MEASUREMENTS))
        elif self._labels.can_undo(reading) or label is not None:
            self._labels.undo(reading)
            order.undone.append(label or self._some_label())
        else:
            return False
        self.changed.emit(reading)
        return True

    def redo(self, reading: Reading) -> bool:
        """Make again what was taken back last of what is seen; whether there was something."""
        order = self._orders.get(reading.key, _Order())
        step = self._last_seen(order.undone)
        label = step if step is not None and step.kind is Kind.LABELS else None
        if label is None and reading.case.measurements.can_redo:
            self._turn(reading, reading.case.measurements.redo)
            order.done.append(_Step(Kind.MEASUREMENTS))
        elif self._labels.can_redo(reading) or label is not None:
            self._labels.redo(reading)
            order.done.append(label or self._some_label())
        else:
            return False
        self.changed.emit(reading)
        return True

    def _some_label(self) -> _Step:
        """A step of the journal that was made before this window counted."""
        return _Step(Kind.LABELS, self._session.label_set.id)

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
