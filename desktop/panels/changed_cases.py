"""Test slices whose answer changed from champion to challenger, one by one, with both heat maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QPixmap, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QTableWidgetItem, QVBoxLayout, QWidget

from desktop.appearance import theme
from desktop.language import say
from desktop.panels.bars import percent
from desktop.panels.rows import plain_table

if TYPE_CHECKING:
    from desktop.operations.comparing import ChangedCase, ComparisonView

CASE_ROLE = Qt.ItemDataRole.UserRole + 1

_HEIGHT = 230
"""Of the picture at most, logical pixels."""


class ChangedCases(QWidget):
    """The list, those that got worse first, and the picture of the one that is selected."""

    case_wanted = Signal(str)
    """Slice id of a case whose series is open."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cases: list[ChangedCase] = []
        self._title = QLabel(self)
        self._title.setProperty("role", "section")
        self._title.setWordWrap(True)
        self.table = plain_table(
            self,
            (
                say("Case"),
                say("Slice"),
                say("Reference"),
                say("Champion"),
                say("Challenger"),
                say("Change"),
            ),
        )
        self.table.setAccessibleName(say("Slices whose answer changed, those that got worse first"))
        self.table.itemActivated.connect(self._activated)
        self.table.itemClicked.connect(self._activated)
        self.table.currentCellChanged.connect(lambda row, *_: self._show_picture(row))
        self.table.setMinimumHeight(150)
        self._caption = QLabel(self)
        self._caption.setProperty("role", "dim")
        self._caption.setWordWrap(True)
        self.picture = _Picture(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._title, self.table, self._caption, self.picture):
            layout.addWidget(widget)
        layout.setStretchFactor(self.table, 1)

    def show_cases(self, view: ComparisonView) -> None:
        """Show the cases of another comparison; the one that got worst is selected."""
        worse = sum(case.is_worse for case in view.changed)
        better = len(view.changed) - worse
        self._title.setText(
            say(
                "Changed answers: {worse} got worse, {better} got better. Click one to "
                "look at it, if its series is open.",
                worse=worse,
                better=better,
            )
            if view.changed
            else say("No slice changed sides between the two models.")
        )
        self._cases = sorted(
            view.changed, key=lambda c: (not c.is_worse, -abs(c.challenger - c.champion))
        )
        self.table.setRowCount(len(self._cases))
        for row, case in enumerate(self._cases):
            self._fill(row, case)
        self.table.setCurrentCell(0 if self._cases else -1, 0)
        self._show_picture(0 if self._cases else -1)

    def _fill(self, row: int, case: ChangedCase) -> None:
        words = (
            case.name,
            str(case.slice_index + 1),
            case.reference,
            percent(case.champion),
            percent(case.challenger),
            say("got worse") if case.is_worse else say("got better"),
        )
        for column, value in enumerate(words):
            item = QTableWidgetItem(value)
            item.setData(CASE_ROLE, case.slice_id)
            if column == len(words) - 1:
                colour = theme().positive if case.is_worse else theme().negative
                item.setForeground(QColor(colour))
            self.table.setItem(row, column, item)

    def _show_picture(self, row: int) -> None:
        case = self._cases[row] if 0 <= row < len(self._cases) else None
        drawn = QPixmap(str(case.picture)) if case is not None and case.picture else QPixmap()
        self.picture.show_pixmap(drawn)
        self.picture.setVisible(not drawn.isNull())
        self._caption.setVisible(not drawn.isNull())
        if case is None:
            return
        change = say("got worse") if case.is_worse else say("got better")
        words = say(
            "{case}, slice {number}, {change}. From left to right: the slice, what the champion "
            "looked at ({champion}), what the challenger looked at ({challenger}).",
            case=case.name,
            number=case.slice_index + 1,
            change=change,
            champion=percent(case.champion),
            challenger=percent(case.challenger),
        )
        self._caption.setText(words)
        self.picture.setAccessibleName(words)

    def _activated(self, item: QTableWidgetItem) -> None:
        slice_id = item.data(CASE_ROLE)
        if slice_id:
            self.case_wanted.emit(slice_id)


class _Picture(QLabel):
    """A picture as wide as there is room, never larger than it is."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._whole = QPixmap()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_pixmap(self, whole: QPixmap) -> None:
        """Show another picture; an empty one shows nothing."""
        self._whole = whole
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._whole.isNull():
            self.clear()
            return
        ratio = self.devicePixelRatioF()
        room = QSize(int(self.width() * ratio), int(_HEIGHT * ratio)).boundedTo(self._whole.size())
        scaled = self._whole.scaled(
            room,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        scaled.setDevicePixelRatio(ratio)
        self.setPixmap(scaled)
        self.setFixedHeight(round(scaled.height() / ratio))
