"""The only file that wires objects together: core, operations and the window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QTimer

from core.events import Signal
from core.labels.sets import load_label_set
from core.models.catalogue import Catalogue
from core.models.client import EngineClient
from core.models.messages import EngineMessage
from core.reading.kept import KeptMeasurements
from core.session import Session
from core.settings import at_once
from desktop.commands import Commands
from desktop.export_commands import ExportCommands
from desktop.home_commands import HomeCommands
from desktop.jobs import Failure, Job, Jobs
from desktop.label_commands import LabelCommands
from desktop.language import say
from desktop.look_commands import LookCommands
from desktop.main_window import MainWindow
from desktop.model_commands import ModelCommands
from desktop.notices import Level, Notice
from desktop.operations import Operations
from desktop.operations.applying import Applying
from desktop.operations.asking import Asking
from desktop.operations.engine import Engine
from desktop.operations.exporting import Exporting
from desktop.operations.foretelling import Foretelling
from desktop.operations.labelling import LabelOperations
from desktop.operations.measuring import Measuring
from desktop.operations.opening import Opening
from desktop.operations.retraining import Retraining
from desktop.operations.reviewing import Reviewing
from desktop.operations.tracing import Tracing
from desktop.operations.undoing import Undoing
from desktop.reading_commands import ReadingCommands
from desktop.start import empty_window, wear

DEFAULT_TASK = "hemorrhage"
"""Label set of a new profile; a model for it ships."""

MakeEngine = Callable[[Callable[[EngineMessage], None]], Engine]


class Application:
    """One running Sliceloop: make it, `start` it, and `close` it."""

    looks_changed = Signal()
    """The window's inside was built again; its panels are new objects."""

    def __init__(
        self,
        make_engine: MakeEngine = EngineClient,
        catalogue: Catalogue | None = None,
        window: MainWindow | None = None,
    ) -> None:
        """window: an empty one that is visible already; else one is made."""
        self.window = window or empty_window()
        self.settings = self.window.settings
        self.jobs = Jobs()
        self.settings.write_by(self._write_settings)
        self.session = Session(load_label_set(self.settings.values.task or DEFAULT_TASK))
        self.catalogue = catalogue or Catalogue()
        self.operations = self._operations(make_engine)
        self.window.furnish(self.operations)
        self.settings.looks_changed.connect(self._wear_later)
        self._bind()
        self._is_closed = False

    def _bind(self) -> None:
        """Say what the window's commands do."""
        window, operations = self.window, self.operations
        self.label_commands = LabelCommands(window, operations)
        self.commands = Commands(window, operations, self.label_commands)
        self.reading_commands = ReadingCommands(window, operations)
        self.export_commands = ExportCommands(window, operations)
        self.look_commands = LookCommands(window, operations)
        self.home_commands = HomeCommands(window, operations, self.look_commands, self.catalogue)
        self.model_commands = ModelCommands(window, operations)

    def _unbind(self) -> None:
        self.home_commands.close()
        self.label_commands.close()
        self.commands.close()
        self.reading_commands.close()
        self.model_commands.close()

    def wear_again(self) -> None:
        """Language, theme, words or keys were changed: build the window's inside again."""
        self._unbind()
        self.label_commands.remove_classes()
        wear(self.settings)
        self.window.rebuild()
        self._bind()
        self.model_commands.show_state()
        self.looks_changed.emit()

    def _operations(self, make_engine: MakeEngine) -> Operations:
        session, jobs, settings = self.session, self.jobs, self.settings
        labels = LabelOperations(session, jobs, self._tell, settings.values.reader_name)
        asking = Asking(session, self.catalogue, jobs, self._tell, make_engine)
        operations = Operations(
            session,
            jobs,
            settings,
            Opening(session, jobs, settings, self._tell),
            asking,
            labels,
            Exporting(jobs, self._tell),
            Retraining(session, self.catalogue, jobs, self._tell, labels),
            Reviewing(session, jobs, settings.values.queue_seed),
            Undoing(session, labels),
            Measuring(session, jobs, self._tell, KeptMeasurements(), lambda: labels.reader),
            Applying(session, settings, asking),
            Foretelling(session, self.catalogue, jobs, self._tell, labels),
            Tracing(self.catalogue, jobs, self._tell, labels),
        )
        operations.connect()
        return operations

    def _write_settings(self, write: Callable[[], None]) -> None:
        self.jobs.submit(Job("settings", "", lambda _task: write(), lane="settings"))

    def _tell(self, notice: Notice) -> None:
        self.window.tell(notice)

    def start(self, paths: list[Path] | None = None, *, restore: bool = True) -> None:
        """Show the window; everything else begins once it is visible.

        restore: what was open last is opened again, if the person's settings say so.
        """
        self.window.show()
        QTimer.singleShot(0, lambda: self._shown(paths or [], restore))

    def _shown(self, paths: list[Path], restore: bool) -> None:
        if self._is_closed:
            return
        if self.settings.damaged:
            self._tell(
                Notice(
                    Level.CAUTION,
                    say(
                        "The settings could not be read and start afresh; the old file is {file}.",
                        file=self.settings.damaged,
                    ),
                )
            )
        self.home_commands.tell_of_crashes()
        self.operations.asking.start()
        if paths:
            self.operations.opening.open_paths(paths)
        elif restore and self.settings.values.restore_session:
            self.operations.opening.restore(self.settings.values.session)
        self.jobs.changed.connect(self._start_the_rest)
        self._start_the_rest()

    def _start_the_rest(self) -> None:
        """Labels and trainings, once the first images are found.

        They bring a database and other libraries along, whose import would hold the images up.
        """
        if self._is_closed or self.operations.opening.is_looking:
            return
        self.jobs.changed.disconnect(self._start_the_rest)
        self.operations.labels.start()
        self.operations.retraining.start()

    def _wear_later(self) -> None:
        # Not from within the menu or dialog that asked for it: they go with the old inside.
        QTimer.singleShot(0, self._wear_unless_closed)

    def _wear_unless_closed(self) -> None:
        if not self._is_closed:
            self.wear_again()

    def tell_failure(self, failure: Failure) -> None:
        """Show an error that nobody foresaw."""
        self._tell(Notice.of(failure))

    def close(self) -> None:
        """Finish writing, end the engine, let go of the journal. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self.settings.looks_changed.disconnect(self._wear_later)
        self._unbind()
        self.operations.retraining.close()
        self.window.disconnect_core()
        self.operations.close()
        self.settings.write_by(at_once)  # all that was saved before has been written now
