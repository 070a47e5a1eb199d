"""A build that is killed at any moment leaves a whole set or none."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.retraining.building import build_from_table
from core.retraining.dataset import Dataset
from tests.core.retraining.making import request, table_of_patients

CHILD = """
import sys
from pathlib import Path
from tests.core.retraining.making import request
from core.retraining.building import build_from_table
print("ready", flush=True)
sys.stdin.readline()
build_from_table(request(Path(sys.argv[1]), Path(sys.argv[2])))
print("done", flush=True)
sys.stdin.readline()
"""


def start(table: Path, out: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(table), str(out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert child.stdout.readline() == "ready\n"
    return child


def go(child: subprocess.Popen[str]) -> float:
    """Let it build to its end; returns how long that took."""
    began = time.perf_counter()
    child.stdin.write("go\n")
    child.stdin.flush()
    assert child.stdout.readline() == "done\n"
    return time.perf_counter() - began


def end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()


def killed_builds(tmp_path: Path, times: int) -> None:
    table, _ = table_of_patients(tmp_path / "source", 10, 6)
    child = start(table, tmp_path / "measured")
    duration = go(child)
    end(child)
    expected = Dataset.open(tmp_path / "measured").manifest.id
    moments = random.Random(7)
    out = tmp_path / "set"
    for _ in range(times):
        child = start(table, out)
        child.stdin.write("go\n")
        child.stdin.flush()
        time.sleep(moments.uniform(0, 1.1 * duration))  # the moment of death is the test
        end(child)
        if out.exists():
            dataset = Dataset.open(out)
            dataset.verify()
            assert dataset.manifest.id == expected
            out.rename(tmp_path / f"whole {time.monotonic_ns()}")
    build_from_table(request(table, out))
    assert Dataset.open(out).manifest.id == expected
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_three_kills(tmp_path: Path) -> None:
    killed_builds(tmp_path, 3)


@pytest.mark.slow
def test_two_hundred_kills(tmp_path: Path) -> None:
    killed_builds(tmp_path, 200)
