"""Part of `sliceloop bench scroll`: scrolling in the real window while it has other work.

A child process opens the real window with the real engine and turns the wheel fifty times a
second: with nothing else to do, while a compressed series is read, while the shipped model is
asked about a long series, and while a model is trained beside it. A step is timed from the moment
at which the wheel should have turned until its slice has been painted, so that whatever keeps
the event loop busy counts, the machine's other processes included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from core import places
from core.bench.timing import Figure
from core.workers import worker_command
from desktop.qt_import import import_qt

GOAL_MS = 50.0
INTERVAL_MS = 20
SERIES = {"plain": (120, "native"), "packed": (300, "jpeg-ls")}
"""Name → (slices, transfer syntax): what stands there, and what is read meanwhile."""

QUIET_S, TRAINING_S, PATIENCE_S = 4.0, 15.0, 60.0


def measure() -> dict[str, Any]:
    """Per kind of work: how many steps, and how long they took, in milliseconds."""
    with tempfile.TemporaryDirectory(prefix="sliceloop-bench-") as folder:
        done = subprocess.run(
            worker_command("steps", folder),
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "QT_QPA_PLATFORM": "offscreen",
                places.HOME_VARIABLE: str(Path(folder) / "profile"),
            },
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"the window could not be measured: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def figures(steps: dict[str, dict[str, float]]) -> list[Figure]:
    """The longest step while the window has other work, against the goal of 50 ms."""
    limit = "the goal of 50 ms"
    return [
        Figure(f"longest step, {name}", facts["longest_ms"] / 1000, limit, GOAL_MS / 1000, 1, False)
        for name, facts in steps.items()
        if name != "quiet"
    ]


# ----------------------------------------------------------------- the child


class _Spent(NamedTuple):
    """Seconds of a step, or of the clocks that it is told from.

    By the clock; of this thread's own work; in line for a processor; and those for which a
    virtual machine's host took processors away, summed over them. Linux tells the last two.
    """

    wall: float
    own: float
    queued: float
    stolen: float


class _Clocks:
    """Tells what a thread has spent; its files stay open, because a look must cost nothing."""

    def __init__(self) -> None:
        self._files: list[int] = []
        with suppress(OSError):
            for name in ("/proc/thread-self/schedstat", "/proc/stat"):
                self._files.append(os.open(name, os.O_RDONLY))

    def now(self) -> _Spent:
        queued = stolen = 0.0
        if len(self._files) == 2:  # proc_pid_schedstat(5), proc_stat(5)
            running, stat = (os.pread(file, 256, 0).split() for file in self._files)
            queued = int(running[1]) / 1e9
            stolen = int(stat[8]) / os.sysconf("SC_CLK_TCK")
        return _Spent(time.perf_counter(), time.thread_time(), queued, stolen)


class _Wheel:
    """Turns the wheel over the stage at fixed times and notes when each slice was painted."""

    def __init__(self, view: Any) -> None:
        from PySide6.QtCore import Qt, QTimer

        self._view = view
        self._taken: list[_Spent] = []
        self._unsettled: list[tuple[float, float]] = []
        self._waiting: _Spent | None = None
        self._clocks = _Clocks()
        self._due = 0.0
        self._direction = -1
        self._timer = QTimer(interval=INTERVAL_MS)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._turn)
        draw = view.draw_over

        def painted(painter: object) -> None:
            draw(painter)
            self._painted()

        view.draw_over = painted

    def _painted(self) -> None:
        if self._waiting is not None:
            now, begun = self._clocks.now(), self._waiting
            self._taken.append(_Spent(*(b - a for a, b in zip(begun, now, strict=True))))
            self._unsettled.append((now.wall, begun.stolen))
            self._waiting = None

    def _settle(self, now: _Spent, after: float) -> None:
        """Say what was stolen during the steps that ended so many seconds ago.

        A processor that was away tells it at its next tick: later than the step that waited for it.
        """
        while self._unsettled and now.wall - self._unsettled[0][0] >= after:
            place = len(self._taken) - len(self._unsettled)
            _, before = self._unsettled.pop(0)
            self._taken[place] = self._taken[place]._replace(stolen=now.stolen - before)

    def start(self) -> None:
        """Forget what was timed, and turn."""
        self._taken, self._unsettled, self._waiting = [], [], None
        self._due = time.perf_counter() + INTERVAL_MS / 1000
        self._timer.start()

    def stop(self) -> dict[str, float]:
        """Steps that were timed, in milliseconds of the clock and of this thread's own work."""
        self._timer.stop()
        self._painted()  # what has not been painted yet counts as far as it has come
        self._settle(self._clocks.now(), 0.0)
        walls = sorted(step.wall * 1000 for step in self._taken) or [0.0]
        own = sorted(step.own * 1000 for step in self._taken) or [0.0]
        longest = max(self._taken, default=_Spent(0.0, 0.0, 0.0, 0.0))
        undisturbed = [step.wall * 1000 for step in self._taken if not step.stolen]
        return {
            "steps": len(self._taken),
            "median_ms": round(walls[len(walls) // 2], 2),
            "median_own_ms": round(own[len(own) // 2], 2),
            "p99_ms": round(walls[int(len(walls) * 0.99)], 2),
            "longest_ms": round(walls[-1], 2),
            "longest_own_ms": round(own[-1], 2),
            "longest_queued_ms": round(longest.queued * 1000, 2),
            "longest_stolen_ms": round(longest.stolen * 1000, 2),
            "undisturbed": len(undisturbed),
            "longest_undisturbed_ms": round(max(undisturbed, default=0.0), 2),
        }

    def _turn(self) -> None:
        from PySide6.QtCore import QPoint, QPointF, Qt
        from PySide6.QtGui import QWheelEvent
        from PySide6.QtWidgets import QApplication

        case = self._view.case
        if case is None:
            return
        clocks = self._clocks.now()
        now = clocks.wall
        self._settle(clocks, INTERVAL_MS / 1000)
        if self._waiting is None:
            self._waiting = clocks._replace(wall=min(self._due, now))
        while self._due <= now:
            self._due += INTERVAL_MS / 1000
        index, last = case.navigation.index(), case.navigation.count() - 1
        if index in (0, last):
            self._direction = -1 if index == 0 else 1
        middle = QPointF(self._view.rect().center())
        event = QWheelEvent(
            middle, self._view.mapToGlobal(middle), QPoint(), QPoint(0, 120 * self._direction),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(self._view, event)


class _Desk:
    """The application, and work for it."""

    def __init__(self, folder: Path) -> None:
        from desktop.app import Application
        from desktop.garbage import QuietCollector

        self._folder = folder
        self.application = Application()
        self.application.settings.values.ask_on_open = False
        self.application.start()
        self.application.window.resize(1400, 900)
        self.application.operations.opening.get_ready()  # as the program does, once it stands
        self._collector = QuietCollector(self.application.session)

    def close(self) -> None:
        """End everything."""
        self._collector.close()
        self.application.close()

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Let the window live until something is so. Raises TimeoutError if it does not come."""
        if not self.live(condition, PATIENCE_S):
            notice = self.application.window.banner.notice
            raise TimeoutError(f"{what}: not in {PATIENCE_S:g} s; {notice and notice.text}")

    @staticmethod
    def live(condition: Callable[[], bool], seconds: float) -> bool:
        """Let the window live until something is so, or the time is over; whether it is so."""
        from PySide6.QtCore import QEventLoop, QTimer

        loop, timer = QEventLoop(), QTimer(interval=5)
        end = time.monotonic() + seconds
        timer.timeout.connect(
            lambda: loop.quit() if condition() or time.monotonic() > end else None
        )
        timer.start()
        loop.exec()
        timer.stop()
        return condition()

    def open(self, name: str) -> Callable[[], bool]:
        """Open a series; returns what tells whether all of it is there."""
        from core.session import LoadState

        session = self.application.session
        before = session.current
        self.application.operations.opening.open_paths([self._folder / name], remember=False)

        def is_loaded() -> bool:
            reading = session.current
            if reading is None or reading is before:
                return False
            return reading.load_state is LoadState.LOADED

        return is_loaded

    def is_ready(self) -> bool:
        """Whether the engine has started."""
        return self.application.operations.asking.words.find("ready") >= 0

    def ask(self) -> Callable[[], bool]:
        """Ask the model, with the heat map shown; returns what tells whether it has answered."""
        from core.session import AnswerState

        reading = self.application.session.current
        if reading is None:
            return lambda: True
        reading.case.show(heat_map=True)
        self.application.operations.asking.ask(reading)
        return lambda: reading.answer_state not in (AnswerState.QUEUED, AnswerState.RUNNING)


def main(words: list[str]) -> int:
    """The workers `steps FOLDER` (the window; what was measured, as JSON) and `steps train`."""
    if words[1] == "train":
        return _train()
    import_qt()
    from core.bench.series_maker import make_series
    from desktop.start import make_qt

    folder = Path(words[1])
    for number, (name, (slices, syntax)) in enumerate(SERIES.items(), 1):
        make_series(folder / name, slices, syntax, number=number)
    make_qt()
    desk = _Desk(folder)
    try:
        found = _all(desk)
    finally:
        desk.close()
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def _train() -> int:
    """What a trainer does, at a trainer's priority, until it is ended."""
    from core.workers import let_the_window_go_first

    let_the_window_go_first()
    from core.bench.train import measure

    while True:
        measure()


def _all(desk: _Desk) -> dict[str, dict[str, float]]:
    """Steps by what else the window had to do."""
    found: dict[str, dict[str, float]] = {}
    desk.wait("the engine", desk.is_ready)
    desk.wait("the first series", desk.open("plain"))
    wheel = _Wheel(desk.application.window.stage.view)

    def during(name: str, begin: Callable[[], Callable[[], bool]]) -> None:
        wheel.start()
        desk.wait(name, begin())
        found[name] = wheel.stop()

    wheel.start()
    desk.live(lambda: False, QUIET_S)
    found["quiet"] = wheel.stop()
    during("while a series is read", lambda: desk.open("packed"))
    during("while the model answers", desk.ask)
    trainer = subprocess.Popen(
        worker_command("steps", "train"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=os.name != "nt",  # as `core.retraining.protocol` starts one
    )
    try:
        wheel.start()
        if desk.live(lambda: trainer.poll() is not None, TRAINING_S):
            raise RuntimeError("the trainer ended by itself")
        found["while a model is trained"] = wheel.stop()
    finally:
        trainer.kill()
        trainer.wait()
    return found
