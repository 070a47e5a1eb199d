"""Rows of lists that lead to slices: which one, what of it, and the details in full width."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QWidget,
)

from desktop.appearance import SMALL_PX, theme
from desktop.panels.studies import Index

ITEM_ROLE = Qt.ItemDataRole.UserRole + 1
"""What the row stands for."""
KIND_ROLE = Qt.ItemDataRole.UserRole + 2
DETAILS_ROLE = Qt.ItemDataRole.UserRole + 3
COLOUR_ROLE = Qt.ItemDataRole.UserRole + 4
"""Colour of the bar at the left, and of the kind unless it is neutral."""


class SliceRows(QListWidget):
    """A list of slices to go to, one three-line row each."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "plain")
        self.setItemDelegate(_ThreeLines(self))
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.setAccessibleName(name)

    def add(self, item: object, title: str, kind: str, details: str, colour: str) -> None:
        """Append a row. item: what it stands for. colour: of its bar."""
        row = QListWidgetItem(title)
        row.setData(ITEM_ROLE, item)
        row.setData(KIND_ROLE, kind)
        row.setData(DETAILS_ROLE, details)
        row.setData(COLOUR_ROLE, colour)
        told = f"{title}. {kind}. {details}"
        row.setData(Qt.ItemDataRole.AccessibleTextRole, told)
        row.setToolTip(told)
        self.addItem(row)


class _ThreeLines(QStyledItemDelegate):
    """Which slice of which series, the kind, and the details in full width."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        words = index.data(DETAILS_ROLE) or ""
        face = QFont(option.font)
        face.setPixelSize(SMALL_PX)
        width = max(option.rect.width(), 240) - 28
        place = QFontMetrics(face).boundingRect(
            QRect(0, 0, width, 200), Qt.TextFlag.TextWordWrap, words
        )
        return QSize(200, 44 + place.height())

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        row = option.rect.adjusted(2, 2, -2, -2)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if selected or hovered:
            painter.setPen(QPen(QColor(theme().accent), 1) if selected else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme().raised if selected else theme().hover))
            painter.drawRoundedRect(row, 5, 5)
        colour = index.data(COLOUR_ROLE)
        painter.fillRect(row.left() + 4, row.top() + 6, 3, row.height() - 12, QColor(colour))
        text = row.adjusted(14, 5, -8, -5)
        bold = QFont(option.font)
        bold.setWeight(QFont.Weight.DemiBold)
        small = QFont(option.font)
        small.setPixelSize(SMALL_PX)
        painter.setFont(bold)
        painter.setPen(QColor(theme().text))
        first = QRect(text.left(), text.top(), text.width(), 17)
        elide = Qt.TextElideMode.ElideRight
        line = QFontMetrics(bold).elidedText(index.data(), elide, first.width())
        painter.drawText(first, Qt.AlignmentFlag.AlignVCenter, line)
        painter.setFont(small)
        painter.setPen(QColor(theme().dim if colour == theme().neutral else colour))
        second = QRect(text.left(), text.top() + 17, text.width(), 15)
        painter.drawText(second, Qt.AlignmentFlag.AlignVCenter, index.data(KIND_ROLE))
        painter.setPen(QColor(theme().dim))
        third = QRect(text.left(), text.top() + 33, text.width(), text.height() - 31)
        painter.drawText(third, Qt.TextFlag.TextWordWrap, index.data(DETAILS_ROLE))
        painter.restore()


def plain_table(parent: QWidget, headings: tuple[str, ...]) -> QTableWidget:
    """A table to read: whole rows are selected, nothing is edited, columns share the width."""
    table = QTableWidget(0, len(headings), parent)
    table.setHorizontalHeaderLabels(list(headings))
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(26)
    table.setShowGrid(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    header = table.horizontalHeader()
    header.setMinimumSectionSize(40)
    header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    header.setHighlightSections(False)
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return table
