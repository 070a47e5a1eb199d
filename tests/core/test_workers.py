"""Processes of our own are started in one way, from the source tree and from the bundle."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core import workers
from desktop import launch


def test_every_worker_has_a_main() -> None:
    for name, module in workers.WORKERS.items():
        if name != "start":  # imports Qt: the bench's own tests run it
            assert callable(importlib.import_module(module).main)


def test_a_worker_starts_wherever_it_is_called(tmp_path: Path) -> None:
    command = workers.worker_command("judge", str(tmp_path / "no-run"))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no-run" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="niceness is another thing on Windows")
def test_what_works_beside_the_window_lets_it_go_first() -> None:
    code = (
        "import os; from core.workers import LOW, let_the_window_go_first as yield_\n"
        "yield_(); yield_(); print(os.nice(0) >= LOW, os.nice(0) <= max(LOW, int(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}", str(os.nice(0))],
        cwd=workers._ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "True"]


@pytest.mark.parametrize("own_session", [True, False])
def test_a_session_of_its_own_lets_the_window_go_first_as_a_whole(own_session: bool) -> None:
    code = (
        "from core.workers import let_the_window_go_first as yield_; from pathlib import Path\n"
        "def group(): return Path('/proc/self/autogroup').read_text().strip()\n"
        "before = group(); yield_(); print(before); print(group())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=workers._ROOT,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=own_session,
    )
    if done.returncode:
        assert "FileNotFoundError" in done.stderr and "autogroup" in done.stderr, done.stderr
        pytest.skip("this kernel does not group by session")
    before, after = done.stdout.split("\n")[:2]
    if own_session and after:
        assert int(after.split()[-1]) == workers.LOWEST
    else:  # in the window's session it must not be touched: that would make the window wait
        assert after == before  # both empty where this session was never grouped (the first one)


def test_the_program_starts_wherever_it_is_called(tmp_path: Path) -> None:
    command = workers.program_command("--version")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "sliceloop" in done.stdout


def test_in_the_bundle_every_process_is_the_console_executable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    for own in ("sliceloop", "sliceloopw"):
        monkeypatch.setattr(sys, "executable", str(tmp_path / own))
        console = str(tmp_path / "sliceloop")
        assert workers.worker_command("train", "run") == [console, "--worker", "train", "run"]
        assert workers.program_command("demo") == [console, "demo"]


def test_an_unknown_worker_is_wrong_usage(capfd: pytest.CaptureFixture[str]) -> None:
    assert launch.run([workers.FLAG, "nothing"]) == 2
    assert launch.run([workers.FLAG]) == 2
    assert "unknown worker" in capfd.readouterr().err
    with pytest.raises(KeyError):
        workers.worker_command("nothing")
