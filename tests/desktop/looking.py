"""Opens the whole window and every dialog that a command shows, and looks for what is wrong.

QT_QPA_PLATFORM=offscreen python -m tests.desktop.looking FOLDER [en|ko] [dark|light]

writes a picture of the window and of each dialog into FOLDER and prints, as JSON, controls
without a name and words that are cut off. QT_SCALE_FACTOR says at which scale.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDialog,
    QFileDialog,
    QInputDialog,
    QLabel,
    QMessageBox,
    QToolButton,
    QWidget,
)

from core.imaging.volume import Opened
from core.models.catalogue import Catalogue
from desktop.app import Application
from desktop.command_names import Command
from desktop.command_table import SPECS
from desktop.operations import opening
from tests.desktop.models import write_model
from tests.desktop.series import MemorySeries, PlainEngine

LEAVES = {Command.QUIT, Command.TOUR, Command.OPEN_SAMPLE, Command.CLOSE_SERIES}
"""Commands that end the window, start a program, make a sample or close what is looked at."""


def mute(root: QWidget) -> list[str]:
    """Visible controls that take the focus and have nothing for a screen reader to say."""
    found = []
    for widget in [root, *root.findChildren(QWidget)]:
        if widget.focusPolicy() == Qt.FocusPolicy.NoFocus or not widget.isVisible():
            continue
        text = getattr(widget, "text", lambda: "")()
        named = widget.accessibleName() or text or widget.toolTip() or widget.windowTitle()
        inside = widget.parentWidget()
        of_named = inside is not None and bool(inside.accessibleName())
        if not named and not of_named and not widget.objectName().startswith("qt_"):
            found.append(f"{type(widget).__name__} in {type(inside).__name__}")
    return found


def clipped(root: QWidget) -> list[str]:
    """Visible buttons and one-line labels that are narrower or lower than their words."""
    found = []
    for widget in root.findChildren(QWidget):
        if not widget.isVisible() or widget.visibleRegion().isEmpty():
            continue
        words = ""
        if isinstance(widget, QAbstractButton):
            words = widget.text()
            if isinstance(widget, QToolButton) and not widget.icon().isNull():
                words = ""
        elif isinstance(widget, QLabel) and not widget.wordWrap() and "<" not in widget.text():
            words = widget.text()
        if not words:
            continue
        lines = words.replace("&", "").split("\n")
        wide = max(widget.fontMetrics().horizontalAdvance(line) for line in lines)
        high = widget.fontMetrics().height() * len(lines)
        if widget.width() < wide or widget.height() < high * 0.9:
            found.append(f"{type(widget).__name__} {words!r}: {widget.width()} < {wide}")
    return found


@contextmanager
def answering() -> Iterator[None]:
    """Dialogs of the desktop answer by themselves: no file is chosen, every question is a yes."""
    yes = QMessageBox.StandardButton.Yes
    with (
        patch.object(QFileDialog, "getExistingDirectory", lambda *_, **__: ""),
        patch.object(QFileDialog, "getOpenFileNames", lambda *_, **__: ([], "")),
        patch.object(QFileDialog, "getOpenFileName", lambda *_, **__: ("", "")),
        patch.object(QFileDialog, "getSaveFileName", lambda *_, **__: ("", "")),
        patch.object(QInputDialog, "getText", lambda *_, **__: ("Dr. Example", False)),
        patch.object(QMessageBox, "about", lambda *_: None),
        patch.object(QMessageBox, "question", lambda *_, **__: yes),
    ):
        yield


def visit(app: Application, see: Callable[[str, QWidget], None]) -> None:
    """Give every command; `see` is called with each dialog, and the window, while it stands."""
    now = [""]

    def look() -> None:
        for widget in QApplication.topLevelWidgets():
            other = widget is not app.window and widget.isVisible()
            if other and (isinstance(widget, QDialog) or widget.objectName() == "help"):
                see(f"{now[0]}-{type(widget).__name__}", widget)
                widget.close()
                if isinstance(widget, QDialog):
                    widget.reject()

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(60)
    for spec in SPECS:
        if spec.command in LEAVES:
            continue
        now[0] = spec.command.name.lower()
        app.window.actions_[spec.command].trigger()
        wait(0.01)
        look()
        wait(20, lambda: app.jobs.is_idle)  # some dialogs come when a job has prepared them
    timer.stop()


def wait(seconds: float, until: Callable[[], bool] | None = None) -> None:
    """Let the window live for a while, or until something is so."""
    loop, timer = QEventLoop(), QTimer()
    left = [seconds]

    def tick() -> None:
        left[0] -= 0.01
        if left[0] <= 0 or (until is not None and until()):
            loop.quit()

    timer.timeout.connect(tick)
    timer.start(10)
    loop.exec()
    timer.stop()


def main(words: list[str]) -> int:
    """See the module."""
    folder = Path(words[0])
    folder.mkdir(parents=True, exist_ok=True)
    code = words[1] if len(words) > 1 else "en"
    theme = words[2] if len(words) > 2 else "dark"
    from core import places
    from core.settings import SettingsStore
    from desktop.start import make_qt

    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as profile:
        os.environ[places.HOME_VARIABLE] = profile
        settings = SettingsStore()
        settings.values.language, settings.values.theme = code, theme  # type: ignore[assignment]
        settings.save()
        make_qt()
        write_model(Path(profile) / "weights" / "plain")
        series = (MemorySeries("first"), MemorySeries("second"))
        with (
            patch.object(opening, "open_path", lambda _path, **_: Opened(series)),
            answering(),
        ):
            app = Application(PlainEngine, Catalogue(shipped=Path(profile) / "weights"))
            app.start()
            wait(20, lambda: app.operations.labels.saved.is_ready)

            def see(name: str, widget: QWidget) -> None:
                problems = [f"mute: {item}" for item in mute(widget)]
                problems += [f"cut off: {item}" for item in clipped(widget)]
                widget.grab().save(str(folder / f"{name}.png"))
                if problems:
                    found[name] = problems

            see("0-empty", app.window)
            app.operations.opening.open_paths([Path("/images/0")], remember=False)
            wait(20, lambda: app.session.current is not None and app.jobs.is_idle)
            wait(0.3)
            see("0-window", app.window)
            visit(app, see)
            for number in range(app.window.tabs.count()):
                app.window.tabs.setCurrentIndex(number)
                wait(0.1)
                see(f"0-tab-{number}", app.window)
            app.window.resize(app.window.minimumSize())
            wait(0.2)
            see("0-smallest", app.window)
            app.close()
    sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
