"""The banner of the guided tour: which step, what to look at, and the way on."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop.language import say


class Guide(QFrame):
    """Stands above the images while the tour runs."""

    next_wanted = Signal()
    end_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("guide")
        self._title = QLabel(self)
        self._title.setProperty("role", "heading")
        self._text = QLabel(self)
        self._text.setWordWrap(True)
        self._next = QPushButton(say("Next"), self)
        self._next.setProperty("role", "primary")
        self._next.clicked.connect(self.next_wanted)
        self._end = QPushButton(say("End the tour"), self)
        self._end.clicked.connect(self.end_wanted)
        head = QHBoxLayout()
        head.addWidget(self._title, 1)
        head.addWidget(self._end)
        head.addWidget(self._next)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 8, 10, 10)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self._text)

    def show_step(self, number: int, of: int, title: str, text: str) -> None:
        """Show a step; it goes on when `allow` says so."""
        self._title.setText(
            say("{number} of {of}  ·  {title}", number=number, of=of, title=title)
            if number
            else title
        )
        self._text.setText(text)
        self._next.setText(say("Finish") if number and number == of else say("Next"))
        self.allow(False)

    def allow(self, ready: bool) -> None:
        """Whether the step is done, so that the person may go on."""
        self._next.setEnabled(ready)
        self._next.setToolTip("" if ready else say("A moment: this step is still at work"))
