"""The entry point: exit codes, sentences instead of tracebacks, and nothing heavy imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from desktop import launch
from tests.conftest import ROOT


def sliceloop(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    clean.pop("QT_QPA_PLATFORM", None)
    return subprocess.run(
        [sys.executable, "-m", "desktop.launch", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env={**clean, **environment},
        check=False,
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have a screen")
def test_without_a_screen_the_window_says_so() -> None:
    done = sliceloop()
    assert done.returncode == 1
    assert "no screen" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_lists_the_window_the_demo_and_the_commands() -> None:
    done = sliceloop("--help")
    assert done.returncode == 0
    for word in ("PATH", "--profile", "demo", "info", "train", "models", "labels"):
        assert word in done.stdout
    assert "Not for diagnostic use" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("nothing-of-that-name",), 2, "nothing-of-that-name"),
        (("--profile",), 2, "--profile needs a folder"),
        (("info", "/no/such/folder"), 1, "does not exist"),
        (("/no/such/folder",), 1, "/no/such/folder"),
        (("head.dcm",), 1, "does not exist"),
        (("../head", "info"), 1, "../head"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    words: tuple[str, ...], code: int, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert launch.run(words) == code
    err = capfd.readouterr().err
    assert told in err
    assert "Traceback" not in err


def test_a_path_that_is_gone_is_told_before_a_window_opens(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert launch.show([tmp_path / "gone"]) == 1
    assert "does not exist" in capfd.readouterr().err


def test_the_profile_is_taken_off_the_front(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLICELOOP_HOME", "before")
    assert launch._take_profile(["--profile", str(tmp_path), "info", "x"]) == (["info", "x"], "")
    assert os.environ["SLICELOOP_HOME"] == str(tmp_path)
    assert launch._take_profile([f"--profile={tmp_path / 'b'}"]) == ([], "")
    assert os.environ["SLICELOOP_HOME"] == str(tmp_path / "b")


def test_a_defect_is_told_without_its_message(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], profile: Path
) -> None:
    def broken(_words: object) -> int:
        raise RuntimeError("DOE^JANE")

    monkeypatch.setattr(launch, "run", broken)
    assert launch.main() == 1
    err = capfd.readouterr().err
    assert "RuntimeError" in err and "JANE" not in err and "Traceback" not in err
    (report,) = (profile / "state" / "crashes").glob("*.txt")
    assert "JANE" not in report.read_text("utf-8") and str(report) in err


def test_nothing_heavy_is_imported_to_show_the_help() -> None:
    code = (
        "import sys, desktop.launch as launch; launch.run(['--version']);"
        "print([m for m in ('torch', 'PySide6', 'SimpleITK', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith("[]")
