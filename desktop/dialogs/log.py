"""The log: our own records, by level and words, to copy, to find in a folder, to delete."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core import places
from desktop.appearance import theme
from desktop.dialogs.settings import open_folder
from desktop.fitting import fit
from desktop.language import later, say, say_count
from desktop.logs import Record, at_least, delete_log, read_records

LEVEL_WORDS = (
    ("DEBUG", later("Everything")),
    ("INFO", later("Information and above")),
    ("WARNING", later("Warnings and errors")),
    ("ERROR", later("Errors")),
)
_NAMES = {
    "DEBUG": later("Debug"),
    "INFO": later("Information"),
    "WARNING": later("Warning"),
    "ERROR": later("Error"),
}


class LogDialog(QDialog):
    """Read-only, but for *Delete*."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("Log"))
        fit(self, 860, 560)
        self._records: list[Record] = []
        self._shown: list[Record] = []
        self.level = QComboBox(self)
        self.level.setAccessibleName(say("Least level"))
        for value, words in LEVEL_WORDS:
            self.level.addItem(say(words), value)
        self.level.currentIndexChanged.connect(lambda _index: self._fill())
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(say("Find in the log"))
        self.search.setAccessibleName(say("Find in the log"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _text: self._fill())
        self.count = QLabel(self)
        self.count.setProperty("role", "dim")
        self.table = QTableWidget(0, 4, self)
        headings = (say("When"), say("Level"), say("Where"), say("What"))
        self.table.setHorizontalHeaderLabels(list(headings))
        self.table.setAccessibleName(say("Records of the log"))
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        header = self.table.horizontalHeader()
        for column, width in enumerate((170, 100, 190)):
            header.resizeSection(column, width)
        header.setSectionResizeMode(3, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.table.itemSelectionChanged.connect(self._select)
        self.details = QPlainTextEdit(self)
        self.details.setReadOnly(True)
        self.details.setAccessibleName(say("The record"))
        self.details.setMaximumHeight(140)
        note = QLabel(
            say("Names, values and paths of images do not get into the log; nothing is sent."), self
        )
        note.setProperty("role", "dim")
        note.setWordWrap(True)
        top = QHBoxLayout()
        top.addWidget(self.level)
        top.addWidget(self.search, 1)
        top.addWidget(self.count)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.details)
        layout.addWidget(note)
        layout.addLayout(self._buttons())
        self.reload()

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.copy = QPushButton(say("Copy"), self)
        self.copy.setToolTip(say("Copies the selected records, or all that are shown"))
        self.copy.clicked.connect(lambda _checked=False: self.copy_text())
        folder = QPushButton(say("Open the folder"), self)
        folder.clicked.connect(lambda _checked=False: open_folder(places.state_folder()))
        self.delete = QPushButton(say("Delete the log"), self)
        self.delete.clicked.connect(lambda _checked=False: self._delete())
        again = QPushButton(say("Read again"), self)
        again.clicked.connect(lambda _checked=False: self.reload())
        close = QPushButton(say("Close"), self)
        close.clicked.connect(self.accept)
        for button in (self.copy, folder, self.delete, again, close):
            button.setAutoDefault(False)
            row.addWidget(button)
        row.insertStretch(4, 1)
        return row

    def reload(self) -> None:
        """Read the log as it is now."""
        self._records = read_records()
        self._fill()

    def _fill(self) -> None:
        self._shown = at_least(self._records, self.level.currentData(), self.search.text())
        self._shown.reverse()  # the newest first
        self.table.setRowCount(len(self._shown))
        for row, record in enumerate(self._shown):
            level = say(_NAMES[record.level]) if record.level in _NAMES else record.level
            texts = (record.at, level, record.source, record.text.partition("\n")[0])
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                if column == 1 and record.level in ("WARNING", "ERROR"):
                    c = theme()
                    is_error = record.level == "ERROR"
                    item.setForeground(QColor(c.positive if is_error else c.warning))
                self.table.setItem(row, column, item)
        count = len(self._shown)
        self.count.setText(say_count(count, "{count} record", "{count} records"))
        self.copy.setEnabled(count > 0)
        self.delete.setEnabled(bool(self._records))
        if count:
            self.table.selectRow(0)
        else:
            self.details.setPlainText(say("Nothing was written down here."))

    def _selected(self) -> list[Record]:
        rows = sorted({index.row() for index in self.table.selectionModel().selectedRows()})
        return [self._shown[row] for row in rows if row < len(self._shown)]

    def _select(self) -> None:
        chosen = self._selected()
        if chosen:
            self.details.setPlainText(chosen[0].text)

    def copy_text(self) -> None:
        """The selected records as text on the clipboard; all that are shown if one is selected."""
        chosen = self._selected()
        if len(chosen) <= 1:
            chosen = self._shown
        lines = [f"{item.at} {item.level} {item.source}: {item.text}" for item in chosen]
        QGuiApplication.clipboard().setText("\n".join(lines))

    def _delete(self) -> None:
        delete_log()
        self.reload()
