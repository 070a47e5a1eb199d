"""What the Label menu does: classes, accept and reject, notes, undo, the review queue."""

from __future__ import annotations

from functools import partial

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMessageBox

from core.errors import CoreError
from core.imaging.geometry import Plane
from core.labels.queue import QueueItem, Why
from core.labels.schema import LabelClass, LabelSet
from core.labels.sets import available_label_sets, load_label_set
from core.sentences import sentence
from core.session import Reading
from desktop.actions import exclusive
from desktop.command_names import Command, Menu
from desktop.dialogs.asking import ask_choice, ask_text
from desktop.language import current, say, task_name
from desktop.main_window import MainWindow
from desktop.notices import Level, Notice
from desktop.operations import Operations
from desktop.operations.labelled import opinion_of
from desktop.panels.label_words import class_words


class LabelCommands:
    """Binds the Label menu, the findings panel and the review panel to the operations."""

    def __init__(self, window: MainWindow, operations: Operations) -> None:
        self._window = window
        self._do = operations
        self._actions = window.actions_
        self.class_actions: list[QAction] = []
        menu = window.menus[Menu.LABEL]
        self._series_menu = self._actions.submenu(
            menu, Command.CLEAR_LABEL, say("Label the &whole series")
        )
        self._task_menu = self._actions.submenu(menu, Command.READER_NAME, say("Read &for"))
        self._bind()
        self._fill_classes(operations.session.label_set)
        self._task_menu.aboutToShow.connect(self._fill_tasks)
        operations.session.label_set_changed.connect(self._fill_classes)
        operations.session.current_changed.connect(self._enable)

    def close(self) -> None:
        """Stop listening."""
        self._do.session.label_set_changed.disconnect(self._fill_classes)
        self._do.session.current_changed.disconnect(self._enable)

    def _bind(self) -> None:
        for command, act in {
            Command.ACCEPT: self._accept,
            Command.REJECT: self._reject,
            Command.CLEAR_LABEL: self._clear,
            Command.NOTE: self.ask_note,
            Command.UNDO: self._undo,
            Command.REDO: self._redo,
            Command.NEXT_LABELLED: partial(self._labelled, 1),
            Command.PREVIOUS_LABELLED: partial(self._labelled, -1),
            Command.NEXT_REVIEW: partial(self._review, 1),
            Command.PREVIOUS_REVIEW: partial(self._review, -1),
            Command.REVIEW_PANEL: self.show_review,
            Command.READER_NAME: self.ask_reader,
            Command.ADJUDICATE: self.ask_settle,
        }.items():
            self._actions.bind(command, act)
        findings, review = self._window.findings, self._window.review
        findings.undo_wanted.connect(self._undo)
        findings.redo_wanted.connect(self._redo)
        findings.accept_wanted.connect(self._accept)
        findings.reject_wanted.connect(self._reject)
        findings.series_wanted.connect(self._label_series)
        findings.note_given.connect(self._note)
        review.next_wanted.connect(partial(self._review, 1))
        review.previous_wanted.connect(partial(self._review, -1))
        review.again_wanted.connect(self._do.reviewing.begin_again)
        review.reason_wanted.connect(self._choose_reason)
        review.item_wanted.connect(self._go_to_item)
        self._actions.show_checked(Command.BLIND, self._do.labels.is_blind)
        self._actions.bind_check(Command.BLIND, self._do.labels.read_blind)

    @property
    def _reading(self) -> Reading | None:
        return self._do.session.current

    # ---- the slice

    def _label(self, class_id: str | None) -> None:
        if self._reading is not None:
            self._do.labels.label(self._reading, class_id)

    def _clear(self) -> None:
        reading = self._reading
        if reading is None:
            return
        if reading.case.label_at(reading.case.navigation.index()) is None:
            self._inform(say("This slice has no label."))
        else:
            self._label(None)

    def _accept(self) -> None:
        if self._reading is not None and self._do.labels.accept(self._reading) is None:
            self._inform(say("The model says nothing of this slice yet."))

    def _reject(self) -> None:
        reading = self._reading
        if reading is None or self._do.labels.reject(reading) is not None:
            return
        if opinion_of(reading, reading.case.navigation.index()) is None:
            self._inform(say("The model says nothing of this slice yet."))
        else:
            self._inform(say("There are several classes that could be meant. Choose one of them."))

    def _inform(self, words: str) -> None:
        self._window.tell(Notice(Level.INFO, words))

    def ask_note(self) -> None:
        """Bring the note's field to the front."""
        self._window.tabs.setVisible(True)
        self._window.tabs.setCurrentWidget(self._window.findings)
        self._window.findings.edit_note()

    def _note(self, text: str) -> None:
        reading = self._reading
        if reading is not None:
            self._do.labels.note(reading, reading.case.navigation.index(Plane.SLICE), text)
        self._window.stage.setFocus()

    def _label_series(self, class_id: str) -> None:
        reading = self._reading
        if reading is None:
            return
        sure = QMessageBox.question(
            self._window,
            say("Label the whole series"),
            say(
                "Label all {count} slices “{name}”? One undo takes it back.",
                count=reading.summary.shape[0],
                name=self._do.session.label_set.find(class_id).name(current()),
            ),
        )
        if sure == QMessageBox.StandardButton.Yes:
            self._do.labels.label_series(reading, class_id)

    def _undo(self) -> None:
        if self._reading is None:
            return
        if self._do.undoing.undo(self._reading):
            return
        if self._do.labels.can_undo(self._reading, unseen=True):
            self._inform(
                say(
                    "What you did last in this series was for another task. "
                    "Read for that one again to undo it."
                )
            )
        else:
            self._inform(say("There is nothing to undo in this series."))

    def _redo(self) -> None:
        if self._reading is None:
            return
        if not self._do.undoing.redo(self._reading):
            self._inform(say("There is nothing to redo in this series."))

    def _labelled(self, direction: int) -> None:
        if self._reading is None:
            return
        index = self._do.labels.next_labelled(self._reading, direction)
        if index is None:
            self._inform(say("No other slice of this series has a label, a region or a note."))
        else:
            self._reading.case.navigation.go(index)

    # ---- the queue

    def show_review(self) -> None:
        """Bring the review queue to the front."""
        self._window.tabs.setVisible(True)
        self._actions.show_checked(Command.FINDINGS_PANEL, True)
        self._window.tabs.setCurrentWidget(self._window.review)
        self._window.review.list.setFocus()

    def _review(self, direction: int) -> None:
        item = self._do.reviewing.step(direction)
        if item is None:
            self._inform(self._end_of_queue(direction))
        else:
            self._window.go_to(item.slice_id)

    def _end_of_queue(self, direction: int) -> str:
        if not self._do.reviewing.view.total:
            return say("Nothing waits for a look: open series and ask the model about them.")
        if direction > 0:
            return say("This was the last one in the review queue.")
        return say("This was the first one in the review queue.")

    def _choose_reason(self, why: Why | None) -> None:
        self._do.reviewing.choose(why)

    def _go_to_item(self, item: QueueItem) -> None:
        self._do.reviewing.go(item)
        self._window.go_to(item.slice_id)
        self._do.reviewing.refresh()

    # ---- who reads, and for what

    def ask_reader(self) -> None:
        """Ask for the name under which labels are given."""
        name = ask_text(
            self._window,
            say("Your name"),
            say("Labels are kept under this name:"),
            self._do.labels.reader,
        )
        if name is not None:
            self._do.settings.values.reader = name
            self._do.settings.save()
            self._do.labels.sign_in(name)

    def ask_settle(self) -> None:
        """Ask how the slice looked at is settled between readers, and why."""
        reading = self._do.session.current
        if reading is None:
            return
        classes = in_reading_order(self._do.session.label_set)
        names = [item.name(current()) for item in classes]
        index = reading.case.navigation.index()
        title = say("Settle slice {number}", number=index + 1)
        said = [
            f"{reader}: {class_words(self._do.session.label_set, class_id)}"
            for reader, class_id in self._do.labels.said_of(reading, index).items()
        ]
        question = "\n".join([*said, say("Between all readers it counts as:")])
        name = ask_choice(self._window, title, question, names)
        if name is None:
            return
        reason = ask_text(self._window, title, say("Why? It is kept."))
        if reason is not None:
            chosen = classes[names.index(name)].id
            self._do.labels.adjudicate(reading, chosen, reason)

    def _fill_classes(self, label_set: LabelSet) -> None:
        """Menu items and keys for the classes of the label set in force."""
        menu = self._window.menus[Menu.LABEL]
        for action in self.class_actions:
            menu.removeAction(action)
            self._window.removeAction(action)
            action.deleteLater()
        self.class_actions = []
        self._series_menu.clear()
        first = self._series_menu.menuAction()
        for item in in_reading_order(label_set):
            name = item.name(current())
            action = QAction(say("Label: {name}", name=name), self._window)
            if item.key:
                action.setShortcut(QKeySequence(f"Ctrl+{item.key}"))
            action.triggered.connect(lambda _=False, c=item.id: self._label(c))
            menu.insertAction(first, action)
            self._window.addAction(action)
            self.class_actions.append(action)
            self._series_menu.addAction(name).triggered.connect(
                lambda _=False, c=item.id: self._label_series(c)
            )
        self._enable(self._reading)

    def _enable(self, reading: Reading | None) -> None:
        """Grey what makes no sense without a series, as the table does for its commands."""
        for action in (*self.class_actions, self._series_menu.menuAction()):
            action.setEnabled(reading is not None)

    def remove_classes(self) -> None:
        """Take the class actions off a window that is built again."""
        for action in self.class_actions:
            self._window.removeAction(action)
            action.deleteLater()
        self.class_actions = []

    def _fill_tasks(self) -> None:
        self._task_menu.clear()
        group = exclusive(self._task_menu)
        for task in available_label_sets():
            try:
                label_set = load_label_set(task)
            except CoreError:
                continue  # told when it is chosen by name on the command line
            action = self._task_menu.addAction(task_name(label_set))
            action.setCheckable(True)
            action.setChecked(task == self._do.session.label_set.id)
            action.triggered.connect(partial(self._read_for, task))
            group.addAction(action)

    def _read_for(self, task: str, _checked: bool = False) -> None:
        try:
            label_set = load_label_set(task)
        except CoreError as error:
            self._window.tell(Notice.of(sentence(error)))
            return
        self._do.settings.values.task = task
        self._do.settings.save()
        self._do.session.use(label_set)
        self._window.findings.show_reading(self._reading)
        if self._reading is not None:
            self._do.labels.refresh(self._reading)


def in_reading_order(label_set: LabelSet) -> list[LabelClass]:
    """Classes with findings first, then by their keys."""
    return sorted(label_set.classes, key=lambda item: (not item.positive, item.key))
