"""A plot of a few lines, painted by itself in the window's colours; to be looked at, not used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.appearance import SMALL_PX, font, theme

_LEFT, _TOP, _RIGHT, _BOTTOM = 46.0, 26.0, 10.0, 22.0
_TITLED_BOTTOM = 38.0


@dataclass(frozen=True)
class Curve:
    """One line. points: (x, y) in order. dots: each point is marked; line: points are joined."""

    name: str
    colour: str
    points: tuple[tuple[float, float], ...]
    dots: bool = False
    line: bool = True
    width: float = 2.0


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """About `wanted` round numbers from low to high: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low]
    raw = span / max(wanted, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


class LinePlot(QWidget):
    """Lines over numeric axes with a legend; square: both axes have one scale."""

    def __init__(
        self,
        title: str,
        parent: QWidget | None = None,
        *,
        x_title: str = "",
        y_title: str = "",
        square: bool = False,
    ) -> None:
        super().__init__(parent)
        self._title, self._x_title, self._y_title = title, x_title, y_title
        self._square = square
        self._curves: tuple[Curve, ...] = ()
        self._x = (0.0, 1.0)
        self._y: tuple[float, float] | None = None
        self._whole_x = False
        self._within = (-math.inf, math.inf)
        self._legend_below = square
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(title)

    @property
    def curves(self) -> tuple[Curve, ...]:
        """What is drawn."""
        return self._curves

    def sizeHint(self) -> QSize:
        return QSize(320, 320 if self._square else 180)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 240) if self._square else QSize(200, 120)

    def draw(
        self,
        curves: Sequence[Curve],
        x: tuple[float, float],
        y: tuple[float, float] | None = None,
        *,
        whole_x: bool = False,
        within: tuple[float, float] = (-math.inf, math.inf),
    ) -> None:
        """Draw curves. x, y: the ranges; y None fits the curves. whole_x: only whole ticks.

        within: the least and the greatest value that there can be, beyond which no axis reaches.
        """
        self._curves, self._x, self._y, self._whole_x = tuple(curves), x, y, whole_x
        self._within = within
        told = "; ".join(
            f"{curve.name} {curve.points[-1][1]:.3f}" for curve in curves if curve.points
        )
        self.setAccessibleDescription(told)
        self.update()

    # ---- painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.window))
        painter.drawRoundedRect(self.rect(), 6, 6)
        area = self._area()
        y = self.y_range
        painter.setFont(font(SMALL_PX, bold=True))
        painter.setPen(QColor(colours.text))
        painter.drawText(QRectF(10, 4, self.width() - 20, 18), Qt.AlignmentFlag.AlignLeft,
                         self._title)  # fmt: skip
        self._draw_axes(painter, area, y)
        painter.save()
        painter.setClipRect(area.adjusted(-5, -5, 5, 5))
        for curve in self._curves:
            self._draw_curve(painter, area, y, curve)
        painter.restore()
        self._draw_legend(painter, area)

    def _area(self) -> QRectF:
        left = _LEFT + (16 if self._y_title else 0)
        bottom = _TITLED_BOTTOM if self._x_title else _BOTTOM
        area = QRectF(left, _TOP, self.width() - left - _RIGHT, self.height() - _TOP - bottom)
        if self._square:
            side = min(area.width(), area.height())
            spare = QPointF(area.width() - side, area.height() - side) / 2
            area = QRectF(area.topLeft() + spare, QSizeF(side, side))
        return area

    @property
    def y_range(self) -> tuple[float, float]:
        """What the axis at the left shows: as given, or fitted to the curves."""
        if self._y is not None:
            return self._y
        values = [y for curve in self._curves for _, y in curve.points if math.isfinite(y)]
        if not values:
            return 0.0, 1.0
        low, high = min(values), max(values)
        margin = (high - low) * 0.12 or max(abs(high) * 0.1, 0.05)
        return max(low - margin, self._within[0]), min(high + margin, self._within[1])

    def _at(self, area: QRectF, y: tuple[float, float], point: tuple[float, float]) -> QPointF:
        across = (point[0] - self._x[0]) / ((self._x[1] - self._x[0]) or 1.0)
        up = (point[1] - y[0]) / ((y[1] - y[0]) or 1.0)
        return QPointF(area.left() + across * area.width(), area.bottom() - up * area.height())

    def _draw_axes(self, painter: QPainter, area: QRectF, y: tuple[float, float]) -> None:
        colours = theme()
        painter.setFont(font(SMALL_PX))
        metrics = QFontMetricsF(painter.font())
        grid = QPen(QColor(colours.line), 1)
        words = QColor(colours.dim)
        for value in nice_ticks(*y, wanted=max(2, int(area.height() / 36))):
            place = self._at(area, y, (self._x[0], value)).y()
            painter.setPen(grid)
            painter.drawLine(QPointF(area.left(), place), QPointF(area.right(), place))
            painter.setPen(words)
            painter.drawText(
                QRectF(area.left() - 44, place - 8, 38, 16),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                f"{value:g}",
            )
        each = 28 if self._whole_x else 60
        ticks = nice_ticks(*self._x, wanted=max(2, int(area.width() / each)))
        if self._whole_x:
            ticks = [value for value in ticks if value == int(value)]
        for value in ticks:
            place = self._at(area, y, (value, y[0])).x()
            painter.setPen(grid)
            painter.drawLine(QPointF(place, area.bottom()), QPointF(place, area.bottom() + 4))
            painter.setPen(words)
            painter.drawText(
                QRectF(place - 24, area.bottom() + 4, 48, 16),
                Qt.AlignmentFlag.AlignHCenter,
                f"{value:g}",
            )
        painter.setPen(QPen(QColor(colours.neutral), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.drawLine(area.bottomLeft(), area.topLeft())
        painter.setPen(words)
        if self._x_title:
            painter.drawText(
                QRectF(area.left(), area.bottom() + 19, area.width(), 16),
                Qt.AlignmentFlag.AlignHCenter,
                self._x_title,
            )
        if self._y_title:
            painter.save()
            painter.translate(area.left() - 46, area.center().y())
            painter.rotate(-90)
            wide = metrics.horizontalAdvance(self._y_title) + 4
            painter.drawText(
                QRectF(-wide / 2, -8, wide, 16), Qt.AlignmentFlag.AlignCenter, self._y_title
            )
            painter.restore()

    def _draw_curve(
        self, painter: QPainter, area: QRectF, y: tuple[float, float], curve: Curve
    ) -> None:
        places = [
            self._at(area, y, point) for point in curve.points if all(map(math.isfinite, point))
        ]
        colour = QColor(curve.colour)
        if curve.line and len(places) > 1:
            painter.setPen(QPen(colour, curve.width))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPolyline(QPolygonF(places))
        if curve.dots:
            painter.setPen(QPen(QColor(theme().window), 1.5))
            painter.setBrush(colour)
            size = 5.0 if not curve.line else 3.5
            for place in places:
                painter.drawEllipse(place, size, size)

    def _draw_legend(self, painter: QPainter, area: QRectF) -> None:
        named = [curve for curve in self._curves if curve.name]
        painter.setFont(font(SMALL_PX))
        metrics = QFontMetricsF(painter.font())
        if self._legend_below:  # inside, lower right, where no ROC curve runs
            top = area.bottom() - 18.0 * len(named) - 6
            for number, curve in enumerate(named):
                wide = metrics.horizontalAdvance(curve.name)
                x = area.right() - wide - 34
                self._draw_entry(painter, QPointF(x, top + 18.0 * number), curve)
            return
        x = self.width() - 10.0
        for curve in reversed(named):  # in the title's line, at the right
            x -= metrics.horizontalAdvance(curve.name) + 34
            self._draw_entry(painter, QPointF(x, 4), curve)

    @staticmethod
    def _draw_entry(painter: QPainter, at: QPointF, curve: Curve) -> None:
        painter.setPen(QPen(QColor(curve.colour), 2.5))
        painter.drawLine(QPointF(at.x(), at.y() + 8), QPointF(at.x() + 18, at.y() + 8))
        painter.setPen(QColor(theme().dim))
        painter.drawText(QPointF(at.x() + 23, at.y() + 12), curve.name)
