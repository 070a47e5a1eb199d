"""`sliceloop bench start`: how soon the window stands, and that reading leaves memory alone.

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
from pathlib import Path

from core import places
from core.bench.timing import Figure
from core.workers import worker_command

VISIBLE, READY = "VISIBLE", "READY"
"""What a child says when its window has been painted, and when all that belongs in it has."""

ROUNDS = 5
OPENINGS, SCROLLS = 100, 1000
WARM_UP = 10
"""Openings before memory is first looked at: caches and libraries are filled by then."""

ALLOWED_BYTES = 50_000_000


def _environment(profile: Path) -> dict[str, str]:
    return {**os.environ, "QT_QPA_PLATFORM": "offscreen", places.HOME_VARIABLE: str(profile)}


def _start(mode: str, profile: Path) -> tuple[dict[str, float], bool]:
    """Seconds until a child said each of its words, and whether it had not imported torch."""
    begin = time.perf_counter()
    child = subprocess.Popen(
        worker_command("start", mode),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_environment(profile),
    )
    taken: dict[str, float] = {}
    torch_free = True
    for line in child.stdout or ():
        word, _, torch = line.strip().partition(" ")
        taken[word] = time.perf_counter() - begin
        torch_free = torch_free and torch == "torch=False"
    child.wait()
    if VISIBLE not in taken:
        raise RuntimeError(f"the {mode} window was never painted")
    return taken, torch_free


def measure() -> dict[str, object]:
    """What `sliceloop bench start` gives. Needs no screen."""
    with tempfile.TemporaryDirectory(prefix="sliceloop-bench-") as folder:
        profile = Path(folder)
        taken: dict[str, list[float]] = {"bare": [], VISIBLE: [], READY: []}
        torch_free = True
        for number in range(ROUNDS + 1):
            bare, _ = _start("bare", profile)
            ours, free = _start("window", profile)
            torch_free = torch_free and free
            if number:
                taken["bare"].append(bare[VISIBLE])
                taken[VISIBLE].append(ours[VISIBLE])
                taken[READY].append(ours[READY])
        done = subprocess.run(
            worker_command("start", "memory"),
            capture_output=True,
            text=True,
            env=_environment(profile),
            check=True,
        )
    base = "a bare Qt and pyqtgraph window"
    seconds = statistics.median(taken["bare"])
    figures = [
        Figure("window visible", statistics.median(taken[VISIBLE]), base, seconds, 1.3, False),
        Figure("menus and panels in it", statistics.median(taken[READY]), base, seconds, 2, False),
    ]
    memory = json.loads(done.stdout.strip().splitlines()[-1])
    return {
        "figures": [figure.as_dict() for figure in figures],
        "torch_imported": not torch_free,
        "leak": {
            **memory,
            "openings": OPENINGS,
            "scrolls": SCROLLS,
            "allowed_bytes": ALLOWED_BYTES,
            "met": abs(memory["grown_bytes"]) <= ALLOWED_BYTES,
        },
    }


# ----------------------------------------------------------------- the children


def _tell(word: str) -> None:
    sys.stdout.write(f"{word} torch={'torch' in sys.modules}\n")
    sys.stdout.flush()


def _bare() -> None:
    """The least that a program of these libraries needs to show a window."""
    import pyqtgraph
    from PySide6.QtWidgets import QApplication, QMainWindow

    app = QApplication([])
    window = QMainWindow()
    window.setCentralWidget(pyqtgraph.GraphicsView())
    window.resize(1400, 900)
    window.show()
    app.processEvents()
    window.repaint()
    _tell(VISIBLE)


def _window() -> None:
    """Our own, as `sliceloop` opens it: until it stands, and until all is in it."""
    from desktop.start import empty_window, make_qt

    qt = make_qt()
    window = empty_window()
    window.show()
    qt.processEvents()
    window.repaint()
    _tell(VISIBLE)
    from desktop.app import Application

    application = Application(window=window)
    qt.processEvents()
    window.repaint()
    _tell(READY)
    application.close()


class _NoEngine:
    """In the place of the engine: opening alone is looked at."""

    def __init__(self, _post: object) -> None:
        pass

    def start(self) -> None:
        """Nothing to start."""

    def predict(self, request: object, volume: object) -> None:
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
    """The worker `start MODE`: one of the windows, or the look at memory."""
    {"bare": _bare, "window": _window, "memory": _memory}[words[1]]()
    return 0
