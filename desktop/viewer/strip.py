"""The prediction strip: the whole series at a glance, and a slider over it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from core.case import Case, clamp
from core.events import SignalInstance
from core.imaging.geometry import Plane
from core.models.card import Card
from desktop import appearance
from desktop.viewer import captions
from desktop.viewer.strip_drawing import (
    BARS_BOTTOM,
    BARS_TOP,
    COLOURS,
    SUMMARY_WIDTH,
    Look,
    draw_bracket,
    draw_cells,
    draw_summary,
    threshold_words,
)
from desktop.viewer.words import percent, say

SIDE = 10.0
"""Free space at both ends, so that the bracket of the first slice is not cut off."""
_AGAIN_AFTER_MS = 80


class PredictionStrip(QWidget):
    """One cell a slice: height and colour are the probability of the finding.

    Ticks above the cells are labels in the colour of their class, the dashed line is the
    operating threshold, the whisker over a bar is what the members of an ensemble said, the
    bracket is the slice now shown. Click or drag to go there; left and right, Home and End, Page
    Up and Page Down (ten slices) when it has the focus. The threshold is dragged by its grip at
    the left end, up and down move it by a hundredth; a double click gives the model's own back.
    """

    chosen = Signal(int)
    """Slice that a person went to on the strip; the case has moved already."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.language = "en"
        self._colours = "green-red"
        self._case: Case | None = None
        self._connected: list[tuple[SignalInstance, Callable[..., object]]] = []
        self._cells: QPixmap | None = None
        self._is_behind = False
        self._soon = QTimer(self, singleShot=True, interval=_AGAIN_AFTER_MS)
        self._soon.timeout.connect(self._catch_up)
        self._turned = 0
        self._stale = False
        self._card: Card | None = None
        self._moves_threshold = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(say("Prediction strip"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.destroyed.connect(self._forget)

    # ---- what is shown

    def set_case(self, case: Case | None) -> None:
        """Show the answers and labels of a case."""
        self._forget()
        self._case = case
        if case is not None:
            self._connected = [
                (case.navigation.moved, self._moved),
                (case.prediction_changed, self._answered),
                (case.labels_changed, self._refresh),
                (case.display_changed, self._refresh),
            ]
            for signal, slot in self._connected:
                signal.connect(slot)
        self._refresh()

    def set_colours(self, name: str) -> None:
        """Choose a key of COLOURS. Raises KeyError if unknown."""
        COLOURS[name]
        self._colours = name
        self._refresh()

    def set_card(self, card: Card | None) -> None:
        """Say what this card measured at the threshold, where it speaks of the same weights."""
        self._card = card
        self._refresh()

    def set_stale(self, stale: bool) -> None:
        """Grey the answers: another model has been chosen since."""
        if stale != self._stale:
            self._stale = stale
            self._refresh()

    def _forget(self) -> None:
        for signal, slot in self._connected:
            with contextlib.suppress(ValueError):
                signal.disconnect(slot)
        self._connected = []

    def _moved(self, plane: Plane, _index: int) -> None:
        if plane is Plane.SLICE:
            self.update()
            self._tell()

    def _answered(self, *_: object) -> None:
        """Draw the cells anew, but not for each of a hundred answers a second."""
        if self._soon.isActive():
            self._is_behind = True
            return
        self._soon.start()
        self._refresh()

    def _catch_up(self) -> None:
        if self._is_behind:
            self._soon.start()
            self._refresh()

    def _refresh(self, *_: object) -> None:
        self._is_behind = False
        self._cells = None
        self.update()
        self._tell()

    def _tell(self) -> None:
        if self._case is not None:
            self.setAccessibleDescription(self.describe(self._case.navigation.index()))

    def describe(self, index: int) -> str:
        """A slice in words: number, answer, label."""
        case = self._case
        if case is None:
            return ""
        parts = [say("slice {number}", number=index + 1)]
        if case.prediction is not None and case.display.answers:
            said = captions.opinion(case, index, self.language)
            parts.append(f"{said[0]} {percent(said[1])}" if said else say("no answer yet"))
            answer = case.prediction.slices.get(index)
            if answer is not None and case.class_shown != case.prediction.positive:
                name = captions.class_name(case, case.class_shown, self.language)
                parts.append(f"{name} {percent(answer.probabilities[case.class_shown])}")
            elif answer is not None and answer.spread is not None:
                low, high = answer.spread
                parts.append(say("members said {low} – {high}", low=percent(low),
                                 high=percent(high)))  # fmt: skip
            if self._stale:
                parts.append(say("stale: the model has changed since"))
        class_id = case.label_at(index)
        if class_id is not None:
            name = captions.class_name(case, class_id, self.language)
            parts.append(say("labelled {name}", name=name))
        here = [w.message for w in case.summary.warnings if index in w.slices]
        return " · ".join([*parts, *here])

    # ---- where

    def _span(self) -> tuple[float, float]:
        """Left end and width of the cells."""
        case = self._case
        summary = case is not None and case.prediction is not None
        right = SUMMARY_WIDTH if summary and self.width() > 420 else 0.0
        return SIDE, max(self.width() - 2 * SIDE - right, 1.0)

    def cell(self, index: int) -> QRectF:
        """The area of a slice's cell, in widget coordinates."""
        left, width = self._span()
        count = self._case.navigation.count() if self._case is not None else 1
        tall = self.height() - BARS_TOP - BARS_BOTTOM
        return QRectF(left + width * index / count, BARS_TOP, width / count, tall)

    def index_at(self, x: float) -> int:
        """The slice whose cell is at a horizontal position; the nearest one beyond the ends."""
        if self._case is None:
            return 0
        left, width = self._span()
        count = self._case.navigation.count()
        return clamp(int((x - left) / width * count // 1), 0, count - 1)

    def sizeHint(self) -> QSize:
        return QSize(480, 60)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 60)

    # ---- drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        case = self._case
        if case is None:
            painter.setPen(QColor(appearance.theme().dim))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, say("No series is open"))
            return
        ratio = self.devicePixelRatioF()
        if self._cells is None or self._cells.devicePixelRatio() != ratio:
            self._cells = QPixmap(self.size() * ratio)
            self._cells.setDevicePixelRatio(ratio)
            self._cells.fill(Qt.GlobalColor.transparent)
            with QPainter(self._cells) as inner:
                inner.setRenderHint(QPainter.RenderHint.Antialiasing)
                look = self._look()
                draw_cells(inner, case, look)
                draw_summary(inner, case, look)
        painter.drawPixmap(0, 0, self._cells)
        draw_bracket(painter, self.cell(case.navigation.index()))
        if self.hasFocus():
            painter.setPen(QPen(QColor(appearance.theme().accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)

    def _look(self) -> Look:
        left, width = self._span()
        first = self.cell(0)
        return Look(
            self.cell, QRectF(left, first.top(), width, first.height()), self.width(),
            self.height(), self._colours, self._stale,
        )  # fmt: skip

    def threshold_words(self) -> str:
        """The threshold in force, and what the card measured there."""
        return threshold_words(self._case, self._card) if self._case is not None else ""

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._cells = None

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._cells = None
            self.update()

    # ---- mouse and keys

    def _go(self, index: int) -> None:
        if self._case is not None:
            self._case.navigation.go(index)
            self.chosen.emit(self._case.navigation.index())

    def _on_grip(self, at: QPointF) -> bool:
        case = self._case
        if case is None or case.prediction is None or not case.display.answers:
            return False
        if case.class_shown != case.prediction.positive:
            return False  # other classes have no operating threshold
        left, _ = self._span()
        return at.x() < left + 2 and abs(at.y() - self._look().height_of(case.threshold)) <= 8

    def move_threshold(self, wanted: float | None) -> None:
        """Judge by another operating threshold; None gives the model's own back."""
        if self._case is not None and self._case.prediction is not None:
            limited = None if wanted is None else round(min(max(wanted, 0.001), 0.999), 4)
            self._case.show(threshold=limited)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._case is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._moves_threshold = self._on_grip(event.position())
        if self._moves_threshold:
            self._explain_threshold(event.globalPosition().toPoint())
        else:
            self._go(self.index_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if self._case is None:
            return
        if not event.buttons() & Qt.MouseButton.LeftButton:
            shape = Qt.CursorShape.SizeVerCursor if self._on_grip(at) else None
            self.setCursor(shape or Qt.CursorShape.PointingHandCursor)
        elif self._moves_threshold:
            area = self.cell(0)
            self.move_threshold((area.bottom() - at.y()) / area.height())
            self._explain_threshold(event.globalPosition().toPoint())
        else:
            self._go(self.index_at(at.x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._moves_threshold = False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._on_grip(event.position()):
            self.move_threshold(None)

    def _explain_threshold(self, on_screen: QPoint) -> None:
        QToolTip.showText(on_screen, self.threshold_words(), self)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.accept()
        self._turned += event.angleDelta().y()
        steps = int(self._turned / 120)
        self._turned -= steps * 120
        if self._case is not None and steps:
            self._go(self._case.navigation.index() - steps)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        case = self._case
        if case is None:
            event.ignore()
            return
        key, index = Qt.Key, case.navigation.index()
        nudge = {key.Key_Up: 0.01, key.Key_Down: -0.01}.get(Qt.Key(event.key()))
        if nudge is not None and case.prediction is not None and case.display.answers:
            self.move_threshold(case.threshold + nudge)
            self.setAccessibleDescription(self.threshold_words())
            return
        targets = {
            key.Key_Left: index - 1,
            key.Key_Right: index + 1,
            key.Key_PageUp: index - 10,
            key.Key_PageDown: index + 10,
            key.Key_Home: 0,
            key.Key_End: case.navigation.count() - 1,
        }
        target = targets.get(Qt.Key(event.key()))
        if target is None:
            event.ignore()
        else:
            self._go(target)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            self._explain(event.pos(), event.globalPos())
            return True
        return super().event(event)

    def _explain(self, at: QPoint, on_screen: QPoint) -> None:
        if self._case is None:
            QToolTip.hideText()
            return
        words = self.describe(self.index_at(at.x()))
        if self._on_grip(QPointF(at)):
            words = self.threshold_words()
        QToolTip.showText(on_screen, words, self)
