"""A power cut at any moment: what was acknowledged is on the disk, whatever else is not."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import DamagedJournalError
from core.labels.journal import Journal
from tests.core.labels.power_cut import CALLS, File, replay

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

LABELLING = """
import os, sys
from core.labels.journal import Journal
from core.labels.labelling import Labelling
from tests.core.labels.support import HEMORRHAGE, SERIES
for run in range(2):
    with Journal(sys.argv[1]) as journal:
        connection = journal._store.engine.raw_connection()
        connection.driver_connection.execute("PRAGMA synchronous=" + sys.argv[2])
        connection.close()
        labelling = Labelling(journal, "kim")
        for index in range(3):
            for event in labelling.label(SERIES, index, ("hemorrhage", "no_hemorrhage")[run],
                                         label_set=HEMORRHAGE):
                os.write(1, f"{event.sequence} {event.digest}\\n".encode())
        for event in labelling.undo():
            os.write(1, f"{event.sequence} {event.digest}\\n".encode())
"""

Trace = tuple[str, Path]


def traced(folder: Path, synchronous: str) -> Trace:
    """System calls of two sessions of labelling, the making of the journal included."""
    log = folder.parent / f"{folder.name}.strace"
    done = subprocess.run(
        ["strace", "-f", "-xx", "-s", "100000", "-o", str(log), "-e", f"trace={CALLS}",
         sys.executable, "-c", LABELLING, str(folder / "labels.db"), synchronous],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if "ptrace" in done.stderr:
        pytest.skip(f"strace is not allowed to trace here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return log.read_text(), folder


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    return traced(tmp_path_factory.mktemp("traced"), "EXTRA")


def cut(trace: Trace, into: Path, every: int, states: int) -> int:
    """Cut the power after every n-th call; returns how many states were looked at."""
    text, folder = trace
    chance, looked = random.Random(4), 0
    for number, (disk, acknowledged) in enumerate(replay(text, folder)):
        if number % every:
            continue
        shares = [0.0, 1.0] + [chance.choice([0.2, 0.5, 0.8]) for _ in range(states)]
        for share in shares:
            state = disk.after_power_cut(chance, share)
            place = into / f"{number}-{looked}"
            for name, content in state.items():
                target = place / Path(name).relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            place.mkdir(parents=True, exist_ok=True)
            with Journal(place / "labels.db") as journal:  # recomputes the chain
                there = {f"{event.sequence} {event.digest}" for event in journal.events()}
            lost = set(acknowledged.splitlines()) - there
            assert not lost, f"after call {number}, share {share}"
            shutil.rmtree(place)
            looked += 1
    assert acknowledged.count("\n") == 8
    return looked


def test_an_acknowledged_label_survives_a_power_cut(trace: Trace, tmp_path: Path) -> None:
    assert cut(trace, tmp_path, every=9, states=1) > 30


@pytest.mark.slow
def test_a_power_cut_after_every_call(trace: Trace, tmp_path: Path) -> None:
    assert cut(trace, tmp_path, every=1, states=8) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL", "FULL"])
def test_less_flushing_would_lose_labels(tmp_path: Path, synchronous: str) -> None:
    # Shows that the tests above can fail, and why FULL is not enough (see sqlite_store).
    folder = tmp_path / "traced"
    folder.mkdir()
    weaker = traced(folder, synchronous)
    with pytest.raises((AssertionError, DamagedJournalError)):
        cut(weaker, tmp_path / "cut", every=1, states=4)


def test_the_model_of_a_disk_forgets_what_was_not_flushed() -> None:
    file = File()
    file.pending = [(0, b"a" * 1024)]
    assert file.after(lambda: False) == b""
    file.flush()
    file.pending = [(512, b"b" * 512), (2048, b"c")]
    assert file.after(lambda: False) == b"a" * 1024
    order = iter([False, True])
    assert file.after(lambda: next(order)) == b"a" * 1024 + b"\0" * 1024 + b"c"
