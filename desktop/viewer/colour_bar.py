"""The bar beside a heat map: its colours, the evidence that they stand for, and the cut."""

from __future__ import annotations

from math import ceil

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPixmap

from core.models.heat import colour_table
from desktop import appearance
from desktop.viewer.furniture import Painter
from desktop.viewer.words import number, say


def _draw_colour_bar(
    painter: QPainter, area: QRectF, fonts: Painter, *, colour_map: str, top: float, cut: float
) -> None:
    """A vertical colour bar with numbers: evidence in log-odds, the cut marked.

    area: the bar itself; numbers stand at its left.
    """
    table = np.ascontiguousarray(colour_table(colour_map)[::-1])
    strip = QImage(table.data, 1, 256, 3, QImage.Format.Format_RGB888)
    digits = 2 if top < 10 else 1
    heading = say("evidence")
    widest = fonts.measure.horizontalAdvance(number(top, digits)) + 12
    widest = max(widest, fonts.measure.horizontalAdvance(heading) - area.width())
    backing = QColor(appearance.IMAGE.background)
    backing.setAlpha(150)  # numbers stay readable over bone
    painter.fillRect(area.adjusted(-widest - 6, -fonts.line_height - 10, 8, 10), backing)
    painter.drawImage(area, strip)
    painter.setPen(QPen(QColor(appearance.IMAGE.dim), 1))
    painter.drawRect(area)
    painter.setFont(fonts.font)
    for part in (0.0, 0.5, 1.0):
        y = area.bottom() - part * area.height()
        words = number(part * top, digits)
        across = fonts.measure.horizontalAdvance(words)
        painter.setPen(QColor(appearance.IMAGE.text))
        painter.drawLine(QPointF(area.left() - 4, y), QPointF(area.left(), y))
        at = QPointF(area.left() - 7 - across, y + fonts.measure.ascent() / 2 - 1)
        painter.drawText(at, words)
    if cut > 0:
        y = area.bottom() - cut * area.height()
        painter.setPen(QPen(QColor(appearance.IMAGE.text), 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right() + 5, y))
    across = fonts.measure.horizontalAdvance(heading)
    painter.setPen(QColor(appearance.IMAGE.dim))
    painter.drawText(QPointF(area.right() - across, area.top() - 10), heading)


class ColourBar:
    """A vertical colour bar with numbers, drawn once for each range and then only stamped."""

    LEFT, ABOVE, RIGHT, BELOW = 64, 40, 14, 14
    """Room that numbers and heading take around the bar."""

    def __init__(self, fonts: Painter) -> None:
        self._fonts = fonts
        self._key: object = None
        self._stamp = QPixmap()

    def draw(
        self, painter: QPainter, area: QRectF, *, colour_map: str, top: float, cut: float
    ) -> None:
        """Draw the bar into `area`, moved to whole pixels; numbers stand at its left."""
        device = painter.device()
        ratio = device.devicePixelRatio() if device is not None else 1.0
        tall, wide = round(area.height()), round(area.width())
        key = (colour_map, top, cut, tall, wide, ratio)
        if key != self._key:
            size = (self.LEFT + wide + self.RIGHT, self.ABOVE + tall + self.BELOW)
            self._stamp = QPixmap(ceil(size[0] * ratio), ceil(size[1] * ratio))
            self._stamp.setDevicePixelRatio(ratio)
            self._stamp.fill(Qt.GlobalColor.transparent)
            with QPainter(self._stamp) as inner:
                bar = QRectF(self.LEFT, self.ABOVE, wide, tall)
                _draw_colour_bar(inner, bar, self._fonts, colour_map=colour_map, top=top, cut=cut)
            self._key = key
        x = round((area.left() - self.LEFT) * ratio) / ratio
        y = round((area.top() - self.ABOVE) * ratio) / ratio
        painter.drawPixmap(QPointF(x, y), self._stamp)
