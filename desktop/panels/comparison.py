"""The result of a training: champion and challenger side by side, on the same test patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from desktop.appearance import SMALL_PX, font, theme
from desktop.language import say, say_core
from desktop.panels.bars import percent
from desktop.panels.changed_cases import ChangedCases
from desktop.panels.plot import Curve, LinePlot
from desktop.panels.rows import plain_table

if TYPE_CHECKING:
    from desktop.operations.comparing import ComparisonView, Contender

WIDE = 720
"""Width from which the figures stand beside the ROC curves, logical pixels."""


class ConfusionMatrix(QWidget):
    """Two by two, rows the reference standard, columns the model; counts and shares of a row."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = ""
        self._names = ("", "")
        self._counts = ((0, 0), (0, 0))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_counts(
        self, title: str, names: tuple[str, str], counts: tuple[tuple[int, int], tuple[int, int]]
    ) -> None:
        """names: (negative, positive). counts: as in `Contender.confusion`."""
        self._title, self._names, self._counts = title, names, counts
        (tn, fp), (fn, tp) = counts
        self.setAccessibleName(
            say(
                "{title}: {tp} true positive, {fp} false positive, {fn} false negative, "
                "{tn} true negative",
                title=title,
                tp=tp,
                fp=fp,
                fn=fn,
                tn=tn,
            )
        )
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(280, 160)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 150)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme()
        middle = Qt.AlignmentFlag.AlignCenter
        wrap = Qt.TextFlag.TextWordWrap
        left, top = 74.0, 52.0
        width, height = (self.width() - left) / 2, (self.height() - top) / 2
        painter.setFont(font(bold=True))
        painter.setPen(QColor(colours.text))
        painter.drawText(QRectF(0, 0, self.width(), 18), Qt.AlignmentFlag.AlignLeft, self._title)
        for row, name in enumerate(self._names):
            painter.setFont(font(SMALL_PX))
            painter.setPen(QColor(colours.dim))
            painter.drawText(
                QRectF(left + row * width, 20, width, 30),
                middle | wrap,
                say("says {name}", name=name),
            )
            painter.drawText(
                QRectF(0, top + row * height, left - 6, height),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft | wrap,
                say("is {name}", name=name),
            )
            total = sum(self._counts[row])
            for column in (0, 1):
                count = self._counts[row][column]
                share = count / total if total else 0.0
                place = QRectF(left + column * width, top + row * height, width, height)
                self._draw_cell(painter, place, count, share, row == column)

    @staticmethod
    def _draw_cell(
        painter: QPainter, place: QRectF, count: int, share: float, is_right: bool
    ) -> None:
        colour = QColor(theme().negative if is_right else theme().positive)
        colour.setAlphaF(0.12 + 0.5 * share)
        cell = place.adjusted(2, 2, -2, -2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(cell, 4, 4)
        painter.setPen(QColor(theme().text))
        middle = cell.center().y()
        upper = QRectF(cell.left(), middle - 18, cell.width(), 20)
        painter.setFont(font(15, bold=True))
        painter.drawText(upper, Qt.AlignmentFlag.AlignCenter, str(count))
        painter.setFont(font(SMALL_PX))
        lower = QRectF(cell.left(), middle + 2, cell.width(), 15)
        painter.drawText(lower, Qt.AlignmentFlag.AlignCenter, f"{share * 100:.0f} %")


class RocPlot(LinePlot):
    """Both ROC curves and the operating points."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            say("ROC on the test patients"),
            parent,
            x_title=say("1 − specificity"),
            y_title=say("sensitivity"),
            square=True,
        )

    def show_models(self, champion: Contender, challenger: Contender) -> None:
        """Draw both; the dots are the operating points at each model's own threshold."""
        curves = [Curve("", theme().line, ((0.0, 0.0), (1.0, 1.0)), width=1.0)]
        for model, colour, role in (
            (champion, theme().warning, say("champion")),
            (challenger, theme().accent, say("challenger")),
        ):
            rates = tuple(zip(model.false_positive_rate, model.true_positive_rate, strict=True))
            curves.append(Curve(role, colour, rates, width=2.5))
            (tn, fp), (fn, tp) = model.confusion
            if tn + fp and fn + tp:
                point = (fp / (tn + fp), tp / (fn + tp))
                curves.append(Curve("", colour, (point,), dots=True, line=False))
        self.draw(curves, (0.0, 1.0), (0.0, 1.0))


class ComparisonPage(QFrame):
    """Shows a comparison and asks: promote, or keep the champion."""

    promote_wanted = Signal(str)
    """The reason that the person gave."""
    keep_wanted = Signal()
    back_wanted = Signal()
    case_wanted = Signal(str)
    """Id of the slice of a changed case to look at."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.view: ComparisonView | None = None
        inner = QWidget(self)
        inner.setProperty("role", "panel")
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(20, 12, 20, 8)
        layout.setSpacing(8)
        self._build_head(layout)
        self._build_figures(layout)
        self.changed = ChangedCases(self)
        self.changed.case_wanted.connect(self.case_wanted)
        layout.addWidget(self.changed, 2)
        area = QScrollArea(self)
        area.setWidget(inner)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(area, 1)
        self._build_decision(outer)

    def _build_head(self, layout: QVBoxLayout) -> None:
        head = QHBoxLayout()
        self._title = QLabel(self)
        self._title.setProperty("role", "heading")
        self._title.setWordWrap(True)
        back = QPushButton(say("Back to the images"), self)
        back.setProperty("role", "small")
        back.clicked.connect(self.back_wanted)
        head.addWidget(self._title, 1)
        head.addWidget(back)
        self._on = QLabel(self)
        self._on.setProperty("role", "dim")
        self._verdict = QLabel(self)
        self._remarks = QLabel(self)
        self._remarks.setProperty("role", "warning")
        layout.addLayout(head)
        for label in (self._on, self._verdict, self._remarks):
            label.setWordWrap(True)
            layout.addWidget(label)

    def _build_figures(self, layout: QVBoxLayout) -> None:
        self.roc = RocPlot(self)
        self._figures = plain_table(self, ("", say("Champion"), say("Challenger")))
        self._figures.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self._figures.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        header = self._figures.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
        header.resizeSection(0, 142)
        self._figures.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.champion_matrix, self.challenger_matrix = ConfusionMatrix(self), ConfusionMatrix(self)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(18)
        self._grid.setVerticalSpacing(12)
        layout.addLayout(self._grid, 3)
        self._is_wide: bool | None = None
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """Wide: ROC beside table and matrices. Narrow: the table first, the rest under it."""
        is_wide = self.width() >= WIDE
        if is_wide is self._is_wide:
            return
        self._is_wide = is_wide
        roc, table = self.roc, self._figures
        left, right = self.champion_matrix, self.challenger_matrix
        places: tuple[tuple[QWidget, int, int, int, int], ...] = (
            (table, 0, 0, 1, 4),
            (roc, 1, 0, 2, 2),
            (left, 1, 2, 1, 2),
            (right, 2, 2, 1, 2),
        )
        if is_wide:
            places = (
                (roc, 0, 0, 2, 2),
                (table, 0, 2, 1, 2),
                (left, 1, 2, 1, 1),
                (right, 1, 3, 1, 1),
            )
        for widget, row, column, rows, columns in places:
            self._grid.addWidget(widget, row, column, rows, columns)
        for column, share in enumerate((3, 3, 5, 5) if is_wide else (5, 5, 5, 5)):
            self._grid.setColumnStretch(column, share)

    def _build_decision(self, layout: QVBoxLayout) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(20, 8, 20, 12)
        row.setSpacing(8)
        self.reason = QLineEdit(self)
        self.reason.setPlaceholderText(say("Why? The reason is kept with the decision."))
        self.reason.setAccessibleName(say("Reason for the promotion"))
        self.reason.textChanged.connect(self._reason_changed)
        self.keep = QPushButton(say("Keep champion"), self)
        self.keep.clicked.connect(self.keep_wanted)
        self.promote = QPushButton(say("Promote challenger"), self)
        self.promote.setProperty("role", "primary")
        self.promote.clicked.connect(lambda: self.promote_wanted.emit(self.reason.text().strip()))
        row.addWidget(self.reason, 1)
        row.addWidget(self.keep)
        row.addWidget(self.promote)
        layout.addLayout(row)

    def show_comparison(self, view: ComparisonView) -> None:
        """Show another comparison."""
        self.view = view
        self._title.setText(
            say("{one} against {other}", one=view.challenger.title, other=view.champion.title)
        )
        self._title.setToolTip(
            say("{one} against {other}", one=view.challenger.id, other=view.champion.id)
        )
        self._on.setText(
            say(
                "Both were asked about the same {slices} slices of {patients} test "
                "patients. The challenger has learnt from none of them.",
                slices=view.slices,
                patients=view.patients,
            )
        )
        self._verdict.setText(say_core(view.verdict))
        self._remarks.setText("\n".join(f"⚠ {say_core(remark)}" for remark in view.remarks))
        self._remarks.setVisible(bool(view.remarks))
        self.roc.show_models(view.champion, view.challenger)
        names = (view.negative, view.positive)
        for matrix, model, role in (
            (self.champion_matrix, view.champion, say("Champion")),
            (self.challenger_matrix, view.challenger, say("Challenger")),
        ):
            title = say("{role} at {percent}", role=role, percent=percent(model.threshold))
            matrix.show_counts(title, names, model.confusion)
        self._fill_figures(view)
        self.changed.show_cases(view)
        # Nobody is kept from promoting, but a promotion against advice is called one.
        self.promote.setText(
            say("Promote challenger") if view.advises_promotion else say("Promote against advice")
        )
        self.promote.setProperty("role", "primary" if view.advises_promotion else "")
        self.promote.style().unpolish(self.promote)
        self.promote.style().polish(self.promote)
        self.reason.clear()
        self._reason_changed("")

    def _reason_changed(self, text: str) -> None:
        self.promote.setEnabled(bool(text.strip()))
        self.promote.setToolTip("" if text.strip() else say("Say why first; it is kept."))

    def _fill_figures(self, view: ComparisonView) -> None:
        table = self._figures
        names = list(view.champion.figures)
        table.setRowCount(len(names))
        for row, name in enumerate(names):
            other = view.challenger.figures.get(name, "–")
            values = (say_core(name), view.champion.figures[name], other)
            for column, value in enumerate(values):
                table.setItem(row, column, QTableWidgetItem(value))
        table.setFixedHeight(table.horizontalHeader().sizeHint().height() + 26 * len(names) + 4)
