"""Reports of crashes: read, copied, saved or deleted by a person. Nothing else happens to them."""

from __future__ import annotations

import contextlib
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from core import crash_reports, durable
from core.crash_reports import Report
from core.errors import NotDurableError
from core.sentences import sentence
from desktop.dialogs.settings import open_folder
from desktop.fitting import fit
from desktop.language import say, say_sentence


class CrashReportsDialog(QDialog):
    """The reports of this profile, the newest first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("Reports of crashes"))
        fit(self, 880, 560)
        self._reports: list[Report] = []
        words = QLabel(
            say(
                "These reports lie on this computer alone. They hold no name, number, path or "
                "value of an image, and nothing is sent. Whoever helps you can use the text."
            ),
            self,
        )
        words.setWordWrap(True)
        self.list = QListWidget(self)
        self.list.setAccessibleName(say("Reports of crashes"))
        self.list.currentRowChanged.connect(self._show)
        self.text = QPlainTextEdit(self)
        self.text.setReadOnly(True)
        self.text.setAccessibleName(say("The report"))
        fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        self.text.setFont(fixed)
        self.problem = QLabel(self)
        self.problem.setProperty("role", "warning")
        self.problem.setWordWrap(True)
        self.problem.hide()
        halves = QSplitter(Qt.Orientation.Horizontal, self)
        halves.addWidget(self.list)
        halves.addWidget(self.text)
        halves.setSizes([300, 580])
        halves.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.addWidget(words)
        layout.addWidget(halves, 1)
        layout.addWidget(self.problem)
        layout.addLayout(self._buttons())
        self._fill()

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.save = QPushButton(say("Save…"), self)
        self.save.clicked.connect(lambda _checked=False: self.ask_and_save())
        self.copy = QPushButton(say("Copy"), self)
        self.copy.clicked.connect(lambda _checked=False: self._copy())
        self.delete = QPushButton(say("Delete"), self)
        self.delete.clicked.connect(lambda _checked=False: self._delete())
        self.delete_all = QPushButton(say("Delete all"), self)
        self.delete_all.clicked.connect(lambda _checked=False: self._delete_all())
        folder = QPushButton(say("Open the folder"), self)
        folder.clicked.connect(lambda _checked=False: open_folder(crash_reports.folder()))
        close = QPushButton(say("Close"), self)
        close.clicked.connect(self.accept)
        for button in (self.save, self.copy, self.delete, self.delete_all, folder, close):
            button.setAutoDefault(False)
            row.addWidget(button)
        row.insertStretch(5, 1)
        return row

    def _fill(self) -> None:
        self._reports = crash_reports.reports()
        self.list.clear()
        for report in self._reports:
            item = QListWidgetItem("\n".join([say("{time} UTC", time=report.at), report.headline]))
            face = item.font()
            face.setBold(report.is_new)
            item.setFont(face)
            self.list.addItem(item)
        there = bool(self._reports)
        for button in (self.save, self.copy, self.delete, self.delete_all):
            button.setEnabled(there)
        if there:
            self.list.setCurrentRow(0)
        else:
            self.text.setPlainText(say("There is no report: nothing ended unexpectedly."))

    @property
    def report(self) -> Report | None:
        """The report that is shown."""
        row = self.list.currentRow()
        return self._reports[row] if 0 <= row < len(self._reports) else None

    def _show(self, _row: int) -> None:
        report = self.report
        if report is not None:
            self.text.setPlainText(report.text)
            crash_reports.mark_seen(report)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())

    def ask_and_save(self) -> None:
        """Ask for a file and write the report that is shown into it."""
        file, _ = QFileDialog.getSaveFileName(
            self,
            say("Save the report"),
            str(Path.home() / "sliceloop-crash.txt"),
            say("Text (*.txt)"),
        )
        if file:
            self.save_as(Path(file))

    def save_as(self, file: Path) -> None:
        """Write the report that is shown into a file."""
        report = self.report
        if report is None:
            return
        self.problem.hide()
        try:
            durable.write_bytes(file, report.text.encode())
        except NotDurableError as error:
            self.problem.setText(say_sentence(sentence(error)))
            self.problem.show()

    def _delete(self) -> None:
        if self.report is not None:
            with contextlib.suppress(OSError):
                crash_reports.delete(self.report)
            self._fill()

    def _delete_all(self) -> None:
        for report in self._reports:
            with contextlib.suppress(OSError):
                crash_reports.delete(report)
        self._fill()
