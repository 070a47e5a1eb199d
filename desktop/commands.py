"""What opening, looking and asking from the menus do: actions, bound to operations."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QMenu, QMessageBox

from core.errors import BadTableError
from core.imaging.tilt import straightened
from core.session import Reading
from desktop.command_names import Command, Menu
from desktop.jobs import Job, Task
from desktop.label_commands import LabelCommands
from desktop.language import say
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
    """Binds the File, View and Help menus, apart from exchange and looks; owns the recent list."""

    def __init__(self, window: MainWindow, operations: Operations, labels: LabelCommands) -> None:
        self._window = window
        self._do = operations
        self._actions = window.actions_
        self._labels = labels
        menus = window.menus
        self._recent_menu = self._actions.submenu(
            menus[Menu.FILE], Command.CLOSE_SERIES, say("Open &recent")
        )
        self._bind()
        self._fill_recent()
        operations.opening.recent_changed.connect(self._fill_recent)
        operations.session.current_changed.connect(self._name_presets)
        operations.opening.loaded.connect(self._name_presets)
        self._name_presets(operations.session.current)

    def close(self) -> None:
        """Stop listening."""
        self._do.opening.recent_changed.disconnect(self._fill_recent)
        self._do.session.current_changed.disconnect(self._name_presets)
        self._do.opening.loaded.disconnect(self._name_presets)

    # ---- binding

    def _bind(self) -> None:
        actions, window, stage = self._actions, self._window, self._window.stage
        for command, act in {
            Command.OPEN_FOLDER: self.open_folder,
            Command.OPEN_FILE: self.open_files,
            Command.OPEN_SAMPLE: self.open_sample,
            Command.CLOSE_SERIES: self._close_series,
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
            Command.CORRECT_TILT: self._correct_tilt,
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
            Command.ASK_MODEL: self._ask,
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
        actions.show_checked(Command.RESTORE_SESSION, self._do.settings.values.restore_session)
        actions.bind_check(Command.RESTORE_SESSION, self._restore_session)
        actions.show_checked(Command.READ_FIRST, self._do.settings.values.read_first)
        actions.bind_check(Command.READ_FIRST, self._do.read_first)
        window.studies.open_wanted.connect(self.open_folder)
        window.studies.recent_wanted.connect(self._open_recent)
        window.empty.open_wanted.connect(self.open_folder)
        window.empty.sample_wanted.connect(self.open_sample)
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
                # DICOM files often have no suffix: a filter must not hide them at first.
                "All files (*);;DICOM (*.dcm *.DCM *.ima *.IMA DICOMDIR);;Volumes (*.nii "
                "*.nii.gz *.nrrd *.nhdr *.mha *.mhd);;Pictures (*.tif *.tiff *.png *.jpg "
                "*.jpeg);;ZIP (*.zip)"
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

    def _correct_tilt(self) -> None:
        reading = self._do.session.current
        if reading is None:
            return
        straight = straightened(reading.series)
        if straight is reading.series:
            self._window.tell(Notice(Level.INFO, say("This series is not tilted.")))
            return
        self._do.opening.show_another(straight)

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
        for action in self._labels.class_actions:
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

    # ---- recent

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

    # ---- Model

    def _ask(self) -> None:
        if self._reading is not None:
            self._do.asking.ask(self._reading)

    def _restore_session(self, wanted: bool) -> None:
        self._do.settings.values.restore_session = wanted
        self._do.settings.save()

    def _ask_on_open(self, wanted: bool) -> None:
        self._do.settings.values.ask_on_open = wanted
        self._do.settings.save()

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
                program=program().capitalize(),
                disclaimer=say(DISCLAIMER),
            ),
        )
