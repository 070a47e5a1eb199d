"""What the mouse does over a view is handed to its gestures; keys are left to the window.

All but Enter while a polygon is drawn: there it ends the polygon, and labels nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent, QWheelEvent

from desktop.viewer.holding import Holding

if TYPE_CHECKING:
    from desktop.viewer.gestures import Gestures


class Touching(Holding):
    """A canvas that takes the mouse. Views set its gestures."""

    maximise_requested = Signal()
    """Double click."""
    context_menu_requested = Signal(QPoint)
    """Right click without a drag; global position."""
    pressed = Signal()
    """A mouse button went down here."""

    _gestures: Gestures

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.accept()
        self._gestures.wheel(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.pressed.emit()
        event.accept()
        self._gestures.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self._gestures.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self._gestures.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self._gestures.double_click(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.accept()  # by mouse it is told from a drag at the release
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            self.context_menu_requested.emit(event.globalPos())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._gestures.leave()

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            event.setAccepted(self._gestures.takes(event))  # before the window's shortcuts
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._gestures.takes(event):
            self._gestures.finish()
        else:
            event.ignore()  # keys are the window's
