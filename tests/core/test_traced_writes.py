"""Every durable write as the kernel sees it: write → fsync → rename → fsync of the folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.tracing import CALLS, read

ROOT = Path(__file__).resolve().parents[2]

SPARED = (".lock", "/profile/cache")
"""Who writes is known while it writes; what can be made again need not survive."""

WRITTEN = {
    *("labels.db", "settings.json", "sources.json", "splits.json", "promotions.json"),
    *("request.json", "result.json", "events.jsonl", "state.safetensors", "dataset.json"),
    *("slices.parquet", "card.json", "model.safetensors", "foretold.json", "agreement.jsonl"),
}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_whatever_must_survive_a_power_cut_is_flushed_before_and_after_it_takes_its_name(
    tmp_path: Path,
) -> None:
    trace = tmp_path / "trace.txt"
    done = subprocess.run(
        ["strace", "--seccomp-bpf", "-f", "-y", "-s", "4096", "-o", str(trace), "-e",
         f"trace={CALLS}", sys.executable, "-m", "tests.core.durable_session", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "ptrace" in done.stderr or not trace.is_file():
        pytest.skip(f"strace is not allowed to trace here: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    lines = trace.read_text("utf-8", "replace").splitlines()
    found = read(lines, str(tmp_path / "profile"), SPARED)
    assert found.faults == []
    assert found.left() == []
    seen = {Path(path).name for path in found.written} | {
        Path(path).name for path in (tmp_path / "profile").rglob("*") if path.is_file()
    }
    assert seen >= WRITTEN
    assert found.renamed >= 30 and found.flushed >= 200


def made(*calls: str) -> list[str]:
    """Lines as strace writes them."""
    return [f"7 {call} = 0" for call in calls]


@pytest.mark.parametrize(
    ("calls", "faults", "left"),
    [
        (["write(3</p/.x.part>, \"1\", 1)", "fsync(3</p/.x.part>)",
          "rename(\"/p/.x.part\", \"/p/x\")", "fsync(4</p>)"], 0, []),
        (["write(3</p/.x.part>, \"1\", 1)", "rename(\"/p/.x.part\", \"/p/x\")",
          "fsync(4</p>)"], 1, []),
        (["write(3</p/.x.part>, \"1\", 1)", "fsync(3</p/.x.part>)",
          "rename(\"/p/.x.part\", \"/p/x\")"], 0, ["/p"]),
        (["write(3</p/x>, \"1\", 1)"], 0, ["/p/x"]),
        (["mkdir(\"/p/a\", 0777)"], 0, ["/p"]),
        (["write(3</p/.d/t>, \"1\", 1)", "rename(\"/p/.d/t\", \"/p/.d/s\")", "fsync(3</p/.d>)",
          "rename(\"/p/.d\", \"/p/d\")", "fsync(4</p>)"], 1, []),
        (["write(3</p/cache/x>, \"1\", 1)"], 0, []),
    ],
)  # fmt: skip
def test_the_reader_of_traces_finds_what_is_missing(
    calls: list[str], faults: int, left: list[str]
) -> None:
    found = read(made(*calls), "/p", ("/cache",))
    assert (len(found.faults), found.left()) == (faults, left)


def test_calls_that_another_thread_interrupted_are_put_together() -> None:
    lines = [
        "7 fsync(3</p/x> <unfinished ...>",
        '8 write(1</dev/null>, "", 0) = 0',
        "7 <... fsync resumed>) = 0",
    ]
    found = read(['7 write(3</p/x>, "1", 1) = 1', *lines], "/p")
    assert found.left() == []
