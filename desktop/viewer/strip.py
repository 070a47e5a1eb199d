"""The prediction strip: the whole series at a glance, and a slider over it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from core.case import Case, clamp
from core.events import SignalInstance
from core.imaging.geometry import Plane
from core.models.answers import SeriesPrediction
from core.models.card import Card
from core.reading.operating import measured_at
from desktop import appearance
from desktop.viewer import captions
from desktop.viewer.words import percent, say

SIDE = 10.0
"""Free space at both ends, so that the bracket of the first slice is not cut off."""

TICKS, BARS_TOP, BARS_BOTTOM = 8.0, 13.0, 11.0
"""Height of the label ticks, where the bars begin below them, and the space below the bars."""

SUMMARY_WIDTH = 132.0
"""Room at the right for the answer for the series as a whole."""

COLOURS = {
    "green-red": None,  # the theme's
    "blue-orange": ("#3f7fd0", "#e08a1e"),  # told apart by colour-blind readers
}


def blend(low: str, middle: str, high: str, probability: float, threshold: float) -> QColor:
    """Colour of a probability: `middle` at the threshold, `low` at 0, `high` at 1."""
    if probability >= threshold:
        part = (probability - threshold) / max(1 - threshold, 1e-6)
        start, end = QColor(middle), QColor(high)
        part = 0.35 + 0.65 * part  # over the threshold is never merely grey
    else:
        part = (threshold - probability) / max(threshold, 1e-6)
        start, end = QColor(middle), QColor(low)
    mixed = (
        round(a + (b - a) * part)
        for a, b in zip(start.getRgb()[:3], end.getRgb()[:3], strict=True)  # type: ignore[index]
    )
    return QColor(*mixed)


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
                (case.prediction_changed, self._refresh),
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

    def _refresh(self, *_: object) -> None:
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
            if answer is not None and answer.spread is not None:
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
                self._draw_cells(inner, case)
                self._draw_summary(inner, case)
        painter.drawPixmap(0, 0, self._cells)
        self._draw_bracket(painter, case.navigation.index())
        if self.hasFocus():
            painter.setPen(QPen(QColor(appearance.theme().accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)

    def _draw_cells(self, painter: QPainter, case: Case) -> None:
        theme = appearance.theme()
        negative, positive = COLOURS[self._colours] or (theme.negative, theme.positive)
        if self._stale:
            negative = positive = theme.neutral
        prediction = case.prediction if case.display.answers else None
        first = self.cell(0)
        gap = 1.0 if first.width() >= 5 else 0.0
        whole = QRectF(*self._whole(first))
        painter.fillRect(whole, QColor(appearance.IMAGE.background))
        # Cells narrower than a pixel would hide one another: the strongest of them is shown.
        strongest: dict[int, float] = {}
        for index in range(case.navigation.count()):
            area = self.cell(index)
            answer = prediction.slices.get(index) if prediction is not None else None
            if prediction is None or answer is None:
                if area.width() >= 3:
                    box = QRectF(area.left(), area.bottom() - 2, area.width() - gap, 2)
                    painter.fillRect(box, QColor(theme.line))
                continue
            probability = answer.probabilities[prediction.positive]
            column = int(area.left() * 2)
            if area.width() < 1 and strongest.get(column, -1.0) >= probability:
                continue
            strongest[column] = probability
            colour = blend(negative, theme.neutral, positive, probability, case.threshold)
            tall = max(area.height() * probability, 2.0)
            bar = QRectF(area.left(), area.bottom() - tall, max(area.width(), 1.0) - gap, tall)
            painter.fillRect(bar, colour)
        self._draw_spread(painter, case, prediction)
        self._draw_ticks(painter, case)
        if prediction is not None:
            self._draw_threshold(painter, case, whole)
        painter.setPen(QPen(QColor(theme.line), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(whole.adjusted(-0.5, -0.5, 0.5, 0.5))

    def _draw_spread(
        self, painter: QPainter, case: Case, prediction: SeriesPrediction | None
    ) -> None:
        """The band between the lowest and the highest that members of an ensemble said."""
        if prediction is None:
            return
        band = QColor(appearance.IMAGE.text)
        band.setAlpha(110)
        for index, answer in prediction.slices.items():
            if answer.spread is None:
                continue
            area, (low, high) = self.cell(index), answer.spread
            top, bottom = area.bottom() - area.height() * high, area.bottom() - area.height() * low
            inset = area.width() * 0.3 if area.width() >= 4 else 0.0
            box = QRectF(area.left() + inset, top, max(area.width() - 2 * inset, 1.0),
                         max(bottom - top, 1.0))  # fmt: skip
            painter.fillRect(box, band)

    def _threshold_y(self, case: Case) -> float:
        area = self.cell(0)
        return area.bottom() - area.height() * case.threshold

    def _draw_threshold(self, painter: QPainter, case: Case, whole: QRectF) -> None:
        """A dashed line with a grip at its left; amber where the reader has moved it."""
        moved = case.display.threshold is not None
        colour = QColor(appearance.IMAGE.measure if moved else appearance.IMAGE.text)
        y = self._threshold_y(case)
        painter.setPen(QPen(colour, 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(whole.left(), y), QPointF(whole.right(), y))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(appearance.theme().accent if moved else appearance.theme().dim))
        x = whole.left()
        painter.drawPolygon(
            QPolygonF([QPointF(x, y), QPointF(x - 8, y - 5), QPointF(x - 8, y + 5)])
        )

    def threshold_words(self) -> str:
        """The threshold in force, and what the card measured there."""
        case = self._case
        if case is None or case.prediction is None:
            return ""
        words = say("Operating threshold {percent}", percent=percent(case.threshold))
        if case.display.threshold is not None:
            words += say(" (the model's own is {percent})",
                         percent=percent(case.prediction.threshold))  # fmt: skip
        card = self._card
        if card is None or card.identity != case.prediction.model:
            return words
        found = measured_at(card, case.threshold)
        if found is None:
            return words + "\n" + say("The card measured nothing near this threshold.")
        measured = say(
            "Sensitivity {sensitivity}, specificity {specificity} there ({how})",
            sensitivity=percent(found.sensitivity),
            specificity=percent(found.specificity),
            how=found.how,
        )
        return f"{words}\n{measured}"

    def _whole(self, first: QRectF) -> tuple[float, float, float, float]:
        left, width = self._span()
        return left, first.top(), width, first.height()

    def _draw_ticks(self, painter: QPainter, case: Case) -> None:
        """A mark above each labelled slice: a triangle for a finding, a square for none."""
        for index, slice_id in enumerate(case.summary.slice_ids):
            class_id = case.labels.get(slice_id)
            if class_id is None:
                continue
            try:
                found = case.label_set.find(class_id)
                colour, finding = QColor(found.colour), found.positive
            except KeyError:
                colour, finding = QColor(appearance.theme().dim), False
            x = self.cell(index).center().x()
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QBrush(colour))
            top = BARS_TOP - 2 - TICKS
            if finding:
                painter.drawPolygon(
                    QPolygonF(
                        [QPointF(x - 4.5, top), QPointF(x + 4.5, top), QPointF(x, top + TICKS)]
                    )
                )
            else:
                painter.drawRect(QRectF(x - 3, top + 1, 6, TICKS - 2))

    def _draw_bracket(self, painter: QPainter, index: int) -> None:
        area = self.cell(index)
        if area.width() < 5:
            area = QRectF(area.center().x() - 2.5, area.top(), 5, area.height())
        box = area.adjusted(-1.5, -2.5, 0.5, 2.5)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, wide in ((appearance.theme().window, 4.0), (appearance.theme().text, 2.0)):
            painter.setPen(QPen(QColor(colour), wide))
            painter.drawRect(box)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(appearance.theme().text))
        x, y = box.center().x(), box.bottom() + 1
        painter.drawPolygon(
            QPolygonF([QPointF(x - 4, y + 5), QPointF(x + 4, y + 5), QPointF(x, y)])
        )

    def _draw_summary(self, painter: QPainter, case: Case) -> None:
        """The answer for the series, and whether the slices contradict it."""
        prediction = case.prediction
        if prediction is None or not case.display.answers or self.width() <= 420:
            return
        theme = appearance.theme()
        left = self.width() - SUMMARY_WIDTH + 4
        area = QRectF(left, BARS_TOP - 8, SUMMARY_WIDTH - 10, self.height() - 8)
        found = sum(case.is_suspicious(k) for k in prediction.slices)
        counted = say("{found} of {all} slices", found=found, all=case.navigation.count())
        whole = prediction.series_probability
        if whole is None:
            done = say("{done} of {all} answered", done=len(prediction.slices),
                       all=case.navigation.count())  # fmt: skip
            lines = [(done, theme.dim, False), (counted, theme.dim, False)]
        else:
            conflict = case.is_in_conflict()
            series = say("Series {percent}", percent=percent(whole))
            colour = theme.positive if whole >= case.threshold else theme.negative
            if self._stale:
                colour = theme.dim
            lines = [(series, colour, True), (counted, theme.dim, False)]
            if self._stale:
                lines[1] = (say("stale"), theme.dim, False)
            elif case.display.threshold is not None:
                moved = say("threshold {percent}", percent=percent(case.threshold))
                lines[1] = (f"{counted} · {moved}", theme.dim, False)
            if conflict:
                lines[1] = (say("⚑ slices disagree"), theme.warning, False)
        for row, (text, colour, bold) in enumerate(lines):
            painter.setFont(appearance.font(appearance.TEXT_PX - 1, bold=bold))
            painter.setPen(QColor(colour))
            box = QRectF(area.left(), area.top() + row * 19, area.width(), 19)
            flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(box, int(flags), text)

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
        left, _ = self._span()
        return at.x() < left + 2 and abs(at.y() - self._threshold_y(case)) <= 8

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
