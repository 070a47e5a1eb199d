"""The preflight: what Qt lacks is installed by root, told to anybody else, and never guessed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from core.errors import MissingSystemLibraryError
from core.sentences import sentence
from desktop import system_libraries

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="about Linux libraries")


def lacking(needed: dict[str, str]) -> dict[str, str]:
    return {name: package for name, package in needed.items() if name == "libEGL.so.1"}


@linux
def test_nothing_happens_where_nothing_is_missing(capfd: pytest.CaptureFixture[str]) -> None:
    system_libraries.ensure(lambda needed: {})
    assert capfd.readouterr() == ("", "")


@linux
def test_a_library_that_does_not_exist_is_missing_and_one_that_does_is_not() -> None:
    found = system_libraries.missing({"libc.so.6": "libc6", "libnowhere.so.9": "libnowhere9"})
    assert found == {"libnowhere.so.9": "libnowhere9"}


@linux
def test_a_person_without_root_is_told_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(system_libraries.shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(MissingSystemLibraryError) as caught:
        system_libraries.ensure(lacking)
    told = str(sentence(caught.value))
    assert "libEGL.so.1" in told
    assert "sudo apt-get install -y libegl1" in told


@linux
def test_without_apt_no_command_is_invented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_libraries.shutil, "which", lambda name: None)
    with pytest.raises(MissingSystemLibraryError) as caught:
        system_libraries.ensure(lacking)
    assert "apt-get" not in str(sentence(caught.value))


def _apt(folder: Path, script: str) -> str:
    path = folder / "apt-get"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@linux
def test_root_installs_once_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    apt = _apt(tmp_path, f'echo "$@" >> {log}')
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(system_libraries.shutil, "which", lambda name: apt)
    system_libraries.ensure(lambda needed: {} if log.exists() else lacking(needed))
    assert log.read_text().splitlines() == [
        "update -q",
        "install -q -y --no-install-recommends libegl1",
    ]
    assert capfd.readouterr().err == "sliceloop: Installing what the window needs: libegl1.\n"


@linux
def test_a_failed_installation_gives_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    apt = _apt(tmp_path, 'echo "E: Unable to locate package libegl1" >&2; exit 100')
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(system_libraries.shutil, "which", lambda name: apt)
    with pytest.raises(MissingSystemLibraryError) as caught:
        system_libraries.ensure(lacking)
    assert "Unable to locate package libegl1" in str(sentence(caught.value))
    assert "Installing" in capfd.readouterr().err


@linux
@pytest.mark.parametrize(
    ("display", "platform", "asked"),
    [(":0", "", True), ("", "", False), (":0", "offscreen", False)],
)
def test_what_only_a_screen_needs_is_asked_for_only_on_a_screen(
    monkeypatch: pytest.MonkeyPatch, display: str, platform: str, asked: bool
) -> None:
    for name, value in (("DISPLAY", display), ("QT_QPA_PLATFORM", platform)):
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name, raising=False)
    seen: dict[str, str] = {}
    system_libraries.ensure(lambda needed: seen.update(needed) or {})
    assert ("libxcb-cursor.so.0" in seen) is asked


def test_the_preflight_imports_no_qt() -> None:
    import subprocess

    code = "import sys, desktop.system_libraries; print([n for n in sys.modules if 'PySide6' in n])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"


@linux
def test_an_installed_bundle_installs_nothing_even_for_root(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    apt = _apt(tmp_path, f"touch {tmp_path}/was-run")
    monkeypatch.setattr(system_libraries.shutil, "which", lambda name: apt)
    with pytest.raises(MissingSystemLibraryError):
        system_libraries.ensure(lacking)
    assert not (tmp_path / "was-run").exists()
