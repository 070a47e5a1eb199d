"""What is written over an image: texts in the corners, letters at the edges, bars.

Drawn in logical screen pixels, so it is sharp at every scale of the screen and does not turn
with the image. Everything here is drawing: what to say is decided in `slice_view`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPixmap

from desktop import appearance
from desktop.viewer.words import number

MARGIN = 10.0
STAMPS_KEPT = 400

EDGE = ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1))
"""Where the shadow of a text lies, logical pixels from the text: around it, and below it."""

_PLAIN, _BOLD, _LETTER = range(3)
"""Fonts by what they are for."""


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


class _Stamp(NamedTuple):
    """A text that was drawn once: its pixmap, and how far its base line lies below the top."""

    pixmap: QPixmap
    ascent: float


class Painter:
    """Draws furniture; keeps the fonts, their measures and the texts that were drawn.

    Shaping and drawing a text takes longer than drawing the slice, and from slice to slice most
    texts stay: each is measured once and drawn once, into a stamp, and then only stamped.
    """

    def __init__(self, pixels: int = appearance.TEXT_PX - 1) -> None:
        self.font = appearance.font(pixels)
        self.bold = appearance.font(pixels, bold=True)
        self.measure = QFontMetricsF(self.font)
        letter_font = appearance.font(pixels + 2, bold=True)
        self._fonts = {
            _PLAIN: (self.font, self.measure),
            _BOLD: (self.bold, QFontMetricsF(self.bold)),
            _LETTER: (letter_font, QFontMetricsF(letter_font)),
        }
        self._ascents = {kind: measure.ascent() for kind, (_, measure) in self._fonts.items()}
        self.line_height = self.measure.height() + 1.0
        self._stamps: dict[tuple[str, str, int], _Stamp] = {}
        self._widths: dict[tuple[str, int], float] = {}
        self._ratio = 1.0

    def draw(self, painter: QPainter, size: QSizeF, content: Furniture, top: float = 0.0) -> None:
        """Draw into a widget of a size; the upper `top` pixels are taken by banners."""
        device = painter.device()
        ratio = device.devicePixelRatio() if device is not None else 1.0
        if ratio != self._ratio or len(self._stamps) >= STAMPS_KEPT:
            self._ratio = ratio
            self._stamps.clear()
            self._widths.clear()
        width, height = size.width(), size.height()
        self._title(painter, width, top, content.title)
        below = top + (self.line_height + 4 if content.title else 0)
        whole = width - 2 * MARGIN
        right_part, left_part = self._widest(content.top_right), self._widest(content.top_left)
        # Label and answer stand in bold at the right: their ends are numbers, never cut for a name.
        answers = self._widest([line for line in content.top_right if line.bold])
        right_room = max(whole - min(left_part, whole / 2) - 16, min(answers, whole - 76), 60.0)
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
        # Only what stands beside the scale bar must leave it its room.
        beside = min(ceil(bar_lift / self.line_height), len(content.bottom_left))
        above = len(content.bottom_left) - beside
        top_line = height - MARGIN - foot
        self._corner(painter, content.bottom_left[:above], MARGIN, top_line, whole)
        self._corner(painter, content.bottom_left[above:], MARGIN,
                     top_line + above * self.line_height, whole - bar - 16)  # fmt: skip
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

    # ---- texts

    def _width(self, text: str, kind: int) -> float:
        known = self._widths.get((text, kind))
        if known is None:
            known = self._fonts[kind][1].horizontalAdvance(text)
            self._widths[text, kind] = known
        return known

    def _widest(self, lines: list[Line]) -> float:
        widest = 0.0
        for line in lines:
            across = self._width(line.text, _BOLD if line.bold else _PLAIN)
            widest = max(widest, across + 16 if line.swatch else across)
        return widest

    def _corner(
        self, painter: QPainter, lines: list[Line], x: float, y: float, room: float,
        to_the_left: bool = False,
    ) -> None:  # fmt: skip
        for line in lines:
            kind = _BOLD if line.bold else _PLAIN
            text, across = line.text, self._width(line.text, kind)
            ascent = self._ascents[kind]
            if across > room:
                measure = self._fonts[kind][1]
                text = measure.elidedText(text, Qt.TextElideMode.ElideRight, room)
                across = self._width(text, kind)
            start = x - across if to_the_left else x
            if line.swatch:
                side = ascent * 0.8
                left = start - side - 5 if to_the_left else start
                square = QRectF(left, y + ascent - side, side, side)
                painter.fillRect(square.adjusted(-1, -1, 1, 1), QColor(appearance.IMAGE.shadow))
                painter.fillRect(square, QColor(line.swatch))
                start = start if to_the_left else start + side + 5
            self._text(painter, start, y + ascent, text, line.colour, kind)
            y += self.line_height

    def _text(
        self, painter: QPainter, x: float, y: float, text: str, colour: str, kind: int
    ) -> None:
        """Text on a base line that stays readable over white bone: with a dark edge all around."""
        stamp = self._stamps.get((text, colour, kind))
        if stamp is None:
            stamp = self._stamps[text, colour, kind] = self._stamp(text, colour, kind)
        ratio = self._ratio
        # On whole device pixels, where stamping is copying and nothing is blurred.
        painter.drawPixmap(
            QPointF(round((x - 1) * ratio) / ratio, round((y - 1 - stamp.ascent) * ratio) / ratio),
            stamp.pixmap,
        )

    def _stamp(self, text: str, colour: str, kind: int) -> _Stamp:
        font, measure = self._fonts[kind]
        ratio, ascent = self._ratio, self._ascents[kind]
        wide, high = self._width(text, kind) + 4, measure.height() + 3
        shadow, pixmap = (QPixmap(ceil(wide * ratio), ceil(high * ratio)) for _ in range(2))
        for target in (shadow, pixmap):
            target.setDevicePixelRatio(ratio)
            target.fill(Qt.GlobalColor.transparent)
        with QPainter(shadow) as inner:
            self._write(inner, font, appearance.IMAGE.shadow, ascent, text)
        with QPainter(pixmap) as inner:
            for x, y in EDGE:  # copies, which cost next to nothing beside drawing a text
                inner.drawPixmap(QPointF(x, y), shadow)
            self._write(inner, font, colour or appearance.IMAGE.text, ascent, text)
        return _Stamp(pixmap, ascent)

    @staticmethod
    def _write(painter: QPainter, font: QFont, ink: str, ascent: float, text: str) -> None:
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        painter.setFont(font)
        painter.setPen(QColor(ink))
        painter.drawText(QPointF(1, 1 + ascent), text)

    # ---- parts

    def _title(self, painter: QPainter, width: float, top: float, title: str) -> None:
        if title:
            x = (width - self._width(title, _BOLD)) / 2
            self._text(painter, x, top + 6 + self._ascents[_BOLD], title, "", _BOLD)

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
        ascent = self._ascents[_LETTER]
        top, bottom = between
        middle = height / 2 + ascent / 2
        for text, x, y in (
            (left, MARGIN, middle),
            (right, width - MARGIN - self._width(right, _LETTER), middle),
            (above, (width - self._width(above, _LETTER)) / 2, top + 4 + ascent),
            (below, (width - self._width(below, _LETTER)) / 2, bottom - 6),
        ):
            self._text(painter, x, y, text, appearance.IMAGE.letters, _LETTER)

    def _scale_bar(
        self, painter: QPainter, width: float, height: float, bar: ScaleBar | None
    ) -> float:
        """Draw the bar at the lower right; return the height that it took."""
        if bar is None:
            return 0.0
        right, y = width - MARGIN, height - MARGIN - 2
        left = right - bar.pixels
        lines = [QLineF(left, y, right, y), QLineF(left, y - 5, left, y),
                 QLineF(right, y - 5, right, y)]  # fmt: skip
        for colour, wide in ((appearance.IMAGE.shadow, 4.0), (appearance.IMAGE.text, 1.5)):
            painter.setPen(QPen(QColor(colour), wide))
            painter.drawLines(lines)
        across = self._width(bar.words, _PLAIN)
        self._text(painter, right - across, y - 8, bar.words, "", _PLAIN)
        return self.line_height + 12
