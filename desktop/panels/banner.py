"""A sentence across the top of the window: what happened, what to do, and *details*."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop.language import say
from desktop.notices import Level, Notice

READ_MS = 9_000
"""After which a message that asks nothing of anybody goes by itself and gives its room back."""

PASSING = (Level.INFO, Level.DONE)
"""Levels of messages that go by themselves: neither cautions nor failures."""


class Banner(QFrame):
    """Shows one notice at a time; a newer one replaces it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self._text = QLabel(self)
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._buttons = QHBoxLayout()
        self._details_button = QPushButton(say("Details"), self)
        self._details_button.setCheckable(True)
        self._details_button.toggled.connect(self._show_details)
        self._copy = QPushButton(say("Copy"), self)
        self._copy.setToolTip(say("Copy the sentence and its details, to report them"))
        self._copy.clicked.connect(self.copy_text)
        self._close = QToolButton(self)
        self._close.setText("✕")
        self._close.setToolTip(say("Close this message (Esc)"))
        self._close.setAccessibleName(say("Close this message"))
        self._close.clicked.connect(self.dismiss)
        self._details = QPlainTextEdit(self)
        self._details.setReadOnly(True)
        self._details.setMaximumHeight(130)
        line = QHBoxLayout()
        line.addWidget(self._text, 1)
        line.addLayout(self._buttons)
        line.addWidget(self._details_button)
        line.addWidget(self._copy)
        line.addWidget(self._close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 8, 8, 8)
        layout.addLayout(line)
        layout.addWidget(self._details)
        self.notice: Notice | None = None
        self._rest = QTimer(self, singleShot=True, interval=READ_MS)
        self._rest.timeout.connect(self._goes)
        self.hide()

    def tell(self, notice: Notice) -> None:
        """Show a notice."""
        self.notice = notice
        self._text.setText(notice.text)
        self._text.setAccessibleName(notice.text)
        self._details.setPlainText(notice.details)
        self._details_button.setVisible(bool(notice.details))
        self._copy.setVisible(bool(notice.details))
        self._details_button.setChecked(False)
        self._details.hide()
        while self._buttons.count():
            widget = self._buttons.takeAt(0).widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for text, act in notice.offers.items():
            button = QPushButton(text, self)
            button.clicked.connect(lambda _=False, a=act: self._take(a))
            self._buttons.addWidget(button)
        self.setProperty("level", notice.level.value)
        self.style().unpolish(self)
        self.style().polish(self)
        self.show()
        self._rest.start()

    def dismiss(self) -> None:
        """Hide the notice."""
        self.notice = None
        self._rest.stop()
        self.hide()

    def _goes(self) -> None:
        """Leave, unless there is something to do or the mouse is here."""
        notice = self.notice
        if notice is None or notice.level not in PASSING or notice.details or notice.offers:
            return
        if self.underMouse():
            self._rest.start()
        else:
            self.dismiss()

    def copy_text(self) -> None:
        """Copy sentence and details to the clipboard."""
        if self.notice is not None:
            text = f"{self.notice.text}\n{self.notice.details}".strip()
            QGuiApplication.clipboard().setText(text)

    def _take(self, act: Callable[[], None]) -> None:
        self.dismiss()
        act()

    def _show_details(self, shown: bool) -> None:
        self._details.setVisible(shown)
