"""*Change keys*: every command with its keys; a key that is taken is refused, with its owner."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from desktop.actions import plain
from desktop.appearance import emphasise
from desktop.command_names import Command
from desktop.command_table import SPECS
from desktop.fitting import fit
from desktop.keys import Keys, keys_of, objection, portable, with_keys
from desktop.language import say

COMMAND_ROLE = Qt.ItemDataRole.UserRole + 1


class EditKeysDialog(QDialog):
    """Accepted when the person wants the keys in `keys`."""

    def __init__(self, own: Keys, label_keys: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("Change keys"))
        fit(self, 640, 640)
        self.keys: dict[str, list[str]] = {name: list(value) for name, value in own.items()}
        self._label_keys = tuple(label_keys)
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(say("Find a command or a key"))
        self.search.setAccessibleName(say("Find a command or a key"))
        self.search.textChanged.connect(self._filter)
        self.table = QTableWidget(0, 2, self)
        self.table.setHorizontalHeaderLabels([say("Command"), say("Keys")])
        self.table.setAccessibleName(say("Commands and their keys"))
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        header.resizeSection(1, 210)
        self.table.itemSelectionChanged.connect(self._selected)
        self.editor = QKeySequenceEdit(self)
        self.editor.setMaximumSequenceLength(1)
        self.editor.setAccessibleName(say("New key: press it"))
        self.editor.keySequenceChanged.connect(self._typed)
        self.give = self._button(say("Use this key"), self._give)
        self.add = self._button(say("Use it as well"), self._add)
        self.take = self._button(say("No key"), self._take)
        self.reset = self._button(say("As delivered"), self._reset)
        self.problem = QLabel(self)
        self.problem.setProperty("role", "warning")
        self.problem.setWordWrap(True)
        self.problem.setMinimumHeight(36)
        row = QHBoxLayout()
        row.addWidget(self.editor, 1)
        for button in (self.give, self.add, self.take, self.reset):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        for widget in (self.search, self.table):
            layout.addWidget(widget)
        layout.addLayout(row)
        layout.addWidget(self.problem)
        layout.addWidget(self._decisions())
        self._fill()
        self.table.selectRow(0)

    def _decisions(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(self)
        keep = buttons.addButton(say("Keep"), QDialogButtonBox.ButtonRole.AcceptRole)
        emphasise(keep)
        buttons.addButton(say("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        everything = buttons.addButton(
            say("All as delivered"), QDialogButtonBox.ButtonRole.ResetRole
        )
        everything.clicked.connect(self._reset_all)
        for button in buttons.buttons():
            button.setAutoDefault(False)  # type: ignore[attr-defined] - all are push buttons
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        return buttons

    def _button(self, words: str, act: object) -> QPushButton:
        button = QPushButton(words, self)
        button.setAutoDefault(False)
        button.clicked.connect(act)
        return button

    def _fill(self) -> None:
        self.table.setRowCount(len(SPECS))
        for row, spec in enumerate(SPECS):
            name = QTableWidgetItem(plain(say(spec.text)))
            name.setData(COMMAND_ROLE, spec.command)
            self.table.setItem(row, 0, name)
            self.table.setItem(row, 1, QTableWidgetItem(""))
            self._show(row)

    def _show(self, row: int) -> None:
        command = self._command(row)
        native = QKeySequence.SequenceFormat.NativeText
        words = [QKeySequence(key).toString(native) for key in keys_of(command, self.keys)]
        item = self.table.item(row, 1)
        item.setText("   ".join(words))
        face = item.font()
        face.setBold(command.name in self.keys)
        item.setFont(face)

    def _command(self, row: int) -> Command:
        return self.table.item(row, 0).data(COMMAND_ROLE)

    @property
    def command(self) -> Command:
        """The command that is selected."""
        return self._command(max(self.table.currentRow(), 0))

    def select(self, command: Command) -> None:
        """Select a command."""
        row = next(k for k in range(self.table.rowCount()) if self._command(k) is command)
        self.table.selectRow(row)

    def _filter(self, text: str) -> None:
        for row in range(self.table.rowCount()):
            words = f"{self.table.item(row, 0).text()} {self.table.item(row, 1).text()}"
            self.table.setRowHidden(row, text.lower() not in words.lower())

    def _selected(self) -> None:
        self.editor.clear()
        self.problem.setText("")
        self._typed()

    def _typed(self, _sequence: object = None) -> None:
        key = self._key()
        why_not = ""
        if key and key not in keys_of(self.command, self.keys):
            why_not = objection(key, self.command, self.keys, self._label_keys)
        self.problem.setText(f"⚠ {why_not}" if why_not else "")
        self.give.setEnabled(bool(key) and not why_not)
        self.add.setEnabled(bool(key) and not why_not)
        self.take.setEnabled(bool(keys_of(self.command, self.keys)))
        self.reset.setEnabled(self.command.name in self.keys)

    def _key(self) -> str:
        form = QKeySequence.SequenceFormat.PortableText
        return portable(self.editor.keySequence().toString(form))

    def _set(self, keys: Sequence[str]) -> None:
        command = self.command
        self.keys = with_keys(self.keys, command, keys)
        self.editor.clear()
        self._show(self.table.currentRow())
        self._typed()

    def _give(self) -> None:
        self._set([self._key()])

    def _add(self) -> None:
        now = keys_of(self.command, self.keys)
        self._set(list(dict.fromkeys((*now, self._key()))))

    def _take(self) -> None:
        self._set([])

    def _reset(self) -> None:
        """The keys as delivered, unless one of them has gone to another command since."""
        command = self.command
        delivered = next(spec.keys for spec in SPECS if spec.command is command)
        rest = {name: value for name, value in self.keys.items() if name != command.name}
        for key in delivered:
            why_not = objection(key, command, rest, self._label_keys)
            if why_not:
                self.problem.setText(f"⚠ {why_not}")
                return
        self._set(delivered)

    def _reset_all(self) -> None:
        self.keys = {}
        for row in range(self.table.rowCount()):
            self._show(row)
        self._typed()
