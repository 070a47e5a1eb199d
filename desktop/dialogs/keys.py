"""The key sheet on F1: every command with its keys, and what the mouse does."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from desktop.actions import MOUSE, SPECS, Actions, Menu, keys_in_words
from desktop.language import say


class KeysDialog(QDialog):
    """Read-only; made anew each time, so that it tells the keys now in force."""

    edit_wanted = Signal()

    def __init__(
        self, actions: Actions, label_keys: list[tuple[str, str]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("Keys and mouse"))
        self.resize(1020, 700)
        columns = QHBoxLayout()
        columns.setSpacing(28)
        left, middle, right = QVBoxLayout(), QVBoxLayout(), QVBoxLayout()
        for column, share in ((left, 4), (middle, 4), (right, 5)):
            columns.addLayout(column, share)
        by_menu = {
            menu: [
                (keys_in_words(actions[spec.command]), say(spec.text).replace("&", "").rstrip("…"))
                for spec in SPECS
                if spec.menu is menu and actions[spec.command].shortcuts()
            ]
            for menu in Menu
        }
        self._group(left, say("File"), by_menu[Menu.FILE])
        self._group(left, say("Label"), label_keys + by_menu[Menu.LABEL])
        self._group(middle, say("View"), by_menu[Menu.VIEW])
        self._group(right, say("Model"), by_menu[Menu.MODEL])
        self._group(right, say("Mouse"), [(say(how), say(what)) for how, what in MOUSE])
        self._group(right, say("Help"), by_menu[Menu.HELP])
        for column in (left, middle, right):
            column.addStretch(1)
        inner = QWidget(self)
        inner.setLayout(columns)
        area = QScrollArea(self)
        area.setWidget(inner)
        area.setWidgetResizable(True)
        buttons = QDialogButtonBox(self)
        buttons.addButton(say("Close"), QDialogButtonBox.ButtonRole.RejectRole)
        change = buttons.addButton(say("Change keys…"), QDialogButtonBox.ButtonRole.ActionRole)
        change.clicked.connect(self.edit_wanted)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(area, 1)
        layout.addWidget(buttons)

    @staticmethod
    def _group(column: QVBoxLayout, title: str, rows: list[tuple[str, str]]) -> None:
        heading = QLabel(title)
        heading.setProperty("role", "heading")
        heading.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        column.addWidget(heading)
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        for number, (keys, words) in enumerate(rows):
            key = QLabel(keys)
            key.setProperty("role", "key")
            key.setAlignment(Qt.AlignmentFlag.AlignTop)
            text = QLabel(words)
            text.setWordWrap(True)
            grid.addWidget(key, number, 0)
            grid.addWidget(text, number, 1)
        column.addLayout(grid)
        column.addSpacing(14)
