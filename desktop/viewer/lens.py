"""The magnifying glass: a round piece of the image, enlarged, with the value under the mouse."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen

from desktop import appearance
from desktop.viewer.canvas import Canvas
from desktop.viewer.furniture import Line

RADIUS = 84.0
TIMES = 4.0


def draw_lens(painter: QPainter, view: Canvas, at: QPointF, lines: list[Line]) -> None:
    """Draw the glass over a view at a position, with lines of text below it."""
    area = QRectF(0, 0, *view.area)
    painter.save()
    circle = QPainterPath()
    circle.addEllipse(at, RADIUS, RADIUS)
    painter.setClipPath(circle)
    painter.fillRect(area, QColor(appearance.IMAGE.background))
    painter.translate(at)
    painter.scale(TIMES, TIMES)
    painter.translate(-at)
    view.draw_picture(painter)
    painter.restore()
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, wide in ((appearance.IMAGE.shadow, 4.0), (appearance.IMAGE.measure, 1.5)):
        painter.setPen(QPen(QColor(colour), wide))
        painter.drawEllipse(at, RADIUS, RADIUS)
    painter.setPen(QPen(QColor(appearance.IMAGE.measure), 1))
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        painter.drawLine(at + QPointF(dx * 5, dy * 5), at + QPointF(dx * 13, dy * 13))
    if lines:
        _draw_words(painter, at, lines, area)
    painter.restore()


def _draw_words(painter: QPainter, at: QPointF, lines: list[Line], area: QRectF) -> None:
    painter.setFont(appearance.font(appearance.TEXT_PX - 1, bold=True))
    measure = QFontMetricsF(painter.font())
    wide = max(measure.horizontalAdvance(line.text) for line in lines) + 14
    high = measure.height() * len(lines) + 8
    card = QRectF(at.x() - wide / 2, at.y() + RADIUS + 6, wide, high)
    if card.bottom() > area.bottom() - 4:
        card.moveBottom(at.y() - RADIUS - 6)
    card.moveLeft(min(max(card.left(), 4.0), max(area.right() - wide - 4, 4.0)))
    backing = QColor(appearance.IMAGE.background)
    backing.setAlpha(200)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(backing)
    painter.drawRoundedRect(card, 4, 4)
    for row, line in enumerate(lines):
        painter.setPen(QColor(line.colour or appearance.IMAGE.text))
        base = card.top() + 4 + row * measure.height() + measure.ascent()
        painter.drawText(QPointF(card.left() + 7, base), line.text)
