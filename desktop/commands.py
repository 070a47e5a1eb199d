"""What each command of the menus does: actions, bound to operations and dialogs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMenu, QMessageBox

from core.errors import BadTableError, CoreError
from core.labels.schema import LabelClass, LabelSet
from core.labels.sets import available_label_sets, load_label_set
from core.sentences import sentence
from core.session import Reading
from desktop.actions import Command, Menu, exclusive
from desktop.dialogs.keys import KeysDialog
from desktop.jobs import Job, Task
from desktop.language import current, say, task_name
from desktop.main_window import MainWindow
from desktop.notices import Level, Notice
from desktop.operations import Operations
from desktop.panels.footer import DISCLAIMER
from desktop.panels.toolbar import window_words

PRESETS = (
    Command.PRESET_1,
    Command.PRESET_2,
    Command.PRESET_3,
    Command.PRESET_4,
    Command.PRESET_5,
)


class Commands:
    """Owner of the dialogs and of the menus that change: recent, classes, label sets."""

    def __init__(self, window: MainWindow, operations: Operations) -> None:
        self._window = window
        self._do = operations
        self._actions = window.actions_
        self._class_actions: list[QAction] = []
        menus = window.menus
        self._recent_menu = self._actions.submenu(
            menus[Menu.FILE], Command.CLOSE_SERIES, say("Open &recent")
        )
        self._series_menu = self._actions.submenu(
            menus[Menu.LABEL], Command.CLEAR_LABEL, say("Label the &whole series")
        )
        self._task_menu = self._actions.submenu(
            menus[Menu.LABEL], Command.READER_NAME, say("Read &for")
        )
        self._bind()
        self._fill_recent()
        self._fill_classes(operations.session.label_set)
        self._fill_tasks()
        operations.opening.recent_changed.connect(self._fill_recent)
        operations.session.label_set_changed.connect(self._fill_classes)
        operations.session.current_changed.connect(self._name_presets)
        self._name_presets(operations.session.current)

    def close(self) -> None:
        """Stop listening."""
        self._do.opening.recent_changed.disconnect(self._fill_recent)
        self._do.session.label_set_changed.disconnect(self._fill_classes)
        self._do.session.current_changed.disconnect(self._name_presets)

    # ---- binding

    def _bind(self) -> None:
        actions, window, stage = self._actions, self._window, self._window.stage
        for command, act in {
            Command.OPEN_FOLDER: self.open_folder,
            Command.OPEN_FILE: self.open_files,
            Command.OPEN_SAMPLE: self.open_sample,
            Command.CLOSE_SERIES: self._close_series,
            Command.EXPORT_CSV: self.export_table,
            Command.EXPORT_PICTURE: self.save_picture,
            Command.COPY_PICTURE: self.copy_picture,
            Command.QUIT: window.close,
            Command.SLICE_UP: partial(stage.step, -1),
            Command.SLICE_DOWN: partial(stage.step, 1),
            Command.SLICE_UP_TEN: partial(stage.step, -10),
            Command.SLICE_DOWN_TEN: partial(stage.step, 10),
            Command.FIRST_SLICE: stage.first,
            Command.LAST_SLICE: stage.last,
            Command.PREVIOUS_SERIES: partial(self._do.opening.step_series, -1),
            Command.NEXT_SERIES: partial(self._do.opening.step_series, 1),
            Command.NEXT_SUSPICIOUS: partial(self._suspicious, 1),
            Command.PREVIOUS_SUSPICIOUS: partial(self._suspicious, -1),
            Command.HEAT_MAP: stage.toggle_heat_map,
            Command.THREE_PANELS: stage.toggle_three_panels,
            Command.PLANES: self._planes,
            Command.CINE: stage.toggle_cine,
            Command.SMOOTH: stage.toggle_smooth,
            Command.WINDOW_AUTOMATIC: stage.automatic_window,
            Command.WINDOW_HEADER: stage.header_window,
            Command.INVERT: stage.invert,
            Command.ROTATE: stage.rotate,
            Command.FLIP_HORIZONTAL: stage.flip_horizontally,
            Command.FLIP_VERTICAL: stage.flip_vertically,
            Command.NEUTRAL: self.neutral,
            Command.ANNOTATIONS: stage.toggle_annotations,
            Command.CLEAR_LABEL: partial(self._label, None),
            Command.UNDO: self._undo,
            Command.REDO: self._redo,
            Command.NEXT_LABELLED: partial(self._labelled, 1),
            Command.PREVIOUS_LABELLED: partial(self._labelled, -1),
            Command.READER_NAME: self.ask_reader,
            Command.ASK_MODEL: self._ask,
            Command.KEYS: self.show_keys,
            Command.ABOUT: self.show_about,
        }.items():
            actions.bind(command, act)
        stage.cine_changed.connect(partial(actions.show_checked, Command.CINE))
        for key, command in enumerate(PRESETS, start=1):
            actions.bind(command, partial(self._preset, key))
        for command, panel in (
            (Command.STUDIES_PANEL, window.studies),
            (Command.FINDINGS_PANEL, window.tabs),
        ):
            actions.show_checked(command, True)
            actions.bind_check(command, panel.setVisible)
        actions.show_checked(Command.ASK_ON_OPEN, self._do.settings.values.ask_on_open)
        actions.bind_check(Command.ASK_ON_OPEN, self._ask_on_open)
        actions.show_checked(Command.READ_FIRST, self._do.settings.values.read_first)
        actions.bind_check(Command.READ_FIRST, self._do.read_first)
        window.studies.open_wanted.connect(self.open_folder)
        window.studies.recent_wanted.connect(self._open_recent)
        window.empty.open_wanted.connect(self.open_folder)
        window.empty.sample_wanted.connect(self.open_sample)
        window.findings.undo_wanted.connect(self._undo)
        window.findings.redo_wanted.connect(self._redo)
        window.findings.ask_wanted.connect(self._ask)
        stage.context_menu_requested.connect(self._context_menu)

    @property
    def _reading(self) -> Reading | None:
        return self._do.session.current

    # ---- File

    def open_folder(self) -> None:
        """Ask for a folder and open it."""
        folder = QFileDialog.getExistingDirectory(
            self._window, say("Open a folder with images"), self._last_folder()
        )
        if folder:
            self._do.opening.open_paths([Path(folder)])

    def open_files(self) -> None:
        """Ask for files and open them."""
        files, _ = QFileDialog.getOpenFileNames(
            self._window,
            say("Open images"),
            self._last_folder(),
            say(
                "Images (*.dcm *.DCM *.nii *.nii.gz *.nrrd *.nhdr *.mha *.mhd *.tif "
                "*.tiff *.png *.jpg *.jpeg);;All files (*)"
            ),
        )
        if files:
            self._do.opening.open_paths([Path(file) for file in files])

    def _last_folder(self) -> str:
        recent = self._do.settings.values.recent
        return str(Path(recent[0]).parent) if recent else str(Path.home())

    def open_sample(self) -> None:
        """Make the synthetic sample, unless it is there, and open it."""

        def make(task: Task) -> Path:
            from core import places
            from core.sample import make_sample, sample_truth

            folder = places.cache_folder() / "sample"
            try:
                return sample_truth(folder).images
            except BadTableError:
                made = make_sample(folder, progress=task.progress, cancelled=task.cancelled)
                return made.images

        self._do.jobs.submit(
            Job("sample", say("Making the sample"), make),
            on_done=lambda folder: self._do.opening.open_paths([folder], remember=False),
            on_failed=lambda failure: self._window.tell(Notice.of(failure)),
        )

    def _open_recent(self, path: Path) -> None:
        self._do.opening.open_paths([path])

    def _close_series(self) -> None:
        if self._reading is not None:
            self._do.close_series(self._reading)

    def export_table(self) -> None:
        """Ask for a file and write answers and labels into it."""
        if self._reading is None:
            return
        file, _ = QFileDialog.getSaveFileName(
            self._window, say("Export answers and labels"), "answers.csv", "CSV (*.csv)"
        )
        if file:
            self._do.exporting.answers(self._reading, Path(file))

    def save_picture(self) -> None:
        """Ask for a file and write the picture into it, without words about the patient."""
        if self._reading is None:
            return
        file, _ = QFileDialog.getSaveFileName(
            self._window, say("Save the picture"), "picture.png", "PNG (*.png)"
        )
        if file and not self._picture().save(file, "PNG"):
            self._window.tell(
                Notice(
                    Level.ERROR,
                    say("The picture could not be written: {file}. Choose another.", file=file),
                )
            )

    def copy_picture(self) -> None:
        """Put the picture on the clipboard, without words about the patient."""
        if self._reading is not None:
            QGuiApplication.clipboard().setPixmap(self._picture())
            self._window.tell(
                Notice(Level.DONE, say("The picture is on the clipboard, without patient text."))
            )

    def _picture(self):  # type: ignore[no-untyped-def]
        reading = self._reading
        if reading is None or not reading.case.display.annotations:
            return self._window.stage.picture()
        # Law 11: what leaves the window carries no name; the texts on the image may.
        reading.case.show(annotations=False)
        try:
            return self._window.stage.picture()
        finally:
            reading.case.show(annotations=True)

    # ---- View

    def _suspicious(self, direction: int) -> None:
        if not self._window.stage.next_suspicious(direction):
            self._window.tell(Notice(Level.INFO, say("The model flags no other slice here.")))

    def _preset(self, key: int) -> None:
        self._window.stage.preset(key)

    def neutral(self) -> None:
        """Esc: first close a message, then a comparison, then reset the view."""
        window = self._window
        if window.banner.notice is not None:
            window.banner.dismiss()
        elif window.pages.currentWidget() is window.comparison:
            window.show_reading_page()
        else:
            window.stage.neutral()

    def _name_presets(self, _reading: object) -> None:
        presets = self._window.stage.presets()
        for place, command in enumerate(PRESETS):
            action = self._actions[command]
            there = place < len(presets)
            action.setVisible(there)
            if there:
                action.setText(say("Window: {window}", window=window_words(presets[place])))

    def _planes(self) -> None:
        there = self._window.stage.toggle_planes()
        self._actions.show_checked(Command.PLANES, there and self._shows_planes())
        if not there:
            self._window.tell(
                Notice(
                    Level.INFO, say("These images do not form a volume; there are no other planes.")
                )
            )

    def _shows_planes(self) -> bool:
        case = self._window.stage.case
        return case is not None and case.display.planes

    def _context_menu(self, place: object) -> None:
        menu = QMenu(self._window)
        for action in self._class_actions:
            menu.addAction(action)
        menu.addAction(self._actions[Command.CLEAR_LABEL])
        menu.addSeparator()
        for command in (
            Command.HEAT_MAP,
            Command.THREE_PANELS,
            Command.PLANES,
            Command.INVERT,
            Command.NEUTRAL,
            Command.COPY_PICTURE,
        ):
            menu.addAction(self._actions[command])
        menu.exec(place)  # type: ignore[arg-type]
        menu.deleteLater()

    # ---- Label

    def _label(self, class_id: str | None) -> None:
        if self._reading is not None:
            self._do.labels.label(self._reading, class_id)

    def _label_series(self, class_id: str) -> None:
        reading = self._reading
        if reading is None:
            return
        count = reading.summary.shape[0]
        name = self._do.session.label_set.find(class_id).name(current())
        sure = QMessageBox.question(
            self._window,
            say("Label the whole series"),
            say(
                "Label all {count} slices “{name}”? One undo takes it back.", count=count, name=name
            ),
        )
        if sure == QMessageBox.StandardButton.Yes:
            self._do.labels.label_series(reading, class_id)

    def _undo(self) -> None:
        if self._reading is not None:
            self._do.labels.undo(self._reading)

    def _redo(self) -> None:
        if self._reading is not None:
            self._do.labels.redo(self._reading)

    def _labelled(self, direction: int) -> None:
        if self._reading is None:
            return
        index = self._do.labels.next_labelled(self._reading, direction)
        if index is None:
            self._window.tell(Notice(Level.INFO, say("No other slice of this series has a label.")))
        else:
            self._reading.case.navigation.go(index)

    def ask_reader(self) -> None:
        """Ask for the name under which labels are given."""
        name, sure = QInputDialog.getText(
            self._window,
            say("Your name"),
            say("Labels are kept under this name:"),
            text=self._do.labels.reader,
        )
        if sure and name.strip():
            self._do.settings.values.reader = name.strip()
            self._do.settings.save()
            self._do.labels.sign_in(name.strip())

    def _fill_recent(self) -> None:
        menu = self._recent_menu
        menu.clear()
        recent = [Path(item) for item in self._do.settings.values.recent]
        for path in recent:
            menu.addAction(str(path)).triggered.connect(partial(self._recent_clicked, path))
        if recent:
            menu.addSeparator()
            menu.addAction(say("Clear this list")).triggered.connect(self._forget_recent)
        menu.setEnabled(bool(recent))

    def _recent_clicked(self, path: Path, _checked: bool = False) -> None:
        self._open_recent(path)

    def _forget_recent(self, _checked: bool = False) -> None:
        self._do.settings.forget_all()
        self._do.opening.recent_changed.emit()

    def _fill_classes(self, label_set: LabelSet) -> None:
        """Menu items and keys for the classes of the label set in force."""
        menu = self._window.menus[Menu.LABEL]
        for action in self._class_actions:
            menu.removeAction(action)
            self._window.removeAction(action)
            action.deleteLater()
        self._class_actions = []
        self._series_menu.clear()
        first = self._series_menu.menuAction()
        for item in in_reading_order(label_set):
            action = QAction(say("Label: {name}", name=item.name(current())), self._window)
            if item.key:
                action.setShortcut(QKeySequence(f"Ctrl+{item.key}"))
            action.triggered.connect(lambda _=False, c=item.id: self._label(c))
            menu.insertAction(first, action)
            self._window.addAction(action)
            self._class_actions.append(action)
            self._series_menu.addAction(item.name(current())).triggered.connect(
                lambda _=False, c=item.id: self._label_series(c)
            )

    def _fill_tasks(self) -> None:
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

    # ---- Model

    def _ask(self) -> None:
        if self._reading is not None:
            self._do.asking.ask(self._reading)

    def _ask_on_open(self, wanted: bool) -> None:
        self._do.settings.values.ask_on_open = wanted
        self._do.settings.save()

    # ---- Help

    def show_keys(self) -> None:
        """F1: the key sheet."""
        classes = [
            (f"Ctrl+{item.key}", say("Label: {name}", name=item.name(current())))
            for item in in_reading_order(self._do.session.label_set)
            if item.key
        ]
        dialog = KeysDialog(self._actions, classes, self._window)
        dialog.exec()
        dialog.deleteLater()

    def show_about(self) -> None:
        """What this is, its version, and what it is not for."""
        from core.labels.journal import program

        QMessageBox.about(
            self._window,
            say("About Sliceloop"),
            say(
                "<b>{program}</b><p>Read a study, see the model's answer for each slice "
                "and why, correct it, retrain, promote the better model. Everything stays "
                "on this computer; nothing is sent.</p><p>{disclaimer}.</p><p>Apache "
                "License 2.0</p>",
                program=program(),
                disclaimer=say(DISCLAIMER),
            ),
        )


def in_reading_order(label_set: LabelSet) -> list[LabelClass]:
    """Classes with findings first, then by their keys."""
    return sorted(label_set.classes, key=lambda item: (not item.positive, item.key))
