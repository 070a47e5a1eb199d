"""What edits one setting: each gives and takes the value of its field, and says when it changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from core.errors import BadLabelSetError
from core.imaging.intensity import CT_PRESETS
from core.labels.sets import available_label_sets, load_label_set
from core.settings import Settings
from desktop.dialogs.edit_keys import EditKeysDialog
from desktop.language import say, say_core, say_count, task_name
from desktop.setting_rows import Editor, Row

PRESETS = 5


class SettingEditor(QWidget):
    """Base: `value` is what the field takes. field: its name, for the dialog."""

    edited = Signal()

    def __init__(self, row: Row, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.row = row
        self.line = QHBoxLayout(self)
        self.line.setContentsMargins(0, 0, 0, 0)

    def _take(self, widget: QWidget, stretch: int = 0) -> None:
        widget.setAccessibleName(say(self.row.label))
        widget.setAccessibleDescription(say(self.row.hint))
        self.line.addWidget(widget, stretch)
        self.setFocusProxy(widget)

    @property
    def value(self) -> Any:
        """What was chosen."""
        raise AttributeError(self.row.field)

    def show_value(self, value: Any) -> None:
        """Show a value, without saying that it was edited."""
        self.blockSignals(True)
        self._show(value)
        self.blockSignals(False)

    def _show(self, value: Any) -> None:
        raise AttributeError(self.row.field)


class CheckEditor(SettingEditor):
    """On or off."""

    def __init__(self, row: Row, parent: QWidget | None = None) -> None:
        super().__init__(row, parent)
        self.box = QCheckBox(say(row.label), self)
        self.box.toggled.connect(lambda _on: self.edited.emit())
        self._take(self.box, 1)

    @property
    def value(self) -> bool:
        return self.box.isChecked()

    def _show(self, value: Any) -> None:
        self.box.setChecked(bool(value))


class ChoiceEditor(SettingEditor):
    """One of several; a field that is true or false is a choice between "True" and "False"."""

    def __init__(self, row: Row, parent: QWidget | None = None) -> None:
        super().__init__(row, parent)
        self.box = QComboBox(self)
        for value, words in self._choices():
            self.box.addItem(words, value)
        self.box.currentIndexChanged.connect(lambda _index: self.edited.emit())
        self._is_flag = False
        self._take(self.box, 1)

    def _choices(self) -> Sequence[tuple[str, str]]:
        return [(value, say(words)) for value, words in self.row.choices]

    @property
    def value(self) -> Any:
        chosen = self.box.currentData()
        return chosen == "True" if self._is_flag else chosen

    def _show(self, value: Any) -> None:
        self._is_flag = isinstance(value, bool)
        self.box.setCurrentIndex(max(0, self.box.findData(str(value))))


class LabelSetEditor(ChoiceEditor):
    """One of the label sets of this computer; those that cannot be read are left out."""

    def _choices(self) -> Sequence[tuple[str, str]]:
        found = []
        for name in available_label_sets():
            try:
                found.append((name, task_name(load_label_set(name))))
            except BadLabelSetError:
                continue
        return [("", say("As delivered")), *found]


class NumberEditor(SettingEditor):
    """A number within the bounds of its field."""

    def __init__(self, row: Row, parent: QWidget | None = None) -> None:
        super().__init__(row, parent)
        self.box = QDoubleSpinBox(self)
        self.box.setDecimals(row.decimals)
        self.box.setSingleStep(row.step)
        self.box.setSuffix(say(row.suffix) if row.suffix else "")
        self.box.setMinimumWidth(150)
        # Digits as everywhere else in the window, whatever the desktop's own habit.
        self.box.setLocale(QLocale.c())
        low, high = bounds(row.field)
        self.box.setRange(low, high)
        if row.zero:
            self.box.setSpecialValueText(say(row.zero))
        self.box.valueChanged.connect(lambda _value: self.edited.emit())
        self._take(self.box)
        self.line.addStretch(1)

    @property
    def value(self) -> float | int:
        number = round(self.box.value(), self.row.decimals)
        return number if self.row.decimals else int(number)

    def _show(self, value: Any) -> None:
        self.box.setValue(float(value))


class TextEditor(SettingEditor):
    """A line of text."""

    def __init__(self, row: Row, parent: QWidget | None = None) -> None:
        super().__init__(row, parent)
        self.box = QLineEdit(self)
        self.box.setMaxLength(80 if row.editor is Editor.TEXT else 4096)
        self.box.textChanged.connect(lambda _text: self.edited.emit())
        self._take(self.box, 1)

    @property
    def value(self) -> str:
        return self.box.text().strip()

    def _show(self, value: Any) -> None:
        self.box.setText(str(value))


class FolderEditor(TextEditor):
    """A folder, typed or chosen."""

    def __init__(self, row: Row, parent: QWidget | None = None) -> None:
        super().__init__(row, parent)
        self.browse = QPushButton(say("Choose…"), self)
        self.browse.setAutoDefault(False)
        self.browse.clicked.connect(self._ask)
        self.line.addWidget(self.browse)

    def _ask(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, say(self.row.label), self.value)
        if folder:
            self.box.setText(folder)


class PresetsEditor(SettingEditor):
    """Name, centre and width of the windows on keys 1–5; a row without a name is left out."""

    def __init__(self, row: Row, parent: QWidget | None = None) -> None:
        super().__init__(row, parent)
        self.table = QTableWidget(PRESETS, 3, self)
        self.table.setHorizontalHeaderLabels([say("Name"), say("Centre"), say("Width")])
        self.table.setVerticalHeaderLabels([str(key) for key in range(1, PRESETS + 1)])
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.verticalHeader().setDefaultSectionSize(26)
        self.table.setFixedHeight(26 * PRESETS + 32)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTabKeyNavigation(False)
        self.table.itemChanged.connect(lambda _item: self.edited.emit())
        self._take(self.table, 1)

    @property
    def value(self) -> list[dict[str, Any]]:
        found = []
        for row in range(PRESETS):
            name, center, width = (self._text(row, column) for column in range(3))
            if name or center or width:
                found.append({"name": name, "center": center, "width": width})
        delivered = [
            {"name": item.name, "center": f"{item.center:g}", "width": f"{item.width:g}"}
            for item in CT_PRESETS
        ]
        shown = [{**item, "name": say_core(str(item["name"]))} for item in delivered]
        return [] if found in (delivered, shown) else found

    def _text(self, row: int, column: int) -> str:
        item = self.table.item(row, column)
        return item.text().strip() if item is not None else ""

    def _show(self, value: Any) -> None:
        rows = [
            (str(item["name"]), float(item["center"]), float(item["width"]))
            if isinstance(item, dict)
            else (item.name, item.center, item.width)
            for item in value
        ]
        rows = rows or [(say_core(item.name), item.center, item.width) for item in CT_PRESETS]
        self.table.blockSignals(True)
        for row in range(PRESETS):
            texts = ("", "", "")
            if row < len(rows):
                texts = (rows[row][0], f"{rows[row][1]:g}", f"{rows[row][2]:g}")
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                self.table.setItem(row, column, item)
        self.table.blockSignals(False)


class KeysEditor(SettingEditor):
    """How many keys were changed, and the way to change them. label_keys: keys of classes."""

    def __init__(
        self, row: Row, label_keys: Sequence[str] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(row, parent)
        self._keys: dict[str, list[str]] = {}
        self._label_keys = label_keys
        self.words = QLabel(self)
        self.change = QPushButton(say("Change keys…"), self)
        self.change.setAutoDefault(False)
        self.change.clicked.connect(self._ask)
        self._take(self.change)
        self.line.insertWidget(0, self.words, 1)

    @property
    def value(self) -> dict[str, list[str]]:
        return self._keys

    def _show(self, value: Any) -> None:
        self._keys = {name: list(keys) for name, keys in value.items()}
        count = len(self._keys)
        one, many = "{count} command has a key of yours", "{count} commands have keys of yours"
        self.words.setText(say_count(count, one, many) if count else say("As delivered"))

    def _ask(self) -> None:
        dialog = EditKeysDialog(self._keys, self._label_keys, self)
        if dialog.exec() == EditKeysDialog.DialogCode.Accepted:
            self._show(dialog.keys)
            self.edited.emit()
        dialog.deleteLater()


def bounds(field: str) -> tuple[float, float]:
    """Least and greatest value that the settings allow for a number."""
    low, high = 0.0, float(2**31 - 1)
    for rule in Settings.model_fields[field].metadata:
        low = float(getattr(rule, "ge", None) if getattr(rule, "ge", None) is not None else low)
        high = float(getattr(rule, "le", None) if getattr(rule, "le", None) is not None else high)
    return low, high


EDITORS: dict[Editor, type[SettingEditor]] = {
    Editor.CHECK: CheckEditor,
    Editor.CHOICE: ChoiceEditor,
    Editor.NUMBER: NumberEditor,
    Editor.TEXT: TextEditor,
    Editor.FOLDER: FolderEditor,
    Editor.LABEL_SET: LabelSetEditor,
    Editor.PRESETS: PresetsEditor,
    Editor.KEYS: KeysEditor,
}
