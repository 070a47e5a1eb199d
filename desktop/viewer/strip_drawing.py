"""How the prediction strip is drawn: bars, bands, ticks, threshold, bracket and summary."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPolygonF

from core.case import Case
from core.models.answers import SeriesPrediction
from core.models.card import Card
from core.reading.operating import measured_at
from desktop import appearance
from desktop.language import current
from desktop.viewer.captions import class_name
from desktop.viewer.words import percent, say

TICKS, BARS_TOP, BARS_BOTTOM = 8.0, 13.0, 11.0
"""Height of the label ticks, where the bars begin below them, and the space below the bars."""

SUMMARY_WIDTH = 132.0
"""Room at the right for the answer for the series as a whole."""

COLOURS = {
    "green-red": None,  # the theme's
    "blue-orange": ("#3f7fd0", "#e08a1e"),  # told apart by colour-blind readers
}


@functools.lru_cache(maxsize=4096)  # the cells of two long series: they are drawn again and again
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


@dataclass(frozen=True)
class Look:
    """Where the strip's parts lie, in widget coordinates, and how they are coloured.

    cell: area of a slice's cell. whole: all cells. width, height: of the widget. colours: a key
    of COLOURS. stale: answers are of a model that is no longer asked.
    """

    cell: Callable[[int], QRectF]
    whole: QRectF
    width: float
    height: float
    colours: str
    stale: bool

    def height_of(self, probability: float) -> float:
        """Where a probability lies from top to bottom."""
        return self.whole.bottom() - self.whole.height() * probability


def draw_cells(painter: QPainter, case: Case, look: Look) -> None:
    """The bars with all that belongs to a slice, and the threshold across them."""
    theme = appearance.theme()
    negative, positive = COLOURS[look.colours] or (theme.negative, theme.positive)
    if look.stale:
        negative = positive = theme.neutral
    prediction = case.prediction if case.display.answers else None
    shown, threshold = case.class_shown, case.threshold
    is_finding = prediction is None or shown == prediction.positive
    if not is_finding:  # another class's probability: from faint to its own colour
        threshold = 0.5
        if not look.stale:
            negative, positive = theme.line, _colour_of(case, shown)
    whole, count = look.whole, case.navigation.count()
    painter.fillRect(whole, QColor(appearance.IMAGE.background))
    empty = QColor(theme.line)
    # Numbers instead of areas: this is done for each cell ten times a second while answers come.
    left, width, bottom, height = whole.left(), whole.width(), whole.bottom(), whole.height()
    wide = width / count
    gap = 1.0 if wide >= 5 else 0.0
    answers = prediction.slices if prediction is not None else {}
    # Cells narrower than a pixel would hide one another: the strongest of them is shown.
    strongest: dict[int, float] = {}
    for index in range(count):
        x = left + width * index / count
        answer = answers.get(index)
        if answer is None:
            if wide >= 3:
                painter.fillRect(QRectF(x, bottom - 2, wide - gap, 2), empty)
            continue
        probability = answer.probabilities[shown]
        column = int(x * 2)
        if wide < 1 and strongest.get(column, -1.0) >= probability:
            continue
        strongest[column] = probability
        colour = blend(negative, theme.neutral, positive, probability, threshold)
        tall = max(height * probability, 2.0)
        painter.fillRect(QRectF(x, bottom - tall, max(wide, 1.0) - gap, tall), colour)
    _draw_spread(painter, look, prediction if is_finding else None)
    _draw_ticks(painter, case, look)
    if prediction is not None and is_finding:
        _draw_threshold(painter, case, look)
    painter.setPen(QPen(QColor(theme.line), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(whole.adjusted(-0.5, -0.5, 0.5, 0.5))


def _colour_of(case: Case, class_id: str) -> str:
    try:
        return case.label_set.find(class_id).colour
    except KeyError:  # a class that this label set does not know
        return appearance.theme().accent


def _draw_spread(painter: QPainter, look: Look, prediction: SeriesPrediction | None) -> None:
    """The band between the lowest and the highest that members of an ensemble said."""
    if prediction is None:
        return
    band = QColor(appearance.IMAGE.text)
    band.setAlpha(110)
    for index, answer in prediction.slices.items():
        if answer.spread is None:
            continue
        area, (low, high) = look.cell(index), answer.spread
        top, bottom = area.bottom() - area.height() * high, area.bottom() - area.height() * low
        inset = area.width() * 0.3 if area.width() >= 4 else 0.0
        box = QRectF(area.left() + inset, top, max(area.width() - 2 * inset, 1.0),
                     max(bottom - top, 1.0))  # fmt: skip
        painter.fillRect(box, band)


def _draw_threshold(painter: QPainter, case: Case, look: Look) -> None:
    """A dashed line with a grip at its left; amber where the reader has moved it."""
    moved = case.display.threshold is not None
    colour = QColor(appearance.IMAGE.measure if moved else appearance.IMAGE.text)
    y = look.height_of(case.threshold)
    painter.setPen(QPen(colour, 1, Qt.PenStyle.DashLine))
    painter.drawLine(QPointF(look.whole.left(), y), QPointF(look.whole.right(), y))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(appearance.theme().accent if moved else appearance.theme().dim))
    x = look.whole.left()
    painter.drawPolygon(QPolygonF([QPointF(x, y), QPointF(x - 8, y - 5), QPointF(x - 8, y + 5)]))


def _draw_ticks(painter: QPainter, case: Case, look: Look) -> None:
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
        x = look.cell(index).center().x()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(colour))
        top = BARS_TOP - 2 - TICKS
        if finding:
            painter.drawPolygon(
                QPolygonF([QPointF(x - 4.5, top), QPointF(x + 4.5, top), QPointF(x, top + TICKS)])
            )
        else:
            painter.drawRect(QRectF(x - 3, top + 1, 6, TICKS - 2))


def draw_bracket(painter: QPainter, area: QRectF) -> None:
    """The frame around the cell of the slice now shown, with a foot below it."""
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
    painter.drawPolygon(QPolygonF([QPointF(x - 4, y + 5), QPointF(x + 4, y + 5), QPointF(x, y)]))


def draw_summary(painter: QPainter, case: Case, look: Look) -> None:
    """The answer for the series, and whether the slices contradict it."""
    prediction = case.prediction
    if prediction is None or not case.display.answers or look.width <= 420:
        return
    theme = appearance.theme()
    left = look.width - SUMMARY_WIDTH + 4
    area = QRectF(left, BARS_TOP - 8, SUMMARY_WIDTH - 10, look.height - 8)
    found = sum(case.stands_out(k) for k in prediction.slices)
    counted = say("{found} of {all} flagged", found=found, all=case.navigation.count())
    whole = prediction.series_probability
    if whole is None:
        done = say("{done} of {all} answered", done=len(prediction.slices),
                   all=case.navigation.count())  # fmt: skip
        lines = [(done, theme.dim, False), (counted, theme.dim, False)]
    else:
        conflict = case.is_in_conflict()
        series = say("Series {percent}", percent=percent(whole))
        colour = theme.positive if case.is_series_called else theme.negative
        if look.stale:
            colour = theme.dim
        lines = [(series, colour, True), (counted, theme.dim, False)]
        if look.stale:
            lines[1] = (say("stale"), theme.dim, False)
        elif case.display.threshold is not None:
            moved = say("{found} of {all} from {percent}", found=found,
                        all=case.navigation.count(), percent=percent(case.threshold))  # fmt: skip
            lines[1] = (moved, theme.dim, False)
        if conflict:
            lines[1] = (say("⚑ slices disagree"), theme.warning, False)
    if case.class_shown != prediction.positive:
        name = class_name(case, case.class_shown, current())
        lines = [(name, _colour_of(case, case.class_shown), True), (counted, theme.dim, False)]
    for row, (text, colour, bold) in enumerate(lines):
        painter.setFont(appearance.font(appearance.TEXT_PX - 1, bold=bold))
        painter.setPen(QColor(colour))
        box = QRectF(area.left(), area.top() + row * 19, area.width(), 19)
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(box, int(flags), text)


def threshold_words(case: Case, card: Card | None) -> str:
    """The threshold in force, and what the card measured there."""
    if case.prediction is None:
        return ""
    words = say("Operating threshold {percent}", percent=percent(case.threshold))
    if case.display.threshold is not None:
        words += say(" (the model's own is {percent})",
                     percent=percent(case.prediction.threshold))  # fmt: skip
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
