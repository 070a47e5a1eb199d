"""Forty levels of a full disk for exports, sets and checkpoints: a sentence, nothing half there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

CODE = """
import json, os, resource, signal, sys
from pathlib import Path
import torch
from core.errors import CoreError
from core.imaging.deidentified import export_series
from core.imaging.deidentify import site_key
from core.imaging.opening import open_path
from core.retraining import checkpoint
from core.retraining.building import build_from_table
from core.retraining.dataset import Dataset
from core.retraining.exporting import export_as
from core.sentences import sentence
from tests.core.imaging.dicom.make import write_series
from tests.core.retraining.making import request, small_dataset, table_of_patients

# A limit on file size stops the write at any byte that we choose, as a full disk does.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder, levels = Path(sys.argv[1]), int(sys.argv[2])
free = resource.RLIM_INFINITY
write_series(folder / "in", [0, 2])
table, _ = table_of_patients(folder / "source", 4, 2)
dataset = small_dataset(folder / "made")
series, key = open_path(folder / "in").series, site_key()
series[0].load()
place = folder / "run" / "last"
tensors = {"model": {"weight": torch.zeros(2000)}}
checkpoint.save(place, tensors, {"epoch": 0})
works = {
    "export": lambda out: export_series(series, out, key, form="dicom"),
    "set": lambda out: build_from_table(request(table, out)),
    "convert": lambda out: export_as(dataset, "csv", out),
    "checkpoint": lambda out: checkpoint.save(place, tensors, {"epoch": 1}),
}
refused, told, odd = {name: 0 for name in works}, set(), []
for level in range(levels):
    for name, work in works.items():
        out = folder / f"{name}-{level}"
        resource.setrlimit(resource.RLIMIT_FSIZE, (level * 240, free))
        try:
            work(out)
        except CoreError as error:
            refused[name] += 1
            told.add(type(error).__name__)
            resource.setrlimit(resource.RLIMIT_FSIZE, (free, free))
            str(sentence(error))
            if out.exists():
                odd.append(f"{out.name} is half there")
        except BaseException as error:
            resource.setrlimit(resource.RLIMIT_FSIZE, (free, free))
            odd.append(f"{name} {level}: {type(error).__name__} {error}")
        resource.setrlimit(resource.RLIMIT_FSIZE, (free, free))
        if checkpoint.load(place) is None:
            odd.append("no checkpoint")
left = [p.name for p in folder.iterdir() if p.name.endswith(".part")]
for name, work in works.items():
    work(folder / f"{name}-after")  # works again once there is space
print(json.dumps({"refused": refused, "told": sorted(told), "odd": odd, "left": left}))
"""


def fill(tmp_path: Path, levels: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path), str(levels)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["odd"] == []
    assert found["left"] == []
    assert found["told"] == ["NotDurableError"]
    assert all(count >= 1 for count in found["refused"].values())


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE is POSIX")


def test_a_few_levels(tmp_path: Path) -> None:
    fill(tmp_path, 3)


@pytest.mark.slow
def test_forty_levels(tmp_path: Path) -> None:
    fill(tmp_path, 40)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a mount of its own needs Linux")
def test_forty_levels_of_a_small_file_system_and_a_read_only_mount(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or os.getuid() != 0:
        pytest.skip("needs root for a mount that only this test sees")
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-m", "tests.core.retraining.filling", str(tmp_path),
         "40"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "unshare" in done.stderr:
        pytest.skip(f"mounts are not allowed here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    if "skip" in found:
        pytest.skip(found["skip"])
    assert found["wrong"] == []
    assert found["told"] == ["NotDurableError"]
    assert all(count >= 1 for count in found["refused"].values())
    assert found["read_only"] == len(found["refused"])
