"""From nothing to a visible window: as little as possible is imported before it stands.

First the empty window is shown, dressed and where it stood; then `desktop.app` is imported, which
takes most of the time, and furnishes it.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Thread

from PySide6.QtCore import QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from core import places
from core.models.engine_start import start_engine
from core.settings import SettingsStore
from desktop import appearance, language
from desktop.main_window import MainWindow
from desktop.start_guard import StartGuard

SWITCH_SECONDS = 0.0005
"""After which a thread that computes lets the window have the interpreter; Python's own is ten
times as long, and drawing one slice asks for it some twenty times."""
_STARTED_MS = 3000
"""After which a start has ended on most computers, and what may be asked next is made ready."""
_AHEAD = ("numpy", "pydantic", "yaml")
"""What `desktop.app` imports first of others' libraries; nothing of theirs needs Qt."""


def _import_ahead() -> None:
    for name in _AHEAD:
        import_module(name)


def make_qt() -> QApplication:
    """The one QApplication, dressed.

    Libraries are imported beside it: fonts, icons and the screen do not need the interpreter.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    Thread(target=_import_ahead, name="sliceloop-imports").start()
    found = QApplication.instance()
    qt = found if isinstance(found, QApplication) else QApplication(sys.argv[:1])
    qt.setApplicationName("Sliceloop")
    qt.setApplicationDisplayName("Sliceloop")
    qt.setDesktopFileName("sliceloop")
    qt.setWindowIcon(QIcon(str(places.resources() / "icons" / "sliceloop-128.png")))
    appearance.apply(qt)
    return qt


def wear(settings: SettingsStore) -> None:
    """Take language and theme from the settings."""
    values = settings.values
    language.use(values.language, industry=values.industry)
    qt = QApplication.instance()
    if isinstance(qt, QApplication):
        language.teach_qt(qt)
        appearance.apply(qt, values.theme)


def empty_window(settings: SettingsStore | None = None) -> MainWindow:
    """The window of this profile, dressed, with nothing in it yet."""
    settings = settings or SettingsStore()
    wear(settings)
    return MainWindow(settings)


def open_window(paths: list[Path], *, safe: bool = False) -> int:
    """Show the window and stay until it is closed. Returns the exit code.

    safe: ask how to start, as after a start that ended in a crash.
    """
    guard = StartGuard(safe=safe)
    qt = make_qt()
    with guard.end_well(qt):
        start = guard.ask()
        if start is None:
            return 1
        window = empty_window(guard.settings)
        window.show()
        qt.processEvents()
        engine = start_engine()  # on another core, beside all that follows
        from core.models.client import EngineClient
        from desktop.app import Application
        from desktop.garbage import QuietCollector
        from desktop.logs import keep_from, start_logging, tell_defects

        start_logging()
        keep_from(guard.settings.values.log_level)
        application = Application(partial(EngineClient, ready=engine), window=window)
        tell_defects(application.tell_failure)
        collector = QuietCollector(application.session)
        guard.follow(application.jobs)
        application.start(paths, restore=start.session)
        QTimer.singleShot(_STARTED_MS, application.operations.opening.get_ready)
        try:
            return qt.exec()
        finally:
            collector.close()
            application.close()
