"""The suite's own strictness: a profile of its own for each test, and nothing left behind.

Every test runs in a profile under its `tmp_path`; afterwards there must be no new thread, no
child process, no window, no unexpected log record and nothing written into the source tree.
Nothing here imports torch or Qt: a test that needs neither pays for neither.
"""

from __future__ import annotations

import gc
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import psutil
import pytest
from hypothesis import settings

from core.errors import MissingSystemLibraryError
from core.sentences import sentence
from desktop.system_libraries import ensure

os.environ["QT_QPA_PLATFORM"] = "offscreen"  # before anything imports Qt
os.environ.setdefault("MPLBACKEND", "Agg")
try:
    ensure()  # here, not in a hook: the conftest of a subfolder may import Qt before any hook runs
except MissingSystemLibraryError as missing:
    raise SystemExit(f"pytest: {sentence(missing)}") from None

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
GRACE_SECONDS = 5.0
"""How long a thread or process that is already ending may take on a loaded machine."""

RESIDENT = ("multiprocessing.resource_tracker", "core.imaging.decoder_process")
"""Helpers of this process that a later test uses again."""

# No database: it would be written into the source tree. No deadline: the machine may be busy.
settings.register_profile("house", database=None, deadline=None)
settings.load_profile("house")


# ----------------------------------------------------------------- what tests may use


@pytest.fixture(autouse=True)
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh profile folder: settings, data, state and cache of this test alone."""
    folder = tmp_path / "profile"
    monkeypatch.setenv("SLICELOOP_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real public data beside the source tree; skips where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data of ../shared/data is not on this machine")
    return SHARED_DATA


AllowLogs = Callable[[str], None]


@pytest.fixture
def allow_logs(_no_unexpected_logs: list[re.Pattern[str]]) -> AllowLogs:
    """Call it with a regular expression: matching records at WARNING and above are expected."""
    return lambda pattern: _no_unexpected_logs.append(re.compile(pattern))


# ----------------------------------------------------------------- nothing is left behind


class _Recorder(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def _no_unexpected_logs() -> Iterator[list[re.Pattern[str]]]:
    allowed: list[re.Pattern[str]] = []
    recorder = _Recorder()
    logging.getLogger().addHandler(recorder)
    try:
        yield allowed
    finally:
        logging.getLogger().removeHandler(recorder)
    unexpected = [
        f"{record.levelname} {record.name}: {record.getMessage()}"
        for record in recorder.records
        if not any(pattern.search(record.getMessage()) for pattern in allowed)
    ]
    if unexpected:
        pytest.fail("unexpected log records:\n" + "\n".join(unexpected), pytrace=False)


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and not t.daemon]
    for thread in left:
        thread.join(GRACE_SECONDS)
    alive = [thread.name for thread in left if thread.is_alive()]
    if alive:
        pytest.fail(f"threads left running: {alive}", pytrace=False)


def _children() -> set[psutil.Process]:
    """Child processes, without those that stay warm by design and end with us."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        try:
            if not any(name in " ".join(child.cmdline()) for name in RESIDENT):
                found.add(child)
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            found.add(child)
    return found


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    before = _children()
    yield
    left = _children() - before
    if not left:
        return
    _, alive = psutil.wait_procs(left, timeout=GRACE_SECONDS)
    alive = [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    if alive:
        told = [(p.pid, p.name()) for p in alive]
        for process in alive:
            process.kill()
        pytest.fail(f"child processes left running: {told}", pytrace=False)


def _windows() -> dict[int, Any]:
    """Top-level Qt widgets by address; empty where nothing has imported Qt."""
    widgets = sys.modules.get("PySide6.QtWidgets")
    application = widgets.QApplication.instance() if widgets else None
    if widgets is None or not isinstance(application, widgets.QApplication):
        return {}
    import shiboken6

    return {
        shiboken6.getCppPointer(widget)[0]: widget
        for widget in widgets.QApplication.topLevelWidgets()
        if widget.metaObject().className() != "QTipLabel"  # Qt's own tool tip, one for ever
    }


@pytest.fixture(autouse=True)
def _no_window_left() -> Iterator[None]:
    before = set(_windows())
    yield
    if not set(_windows()) - before:
        return
    from PySide6.QtCore import QCoreApplication, QEvent

    # Outside an event loop Qt keeps deleteLater() waiting, and Python keeps cycles.
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    left = {address: widget for address, widget in _windows().items() if address not in before}
    if left:
        told = [f"{type(w).__name__} “{w.windowTitle()}”" for w in left.values()]
        for widget in left.values():
            widget.close()
            widget.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        pytest.fail(f"windows left alive: {told}", pytrace=False)


class _SourceTreeGuard:
    """Remembers what this process writes into the source tree.

    An audit hook rather than a comparison of the tree before and after: it costs nothing to
    speak of, names the path, and does not mind an editor at work on the same tree. What child
    processes write is caught by `.ci/run`, which compares `git status` before and after.
    """

    TOLERATED = frozenset({"__pycache__", ".pytest_cache", ".hypothesis", ".git", ".venv"})
    WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    CHANGING = frozenset({"os.mkdir", "os.rename", "os.remove", "os.rmdir", "sqlite3.connect"})

    def __init__(self, root: Path) -> None:
        self.root = str(root) + os.sep
        self.written: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(flags, int) or not flags & self.WRITING:
                return
        elif event in self.CHANGING:
            path = arguments[0]
            if event != "os.rename" and isinstance(arguments[-1], int) and arguments[-1] >= 0:
                return  # relative to an open folder, as shutil.rmtree does it: not ours to resolve
        else:
            return
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, (str, os.PathLike)):
            return
        if event == "sqlite3.connect" and str(path).startswith("file:"):
            path = url2pathname(urlsplit(str(path)).path)  # SQLite's own way to say read-only
        full = os.path.abspath(path)  # noqa: PTH100 - cheap, and no file-system access
        if full.startswith(self.root) and self.TOLERATED.isdisjoint(Path(full).parts):
            self.written.append(full)


_guard = _SourceTreeGuard(ROOT)
sys.addaudithook(_guard)


@pytest.fixture(autouse=True)
def _source_tree_untouched() -> Iterator[None]:
    _guard.written.clear()
    yield
    if _guard.written:
        pytest.fail(f"written into the source tree: {sorted(set(_guard.written))}", pytrace=False)
