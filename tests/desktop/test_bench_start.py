"""`sliceloop bench start`: what it measures holds where a machine's load does not matter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.workers import worker_command
from desktop import bench_start
from tests.conftest import ROOT


def run(mode: str) -> str:
    done = subprocess.run(
        worker_command("start", mode),
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=280,
        check=True,
    )
    return done.stdout.strip().splitlines()[-1]


def test_the_window_stands_without_torch_and_without_the_database() -> None:
    assert run("window") == "READY torch=False"
    code = "import sys, desktop.app; print('sqlalchemy' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


def test_the_empty_window_needs_neither_numpy_nor_the_panels() -> None:
    code = (
        "import sys, desktop.start\n"
        "print([name for name in sys.modules if name == 'numpy' or name.startswith("
        "('desktop.panels', 'desktop.viewer', 'desktop.operations', 'core.imaging'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_thousand_scrolls_and_a_hundred_openings_leave_memory_where_it_was() -> None:
    import json

    memory = json.loads(run("memory"))
    assert abs(memory["grown_bytes"]) <= bench_start.ALLOWED_BYTES


@pytest.mark.slow
def test_the_first_answer_is_timed_from_outside_and_the_window_stays_free_of_torch(
    tmp_path: Path,
) -> None:
    taken, torch_free = bench_start._start("answer", tmp_path, str(bench_start._series(tmp_path)))
    assert set(taken) == {bench_start.ANSWERED} and torch_free
    bare, has_no_torch = bench_start._start("torch", tmp_path)
    assert set(bare) == {bench_start.ANSWERED} and not has_no_torch
