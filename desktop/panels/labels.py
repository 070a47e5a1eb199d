"""The reader's part of the findings: the label of this slice, its note, what was labelled, when."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from core.imaging.geometry import Plane
from core.labels.history import HistoryEntry
from core.labels.schema import LabelClass, LabelSet
from core.session import Reading
from desktop.language import current, say
from desktop.operations.journal import Saved
from desktop.operations.labelled import LabelledSlice
from desktop.panels.label_words import clock, entry_tip, entry_words, jump_tip, jump_words

SLICE_ROLE = Qt.ItemDataRole.UserRole + 1


def section(title: str, parent: QWidget) -> QLabel:
    """A small heading."""
    label = QLabel(title, parent)
    label.setProperty("role", "section")
    return label


def line(parent: QWidget, role: str = "dim") -> QLabel:
    """A label of a sentence or two."""
    label = QLabel(parent)
    label.setProperty("role", role)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
    return label


class _Rows(QListWidget):
    """Keeps the current row in sight, also when it was chosen before the list had its size."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.currentItem() is not None:
            self.scrollToItem(self.currentItem())


class LabelBox(QWidget):
    """Shows and asks; holds nothing but what it has drawn."""

    label_wanted = Signal(object)
    """A class id, or None to clear."""
    series_wanted = Signal(str)
    """A class id for the whole series."""
    accept_wanted = Signal()
    reject_wanted = Signal()
    undo_wanted = Signal()
    redo_wanted = Signal()
    note_given = Signal(str)
    slice_wanted = Signal(str)
    """Id of a slice to go to."""
    learnt_wanted = Signal(str)
    """Id of a slice: which models learnt from what is said of it?"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reading: Reading | None = None
        self._label_set: LabelSet | None = None
        self._saved = Saved()
        self._labelled: dict[str, LabelledSlice] = {}
        self.buttons: dict[str, QPushButton] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        self._build_classes()
        self._build_note()
        self._build_lists()

    # ---- construction

    def _build_classes(self) -> None:
        self._layout.addWidget(section(say("Your label for this slice"), self))
        judging = QHBoxLayout()
        self.accept = QPushButton(say("Accept"), self)
        self.accept.setToolTip(say("Label the slice with what the model says of it"))
        self.accept.clicked.connect(self.accept_wanted)
        self.reject = QPushButton(say("Reject"), self)
        self.reject.setToolTip(say("Label the slice with the opposite of what the model says"))
        self.reject.clicked.connect(self.reject_wanted)
        for button in (self.accept, self.reject):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            judging.addWidget(button)
        self._layout.addLayout(judging)
        self._classes = QVBoxLayout()
        self._classes.setSpacing(4)
        self._layout.addLayout(self._classes)
        self.clear = QPushButton(say("Clear label"), self)
        self.clear.setToolTip(say("Take the label off this slice"))
        self.clear.clicked.connect(lambda: self.label_wanted.emit(None))
        self.series = QPushButton(say("Whole series…"), self)
        self.series.setToolTip(say("Give all slices of this series one label"))
        self.series.clicked.connect(self._choose_for_series)
        row = QHBoxLayout()
        for button in (self.clear, self.series):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            row.addWidget(button)
        self._layout.addLayout(row)
        self._state = line(self, "saved")
        self._state.setMinimumHeight(34)
        self.undo = QPushButton(say("Undo"), self)
        self.undo.setToolTip(say("Undo the last step"))
        self.redo = QPushButton(say("Redo"), self)
        self.redo.setToolTip(say("Redo what was undone"))
        saved = QHBoxLayout()
        saved.addWidget(self._state, 1)
        for button, signal in ((self.undo, self.undo_wanted), (self.redo, self.redo_wanted)):
            button.setProperty("role", "small")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(signal)
            saved.addWidget(button)
        self._layout.addLayout(saved)

    def _build_note(self) -> None:
        self.note = QLineEdit(self)
        self.note.setPlaceholderText(say("Note on this slice"))
        self.note.setAccessibleName(say("Note on this slice"))
        self.note.setToolTip(say("Note on this slice"))
        self.note.setMaxLength(2000)
        self.note.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.note.returnPressed.connect(self._give_note)
        leave = QShortcut(QKeySequence(Qt.Key.Key_Escape), self.note)
        leave.setContext(Qt.ShortcutContext.WidgetShortcut)
        leave.activated.connect(self._leave_note)
        self._layout.addWidget(self.note)

    def _build_lists(self) -> None:
        self.jumps = self._list(say("Labelled slices of this series"))
        self.history = self._list(say("History of labels of this series"))
        self.lists = QTabWidget(self)
        self.lists.setDocumentMode(True)
        self.lists.setAccessibleName(say("Labelled slices and history"))
        self.lists.addTab(self.jumps, say("Labelled"))
        self.lists.addTab(self.history, say("History"))
        self.lists.setMinimumHeight(150)
        self._layout.addWidget(self.lists, 100)

    def _list(self, name: str) -> QListWidget:
        made = _Rows(self)
        made.setProperty("role", "plain")
        made.setAccessibleName(name)
        made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        made.setTextElideMode(Qt.TextElideMode.ElideRight)
        made.itemActivated.connect(self._row_activated)
        made.itemClicked.connect(self._row_activated)
        made.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        ask = QAction(say("Which models learnt from this label?"), made)
        ask.triggered.connect(lambda: self._ask_learnt(made))
        made.addAction(ask)
        return made

    # ---- what is shown

    def show_reading(self, reading: Reading | None, label_set: LabelSet | None) -> None:
        """Show another series."""
        self._reading = reading
        if label_set is not None and label_set != self._label_set:
            self._make_classes(label_set)
        for button in (*self.buttons.values(), self.series, self.note):
            button.setEnabled(reading is not None)
        self.refresh()

    def _make_classes(self, label_set: LabelSet) -> None:
        self._label_set = label_set
        while self._classes.count():
            widget = self._classes.takeAt(0).widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.buttons.clear()
        for item in sorted(label_set.classes, key=lambda c: (not c.positive, c.key)):
            self._classes.addWidget(self._class_button(item))
        # They are made last, and would be reached last by the Tab key, too.
        chain = [self.reject, *self.buttons.values(), self.clear]
        for one, other in pairwise(chain):
            QWidget.setTabOrder(one, other)

    def _class_button(self, item: LabelClass) -> QPushButton:
        name = item.name(current())
        keys = f"   Ctrl+{item.key}" if item.key else ""
        button = QPushButton(f"{name}{keys}", self)
        button.setProperty("role", "positiveLabel" if item.positive else "negativeLabel")
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAccessibleName(say("Label this slice: {name}", name=name))
        button.clicked.connect(lambda _=False, c=item.id: self._class_clicked(c))
        self.buttons[item.id] = button
        return button

    def _class_clicked(self, class_id: str) -> None:
        self.refresh()  # the tick follows the journal, not the mouse
        self.label_wanted.emit(class_id)

    def _choose_for_series(self) -> None:
        if self._label_set is None:
            return
        menu = QMenu(self)
        for class_id, button in self.buttons.items():
            action = menu.addAction(self._label_set.find(class_id).name(current()))
            action.triggered.connect(lambda _=False, c=class_id: self.series_wanted.emit(c))
            action.setEnabled(button.isEnabled())
        menu.exec(self.series.mapToGlobal(self.series.rect().bottomLeft()))
        menu.deleteLater()

    def show_saved(self, saved: Saved) -> None:
        """Show whether the last label has reached the disk."""
        self._saved = saved
        self.refresh()

    def show_history(
        self,
        entries: list[HistoryEntry],
        labelled: list[LabelledSlice],
        *,
        can_undo: bool,
        can_redo: bool,
    ) -> None:
        """Show what was done to this series, the last step first, and what stands, by slice."""
        self.undo.setEnabled(can_undo)
        self.redo.setEnabled(can_redo)
        self._labelled = {item.slice_id: item for item in labelled}
        self.history.clear()
        for entry in entries:
            row = QListWidgetItem(entry_words(entry, self._label_set))
            if not entry.stands:
                face = row.font()
                face.setStrikeOut(True)
                row.setFont(face)
            row.setToolTip(entry_tip(entry, self._label_set))
            if entry.changes:
                row.setData(SLICE_ROLE, entry.changes[0].slice_id)
            self.history.addItem(row)
        if not entries:
            self.history.addItem(_hint(say("Nothing was done to this series yet.")))
        self.jumps.clear()
        digits = max((len(str(item.index + 1)) for item in labelled), default=1)
        for item in labelled:
            row = QListWidgetItem(jump_words(item, self._label_set, digits))
            row.setToolTip(jump_tip(item))
            row.setData(SLICE_ROLE, item.slice_id)
            self.jumps.addItem(row)
        if not labelled:
            self.jumps.addItem(_hint(say("No slice has a label yet.")))
        self.lists.setTabText(0, say("Labelled ({count})", count=len(labelled)))
        self.refresh()

    def refresh(self) -> None:
        """Show the label of the slice now looked at, and whether it is on disk."""
        reading = self._reading
        given, slice_id = None, ""
        if reading is not None:
            index = reading.case.navigation.index(Plane.SLICE)
            given, slice_id = reading.case.label_at(index), reading.summary.slice_ids[index]
        for class_id, button in self.buttons.items():
            button.setChecked(class_id == given)
        self.clear.setEnabled(given is not None)
        can_judge = self._can_judge(reading)
        self.accept.setEnabled(can_judge)
        self.reject.setEnabled(can_judge)
        here = self._labelled.get(slice_id)
        if not self.note.hasFocus():
            self.note.setText(here.note if here is not None else "")
        self._state.setText(self._state_words(reading, given, here))
        state = "failed" if self._saved.failed else "pending" if self._saved.pending else "saved"
        if self._state.property("state") != state:
            self._state.setProperty("state", state)
            self._state.style().unpolish(self._state)
            self._state.style().polish(self._state)
        for row in range(self.jumps.count()):
            if slice_id and self.jumps.item(row).data(SLICE_ROLE) == slice_id:
                self.jumps.setCurrentRow(row)

    @staticmethod
    def _can_judge(reading: Reading | None) -> bool:
        if reading is None or not reading.case.display.answers:
            return False
        prediction = reading.case.prediction
        index = reading.case.navigation.index(Plane.SLICE)
        return prediction is not None and index in prediction.slices

    def _state_words(
        self, reading: Reading | None, given: str | None, here: LabelledSlice | None
    ) -> str:
        if self._saved.failed:
            return say("✕ The last label could not be saved. Nothing was changed.")
        if self._saved.pending:
            return say("○ Saving…")
        if not self._saved.is_ready:
            return say("The label journal is being opened…")
        if reading is None or given is None:
            return say("This slice has no label.") if reading is not None else ""
        if here is None or not here.at:
            return say("✓ Saved")
        return say("✓ Saved {time} by {reader}", time=clock(here.at), reader=here.reader)

    # ---- what a person asks for

    def edit_note(self) -> None:
        """Let the person write the note on this slice."""
        self.note.setFocus()
        self.note.selectAll()

    def _give_note(self) -> None:
        words = self.note.text()
        self.note.clearFocus()
        self.note_given.emit(words)

    def _leave_note(self) -> None:
        self.note.clearFocus()
        self.refresh()

    def _ask_learnt(self, rows: QListWidget) -> None:
        row = rows.currentItem()
        slice_id = row.data(SLICE_ROLE) if row is not None else None
        if slice_id:
            self.learnt_wanted.emit(slice_id)

    def _row_activated(self, item: QListWidgetItem) -> None:
        slice_id = item.data(SLICE_ROLE)
        if slice_id:
            self.slice_wanted.emit(slice_id)


def _hint(words: str) -> QListWidgetItem:
    row = QListWidgetItem(words)
    row.setFlags(Qt.ItemFlag.NoItemFlags)
    row.setToolTip(words)
    return row
