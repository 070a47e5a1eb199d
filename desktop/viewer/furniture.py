"""What is written over an image: texts in the corners, letters at the edges, bars.

Drawn in logical screen pixels, so it is sharp at every scale of the screen and does not turn
with the image. Everything here is drawing: what to say is decided in `slice_view`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen, QPixmap

from core.models.heat import colour_table
from desktop import appearance
from desktop.viewer.words import number, say

MARGIN = 10.0
STAMPS_KEPT = 400


class Line(NamedTuple):
    """One line of text; colour "" means the usual one; swatch: a coloured square before it."""

    text: str
    colour: str = ""
    bold: bool = False
    swatch: str = ""


@dataclass(frozen=True)
class ScaleBar:
    """A bar of known length: pixels long on the screen, and its words."""

    pixels: float
    words: str


@dataclass
class Furniture:
    """Everything to write. Corner texts run downwards from the top, upwards from the bottom.

    letters: patient letters at the screen's (left, right, top, bottom), or None.
    """

    top_left: list[Line] = field(default_factory=list)
    top_right: list[Line] = field(default_factory=list)
    bottom_left: list[Line] = field(default_factory=list)
    bottom_right: list[Line] = field(default_factory=list)
    letters: tuple[str, str, str, str] | None = None
    scale_bar: ScaleBar | None = None
    centre: str = ""
    title: str = ""


def choose_scale_bar(
    pixels_per_unit: float, available: float, unit: str, *, fine: bool = False
) -> ScaleBar:
    """The longest of 1, 2, 5 × 10ⁿ units that fits into `available` screen pixels.

    fine: say micrometres, as inspectors do.
    """
    most = max(available / pixels_per_unit, 1e-9)
    power = 10.0 ** np.floor(np.log10(most))
    length = power * max(step for step in (1, 2, 5) if step * power <= most * (1 + 1e-9))
    if unit == "mm" and fine and length >= 10:
        words = f"{number(length, 0)} mm"
    elif unit == "mm" and fine:
        words = f"{number(length * 1000, 0)} µm"
    elif unit == "mm" and length >= 10:
        words = f"{number(length / 10, 0)} cm"
    elif unit == "mm" and length < 0.1:
        words = f"{number(length * 1000, 0)} µm"
    else:
        words = f"{length:g} {unit}"
    return ScaleBar(float(length * pixels_per_unit), words)


class Painter:
    """Draws furniture; keeps the fonts and their measures."""

    def __init__(self, pixels: int = appearance.TEXT_PX - 1) -> None:
        self.font = appearance.font(pixels)
        self.bold = appearance.font(pixels, bold=True)
        self.letter_font = appearance.font(pixels + 2, bold=True)
        self.measure = QFontMetricsF(self.font)
        self._bold_measure = QFontMetricsF(self.bold)
        self._letter_measure = QFontMetricsF(self.letter_font)
        self.line_height = self.measure.height() + 1.0
        self._stamps: dict[object, tuple[QPixmap, float]] = {}

    def draw(self, painter: QPainter, size: QSizeF, content: Furniture, top: float = 0.0) -> None:
        """Draw into a widget of a size; the upper `top` pixels are taken by banners."""
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        width, height = size.width(), size.height()
        self._title(painter, width, top, content.title)
        below = top + (self.line_height + 4 if content.title else 0)
        whole = width - 2 * MARGIN
        right_part, left_part = self._widest(content.top_right), self._widest(content.top_left)
        right_room = max(whole - min(left_part, whole / 2) - 16, 60.0)
        left_room = max(whole - min(right_part, right_room) - 16, 60.0)
        # In a narrow view a letter in the middle of an edge makes room for the corners' texts.
        clash = max(min(left_part, left_room), min(right_part, right_room)) > whole / 2 - 20
        lines = max(len(content.top_left), len(content.top_right)) if clash else 0
        letters_top = below + (lines * self.line_height + 2 if lines else 0)
        self._corner(painter, content.top_left, MARGIN, below + MARGIN, left_room)
        self._corner(painter, content.top_right, width - MARGIN, below + MARGIN, right_room, True)
        left_part = self._widest(content.bottom_left)
        right_part = self._widest(content.bottom_right)
        bar = content.scale_bar.pixels if content.scale_bar is not None else 0.0
        stacked = left_part + max(right_part, bar) > whole - 16
        clash = max(left_part, right_part, bar) > whole / 2 - 20
        foot = self.line_height * len(content.bottom_left)
        bar_lift = self._scale_bar(painter, width, height, content.scale_bar)
        right_lift = bar_lift + self.line_height * len(content.bottom_right)
        if stacked:  # the probe stands above the texts at the left instead of upon them
            right_lift = max(bar_lift, foot) + self.line_height * len(content.bottom_right)
        self._corner(painter, content.bottom_left, MARGIN, height - MARGIN - foot,
                     whole - bar - 16)  # fmt: skip
        self._corner(painter, content.bottom_right, width - MARGIN, height - MARGIN - right_lift,
                     whole, True)  # fmt: skip
        letters_bottom = height - (max(foot, bar_lift) + MARGIN if clash else 0)
        self._letters(painter, width, height, (letters_top, letters_bottom), content.letters)
        if content.centre:
            box = QRectF(MARGIN, below, width - 2 * MARGIN, height - below)
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.setFont(self.font)
            painter.setPen(QColor(appearance.IMAGE.dim))
            painter.drawText(box, int(flags), content.centre)

    # ---- parts

    def _measures(self, line: Line) -> tuple[QFont, QFontMetricsF]:
        return (self.bold, self._bold_measure) if line.bold else (self.font, self.measure)

    def _widest(self, lines: list[Line]) -> float:
        widths = [self._measures(line)[1].horizontalAdvance(line.text) for line in lines]
        return max(widths, default=0.0) + (16 if any(line.swatch for line in lines) else 0)

    def _corner(
        self, painter: QPainter, lines: list[Line], x: float, y: float, room: float,
        to_the_left: bool = False,
    ) -> None:  # fmt: skip
        for line in lines:
            font, measure = self._measures(line)
            text = line.text
            if measure.horizontalAdvance(text) > room:
                text = measure.elidedText(text, Qt.TextElideMode.ElideRight, room)
            painter.setFont(font)
            start = x - measure.horizontalAdvance(text) if to_the_left else x
            if line.swatch:
                side = self.measure.ascent() * 0.8
                left = start - side - 5 if to_the_left else start
                square = QRectF(left, y + self.measure.ascent() - side, side, side)
                painter.fillRect(square.adjusted(-1, -1, 1, 1), QColor(appearance.IMAGE.shadow))
                painter.fillRect(square, QColor(line.swatch))
                start = start if to_the_left else start + side + 5
            self._text(painter, QPointF(start, y + measure.ascent()), text, line.colour)
            y += self.line_height

    def _text(self, painter: QPainter, at: QPointF, text: str, colour: str = "") -> None:
        """Text that stays readable over white bone: a dark shadow first.

        Shaping and drawing a text twice takes longer than drawing the slice, and from slice to
        slice most texts stay: each is drawn once, into a stamp, and then only stamped.
        """
        font, device = painter.font(), painter.device()
        ratio = device.devicePixelRatio() if device is not None else 1.0
        key = (text, colour, font.pixelSize(), font.bold(), ratio)
        stamp = self._stamps.get(key)
        measure = QFontMetricsF(font) if stamp is None else None
        if stamp is None and measure is not None:
            wide, high = measure.horizontalAdvance(text) + 4, measure.height() + 3
            pixmap = QPixmap(ceil(wide * ratio), ceil(high * ratio))
            pixmap.setDevicePixelRatio(ratio)
            pixmap.fill(Qt.GlobalColor.transparent)
            with QPainter(pixmap) as inner:
                inner.setFont(font)
                for offset, ink in ((2, appearance.IMAGE.shadow),
                                    (1, colour or appearance.IMAGE.text)):  # fmt: skip
                    inner.setPen(QColor(ink))
                    inner.drawText(QPointF(offset, offset + measure.ascent()), text)
            stamp = (pixmap, measure.ascent())
            if len(self._stamps) >= STAMPS_KEPT:
                self._stamps.clear()
            self._stamps[key] = stamp
        pixmap, ascent = stamp
        # On whole device pixels, where stamping is copying and nothing is blurred.
        x = round((at.x() - 1) * ratio) / ratio
        y = round((at.y() - 1 - ascent) * ratio) / ratio
        painter.drawPixmap(QPointF(x, y), pixmap)

    def _title(self, painter: QPainter, width: float, top: float, title: str) -> None:
        if title:
            painter.setFont(self.bold)
            across = self._bold_measure.horizontalAdvance(title)
            at = QPointF((width - across) / 2, top + 6 + self._bold_measure.ascent())
            self._text(painter, at, title)

    def _letters(
        self,
        painter: QPainter,
        width: float,
        height: float,
        between: tuple[float, float],
        letters: tuple[str, str, str, str] | None,
    ) -> None:
        if letters is None:
            return
        left, right, above, below = letters
        measure = self._letter_measure
        painter.setFont(self.letter_font)
        top, bottom = between
        middle = height / 2 + measure.ascent() / 2
        for text, x, y in (
            (left, MARGIN, middle),
            (right, width - MARGIN - measure.horizontalAdvance(right), middle),
            (above, (width - measure.horizontalAdvance(above)) / 2, top + 4 + measure.ascent()),
            (below, (width - measure.horizontalAdvance(below)) / 2, bottom - 6),
        ):
            self._text(painter, QPointF(x, y), text, appearance.IMAGE.letters)

    def _scale_bar(
        self, painter: QPainter, width: float, height: float, bar: ScaleBar | None
    ) -> float:
        """Draw the bar at the lower right; return the height that it took."""
        if bar is None:
            return 0.0
        right, y = width - MARGIN, height - MARGIN - 2
        left = right - bar.pixels
        for colour, wide in ((appearance.IMAGE.shadow, 4.0), (appearance.IMAGE.text, 1.5)):
            painter.setPen(QPen(QColor(colour), wide))
            painter.drawLine(QPointF(left, y), QPointF(right, y))
            for x in (left, right):
                painter.drawLine(QPointF(x, y - 5), QPointF(x, y))
        painter.setFont(self.font)
        across = self.measure.horizontalAdvance(bar.words)
        self._text(painter, QPointF(right - across, y - 8), bar.words)
        return self.line_height + 12


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
