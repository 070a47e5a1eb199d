"""The key sheet: every command with its keys, and what the mouse does."""

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

from desktop.actions import Actions, keys_in_words, plain
from desktop.command_names import Menu
from desktop.command_table import MOUSE, SPECS
from desktop.fitting import fit
from desktop.language import say


class KeysDialog(QDialog):
    """Read-only; made anew each time, so that it tells the keys now in force."""

    edit_wanted = Signal()

    def __init__(
        self, actions: Actions, label_keys: list[tuple[str, str]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("Keys and mouse"))
        fit(self, 1020, 700)
        columns = QHBoxLayout()
        columns.setSpacing(28)
        left, middle, right = QVBoxLayout(), QVBoxLayout(), QVBoxLayout()
        for column, share in ((left, 4), (middle, 4), (right, 5)):
            columns.addLayout(column, share)
        by_menu = {
            menu: [
                (keys_in_words(actions[spec.command]), plain(say(spec.text)))
                for spec in SPECS
                if spec.menu is menu and actions[spec.command].shortcuts()
            ]
            for menu in Menu
        }
        by_menu[Menu.LABEL] = label_keys + by_menu[Menu.LABEL]
        mouse = [(say(how), say(what)) for how, what in MOUSE]
        places = {
            **dict.fromkeys((Menu.VIEW, Menu.IMAGE, Menu.MODEL), middle),
            **dict.fromkeys((Menu.TOOLS, Menu.HELP), right),
        }
        for menu, rows in by_menu.items():
            if rows:
                self._group(places.get(menu, left), plain(say(menu.value)), rows)
        self._group(right, say("Mouse"), mouse)
        for column in (left, middle, right):
            column.addStretch(1)
        inner = QWidget(self)
        inner.setLayout(columns)
        area = QScrollArea(self)
        area.setAccessibleName(say("Keys and mouse"))
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
            key.setWordWrap(True)
            key.setMaximumWidth(150)
            text = QLabel(words)
            text.setWordWrap(True)
            grid.addWidget(key, number, 0)
            grid.addWidget(text, number, 1)
        column.addLayout(grid)
        column.addSpacing(14)
