"""Measuring with the mouse: new measurements, and old ones taken by a handle or a line.

A length or an area is one press–drag–release. An angle is a drag for the first leg, then a
click where the second ends. What is being drawn is a `Draft`; the case's book hears of it when
it is finished, so that each measurement, and each change of one, is a single step to undo.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF

from core.case import Case
from core.imaging.geometry import Plane
from core.reading.layout import Tool
from core.reading.measurements import Kind, Measurement, Point, length, to_patient, to_pixel
from desktop.viewer.canvas import Canvas

KINDS = {
    Tool.LENGTH: Kind.LENGTH,
    Tool.ANGLE: Kind.ANGLE,
    Tool.RECTANGLE: Kind.RECTANGLE,
    Tool.ELLIPSE: Kind.ELLIPSE,
}

SMALLEST = 3.0
"""Logical pixels below which a drawn measurement is taken for a slip of the hand."""


@dataclass
class Draft:
    """A measurement under the mouse.

    grip: the point that follows the mouse; None moves the whole. number: of the one that is
    changed, 0 for a new one. last: where the whole was taken, in the patient.
    """

    item: Measurement
    grip: int | None
    last: Point = (0.0, 0.0, 0.0)
    awaits_click: bool = False


class Measuring:
    """What the left button does to measurements on one view."""

    def __init__(self, view: Canvas) -> None:
        self._view = view
        self.draft: Draft | None = None

    def forget(self) -> None:
        """Give up what is being drawn."""
        self.draft = None

    def _point(self, case: Case, plane: Plane, at: QPointF) -> Point:
        return to_patient(
            case.summary.geometry, plane, case.navigation.index(plane), *self._view.to_pixel(at)
        )

    def begin(self, case: Case, plane: Plane, tool: Tool, at: QPointF) -> None:
        """Press for a new measurement; for an angle in the making, the press of its end."""
        if self.draft is not None and self.draft.awaits_click:
            return  # finished at the release
        here = self._point(case, plane, at)
        kind = KINDS[tool]
        index = case.navigation.index(plane)
        self.draft = Draft(Measurement(kind, plane, index, (here,) * 2), 1)

    def take(self, case: Case, plane: Plane, item: Measurement, grip: int | None,
             at: QPointF) -> None:  # fmt: skip
        """Press on a measurement that is there."""
        self.draft = Draft(item, grip, self._point(case, plane, at))

    def move(self, case: Case, plane: Plane, at: QPointF) -> None:
        """The mouse is elsewhere."""
        draft = self.draft
        if draft is None:
            return
        here = self._point(case, plane, at)
        if draft.grip is None:
            by = tuple(b - a for a, b in zip(draft.last, here, strict=True))
            draft.item, draft.last = draft.item.moved(by), here  # type: ignore[arg-type]
        else:
            draft.item = draft.item.with_point(draft.grip, here)

    def release(self, case: Case, plane: Plane, at: QPointF) -> int | None:
        """The button went up. Returns the number of what was finished."""
        draft = self.draft
        if draft is None:
            return None
        self.move(case, plane, at)
        if draft.item.number:
            self.draft = None
            if draft.item != case.measurements.find(draft.item.number):
                case.measurements.change(draft.item)
            return draft.item.number
        if self._is_slip(case, draft.item):
            self.draft = None
            return None
        if draft.item.kind is Kind.ANGLE and len(draft.item.points) == 2:
            end = draft.item.points[1]
            draft.item = replace(draft.item, points=(*draft.item.points, end))
            draft.grip, draft.awaits_click = 2, True
            return None
        self.draft = None
        return case.measurements.add(draft.item).number

    def _is_slip(self, case: Case, item: Measurement) -> bool:
        geometry = case.summary.geometry
        ends = [
            self._view.to_screen(*to_pixel(geometry, item.plane, point))
            for point in item.points[-2:]
        ]
        return length((ends[0].x(), ends[0].y(), 0), (ends[1].x(), ends[1].y(), 0)) < SMALLEST
