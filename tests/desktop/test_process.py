"""The real application in a process of its own: no torch, no socket, no label lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import no_network
from tests.conftest import ROOT

PATIENCE = 160.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures that open as one series."""
    place = tmp_path / "series"
    place.mkdir()
    random = np.random.default_rng(0)
    for number in range(5):
        picture = random.integers(0, 255, (48, 48), np.uint8)
        Image.fromarray(picture).save(place / f"slice_{number}.png")
    return place


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models with one small real network, made in a process of its own."""
    place = tmp_path / "weights"
    code = (
        "from pathlib import Path; from tests.core.models.making import make_model;"
        f"make_model(Path({str(place / 'small')!r}))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=PATIENCE)
    return place


class Running:
    """A driver process and the lines that it says; no socket may be opened by it or its engine."""

    def __init__(self, *words: object) -> None:
        offline = [sys.executable, "-m", "tests.no_network"] if no_network.is_possible() else []
        self.process = subprocess.Popen(
            [*offline, sys.executable, "-m", "tests.desktop.driver", *map(str, words)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1"},
        )

    def until(self, start: str) -> str:
        """The first line that begins so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(start):
                return line.strip()
        assert self.process.stderr is not None
        pytest.fail(f"“{start}” was never said:\n{self.process.stderr.read()}")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def run() -> Iterator[object]:
    """Starts drivers; ends what still runs."""
    started: list[Running] = []

    def start(*words: object) -> Running:
        started.append(Running(*words))
        return started[-1]

    yield start
    for item in started:
        item.close()


def test_a_label_survives_sigkill_right_after_it_is_acknowledged(
    folder: Path, run: type[Running]
) -> None:
    first = run("label", folder)
    first.until("ACKNOWLEDGED")
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait(PATIENCE)
    second = run("read", folder)
    assert second.until("LABEL") == "LABEL hemorrhage"
    assert second.until("TICK") == "TICK True"
    assert second.process.wait(PATIENCE) == 0


def test_window_and_engine_open_no_socket_and_the_window_imports_no_torch(
    folder: Path, models: Path, run: type[Running]
) -> None:
    asked = run("ask", folder, models)
    assert asked.until("SHOWN") == "SHOWN torch=False"
    assert asked.until("ANSWERED") == "ANSWERED 5 torch=False"
    assert asked.process.wait(PATIENCE) == 0
