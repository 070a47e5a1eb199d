"""Watches over a start: notes that it is under way, sees how the last one ended, ends well.

The order matters: the trace of a crash is prepared before Qt is touched, and whether the graphics
card draws is decided before there is a QApplication.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QCoreApplication,
    QMessageLogContext,
    QSocketNotifier,
    Qt,
    QTimer,
    QtMsgType,
    qInstallMessageHandler,
    qVersion,
)
from PySide6.QtWidgets import QApplication

from core import crash_reports
from core.crash_words import kept_words
from core.settings import SettingsStore
from desktop import appearance, language

if TYPE_CHECKING:
    from desktop.jobs import Jobs

_log = logging.getLogger(__name__)
_qt_log = logging.getLogger("desktop.qt")

SETTLED_MS = 5_000
"""After the window is shown and nothing is under way, a start counts as over."""

PATIENCE_S = 2.0
"""Seconds after which another signal is another wish to end the window."""

_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.ERROR,
}


@dataclass(frozen=True)
class Start:
    """How the window starts.

    session: what was open last is opened again. own_settings: those of the person; else as
    delivered, with the old file kept. software: drawn without the graphics card from now on.
    """

    session: bool = True
    own_settings: bool = True
    software: bool = False


def draw_by_software() -> None:
    """Have Qt draw without the graphics card; before there is a QApplication."""
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_UseSoftwareOpenGL)
    for name, value in (
        ("QT_OPENGL", "software"),
        ("LIBGL_ALWAYS_SOFTWARE", "1"),
        ("QT_XCB_GL_INTEGRATION", "none"),
        ("QSG_RHI_BACKEND", "software"),
    ):
        os.environ.setdefault(name, value)


def hear_qt(kind: QtMsgType, _context: QMessageLogContext, message: str | None) -> None:
    """A message of Qt: into the log and the trail, its words from a closed list."""
    words = kept_words(message or "")
    crash_reports.trail.message(words)
    _qt_log.log(_LEVELS.get(kind, logging.WARNING), "%s", words)
    if kind is QtMsgType.QtFatalMsg:
        # Qt ends the process next; faulthandler adds where.
        crash_reports.write("Qt gave up", [words])


class StartGuard:
    """Made first of all in a window's process. safe: a person asked for a careful start."""

    def __init__(self, *, safe: bool = False) -> None:
        self._watch = crash_reports.Watch("window")
        self.before = crash_reports.collect()
        self._safe = safe
        self.settings = SettingsStore()
        """Of this profile, read once."""
        values = self.settings.values
        crash_reports.trail.is_kept = values.crash_reports
        crash_reports.trail.facts["qt"] = qVersion()
        if values.software_rendering or self.is_careful:
            draw_by_software()
        qInstallMessageHandler(hear_qt)
        self._timer: QTimer | None = None

    @property
    def is_careful(self) -> bool:
        """Whether the person is asked how to start."""
        return self._safe or self.before.start_crashed

    def ask(self) -> Start | None:
        """After a start that crashed: how to start now. None means: not at all."""
        if not self.is_careful:
            return Start()
        settings = self.settings
        values = settings.values
        language.use(values.language, industry=values.industry)
        qt = QApplication.instance()
        if isinstance(qt, QApplication):
            appearance.apply(qt, values.theme)
        from desktop.dialogs.safe_start import SafeStartDialog

        dialog = SafeStartDialog(
            crashed=self.before.start_crashed, software=values.software_rendering
        )
        accepted = dialog.exec() == SafeStartDialog.DialogCode.Accepted
        start = dialog.start
        dialog.deleteLater()
        if not accepted:
            return None
        if not start.own_settings:
            settings.begin_afresh()
        if settings.values.software_rendering != start.software:
            settings.change(settings.values.changed({"software_rendering": start.software}))
        return start

    def follow(self, jobs: Jobs) -> None:
        """From now on see when the start is over: shown, and nothing under way any more."""
        timer = QTimer(jobs)
        timer.setInterval(SETTLED_MS)

        def look() -> None:
            if jobs.is_idle:
                self._watch.settle()
                timer.stop()

        timer.timeout.connect(look)
        timer.start()
        self._timer = timer

    @contextlib.contextmanager
    def end_well(self, qt: QApplication) -> Iterator[None]:
        """While the window lives. An end by a signal, as at the end of a session, is no crash."""
        with _ended_by_signals(qt):
            try:
                yield
            except Exception as error:
                crash_reports.note_exception(error)
                self._watch.end()
                raise
            else:
                self._watch.end()
            finally:
                qInstallMessageHandler(None)


@contextlib.contextmanager
def _ended_by_signals(qt: QApplication) -> Iterator[None]:
    """Ctrl+C in a terminal and SIGTERM close the window as a person does; a later one kills.

    Whoever sends one may send it twice, to the process and to its group: those count as one.
    Qt's loop does not look at Python's signals: a pipe wakes it. Windows has no such pipe; there
    Ctrl+C ends the program at once.
    """
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        yield
        return

    first: list[float] = []

    def end(number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if first:
            if now - first[0] > PATIENCE_S:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        first.append(now)
        _log.info("Ended by signal %s", number)
        qt.closeAllWindows()
        qt.quit()

    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    os.set_blocking(reads, False)
    waker = QSocketNotifier(reads, QSocketNotifier.Type.Read)
    waker.activated.connect(lambda *_: os.read(reads, 64))
    previous = {
        number: signal.signal(number, end)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    woken_before = signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken_before)
        for number, handler in previous.items():
            signal.signal(number, handler)
        waker.setEnabled(False)
        os.close(reads)
        os.close(writes)
