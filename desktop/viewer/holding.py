"""What a reader has drawn on a view: found under the mouse, taken hold of, given up, deleted."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF

from core.case import Case
from core.imaging.geometry import Plane
from desktop.viewer.canvas import Canvas
from desktop.viewer.ink import Drawn, pick, pick_region
from desktop.viewer.marking import Marking
from desktop.viewer.measuring import Measuring


@dataclass(frozen=True)
class Chosen:
    """What a reader has taken hold of: a measurement by its number, or a region by its place.

    grip: the point of the measurement under the mouse, None for its line.
    """

    number: int
    is_measurement: bool
    grip: int | None = None


class Holding(Canvas):
    """A canvas over which things are drawn that can be held. Views set its fields."""

    plane: Plane
    measuring: Measuring
    marking: Marking
    _case: Case | None = None
    _chosen: Chosen | None = None
    _drawn: list[Drawn]

    def find(self, at: QPointF) -> Chosen | None:
        """The measurement or region at a position."""
        case = self._case
        found = pick(at, self._drawn)
        if found is not None:
            return Chosen(found[0].number, True, found[1])
        if case is not None and self.plane is Plane.SLICE and case.display.regions:
            regions = case.regions_at(case.navigation.index())
            place = pick_region(at, regions, self.to_screen)
            return Chosen(place, False) if place is not None else None
        return None

    def choose(self, chosen: Chosen | None) -> None:
        """Take hold of a measurement or region, or of none."""
        self._chosen = chosen
        self.update()

    def let_go_of_region(self) -> None:
        """Hold no region any more: after others took their places, it may be another one."""
        if self._chosen is not None and not self._chosen.is_measurement:
            self._chosen = None
        self.refresh()

    def refresh(self) -> None:
        """Draw anew soon."""
        self.update()

    def choose_measurement(self, number: int) -> None:
        """Take hold of the measurement of a number."""
        self.choose(Chosen(number, True))

    def delete_chosen(self) -> bool:
        """Take away what is held; whether there was something."""
        chosen, case = self._chosen, self._case
        self._chosen = None
        if chosen is None or case is None:
            return False
        if chosen.is_measurement:
            case.measurements.remove(chosen.number)
        else:
            self.marking.remove(case, chosen.number)
        return True

    @property
    def is_drawing(self) -> bool:
        """Whether a measurement or region is in the making."""
        return self.measuring.draft is not None or self.marking.draft is not None

    def stop_drawing(self) -> None:
        """Give up what is in the making."""
        self.measuring.forget()
        self.marking.forget()
        self.update()
