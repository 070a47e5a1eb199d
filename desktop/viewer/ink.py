"""Measurements and regions drawn over the image, in logical screen pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QImage,
    QPainter,
    QPen,
    QPolygonF,
    QTransform,
)

from core.case import Case
from core.imaging.geometry import Plane
from core.labels.schema import Attention, Region, RegionShape
from core.reading import areas
from core.reading.measurements import (
    Kind,
    Measurement,
    Statistics,
    outline,
    statistics,
    to_pixel,
)
from desktop import appearance
from desktop.viewer import units

HANDLE = 3.5
"""Half the side of a handle, logical pixels."""

ROOMY = 520.0
"""Width of a view from which areas say all that they know without being chosen."""

REACH = 7.0
"""How near the mouse must be to a handle or a line to take it."""

LOOK_HERE, NOT_HERE = "#5ee08a", "#ff7a70"

ToScreen = Callable[[float, float], QPointF]


@dataclass(frozen=True)
class Drawn:
    """A measurement as it lies on the screen.

    points: its handles. edge: the line that is drawn. words: what is said, and where.
    """

    item: Measurement
    points: tuple[QPointF, ...]
    edge: QPolygonF
    words: tuple[str, ...]


class Ink:
    """Lays out and draws what readers have put on a plane; keeps statistics once computed."""

    def __init__(self) -> None:
        self._statistics: dict[object, Statistics | None] = {}
        self._masks: dict[object, QImage] = {}

    # ---- measurements

    def lay_out(
        self, case: Case, items: Sequence[Measurement], to_screen: ToScreen, *, fine: bool = False
    ) -> list[Drawn]:
        """Where measurements of one plane are on the screen, and what they say."""
        geometry = case.summary.geometry
        found = []
        for item in items:
            points = tuple(to_screen(*to_pixel(geometry, item.plane, p)) for p in item.points)
            edge = QPolygonF(
                [to_screen(*to_pixel(geometry, item.plane, p)) for p in outline(geometry, item)]
            )
            unfinished = item.kind is Kind.ANGLE and len(item.points) < 3
            words = (
                () if unfinished else units.describe(case, item, self._of(case, item), fine=fine)
            )
            found.append(Drawn(item, points, edge, tuple(words)))
        return found

    def _of(self, case: Case, item: Measurement) -> Statistics | None:
        """Statistics, once for each measurement while its plane is loaded."""
        volume = case.volume
        complete = item.plane is Plane.SLICE and case.has(item.index)
        if volume is None or not item.kind.is_area or not (complete or case.is_complete):
            return None
        key = (id(volume), item.plane, item.index, item.kind, item.points)
        if key not in self._statistics:
            if len(self._statistics) > 200:
                self._statistics.clear()
            self._statistics[key] = statistics(volume, item)
        return self._statistics[key]

    @staticmethod
    def draw(painter: QPainter, drawn: Sequence[Drawn], chosen: int | None, area: QRectF) -> None:
        """Draw measurements; `chosen` with its handles."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(appearance.font(appearance.TEXT_PX - 1))
        measure = QFontMetricsF(painter.font())
        for one in drawn:
            for colour, wide in ((appearance.IMAGE.shadow, 3.5), (appearance.IMAGE.measure, 1.5)):
                painter.setPen(QPen(QColor(colour), wide))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawPolyline(one.edge)
            if one.item.number == chosen or not one.item.kind.is_area:
                _handles(painter, one.points)
            roomy = area.width() >= ROOMY or one.item.number == chosen
            _words(painter, measure, one.edge, one.words if roomy else one.words[:1], area)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    # ---- regions

    def draw_regions(
        self, painter: QPainter, regions: Sequence[Region], to_screen: ToScreen,
        chosen: int | None, transform: QTransform, size: tuple[int, int],
    ) -> None:  # fmt: skip
        """Draw the regions of a slice of (rows, columns): green to look at, red not to."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for place, region in enumerate(regions):
            look = region.attention is Attention.LOOK_HERE
            colour = QColor(LOOK_HERE if look else NOT_HERE)
            if region.shape is RegionShape.BRUSH:
                self._draw_mask(painter, region, colour, transform, size)
            edge = region_edge(region, to_screen)
            style = Qt.PenStyle.SolidLine if look else Qt.PenStyle.DashLine
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for ink, wide in ((QColor(appearance.IMAGE.shadow), 3.5),
                              (colour, 2.5 if place == chosen else 1.5)):  # fmt: skip
                painter.setPen(QPen(ink, wide, style))
                painter.drawPolyline(edge)
            if place == chosen:
                _handles(painter, (edge.first(),))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _draw_mask(
        self, painter: QPainter, region: Region, colour: QColor, transform: QTransform,
        size: tuple[int, int],
    ) -> None:  # fmt: skip
        key = (region.runs, region.attention)
        if key not in self._masks:
            if len(self._masks) > 50:
                self._masks.clear()
            self._masks[key] = mask_picture(areas.mask_of(region, size), colour)
        painter.save()
        painter.setTransform(transform, True)
        picture = self._masks[key]
        painter.drawImage(QRectF(picture.rect()), picture)
        painter.restore()


def mask_picture(mask: areas.Mask, colour: QColor, opacity: int = 90) -> QImage:
    """A mask as a picture of one colour, of the mask's size."""
    faint = QColor(colour)
    faint.setAlpha(opacity)
    part = opacity / 255
    value = (
        opacity << 24
        | int(faint.red() * part) << 16
        | int(faint.green() * part) << 8
        | int(faint.blue() * part)
    )
    pixels = np.ascontiguousarray(np.where(mask, np.uint32(value), np.uint32(0)))
    rows, columns = pixels.shape
    image = QImage(
        pixels.data, columns, rows, 4 * columns, QImage.Format.Format_ARGB32_Premultiplied
    )
    return image.copy()


def region_edge(region: Region, to_screen: ToScreen) -> QPolygonF:
    """The closed line around a region; around a brushed one, its box."""
    top, left, height, width = region.box
    if region.shape is RegionShape.POLYGON and region.outline:
        corners = [to_screen(column, row) for row, column in region.outline]
        return QPolygonF([*corners, corners[0]])
    if region.shape is RegionShape.ELLIPSE:
        turns = np.linspace(0, 2 * np.pi, 65)
        return QPolygonF(
            [
                to_screen(
                    left + width / 2 * (1 + float(np.cos(t))),
                    top + height / 2 * (1 + float(np.sin(t))),
                )
                for t in turns
            ]
        )
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    return QPolygonF([to_screen(*corner) for corner in (*corners, corners[0])])


def near_line(at: QPointF, edge: QPolygonF) -> float:
    """Distance of a position to a line of several pieces, logical pixels."""
    points = np.array([(p.x(), p.y()) for p in edge])
    here = np.array([at.x(), at.y()])
    start, step = points[:-1], np.diff(points, axis=0)
    lengths = np.maximum((step**2).sum(axis=1), 1e-12)
    part = np.clip(((here - start) * step).sum(axis=1) / lengths, 0, 1)
    return float(np.linalg.norm(start + part[:, None] * step - here, axis=1).min())


def pick(at: QPointF, drawn: Sequence[Drawn]) -> tuple[Measurement, int | None] | None:
    """The measurement at a position and which of its points, None for its line; the last first."""
    for one in reversed(drawn):
        for place, point in enumerate(one.points):
            if (point - at).manhattanLength() <= REACH * 1.4:
                return one.item, place
    for one in reversed(drawn):
        if len(one.edge) > 1 and near_line(at, one.edge) <= REACH:
            return one.item, None
    return None


def pick_region(at: QPointF, regions: Sequence[Region], to_screen: ToScreen) -> int | None:
    """Which region's edge is at a position, the last drawn first."""
    for place in range(len(regions) - 1, -1, -1):
        if near_line(at, region_edge(regions[place], to_screen)) <= REACH:
            return place
    return None


def _handles(painter: QPainter, points: Sequence[QPointF]) -> None:
    painter.setPen(QPen(QColor(appearance.IMAGE.shadow), 1))
    painter.setBrush(QColor(appearance.IMAGE.measure))
    for point in points:
        painter.drawRect(QRectF(point.x() - HANDLE, point.y() - HANDLE, 2 * HANDLE, 2 * HANDLE))


def _words(
    painter: QPainter, measure: QFontMetricsF, edge: QPolygonF, words: Sequence[str], area: QRectF
) -> None:
    """What a measurement says, on a dark card beside it that stays inside the view."""
    if not words:
        return
    wide = max(measure.horizontalAdvance(line) for line in words) + 10
    high = measure.height() * len(words) + 6
    around = edge.boundingRect()
    card = QRectF(around.right() + 8, around.center().y() - high / 2, wide, high)
    if card.right() > area.right() - 4:
        card.moveRight(around.left() - 8)
    card.moveLeft(min(max(card.left(), area.left() + 4), area.right() - wide - 4))
    card.moveTop(min(max(card.top(), area.top() + 4), area.bottom() - high - 4))
    backing = QColor(appearance.IMAGE.background)
    backing.setAlpha(170)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(backing)
    painter.drawRoundedRect(card, 3, 3)
    painter.setPen(QColor(appearance.IMAGE.measure))
    for row, line in enumerate(words):
        base = card.top() + 3 + row * measure.height() + measure.ascent()
        painter.drawText(QPointF(card.left() + 5, base), line)
