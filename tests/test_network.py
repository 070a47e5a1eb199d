"""Nothing is sent and nothing is listened on: whoever opened a socket would be ended by the kernel.

The window with its engine runs under the same filter in `tests/desktop/test_process.py`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.retraining.protocol import RunFolder, TrainingRequest, start_training
from tests import no_network
from tests.conftest import ROOT
from tests.core.imaging.dicom.make import write_series
from tests.core.retraining.making import small_dataset
from tests.core.retraining.test_trainer import _recipe

pytestmark = pytest.mark.skipif(
    not no_network.is_possible(), reason="needs seccomp: Linux on x86-64 or AArch64"
)


def offline(*words: object, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
    """Run a program of which no process may open an internet socket, or listen on any."""
    clean = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.run(
        [sys.executable, "-m", "tests.no_network", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env={**clean, "PYTHONPATH": str(ROOT)},
    )


OPENS = {
    "internet": "socket.socket()",
    "internet, version 6": "socket.socket(socket.AF_INET6)",
    "listening on this computer": "s = socket.socket(socket.AF_UNIX); s.bind('x'); s.listen()",
    "in a thread": "t = threading.Thread(target=socket.socket); t.start(); t.join()",
    "in a child": (
        "c = subprocess.run([sys.executable, '-c', 'import socket; socket.socket()']);"
        "os.kill(os.getpid(), -c.returncode)"
    ),
}


@pytest.mark.parametrize("how", OPENS)
def test_the_filter_ends_whoever_opens_a_socket(how: str, tmp_path: Path) -> None:
    code = f"import os, socket, subprocess, sys, threading; os.chdir({str(tmp_path)!r}); "
    done = offline(sys.executable, "-c", code + OPENS[how])
    assert done.returncode == -signal.SIGSYS, done.stderr


def test_the_filter_leaves_pipes_between_processes() -> None:
    code = "import socket, multiprocessing as m; socket.socketpair(); m.Pipe(); print('fine')"
    assert offline(sys.executable, "-c", code).stdout == "fine\n"


def test_a_trainer_opens_no_socket(tmp_path: Path) -> None:
    request = TrainingRequest(
        recipe=str(_recipe(tmp_path)), data=small_dataset(tmp_path / "made").folder
    )
    done: list[subprocess.CompletedProcess[str]] = []

    def launch(command: list[str], _log: Path) -> int:
        done.append(offline(*command))
        return 0

    start_training(request, tmp_path / "run", launch=launch)
    assert done[0].returncode == 0, done[0].stderr
    assert RunFolder(tmp_path / "run").state == "finished"


@pytest.mark.slow
def test_the_whole_loop_opens_no_socket(tmp_path: Path) -> None:
    """Window, engine, trainer, comparison, promotion: as `sliceloop demo` walks it."""
    words = ("-m", "desktop.launch", "demo", "--shots", tmp_path / "shots")
    done = offline(sys.executable, *words, timeout=900)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "shots" / "summary.json").read_text("utf-8"))
    assert summary["changes_of_the_active_model"], "it went all the way"


@pytest.mark.slow
def test_the_self_test_opens_no_socket() -> None:
    done = offline(sys.executable, "-m", "desktop.launch", "--selftest", timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_line_opens_no_socket(tmp_path: Path) -> None:
    write_series(tmp_path / "study", [0, 5, 10])
    for words in (("info", tmp_path / "study", "--json"), ("models", "list"), ("labels", "list")):
        done = offline(sys.executable, "-m", "desktop.launch", *words)
        assert done.returncode == 0, done.stderr
