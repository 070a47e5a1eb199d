"""`sliceloop bench start`: window, first prediction, and that reading leaves memory alone.

Each start is a process of its own, timed from outside until its window has been painted once;
ours and a bare window of the same libraries take turns, so that a busy machine disturbs both.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from core import places
from core.bench.timing import Figure
from core.models.engine_start import start_engine
from core.workers import worker_command
from desktop.qt_import import import_qt

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication, QMainWindow

VISIBLE, READY, ANSWERED = "VISIBLE", "READY", "ANSWERED"
"""What a child says when its window has been painted, when all that belongs in it has, and when
the model has answered the visible slice (or, of the bare child, when torch is imported)."""

ROUNDS, ANSWER_ROUNDS = 5, 2
WINDOW_SECONDS, ANSWER_SECONDS = 1.0, 4.0
"""In which the window stands, and the first prediction is ready: installed, warm, two cores."""

OPENINGS, SCROLLS = 100, 1000
WARM_UP = 10
"""Openings before memory is first looked at: caches and libraries are filled by then."""

ALLOWED_BYTES = 50_000_000


def _environment(profile: Path) -> dict[str, str]:
    return {**os.environ, "QT_QPA_PLATFORM": "offscreen", places.HOME_VARIABLE: str(profile)}


def _start(mode: str, profile: Path, *words: str) -> tuple[dict[str, float], bool]:
    """Seconds until a child said each of its words, and whether it had not imported torch."""
    begin = time.perf_counter()
    taken: dict[str, float] = {}
    torch_free = True
    with subprocess.Popen(
        worker_command("start", mode, *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_environment(profile),
    ) as child:
        for line in child.stdout or ():
            word, _, torch = line.strip().partition(" ")
            taken[word] = time.perf_counter() - begin
            torch_free = torch_free and torch == "torch=False"
    if not taken:
        raise RuntimeError(f"the child {mode} said nothing")
    return taken, torch_free


def measure() -> dict[str, object]:
    """What `sliceloop bench start` gives. Needs no screen."""
    with tempfile.TemporaryDirectory(prefix="sliceloop-bench-") as folder:
        profile = Path(folder)
        bare = ("qt", "pyqtgraph") if find_spec("pyqtgraph") else ("qt",)  # no bundle has it
        taken: dict[str, list[float]] = {
            name: [] for name in (*bare, VISIBLE, READY, "torch", ANSWERED)
        }
        series = _series(profile)
        torch_free = True
        for number in range(ROUNDS + 1):
            windows = {name: _start(name, profile)[0][VISIBLE] for name in bare}
            ours, free = _start("window", profile)
            torch_free = torch_free and free
            if number:
                for name, seconds in windows.items():
                    taken[name].append(seconds)
                taken[VISIBLE].append(ours[VISIBLE])
                taken[READY].append(ours[READY])
            if number > ANSWER_ROUNDS:
                continue
            torch, _ = _start("torch", profile)
            answered, free = _start("answer", profile, str(series))
            torch_free = torch_free and free
            if number:
                taken["torch"].append(torch[ANSWERED])
                taken[ANSWERED].append(answered[ANSWERED])
        done = subprocess.run(
            worker_command("start", "memory"),
            capture_output=True,
            text=True,
            env=_environment(profile),
            check=True,
        )
    of = {name: statistics.median(seconds) for name, seconds in taken.items()}
    figures = [
        Figure(
            "first prediction ready", of[ANSWERED], "a bare import of torch", of["torch"], 2, False
        )
    ]
    if "pyqtgraph" in of:
        base, seconds = "a bare Qt and pyqtgraph window", of["pyqtgraph"]
        figures = [
            Figure("empty window visible", of[VISIBLE], base, seconds, 1.3, False),
            Figure("window visible, all in it", of[READY], base, seconds, 1.3, False),
            *figures,
        ]
    memory = json.loads(done.stdout.strip().splitlines()[-1])
    return {
        "figures": [figure.as_dict() for figure in figures],
        "checks": [
            _check("empty window visible, seconds", of[VISIBLE], WINDOW_SECONDS),
            _check("first prediction ready, seconds", of[ANSWERED], ANSWER_SECONDS),
        ],
        "seconds": {name: round(seconds, 4) for name, seconds in of.items()},
        "note": (
            f"A bare Qt window takes {of['qt']:.2f} s; ours is visible after "
            f"{of[VISIBLE] / of['qt']:.2f} × that."
        ),
        "torch_imported": not torch_free,
        "leak": {
            **memory,
            "openings": OPENINGS,
            "scrolls": SCROLLS,
            "allowed_bytes": ALLOWED_BYTES,
            "met": abs(memory["grown_bytes"]) <= ALLOWED_BYTES,
        },
    }


def _check(name: str, seconds: float, goal: float) -> dict[str, object]:
    return {"name": name, "value": seconds, "goal": goal, "met": seconds <= goal}


def _series(profile: Path) -> Path:
    """A series that the model was made for: a synthetic head."""
    from core.sample import make_sample

    return make_sample(profile / "sample", patients=1).images


# ----------------------------------------------------------------- the children


def _tell(word: str) -> None:
    sys.stdout.write(f"{word} torch={'torch' in sys.modules}\n")
    sys.stdout.flush()


def _qt() -> None:
    """The least that Qt needs to show a window with a view in it."""
    from PySide6.QtWidgets import QApplication, QGraphicsView, QMainWindow

    app = QApplication([])
    window = QMainWindow()
    window.setCentralWidget(QGraphicsView())
    _show(app, window)


def _pyqtgraph() -> None:
    """The least that a program of pyqtgraph's needs, as viewers are often made."""
    import pyqtgraph as pg
    from PySide6.QtWidgets import QApplication, QMainWindow

    app = QApplication([])
    window = QMainWindow()
    window.setCentralWidget(pg.GraphicsView())
    _show(app, window)


def _show(app: QApplication, window: QMainWindow) -> None:
    window.resize(1400, 900)
    window.show()
    app.processEvents()
    window.repaint()
    _tell(VISIBLE)


def _window() -> None:
    """Our own, as `sliceloop` opens it: until it stands, and until all is in it."""
    gc.disable()
    import_qt()
    from desktop.start import empty_window, make_qt

    qt = make_qt()
    window = empty_window()
    window.show()
    qt.processEvents()
    window.repaint()
    _tell(VISIBLE)
    engine = start_engine()
    from core.models.client import EngineClient
    from desktop.app import Application

    application = Application(partial(EngineClient, ready=engine), window=window)
    gc.enable()
    qt.processEvents()
    window.repaint()
    _tell(READY)
    application.close()


def _torch() -> None:
    import torch

    if torch.ones(1).item() == 1:
        _tell(ANSWERED)


def _answer(folder: Path) -> None:
    """Our own, as `sliceloop FOLDER` opens it, until the model has answered the visible slice."""
    gc.disable()
    import_qt()
    from PySide6.QtCore import QEventLoop, QTimer

    from desktop.start import empty_window, make_qt

    qt = make_qt()
    window = empty_window()
    window.show()
    qt.processEvents()
    engine = start_engine()
    from core.imaging.geometry import Plane
    from core.models.client import EngineClient
    from desktop.app import Application

    application = Application(partial(EngineClient, ready=engine), window=window)
    gc.enable()
    application.start([folder])
    loop = QEventLoop()

    def look() -> None:
        reading = application.session.current
        if reading is None or reading.case.prediction is None:
            return
        if reading.case.navigation.index(Plane.SLICE) in reading.case.prediction.slices:
            loop.quit()

    timer = QTimer(interval=2)
    timer.timeout.connect(look)
    timer.start()
    loop.exec()
    timer.stop()
    _tell(ANSWERED)
    application.close()


class _NoEngine:
    """In the place of the engine: opening alone is looked at."""

    def __init__(self, _post: object) -> None:
        pass

    def start(self) -> None:
        """Nothing to start."""

    def prepare(self, model: object) -> None:
        """Never asked."""

    def predict(self, request: object, volume: object) -> None:
        """Never asked."""

    def glance(self, request: object, volume: object) -> None:
        """Never asked."""

    def look_at(self, request_id: int, index: int) -> None:
        """Never asked."""

    def cancel(self, request_id: int) -> None:
        """Nothing to cancel."""

    def close(self) -> None:
        """Nothing to end."""


def _memory() -> None:
    """Open, scroll and close again and again; tell how much memory has grown."""
    import psutil
    from PySide6.QtCore import QEventLoop, QTimer

    from core.sample import make_sample
    from core.session import LoadState
    from desktop.app import Application
    from desktop.start import make_qt

    folder = places.cache_folder() / "bench-sample"
    sample = make_sample(folder, patients=1)
    qt = make_qt()
    application = Application(_NoEngine)
    application.settings.values.ask_on_open = False
    application.window.show()
    operations, session = application.operations, application.session

    def wait(condition: Callable[[], bool]) -> None:
        loop = QEventLoop()
        timer = QTimer(interval=1)
        timer.timeout.connect(lambda: loop.quit() if condition() else None)
        timer.start()
        loop.exec()
        timer.stop()

    def is_loaded() -> bool:
        current = session.current
        return current is not None and current.load_state is LoadState.LOADED

    process = psutil.Process()
    before = 0
    for number in range(WARM_UP + OPENINGS):
        if number == WARM_UP:
            gc.collect()
            before = process.memory_info().rss
        operations.opening.open_paths([sample.images], remember=False)
        wait(is_loaded)
        for _ in range(SCROLLS // OPENINGS):
            application.window.stage.step(1)
            qt.processEvents()
        for reading in tuple(session):
            operations.close_series(reading)
        qt.processEvents()
    gc.collect()
    after = process.memory_info().rss
    application.close()
    sys.stdout.write(json.dumps({"before_bytes": before, "grown_bytes": after - before}) + "\n")


def main(words: list[str]) -> int:
    """The worker `start MODE`: a window, a first answer, or the look at memory."""
    if words[1] == "answer":
        _answer(Path(words[2]))
    else:
        modes = {"qt": _qt, "pyqtgraph": _pyqtgraph, "window": _window, "torch": _torch}
        {**modes, "memory": _memory}[words[1]]()
    return 0
