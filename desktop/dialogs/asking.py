"""One question with one answer: a line of text, or one of several. A screen reader can read it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QComboBox, QInputDialog, QLineEdit, QWidget


def ask_text(parent: QWidget, title: str, question: str, text: str = "") -> str | None:
    """A line of text without space around it; None if it was left empty or the dialog left."""
    dialog = _dialog(parent, title, question)
    dialog.setTextValue(text)
    return _answer(dialog)


def ask_choice(parent: QWidget, title: str, question: str, choices: Sequence[str]) -> str | None:
    """One of several; None if the dialog was left."""
    dialog = _dialog(parent, title, question)
    dialog.setComboBoxItems(list(choices))
    return _answer(dialog)


def _dialog(parent: QWidget, title: str, question: str) -> QInputDialog:
    dialog = QInputDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setLabelText(question)
    dialog.setMinimumWidth(380)
    return dialog


def _answer(dialog: QInputDialog) -> str | None:
    # Qt leaves the editor without a name; its label is no buddy of it.
    for editor in (*dialog.findChildren(QLineEdit), *dialog.findChildren(QComboBox)):
        editor.setAccessibleName(dialog.labelText())
    sure = dialog.exec() == QInputDialog.DialogCode.Accepted
    given = dialog.textValue().strip()
    dialog.deleteLater()
    return given if sure and given else None
