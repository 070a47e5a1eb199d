"""The frame that stands over the window while files are held over it: here they can be dropped."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from desktop.appearance import theme

INSET, ROUND, TINT = 6.0, 10.0, 40


class DropMark(QWidget):
    """Covers its parent, lets the mouse through, and is seen only while something is held."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def show_over(self) -> None:
        """Cover the parent as large as it is now."""
        parent = self.parentWidget()
        if parent is not None:
            self.setGeometry(parent.rect())
            self.raise_()
            self.show()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = QColor(theme().accent)
        painter.setPen(QPen(colour, 3, Qt.PenStyle.DashLine))
        colour.setAlpha(TINT)
        painter.setBrush(colour)
        frame = QRectF(self.rect()).adjusted(INSET, INSET, -INSET, -INSET)
        painter.drawRoundedRect(frame, ROUND, ROUND)
