"""What stands in the middle while nothing is open: a hint, and a way to the sample."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop.appearance import theme
from desktop.language import say


class EmptyPage(QWidget):
    """Friendly and large; the whole area takes a drop (the window handles it)."""

    open_wanted = Signal()
    sample_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        hint = QLabel(say("Drop a DICOM folder here or press Ctrl+O"), self)
        hint.setProperty("role", "hint")
        also = QLabel(
            say(
                "Also NIfTI, NRRD, MHA, TIFF stacks, PNG and JPEG, as files or folders.\n"
                "Images stay on this computer."
            ),
            self,
        )
        also.setProperty("role", "dim")
        open_folder = QPushButton(say("Open folder…"), self)
        open_folder.setProperty("role", "primary")
        open_folder.clicked.connect(self.open_wanted)
        sample = QPushButton(say("Open the sample"), self)
        sample.setToolTip(say("A synthetic head CT that Sliceloop makes itself"))
        sample.clicked.connect(self.sample_wanted)
        buttons = QHBoxLayout()
        buttons.setSpacing(12)
        buttons.addStretch(1)
        buttons.addWidget(open_folder)
        buttons.addWidget(sample)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setSpacing(16)
        layout.addStretch(1)
        for label in (hint, also):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setWordWrap(True)
            layout.addWidget(label)
        layout.addLayout(buttons)
        layout.addStretch(1)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(theme().window))
        pen = QPen(QColor(theme().neutral), 2, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(24, 24, -24, -24), 12, 12)
