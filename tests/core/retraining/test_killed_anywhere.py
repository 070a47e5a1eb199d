"""SIGKILL at random points of training, promotion and export: complete, or as it was before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")


def kill(what: str, folder: Path, times: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.retraining.kennel", what, str(folder), str(times), "3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def check(what: str, folder: Path, times: int) -> None:
    found = kill(what, folder, times)
    if what == "train":
        assert found["finished"]
        assert found["damaged"] == 0
        assert found["problems"] == []
        assert found["same_as_uninterrupted"]
        assert found["left"] == []
    else:
        assert found["kills"] == times
        assert found["wrong"] == []


@pytest.mark.parametrize(("what", "times"), [("train", 3), ("promote", 6), ("export", 4)])
def test_a_few_kills(tmp_path: Path, what: str, times: int) -> None:
    check(what, tmp_path, times)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["train", "promote", "export"])
def test_two_hundred_kills(tmp_path: Path, what: str) -> None:
    check(what, tmp_path, 200)
