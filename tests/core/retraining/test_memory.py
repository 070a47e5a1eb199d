"""A set of 100,000 slices trains in little memory: nothing holds the whole of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from core.retraining.manifest import Provenance
from core.retraining.prepared import PreparedFile
from core.retraining.snapshot import SliceFacts, SnapshotWriter, Target

SLICES, PATIENTS, SIDE = 100_000, 1000, 32
ALLOWED = 2 * 1024**3

_CHILD = """
import resource, sys
from pathlib import Path
from core.retraining.protocol import RunFolder, TrainingRequest
from core.retraining.trainer import train_in_folder

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def train(name, data):
    run = RunFolder(Path(sys.argv[1]) / name)
    settings = {
        "network.family": "plain-cnn", "network.pretrained": False, "network.frozen_stages": 0,
        "network.frozen_norm": False, "preprocessing.size": 64, "stopping.epochs": 2,
        "sampling.slices_per_epoch": 2048,
    }
    run.create(TrainingRequest(recipe="recommended", data=Path(data), settings=settings))
    assert train_in_folder(run.path) == 0

train("small", sys.argv[2])
before = peak()
train("large", sys.argv[3])
print(peak() - before)
"""


def made(folder: Path, slices: int) -> Path:
    """Grainy pictures, a bright spot where the finding is; 100 slices a patient."""
    random = np.random.default_rng(0)
    parts = {f"p{k}": {1: "validation", 2: "test"}.get(k % 40, "train") for k in range(PATIENTS)}
    with SnapshotWriter(folder, Target(("no_spot", "spot"), "spot")) as writer:
        for number in range(slices):
            patient = number * (PATIENTS if slices == SLICES else 8) // slices
            pixels = random.integers(0, 160, (SIDE, SIDE), dtype=np.uint8)
            label = number % 2
            if label:
                pixels[10:20, 10:20] = 255
            key = f"s{number}"
            writer.add(SliceFacts(key, f"p{patient}", f"p{patient}", label, key), pixels)
        writer.publish(Provenance(source="import", digest="made"), parts)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_slices_train_within_two_gigabytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    monkeypatch.setenv("SLICELOOP_HOME", str(tmp_path / "profile"))
    small, large = made(tmp_path / "few", 400), made(tmp_path / "many", SLICES)
    command = [sys.executable, "-c", _CHILD, str(tmp_path), str(small), str(large)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    grown = int(done.stdout.split()[-1])
    record_property("grown_mib", grown // 1024**2)
    assert grown < ALLOWED


def test_prepared_rows_are_read_from_the_file_and_a_cut_one_is_refused(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (9, 3, 5, 5), dtype=np.uint8)
    np.save(tmp_path / "one.npy", pixels)
    file = PreparedFile(tmp_path / "one.npy")
    rows = np.array([7, 0, 7])
    assert file.shape == pixels.shape and np.array_equal(file[rows], pixels[rows])
    content = (tmp_path / "one.npy").read_bytes()
    for damaged in (content[:-1], content + b"x", b"no array at all"):
        (tmp_path / "one.npy").write_bytes(damaged)
        with pytest.raises(ValueError):
            PreparedFile(tmp_path / "one.npy")
    np.save(tmp_path / "one.npy", pixels.astype(np.int16))
    with pytest.raises(ValueError, match="not whole"):
        PreparedFile(tmp_path / "one.npy")


def test_reading_a_hundred_thousand_prepared_rows_keeps_none_of_them(tmp_path: Path) -> None:
    """1.2 GB of prepared pixels pass through; with a map all of it would stay resident."""
    shape = (SLICES, 3, 64, 64)
    with (tmp_path / "many.npy").open("wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.truncate(stream.tell() + int(np.prod(shape)))  # holes: nothing on the disk
    pixels, process = PreparedFile(tmp_path / "many.npy"), psutil.Process()
    order = np.random.default_rng(0).permutation(SLICES)
    pixels[order[:256]]
    before = process.memory_info().rss
    for start in range(0, SLICES, 256):
        assert not pixels[order[start : start + 256]].any()
    assert process.memory_info().rss - before < 64 * 1024**2
