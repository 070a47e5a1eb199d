"""Drawing regions for the model: boxes, ellipses, polygons, and a brush, on one slice.

A region that is finished is not kept here: `drawn` says what changed, and whoever listens writes
it to the label journal. Until the journal says so, nothing is shown as kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF, QTransform

from core.case import Case
from core.imaging.geometry import Plane
from core.labels.schema import Attention, Region, RegionShape
from core.reading import areas
from core.reading.layout import Tool
from desktop import appearance
from desktop.viewer import ink
from desktop.viewer.canvas import Canvas

SHAPES = {
    Tool.MARK_BOX: RegionShape.BOX,
    Tool.MARK_ELLIPSE: RegionShape.ELLIPSE,
    Tool.MARK_POLYGON: RegionShape.POLYGON,
    Tool.MARK_BRUSH: RegionShape.BRUSH,
}

CLOSE = 9.0
"""Logical pixels to its first corner within which a click closes a polygon."""


@dataclass
class Pen:
    """What regions are drawn with; shared by all views of a stage.

    radius: of the brush, in millimetres (pixels where there are none). erases: the brush takes
    away instead.
    """

    attention: Attention = Attention.LOOK_HERE
    radius: float = 4.0
    erases: bool = False


@dataclass
class _Draft:
    shape: RegionShape
    corners: list[areas.Corner] = field(default_factory=list)
    mask: areas.Mask | None = None


class Marking(QObject):
    """What the left button does to regions on one view of the plane of acquisition."""

    drawn = Signal(int, object)
    """(slice index, areas.Edit) after a region was drawn, erased from, or taken away."""

    def __init__(self, view: Canvas, pen: Pen) -> None:
        super().__init__(view)
        self._view = view
        self.pen = pen
        self.draft: _Draft | None = None

    @property
    def draws_polygon(self) -> bool:
        """Whether corners of a polygon are being set."""
        return self.draft is not None and self.draft.shape is RegionShape.POLYGON

    def forget(self) -> None:
        """Give up what is being drawn."""
        self.draft = None

    def _corner(self, at: QPointF) -> areas.Corner:
        x, y = self._view.to_pixel(at)
        return y, x

    def _size(self, case: Case) -> tuple[int, int]:
        return case.summary.shape[1], case.summary.shape[2]

    def _radius(self, case: Case) -> tuple[float, float]:
        _, row, column = case.summary.geometry.spacing
        return max(self.pen.radius / row, 0.5), max(self.pen.radius / column, 0.5)

    # ---- the mouse

    def press(self, case: Case, tool: Tool, at: QPointF) -> None:
        """Begin a shape; for a polygon, set a corner."""
        shape, corner = SHAPES[tool], self._corner(at)
        if shape is RegionShape.POLYGON and self.draft is not None:
            first = self.draft.corners[0]
            start = self._view.to_screen(first[1], first[0])
            if len(self.draft.corners) > 3 and (start - at).manhattanLength() <= CLOSE:
                self.close(case)
            else:
                self.draft.corners[-1] = corner
                self.draft.corners.append(corner)  # the next one, under the mouse
            return
        corners = [corner, corner]
        self.draft = _Draft(shape, corners)
        if shape is RegionShape.BRUSH:
            self.draft.mask = np.zeros(self._size(case), bool)
            self._paint(case, corner, corner)

    def move(self, case: Case, at: QPointF, held: bool) -> None:
        """The mouse is elsewhere."""
        draft = self.draft
        if draft is None:
            return
        corner = self._corner(at)
        if draft.shape is RegionShape.BRUSH:
            if held:
                self._paint(case, draft.corners[-1], corner)
                draft.corners[-1] = corner
            return
        draft.corners[-1] = corner

    def release(self, case: Case, at: QPointF) -> None:
        """The button went up: boxes, ellipses and brush strokes are finished."""
        draft = self.draft
        if draft is None or draft.shape is RegionShape.POLYGON:
            return
        self.move(case, at, held=True)
        self.draft = None
        index = case.navigation.index()
        if draft.shape is RegionShape.BRUSH and draft.mask is not None:
            stroke = areas.region_of_mask(draft.mask, self.pen.attention)
            if stroke is not None:
                self.drawn.emit(index, areas.Edit(stroke, erases=self.pen.erases))
            return
        ends = [self._view.to_screen(column, row) for row, column in draft.corners]
        if (ends[1] - ends[0]).manhattanLength() >= 4:
            self._finish(case, draft)

    def close(self, case: Case) -> None:
        """Close a polygon."""
        draft, self.draft = self.draft, None
        if draft is not None and draft.shape is RegionShape.POLYGON:
            draft.corners.pop()  # the one under the mouse
            if len(draft.corners) >= 3:
                self._finish(case, draft)

    # ---- what comes of it

    def _finish(self, case: Case, draft: _Draft) -> None:
        region = areas.drawn(draft.shape, draft.corners, self.pen.attention, self._size(case))
        if region is not None:
            self.drawn.emit(case.navigation.index(), areas.Edit(region))

    def _paint(self, case: Case, start: areas.Corner, end: areas.Corner) -> None:
        if self.draft is not None and self.draft.mask is not None:
            areas.stroke(self.draft.mask, start, end, self._radius(case))

    def remove(self, case: Case, place: int) -> None:
        """Take one region of the slice away."""
        index = case.navigation.index(Plane.SLICE)
        regions = case.regions_at(index)
        if place < len(regions):
            self.drawn.emit(index, areas.Edit(taken=regions[place]))

    def fill_between(self, case: Case) -> dict[int, tuple[Region, ...]]:
        """What brushed and outlined regions are between the slices on which they were drawn.

        Returns slice index → all regions it shall have, for slices without such a region.
        """
        size, wanted = self._size(case), self.pen.attention
        masks: dict[int, areas.Mask] = {}
        for index in range(case.summary.shape[0]):
            for region in case.regions_at(index):
                if region.attention is wanted:
                    mask = areas.mask_of(region, size)
                    masks[index] = masks[index] | mask if index in masks else mask
        found: dict[int, tuple[Region, ...]] = {}
        for index, mask in areas.fill_between(masks).items():
            made = areas.region_of_mask(mask, wanted)
            if made is not None:
                found[index] = (*case.regions_at(index), made)
        return found

    # ---- drawing

    def draw(self, painter: QPainter, case: Case, mouse: QPointF | None, tool: Tool,
             transform: QTransform) -> None:  # fmt: skip
        """Draw what is in the making, and the brush under the mouse."""
        look = self.pen.attention is Attention.LOOK_HERE
        colour = QColor(ink.LOOK_HERE if look else ink.NOT_HERE)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 1.5))
        draft = self.draft
        if draft is not None and draft.mask is not None:
            painter.save()
            painter.setTransform(transform, True)
            shade = QColor(appearance.IMAGE.dim) if self.pen.erases else colour
            picture = ink.mask_picture(draft.mask, shade)
            painter.drawImage(QRectF(picture.rect()), picture)
            painter.restore()
        elif draft is not None and draft.shape is RegionShape.POLYGON:
            corners = [self._view.to_screen(column, row) for row, column in draft.corners]
            painter.drawPolyline(QPolygonF(corners))
            painter.setBrush(colour)
            painter.drawEllipse(corners[0], 3.5, 3.5)
        elif draft is not None:
            box = areas.box_of(draft.corners)
            region = Region(box, self.pen.attention, "", draft.shape)
            painter.drawPolyline(ink.region_edge(region, self._view.to_screen))
        if tool is Tool.MARK_BRUSH and mouse is not None:
            self._draw_brush(painter, case, mouse)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _draw_brush(self, painter: QPainter, case: Case, mouse: QPointF) -> None:
        down, across = self._radius(case)
        row, column = self._corner(mouse)
        box = (row - down, column - across, 2 * down, 2 * across)
        edge = ink.region_edge(
            Region(box, self.pen.attention, "", RegionShape.ELLIPSE), self._view.to_screen
        )
        painter.setBrush(Qt.BrushStyle.NoBrush)
        style = Qt.PenStyle.DotLine if self.pen.erases else Qt.PenStyle.SolidLine
        for colour, wide in ((appearance.IMAGE.shadow, 3.0), (appearance.IMAGE.text, 1.2)):
            painter.setPen(QPen(QColor(colour), wide, style))
            painter.drawPolyline(edge)
