"""A power cut at any moment: what was acknowledged is on the disk, whatever else is not."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import DamagedJournalError
from core.labels import backups
from core.labels.journal import Journal
from tests.core.labels.power_cut import CALLS, File, content_of, replay
from tests.core.labels.support import draft

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


@dataclass(frozen=True)
class Trace:
    """System calls of a run, and what its folder held before."""

    text: str
    folder: Path
    before: dict[str, bytes]

    def cuts(self, into: Path, every: int, states: int) -> Iterator[tuple[Path, set[str], str]]:
        """Folders as power cuts after every n-th call leave them: (folder, acknowledged, when)."""
        chance, looked = random.Random(4), 0
        moments = replay(self.text, self.folder, self.before)
        for number, (disk, acknowledged) in enumerate(moments):
            if number % every:
                continue
            for share in (0.0, 1.0, *(chance.choice([0.2, 0.5, 0.8]) for _ in range(states))):
                place = into / f"{number}-{looked}"
                place.mkdir(parents=True)
                for name, content in disk.after_power_cut(chance, share).items():
                    target = place / Path(name).relative_to(self.folder)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
                yield place, set(acknowledged.splitlines()), f"after call {number}, share {share}"
                shutil.rmtree(place)
                looked += 1


def traced(folder: Path, code: str, *arguments: str) -> Trace:
    """Run Python code under strace."""
    before = content_of(folder)
    log = folder.parent / f"{folder.name}.strace"
    done = subprocess.run(
        ["strace", "-f", "-xx", "-s", "100000", "-o", str(log), "-e", f"trace={CALLS}",
         sys.executable, "-c", code, str(folder / "labels.db"), *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "ptrace" in done.stderr:
        pytest.skip(f"strace is not allowed to trace here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return Trace(log.read_text(), folder, before)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """Two sessions of labelling, the making of the journal included."""
    return traced(tmp_path_factory.mktemp("traced"), LABELLING, "EXTRA")


def nothing_is_lost(trace: Trace, into: Path, every: int, states: int) -> int:
    """Law: what was acknowledged is there. Returns how many states were looked at."""
    looked = 0
    for place, acknowledged, when in trace.cuts(into, every, states):
        with Journal(place / "labels.db") as journal:  # recomputes the chain
            there = {f"{event.sequence} {event.digest}" for event in journal.events()}
        assert acknowledged <= there, when
        looked += 1
    return looked


def test_an_acknowledged_label_survives_a_power_cut(trace: Trace, tmp_path: Path) -> None:
    assert nothing_is_lost(trace, tmp_path, every=9, states=1) > 30


@pytest.mark.slow
def test_a_power_cut_after_every_call(trace: Trace, tmp_path: Path) -> None:
    assert nothing_is_lost(trace, tmp_path, every=1, states=8) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL", "FULL"])
def test_less_flushing_would_lose_labels(tmp_path: Path, synchronous: str) -> None:
    # Shows that the tests above can fail, and why FULL is not enough (see sqlite_store).
    folder = tmp_path / "traced"
    folder.mkdir()
    weaker = traced(folder, LABELLING, synchronous)
    with pytest.raises((AssertionError, DamagedJournalError)):
        nothing_is_lost(weaker, tmp_path / "cut", every=1, states=4)


RESTORING = """
import datetime, pathlib, sys
from core.labels import backups
backups.restore(pathlib.Path(sys.argv[1]), datetime.datetime.now(datetime.UTC))
"""


def test_a_power_cut_while_restoring_never_hides_a_loss(tmp_path: Path) -> None:
    folder = tmp_path / "traced"
    with Journal(folder / "labels.db") as journal:
        journal.append_many([draft(n) for n in range(4)], reader="kim")
    with Journal(folder / "labels.db") as journal:  # makes a backup
        journal.append(draft(4), reader="kim")
        expected = journal.events()
    damaged = bytearray((folder / "labels.db").read_bytes())
    damaged[damaged.index(b"entries_never_go")] ^= 1  # the entries themselves are sound
    (folder / "labels.db").write_bytes(damaged)
    looked = 0
    trace = traced(folder, RESTORING)
    for place, _, when in trace.cuts(tmp_path / "cut", every=2, states=1):
        path = place / "labels.db"
        try:
            with Journal(path) as journal:
                assert journal.events() == expected, when
        except DamagedJournalError:
            backups.restore(path, datetime.now(UTC))
            with Journal(path) as journal:
                assert journal.events() == expected, when
        looked += 1
    assert looked > 20


def test_the_model_of_a_disk_forgets_what_was_not_flushed() -> None:
    file = File()
    file.pending = [(0, b"a" * 1024)]
    assert file.after(lambda: False) == b""
    file.flush()
    file.pending = [(512, b"b" * 512), (2048, b"c")]
    assert file.after(lambda: False) == b"a" * 1024
    order = iter([False, True])
    assert file.after(lambda: next(order)) == b"a" * 1024 + b"\0" * 1024 + b"c"
