"""Long runs: a disk that fills up, and two instances that write a thousand labels each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.labels.journal import Journal
from tests.core.labels.support import draft

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a mount of its own needs Linux")
def test_forty_levels_of_a_full_disk(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or os.getuid() != 0:
        pytest.skip("needs root for a mount that only this test sees")
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-m", "tests.core.labels.filling", str(tmp_path), "40"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "unshare" in done.stderr:
        pytest.skip(f"mounts are not allowed here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    if "skip" in found:
        pytest.skip(found["skip"])
    assert found["refused"] > 0
    assert all("full" in told and told.count("\n") == 0 for told in found["told"])


@pytest.mark.slow
def test_two_instances_of_a_thousand_labels_each(tmp_path: Path) -> None:
    # Past the lock, as on a share whose locks do not work: one file under two names.
    names = [tmp_path / "labels.db", tmp_path / "alias.db"]
    Journal(names[0]).close()
    os.link(*names)
    code = (
        "import sys; from core.labels.journal import Journal\n"
        "from tests.core.labels.support import draft\n"
        "with Journal(sys.argv[1]) as journal:\n"
        "    for n in range(1000): journal.append(draft(n), reader=sys.argv[2])\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(name), reader], cwd=ROOT)
        for name, reader in zip(names, ("kim", "lee"), strict=True)
    ]
    assert [process.wait() for process in running] == [0, 0]
    with Journal(names[0]) as journal:
        assert journal.verify().entries == 2000
        readers = [event.reader for event in journal.events()]
    assert (readers.count("kim"), readers.count("lee")) == (1000, 1000)


def test_a_backup_that_does_not_fit_keeps_nobody_from_labelling(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with Journal(path) as journal:
        journal.append(draft(), reader="kim")
        assert journal.backup_problem is None
    (tmp_path / "labels-backups").write_text("in the way")
    with Journal(path) as journal:
        assert journal.backup_problem is not None
        journal.append(draft(1), reader="kim")
        assert journal.verify().entries == 2
