"""Probabilities as bars that are named in words, with the operating threshold marked."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.appearance import theme
from desktop.language import say

BAR_HEIGHT = 14
TEXT_HEIGHT = 20


class ProbabilityBar(QWidget):
    """One class: its name, its probability in percent, a bar, and the threshold if it has one."""

    threshold_moved = Signal(object)
    """The threshold to which a person dragged the mark, or None for the model's own."""

    def __init__(self, name: str, colour: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._colour = QColor(colour)
        self._probability: float | None = None
        self._threshold: float | None = None
        self._faded = False
        self._moves = False
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)
        self._tell()

    @property
    def probability(self) -> float | None:
        """What is shown, or None."""
        return self._probability

    def show_answer(
        self, probability: float | None, threshold: float | None = None, *, faded: bool = False
    ) -> None:
        """Show a probability in [0, 1]; None empties the bar. threshold: where to draw the mark."""
        self._probability, self._threshold, self._faded = probability, threshold, faded
        self._tell()
        self.update()

    def _tell(self) -> None:
        if self._probability is None:
            self.setAccessibleDescription(say("no answer yet"))
            self.setToolTip(say("{name}: no answer yet", name=self._name))
            return
        told = f"{self._name}: {percent(self._probability)}"
        if self._threshold is not None:
            told = say(
                "{told}; counts as positive from {threshold}",
                told=told,
                threshold=percent(self._threshold),
            )
        self.setAccessibleDescription(told)
        self.setToolTip(told)

    def sizeHint(self) -> QSize:
        return QSize(200, TEXT_HEIGHT + BAR_HEIGHT + (9 if self._threshold is not None else 4))

    def minimumSizeHint(self) -> QSize:
        return QSize(120, TEXT_HEIGHT + BAR_HEIGHT + 9)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = QColor(theme().dim) if self._faded else self._colour
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        number = "–" if self._probability is None else percent(self._probability)
        painter.setFont(bold)
        width = QFontMetrics(bold).horizontalAdvance("100 %") + 4
        line = QRectF(0, 0, self.width(), TEXT_HEIGHT)
        painter.setPen(colour if self._probability is not None else QColor(theme().dim))
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, number)
        painter.setPen(QColor(theme().text))
        name = QFontMetrics(bold).elidedText(
            self._name, Qt.TextElideMode.ElideRight, self.width() - width
        )
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
        track = QRectF(0.5, TEXT_HEIGHT + 0.5, self.width() - 1, BAR_HEIGHT - 1)
        painter.setPen(QPen(QColor(theme().line), 1))
        painter.setBrush(QColor(theme().window))
        painter.drawRoundedRect(track, 3, 3)
        if self._probability is not None:
            filled = QRectF(track)
            filled.setWidth(max(3.0, track.width() * self._probability))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawRoundedRect(filled, 3, 3)
        if self._threshold is not None:
            x = track.left() + track.width() * self._threshold
            painter.setPen(QPen(QColor(theme().window), 4))
            painter.drawLine(int(x), int(track.top()) + 1, int(x), int(track.bottom()))
            painter.setPen(QPen(QColor(theme().text), 2))
            painter.drawLine(int(x), int(track.top()) - 2, int(x), int(track.bottom()) + 4)

    # ---- moving the threshold

    def _mark_x(self) -> float:
        return (self._threshold or 0.0) * (self.width() - 1)

    def _on_mark(self, at: QPointF) -> bool:
        if self._threshold is None or at.y() < TEXT_HEIGHT - 4:
            return False
        return abs(at.x() - self._mark_x()) <= 6

    def mousePressEvent(self, event: QMouseEvent) -> None:
        left = event.button() == Qt.MouseButton.LeftButton
        self._moves = left and self._on_mark(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._moves:
            part = event.position().x() / max(self.width() - 1, 1)
            self.threshold_moved.emit(round(min(max(part, 0.001), 0.999), 4))
        elif self._on_mark(event.position()):
            self.setCursor(Qt.CursorShape.SizeHorCursor)
        else:
            self.unsetCursor()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._moves = False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._on_mark(event.position()):
            self.threshold_moved.emit(None)


def percent(probability: float) -> str:
    """A probability for people: whole percent, never a false 0 or 100."""
    if 0.0 < probability < 0.01:
        return "< 1 %"
    if 0.99 < probability < 1.0:
        return "> 99 %"
    return f"{probability * 100:.0f} %"
