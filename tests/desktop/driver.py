"""Runs the real application without a screen and tells on standard output how far it is.

python -m tests.desktop.driver label FOLDER           labels slice 2, then goes on running
python -m tests.desktop.driver read FOLDER            tells the labels that it finds
python -m tests.desktop.driver ask FOLDER MODELS      asks a model; tells whether torch is here
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from core.models.catalogue import Catalogue
from core.session import AnswerState, LoadState, Reading
from desktop.app import Application
from desktop.command_names import Command
from desktop.start import make_qt

GIVE_UP_MS = 150_000


def say(words: str) -> None:
    """One line for the test that listens."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


class Driver:
    """Polls conditions on the event loop, one after the other."""

    def __init__(self, folder: Path, models: Path | None) -> None:
        self.qt = make_qt()
        self.app = Application(catalogue=Catalogue(shipped=models or folder / "none"))
        self._steps: list[tuple[Callable[[], bool], Callable[[], None]]] = []
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._look)
        self.app.start([folder])
        say(f"SHOWN torch={'torch' in sys.modules}")

    @property
    def reading(self) -> Reading | None:
        return self.app.session.current

    def is_loaded(self) -> bool:
        return (
            self.reading is not None
            and self.reading.load_state is LoadState.LOADED
            and self.app.operations.labels.saved.is_ready
        )

    def is_answered(self) -> bool:
        return self.reading is not None and self.reading.answer_state is AnswerState.DONE

    def is_saved(self) -> bool:
        return self.app.operations.labels.saved.pending == 0

    def when(self, condition: Callable[[], bool], act: Callable[[], None]) -> None:
        """Do something once a condition holds, after everything before."""
        self._steps.append((condition, act))

    def run(self) -> int:
        self._timer.start()
        QTimer.singleShot(GIVE_UP_MS, lambda: QApplication.exit(3))
        try:
            return self.qt.exec()
        finally:
            self._timer.stop()
            self.app.close()

    def _look(self) -> None:
        if self._steps and self._steps[0][0]():
            self._steps.pop(0)[1]()


def label(driver: Driver) -> None:
    """Give a label as a person does; then wait to be killed."""

    def give() -> None:
        assert driver.reading is not None
        driver.reading.case.navigation.go(2)
        action = next(
            action
            for action in driver.app.window.actions()
            if action.shortcut().toString() == "Ctrl+1"
        )
        action.trigger()

    driver.when(driver.is_loaded, give)
    driver.when(driver.is_saved, lambda: say("ACKNOWLEDGED"))


def read(driver: Driver) -> None:
    """Tell what the journal holds for the series."""

    def tell() -> None:
        assert driver.reading is not None
        say(f"LABEL {driver.reading.case.label_at(2)}")
        say(f"TICK {driver.app.window.findings.labels.buttons['hemorrhage'].isChecked()}")
        QApplication.exit(0)

    def look() -> None:
        assert driver.reading is not None
        driver.reading.case.navigation.go(2)

    driver.when(driver.is_loaded, look)
    driver.when(lambda: True, tell)


def ask(driver: Driver) -> None:
    """Wait for the model's answers."""

    def tell() -> None:
        assert driver.reading is not None and driver.reading.case.prediction is not None
        say(f"ANSWERED {len(driver.reading.case.prediction.slices)} torch={'torch' in sys.modules}")
        driver.app.window.actions_[Command.QUIT].trigger()
        QApplication.exit(0)

    driver.when(driver.is_answered, tell)


def main(words: list[str]) -> int:
    """Run one mode."""
    mode, folder = words[0], Path(words[1])
    driver = Driver(folder, Path(words[2]) if len(words) > 2 else None)
    {"label": label, "read": read, "ask": ask}[mode](driver)
    return driver.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
