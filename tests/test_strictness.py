"""The suite's own strictness works: what leaks is caught, what behaves passes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PROBE = """
import logging, subprocess, sys, threading, warnings
from pathlib import Path

import pytest
import tests.conftest as house

house.GRACE_SECONDS = 0.1
kept = []


def test_good(profile, qtbot, allow_logs):
    from PySide6.QtWidgets import QMainWindow
    from core import places

    assert places.data_folder().is_relative_to(profile)
    allow_logs("expected")
    logging.getLogger("core").warning("expected")
    window = QMainWindow()
    qtbot.addWidget(window)
    window.show()
    thread = threading.Thread(target=lambda: None)
    thread.start()
    subprocess.run([sys.executable, "-c", ""], check=True)


def test_bad_log():
    logging.getLogger("core").warning("unexpected")


def test_bad_thread():
    event = threading.Event()
    kept.append(event)
    threading.Thread(target=event.wait).start()


def test_good_after_thread():
    kept.pop().set()


def test_bad_process():
    kept.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))


def test_good_after_process():
    kept.pop().wait()


def test_bad_window(qapp):
    from PySide6.QtWidgets import QWidget

    kept.append(QWidget())


def test_good_after_window():
    kept.clear()


def test_bad_write():
    with pytest.raises(FileNotFoundError):
        (house.ROOT / "nowhere" / "file").write_text("")


def test_bad_warning():
    warnings.warn("unexpected", stacklevel=1)


def test_bad_qt_message(qapp):
    from PySide6.QtCore import qWarning

    qWarning("unexpected")
"""


def test_what_leaks_is_caught_and_what_behaves_passes(tmp_path: Path) -> None:
    probe = tmp_path / "test_probe.py"
    probe.write_text(PROBE)
    words = ["-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *words, str(probe)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    bad = {line.split("::")[1].split(" ")[0] for line in done.stdout.splitlines() if _is_bad(line)}
    told = {name for name in PROBE.split() if name.startswith("test_bad")}
    assert bad == {name.split("(")[0] for name in told}, done.stdout[-4000:]


def _is_bad(line: str) -> bool:
    return line.startswith(("FAILED ", "ERROR ")) and "::" in line


def test_real_data_is_looked_for_beside_the_source_tree(
    request: pytest.FixtureRequest,
) -> None:
    try:
        folder = request.getfixturevalue("shared_data")
    except pytest.skip.Exception as skipped:
        assert "../shared/data" in str(skipped)
    else:
        assert folder == ROOT.parent / "shared" / "data"
