"""The main window: studies at the left, the stage in the middle, findings at the right.

It shows what the session, the cases and the operations tell, and passes on what a person asks
for. It decides nothing itself.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QMainWindow

from core.reading.layout import Layout
from desktop import appearance
from desktop.actions import Actions
from desktop.command_names import Command
from desktop.fitting import fit

if TYPE_CHECKING:
    # What stands in the window is imported once the window is visible: see `furnish`.
    from core.events import SignalInstance
    from core.session import Reading
    from core.settings import SettingsStore
    from desktop.notices import Notice
    from desktop.operations import Operations
    from desktop.operations.foretelling import WhatIfView
    from desktop.operations.reviewing import QueueView

SMALLEST, USUAL = (920, 480), (1400, 900)
"""Of the window: the least fits a screen of 1920 × 1080 pixels at 200 %; the usual is its first."""

KEEP_SESSION_MS = 10_000
"""Between two looks at whether what is open has changed and must be written down."""


class MainWindow(QMainWindow):
    """The one window.

    It can be shown as soon as the settings are read; `furnish` puts in what it holds. Until then
    it does nothing but stand where it stood.
    """

    closing = Signal()

    def __init__(self, settings: SettingsStore) -> None:
        super().__init__()
        self.settings = settings
        self._is_furnished = False
        self._answers_shown = True
        self._heard: list[tuple[SignalInstance, Callable[..., object]]] = []
        self._heard_case: list[tuple[SignalInstance, Callable[..., object]]] = []
        self.setWindowTitle("Sliceloop")
        self.setMinimumSize(*SMALLEST)
        fit(self, *USUAL)
        self.setAcceptDrops(True)
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setSingleShot(True)
        self._refresh_timer.setInterval(30)  # answers come in bursts
        self._refresh_timer.timeout.connect(self._refresh_answers)
        self._session_timer = QTimer(self, interval=KEEP_SESSION_MS)
        self._session_timer.timeout.connect(self.keep_session)
        self._kept: object = None
        self._restore()

    # ---- construction

    def furnish(self, operations: Operations) -> None:
        """Put in menus, panels and the stage, once."""
        self._operations = operations
        self._session = operations.session
        self._furnish()
        if len(self.settings.values.splitter) == 3:
            self.columns.setSizes(self.settings.values.splitter)
        self._listen()
        self._show_current(None)
        if self.isVisible():
            self.centralWidget().show()  # put into a visible window it does not show by itself
        self._is_furnished = True
        self._session_timer.start()

    def _furnish(self) -> None:
        """Make everything that has words or colours, in the language and theme now in force."""
        with appearance.styled_at_the_end():
            self._make_inside()

    def _make_inside(self) -> None:
        from desktop.inside import Inside

        self.actions_ = Actions(self, self.settings.values.keys)
        inside = self._inside = Inside(self._operations, self.actions_)
        self.studies, self.stage, self.bar = inside.studies, inside.stage, inside.bar
        self.banner, self.footer = inside.banner, inside.footer
        self.findings, self.drawn = inside.findings, inside.drawn
        self.review, self.what_if, self.training = inside.review, inside.what_if, inside.training
        self.empty, self.comparison, self.pages = inside.empty, inside.comparison, inside.pages
        self.tabs, self.columns = inside.tabs, inside.columns
        self.middle_column, self.drop_mark = inside.middle_column, inside.drop_mark
        self.setCentralWidget(inside)
        self.menus = self.actions_.fill(self.menuBar())
        self.actions_.attach(self.stage)

    def rebuild(self) -> None:
        """Make the inside again, after another language, theme or key; what is shown stays.

        Whoever has bound actions or listens to panels binds and listens again afterwards.
        """
        arranged = self._inside.keep()
        self._refresh_timer.stop()
        self.disconnect_core()
        for menu in self.menus.values():
            menu.deleteLater()
        self.menuBar().clear()
        self.actions_.remove()
        old = self.takeCentralWidget()
        old.hide()
        old.deleteLater()
        self._furnish()
        self.centralWidget().show()  # a window that is shown already does not show it by itself
        self._listen()
        self.studies.model.thumbnails = arranged.thumbnails
        self.studies.follow(self.current)
        self.footer.show_engine(self._operations.asking.words)
        self._show_current(self.current)
        self._inside.take_up(arranged)
        if arranged.shows_comparison:
            self.comparison.reason.setFocus()

    def _listen(self) -> None:
        operations = self._operations
        self._hear(self._session.current_changed, self._show_current)
        self._hear(self._session.state_changed, self._reading_changed)
        self._hear(operations.opening.thumbnails.made, self.studies.model.set_thumbnail)
        self._hear(operations.opening.recent_changed, self._show_recent)
        self._hear(operations.asking.models_changed, self._show_models)
        self._hear(operations.asking.engine_changed, self.footer.show_engine)
        self._hear(operations.labels.changed, self._labels_changed)
        self._hear(operations.undoing.changed, self._labels_changed)
        self._hear(operations.labels.saved_changed, self._saved_changed)
        self._hear(operations.reviewing.changed, self._show_queue)
        self._hear(operations.foretelling.changed, self._show_what_if)
        self._hear(operations.foretelling.slice_wanted, self.go_to)
        self.studies.chosen.connect(operations.opening.show)
        self.studies.close_wanted.connect(operations.close_series)
        self.stage.strip.chosen.connect(lambda _index: self.stage.setFocus())
        self.findings.label_wanted.connect(self._label)
        self.findings.slice_wanted.connect(self.go_to)
        self.findings.model_wanted.connect(operations.asking.choose)
        self.bar.window_wanted.connect(self._take_window)
        self.bar.opacity_wanted.connect(self._take_opacity)
        self._show_recent()
        self._show_models()
        self._saved_changed(None)
        self._show_queue(operations.reviewing.view)
        self._show_what_if(operations.foretelling.view)

    def _hear(self, signal: SignalInstance, slot: Callable[..., object]) -> None:
        signal.connect(slot)
        self._heard.append((signal, slot))

    # ---- what is shown

    def tell(self, notice: Notice) -> None:
        """Show a notice across the top."""
        self.banner.tell(notice)

    @property
    def current(self) -> Reading | None:
        """The series now looked at."""
        return self._session.current

    def _show_current(self, reading: Reading | None) -> None:
        from desktop.panels.studies import series_title

        for signal, slot in self._heard_case:
            with contextlib.suppress(ValueError):
                signal.disconnect(slot)
        self._heard_case = []
        case = reading.case if reading is not None else None
        self.stage.set_case(case)
        self.findings.show_reading(reading)
        self.drawn.show_case(case)
        if reading is not None and case is not None:
            self._heard_case = [
                (case.navigation.moved, self._moved),
                (case.prediction_changed, self._answers_changed),
                (case.labels_changed, self.findings.refresh_label),
                (case.display_changed, self._display_changed),
            ]
            for signal, slot in self._heard_case:
                signal.connect(slot)
            case.show(opacity=self.settings.values.heat_opacity)
            self._labels_changed(reading)
            self.setWindowTitle(f"{series_title(reading)} – Sliceloop")
            self.show_reading_page()
            self.stage.setFocus()
        else:
            self.setWindowTitle("Sliceloop")
            self.findings.show_history([], [], can_undo=False, can_redo=False)
            self.pages.setCurrentWidget(self.empty)
        self._display_changed(None)
        self._enable()

    def show_reading_page(self) -> None:
        """Bring the image back, from the comparison or at the first series."""
        has_series = self.current is not None
        self.pages.setCurrentWidget(self._inside.reading if has_series else self.empty)

    def show_comparison_page(self) -> None:
        """Bring champion and challenger to the front."""
        self.pages.setCurrentWidget(self.comparison)
        self.comparison.reason.setFocus()

    def go_to(self, slice_id: str) -> None:
        """Show a slice of an open series."""
        found = self._session.find_slice(slice_id)
        if found is None:
            return
        reading, index = found
        self._operations.opening.show(reading)
        self.show_reading_page()
        reading.case.navigation.go(index)
        self.stage.setFocus()

    def _moved(self, plane: object, _index: int) -> None:
        from core.imaging.geometry import Plane

        if plane is Plane.SLICE:
            self.findings.refresh_answer()
            self.findings.refresh_label()

    def _answers_changed(self, _index: object) -> None:
        if not self._refresh_timer.isActive():
            self._refresh_timer.start()

    def _refresh_answers(self) -> None:
        self.findings.refresh_answer()
        self._enable()

    def _display_changed(self, _display: object) -> None:
        reading = self.current
        display = reading.case.display if reading is not None else None
        for command, shown in (
            (Command.HEAT_MAP, display is not None and display.heat_map),
            (Command.THREE_PANELS, display is not None and display.three_panels),
            (Command.PLANES, display is not None and display.layout is Layout.PLANES),
            (Command.SMOOTH, display is not None and display.smooth),
            (Command.INVERT, display is not None and display.inverted),
            (Command.ANNOTATIONS, display is not None and display.annotations),
        ):
            self.actions_.show_checked(command, shown)
        presets = self.stage.presets()
        self.bar.show_windows(presets, display.window if display is not None else None)
        if reading is not None and display is not None:
            self.bar.show_opacity(display.opacity)
            self.studies.model.refresh(reading)
            if display.answers is not self._answers_shown:
                self._answers_shown = display.answers
                self.findings.refresh_answer()
                self._enable()

    def _reading_changed(self, reading: Reading) -> None:
        if reading is self.current:
            self._answers_changed(None)

    def _labels_changed(self, reading: Reading) -> None:
        if reading is self.current:
            labels, undoing = self._operations.labels, self._operations.undoing
            self.findings.show_history(
                labels.history(reading),
                labels.labelled(reading),
                can_undo=undoing.can_undo(reading),
                can_redo=undoing.can_redo(reading),
            )

    def _saved_changed(self, _saved: object) -> None:
        from desktop.panels.label_words import saved_words

        saved = self._operations.labels.saved
        self.findings.show_saved(saved)
        self.footer.show_saved(saved_words(saved))

    def _show_models(self) -> None:
        from desktop.panels.model_picker import ModelChoice

        asking = self._operations.asking
        choices = [
            ModelChoice(entry.card.id, entry.card.title, entry.card.version, entry.is_active)
            for entry in asking.models.entries
        ]
        model = asking.models.model
        self.findings.show_models(choices, model.card if model is not None else None)
        self._enable()

    def _show_queue(self, view: QueueView) -> None:
        self.review.show_queue(view, self._operations.reviewing.only)

    def _show_what_if(self, view: WhatIfView) -> None:
        self.what_if.show_preview(view)

    def _show_recent(self) -> None:
        self.studies.show_recent([Path(item) for item in self.settings.values.recent])

    def _enable(self) -> None:
        reading = self.current
        case = reading.case if reading is not None else None
        answered = case is not None and case.prediction is not None and case.display.answers
        self.actions_.enable(series=reading is not None, answer=answered)

    # ---- what a person asks for

    def _label(self, class_id: str | None) -> None:
        if self.current is not None:
            self._operations.labels.label(self.current, class_id)
        self.stage.setFocus()

    def _take_window(self, window: object) -> None:
        if self.current is not None and window is not None:
            self.current.case.show(window=window)
        self.stage.setFocus()

    def _take_opacity(self, opacity: float) -> None:
        self.settings.values.heat_opacity = opacity
        if self.current is not None:
            self.current.case.show(opacity=opacity)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        holds_files = any(url.isLocalFile() for url in event.mimeData().urls())
        if self._is_furnished and holds_files:
            event.acceptProposedAction()
            self.drop_mark.show_over()

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self.drop_mark.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.drop_mark.hide()
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self._operations.opening.open_paths(paths)

    # ---- coming and going

    def _restore(self) -> None:
        values = self.settings.values
        if values.window_geometry:
            with contextlib.suppress(binascii.Error, ValueError):
                self.restoreGeometry(QByteArray(base64.b64decode(values.window_geometry)))
            screens = [screen.availableGeometry() for screen in QGuiApplication.screens()]
            if screens and not any(screen.intersects(self.geometry()) for screen in screens):
                self.move(screens[0].topLeft())  # the screen that it was on is not there now

    def keep_session(self) -> None:
        """Write down where the window stands and what is open, if that has changed.

        Done every few seconds, so that a crash or a power cut loses little.
        """
        if not self._is_furnished:
            return
        values = self.settings.values
        values.window_geometry = base64.b64encode(self.saveGeometry().data()).decode()
        if all(self.columns.sizes()):  # a hidden panel has none
            values.splitter = self.columns.sizes()
        values.session = self._operations.opening.session_now()
        now = (values.window_geometry, tuple(values.splitter),
               tuple(item.model_dump_json() for item in values.session))  # fmt: skip
        if now != self._kept:
            self._kept = now
            self.settings.save()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._session_timer.stop()
        self.keep_session()
        self.closing.emit()
        event.accept()

    def disconnect_core(self) -> None:
        """Stop listening to core objects, which may outlive the window."""
        self.stage.set_case(None)
        self.drawn.show_case(None)
        self.studies.disconnect_session()
        for signal, slot in self._heard + self._heard_case:
            with contextlib.suppress(ValueError):
                signal.disconnect(slot)
        self._heard, self._heard_case = [], []
