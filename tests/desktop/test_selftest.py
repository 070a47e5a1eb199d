"""`sliceloop --selftest`: its table and exit code; all of it, really done, is slow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.selftest.checking import Check, CheckFailedError
from desktop import launch, selftest


def _broken() -> str:
    raise CheckFailedError("it is missing")


@pytest.mark.parametrize(("run", "code"), [(lambda: "found", 0), (_broken, 1)])
def test_the_exit_code_says_whether_all_passed(
    run: object, code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = os.environ["SLICELOOP_HOME"]
    inside: list[str] = []

    def checks(_folder: Path, _loop: object) -> list[Check]:
        inside.append(os.environ["SLICELOOP_HOME"])
        return [Check("one", run), Check("two", lambda: "also", ["one"])]  # type: ignore[arg-type]

    monkeypatch.setattr(selftest, "checks", checks)
    assert launch.run(["--selftest"]) == code
    out = capfd.readouterr().out
    assert ("2 of 2 checks" if code == 0 else "0 of 2 checks") in out
    assert ("it is missing" in out) == bool(code)
    # In a profile of its own, which is gone; the person's is as it was.
    assert inside[0] != before and not Path(inside[0]).exists()
    assert os.environ["SLICELOOP_HOME"] == before


def test_the_window_stands_and_leaves_nothing(qapp: object, profile: Path) -> None:
    assert "on offscreen" in selftest.check_window()


def test_translations_and_fonts_are_whole(qapp: object) -> None:
    assert "한국어" in selftest.check_translations()
    assert "NanumGothic" in selftest.check_fonts()


@pytest.mark.slow
def test_everything_that_is_promised_is_done(capfd: pytest.CaptureFixture[str]) -> None:
    assert launch.run(["--selftest"]) == 0, capfd.readouterr().out
