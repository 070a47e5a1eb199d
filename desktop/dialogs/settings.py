"""*Settings*: all of them, by subject, to search, each with a hint and a way back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core import places
from core.errors import BadSettingError
from core.settings import Settings
from desktop.appearance import emphasise
from desktop.dialogs.setting_editors import EDITORS, CheckEditor, KeysEditor, SettingEditor
from desktop.fitting import fit
from desktop.language import say, say_core
from desktop.setting_rows import FOLDER_ROWS, ROWS, Editor, Group, Row

FOLDERS = {
    "settings": places.settings_folder,
    "data": places.data_folder,
    "state": places.state_folder,
    "cache": places.cache_folder,
}


class SettingsDialog(QDialog):
    """Accepted with valid settings in `values`. label_keys: keys that classes have."""

    def __init__(
        self, values: Settings, label_keys: Sequence[str] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("Settings"))
        fit(self, 900, 680)
        self.values = values
        self._label_keys = label_keys
        self._delivered = Settings()
        self.editors: dict[str, SettingEditor] = {}
        self.resets: dict[str, QToolButton] = {}
        self._parts: dict[str, tuple[QWidget, str]] = {}
        self._headings: dict[Group, QLabel] = {}
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(say("Find a setting"))
        self.search.setAccessibleName(say("Find a setting"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.groups = QListWidget(self)
        self.groups.setAccessibleName(say("Subjects"))
        self.groups.addItems([say(group.value) for group in Group])
        self.groups.setFixedWidth(170)
        self.groups.currentRowChanged.connect(self._go_to)
        self.area = QScrollArea(self)
        self.area.setAccessibleName(say("Settings"))
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setWidget(self._pages())
        self.problem = QLabel(self)
        self.problem.setProperty("role", "warning")
        self.problem.setWordWrap(True)
        self.problem.hide()
        left = QVBoxLayout()
        left.addWidget(self.search)
        left.addWidget(self.groups, 1)
        halves = QHBoxLayout()
        halves.setSpacing(16)
        halves.addLayout(left)
        halves.addWidget(self.area, 1)
        self.search.setFixedWidth(170)
        layout = QVBoxLayout(self)
        layout.addLayout(halves, 1)
        layout.addWidget(self.problem)
        layout.addWidget(self._decisions())
        self._show(values)
        self.groups.setCurrentRow(0)

    # ---- construction

    def _pages(self) -> QWidget:
        inner = QWidget(self)
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 12, 0)
        column.setSpacing(4)
        for group in Group:
            heading = QLabel(say(group.value), inner)
            heading.setProperty("role", "heading")
            column.addWidget(heading)
            self._headings[group] = heading
            for row in ROWS:
                if row.group is group:
                    column.addWidget(self._row(row, inner))
            if group is Group.FOLDERS:
                column.addWidget(self._folders(inner))
            column.addSpacing(14)
        column.addStretch(1)
        return inner

    def _row(self, row: Row, parent: QWidget) -> QWidget:
        part = QWidget(parent)
        grid = QGridLayout(part)
        grid.setContentsMargins(0, 6, 0, 6)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(2)
        if row.editor is Editor.KEYS:
            editor: SettingEditor = KeysEditor(row, self._label_keys, part)
        else:
            editor = EDITORS[row.editor](row, part)
        editor.edited.connect(lambda: self._edited(row.field))
        reset = QToolButton(part)
        reset.setText("↺")
        words = say("As delivered: {setting}", setting=say(row.label))
        reset.setToolTip(words)
        reset.setAccessibleName(words)
        reset.clicked.connect(lambda _checked=False: self.reset(row.field))
        hint = QLabel(say(row.hint), part)
        hint.setProperty("role", "dim")
        hint.setWordWrap(True)
        wide = isinstance(editor, CheckEditor) or row.editor is Editor.PRESETS
        label = QLabel(say(row.label), part)
        label.setBuddy(editor)
        label.setWordWrap(True)
        if wide:
            if isinstance(editor, CheckEditor):
                label.hide()
            else:
                grid.addWidget(label, 0, 0, 1, 2)
            grid.addWidget(editor, 1, 0, 1, 2)
        else:
            grid.addWidget(label, 1, 0)
            grid.addWidget(editor, 1, 1)
        grid.addWidget(reset, 1, 2, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(hint, 2, 0, 1, 3)
        grid.setColumnStretch(0, 4)
        grid.setColumnStretch(1, 5)
        self.editors[row.field], self.resets[row.field] = editor, reset
        self._parts[row.field] = (part, f"{say(row.label)} {say(row.hint)}".casefold())
        return part

    def _folders(self, parent: QWidget) -> QWidget:
        part = QWidget(parent)
        grid = QGridLayout(part)
        grid.setContentsMargins(0, 6, 0, 6)
        for number, (words, name) in enumerate(FOLDER_ROWS):
            folder = FOLDERS[name]()
            label = QLabel(say(words), part)
            path = QLabel(str(folder), part)
            path.setProperty("role", "dim")
            path.setWordWrap(True)
            path.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            show = QPushButton(say("Open"), part)
            show.setAutoDefault(False)
            show.setAccessibleName(say("Open the folder: {what}", what=say(words)))
            show.clicked.connect(lambda _checked=False, folder=folder: open_folder(folder))
            grid.addWidget(label, 2 * number, 0)
            grid.addWidget(show, 2 * number, 1)
            grid.addWidget(path, 2 * number + 1, 0, 1, 2)
        hint = QLabel(
            say("sliceloop --profile DIR keeps all four of them in another folder."), part
        )
        hint.setProperty("role", "dim")
        hint.setWordWrap(True)
        grid.addWidget(hint, 2 * len(FOLDER_ROWS), 0, 1, 2)
        grid.setColumnStretch(0, 1)
        return part

    def _decisions(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(self)
        self.keep = buttons.addButton(say("Keep"), QDialogButtonBox.ButtonRole.AcceptRole)
        emphasise(self.keep)
        buttons.addButton(say("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        self.everything = buttons.addButton(
            say("All as delivered"), QDialogButtonBox.ButtonRole.ResetRole
        )
        self.everything.clicked.connect(lambda _checked=False: self.reset_all())
        for button in buttons.buttons():
            button.setAutoDefault(False)  # type: ignore[attr-defined] - all are push buttons
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        return buttons

    # ---- what is shown

    def _show(self, values: Settings) -> None:
        for name, editor in self.editors.items():
            editor.show_value(getattr(values, name))
            self._mark(name)

    def _edited(self, name: str) -> None:
        self.problem.hide()
        self._mark(name)

    def _mark(self, name: str) -> None:
        delivered = getattr(self._delivered, name)
        self.resets[name].setEnabled(self.editors[name].value != delivered)

    def reset(self, name: str) -> None:
        """One setting as delivered."""
        self.editors[name].show_value(getattr(self._delivered, name))
        self._edited(name)

    def reset_all(self) -> None:
        """All as delivered, but for the reader's name: it is theirs, not ours."""
        for name in self.editors:
            if name != "reader":
                self.reset(name)

    def _go_to(self, row: int) -> None:
        group = list(Group)[row]
        top = self._headings[group].y()
        self.area.verticalScrollBar().setValue(top)

    def go_to(self, group: Group) -> None:
        """Show a subject."""
        self.groups.setCurrentRow(list(Group).index(group))

    def _filter(self, text: str) -> None:
        words = text.casefold().split()
        for row in ROWS:
            part, said = self._parts[row.field]
            part.setVisible(all(word in said for word in words))
        for group, heading in self._headings.items():
            shown = any(
                not self._parts[row.field][0].isHidden() for row in ROWS if row.group is group
            )
            heading.setVisible(shown)

    # ---- deciding

    def chosen(self) -> dict[str, Any]:
        """What the editors hold now, by field."""
        return {name: editor.value for name, editor in self.editors.items()}

    def accept(self) -> None:
        """Keep what is valid; else say what is not, and go there."""
        try:
            self.values = self.values.changed(self.chosen())
        except BadSettingError as error:
            row = next((row for row in ROWS if row.field == error.setting), None)
            label = say(row.label) if row is not None else error.setting
            self.problem.setText(
                say("“{setting}” cannot be so: {why}", setting=label, why=say_core(error.reason))
            )
            self.problem.show()
            if row is not None:
                self.search.clear()
                self.area.ensureWidgetVisible(self._parts[row.field][0])
                self.editors[row.field].setFocus()
            return
        super().accept()


def open_folder(folder: Path) -> None:
    """Show a folder in the desktop's file manager."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
