"""SIGKILL at random points of labelling: no acknowledged label is lost, no step is torn."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")


def kill(place: str, times: int, seed: int) -> None:
    """Kill labelling children, and look at what is left."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.labels.kennel", place, str(times), str(seed)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] == times
    assert found["lost"] == []
    assert found["torn"] == []
    assert found["entries"] >= found["acknowledged"] >= times / 2


def test_no_acknowledged_label_is_lost_in_two_hundred_kills(tmp_path: Path) -> None:
    kill(str(tmp_path / "labels.db"), times=200, seed=11)


@pytest.mark.slow
def test_a_thousand_kills(tmp_path: Path) -> None:
    kill(str(tmp_path / "labels.db"), times=1000, seed=12)
