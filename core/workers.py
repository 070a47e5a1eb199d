"""How a process of our own is started: from the source tree and from the bundle alike.

The one place that knows. In the bundle every process is the same executable; in the source tree
it is the running Python. Nothing heavy is imported here, and nothing of Qt.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

FLAG = "--worker"
"""First word after which the entry point runs a worker instead of a command or the window."""

WORKERS = {
    "train": "core.retraining.worker",
    "judge": "core.retraining.worker",
    "features": "core.retraining.worker",
    "foretell": "core.retraining.worker",
    "decode": "core.imaging.decoder_process",
    "load": "core.bench.load",
    "start": "desktop.bench_start",
    "steps": "desktop.bench_steps",
}
"""Worker → the module whose `main(words)` runs it; its words begin with the worker's name."""

LOW = 10
"""Niceness of processes that the window must not wait for; see nice(2)."""

LOWEST = 19
"""Niceness of a session that computes for long. Measured with two busy ones on two cores: work of
5 ms that was due every 20 ms took 13 ms at worst beside sessions of 5, 9 beside those of 19, as
alone."""

_ROOT = Path(__file__).resolve().parent.parent
_RUN = "import sys; sys.path.insert(0, sys.argv[1]); from {module} import {name}; sys.exit({call})"


def is_bundle() -> bool:
    """Whether this program runs from an installed bundle instead of a Python environment."""
    return bool(getattr(sys, "frozen", False))


def executable() -> str:
    """The console executable of the bundle, or the running Python.

    The bundle's windowed executable has no standard streams on Windows; its console twin lies
    beside it.
    """
    own = Path(sys.executable)
    if is_bundle() and own.stem == "sliceloopw":
        return str(own.with_name(f"sliceloop{own.suffix}"))
    return str(own)


def program_command(*words: str) -> list[str]:
    """Command line that runs `sliceloop WORDS` as a process of its own, wherever it is started."""
    if is_bundle():
        return [executable(), *words]
    code = _RUN.format(module="desktop.launch", name="run", call="run(sys.argv[2:])")
    return [executable(), "-c", code, str(_ROOT), *words]


def worker_command(name: str, *words: str) -> list[str]:
    """Command line that starts a worker process. Raises KeyError if there is none of that name."""
    module = WORKERS[name]
    if is_bundle():
        return [executable(), FLAG, name, *words]
    code = _RUN.format(module=module, name="main", call="main(sys.argv[2:])")
    return [executable(), "-c", code, str(_ROOT), name, *words]


SLIGHT = 5
"""Niceness of decoders, process and session: they get a third of what the window gets, if it wants
all. Measured on two cores: the visible slice's answer came 23 ms after the slice while the rest of
the series was decoded, 54 ms with decoders of 0, 22 with those of 19, which would starve beside
any other program that wants all cores."""


def let_the_window_go_first(process: int = LOW, session: int = LOWEST) -> None:
    """Lower the priority of the running process: whoever reads a series must not wait for it.

    process, session: its niceness, and that of its session where it has one of its own. Where
    nothing else wants the cores it is as fast as before.
    """
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        return
    os.nice(max(process - os.nice(0), 0))
    if sys.platform == "linux" and os.getsid(0) == os.getpid():
        # Linux shares the cores between sessions first (sched(7), autogroup): within a session of
        # its own a process's niceness means nothing to the window, the session's does.
        with contextlib.suppress(OSError):  # not every kernel has it
            Path("/proc/self/autogroup").write_text(str(session), "ascii")


def let_the_drawing_thread_go_first() -> None:
    """Lower the priority of the running thread within its process, and of those that it starts.

    Linux alone has priorities of threads without special rights; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(LOW, os.getpriority(os.PRIO_PROCESS, thread)))


def run_worker(words: Sequence[str]) -> int:
    """Run the worker that the words name; returns its exit code, 2 if there is none."""
    if not words or words[0] not in WORKERS:
        sys.stderr.write(f"sliceloop {FLAG}: unknown worker\n")
        return 2
    main: Callable[[list[str]], int] = importlib.import_module(WORKERS[words[0]]).main
    return main(list(words))
