"""Every durable write is: write → fsync → rename → fsync of the folder, or nothing at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core import durable
from core.errors import NotDurableError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the operating system, in order, by file name."""
    heard: list[str] = []
    real_fsync, real_rename, real_replace = os.fsync, Path.rename, Path.replace

    def fsync(handle: int) -> None:
        heard.append(f"fsync {Path(f'/proc/self/fd/{handle}').readlink().name}")
        real_fsync(handle)

    def rename(self: Path, target: Path) -> Path:
        heard.append(f"rename {self.name} → {target.name}")
        return real_rename(self, target)

    def replace(self: Path, target: Path) -> Path:
        heard.append(f"rename {self.name} → {target.name}")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr(Path, "replace", replace)
    return heard


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names open files by /proc")
def test_a_file_is_flushed_before_and_after_it_takes_its_name(
    tmp_path: Path, calls: list[str]
) -> None:
    durable.write_bytes(tmp_path / "x.json", b"1")
    part = calls[0].removeprefix("fsync ")
    assert part.endswith(".part")
    assert calls == [f"fsync {part}", f"rename {part} → x.json", f"fsync {tmp_path.name}"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names open files by /proc")
def test_a_folder_is_flushed_whole_before_it_takes_its_name(
    tmp_path: Path, calls: list[str]
) -> None:
    draft = tmp_path / "draft"
    (draft / "inner").mkdir(parents=True)
    (draft / "a").write_bytes(b"a")
    (draft / "inner" / "b").write_bytes(b"b")
    durable.publish_folder(draft, tmp_path / "final")
    place = calls.index("rename draft → final")
    assert set(calls[:place]) == {"fsync a", "fsync b", "fsync inner", "fsync draft"}
    assert calls[place + 1 :] == [f"fsync {tmp_path.name}"]
    assert (tmp_path / "final" / "inner" / "b").read_bytes() == b"b"


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_kernel_sees_the_same_order(tmp_path: Path) -> None:
    code = "import sys, pathlib; from core import durable\n" + (
        "durable.write_json(pathlib.Path(sys.argv[1]), {'a': 1})"
    )
    target = tmp_path / "x.json"
    done = subprocess.run(
        ["strace", "-f", "-y", "-e", "trace=write,fsync,rename,renameat,renameat2",
         sys.executable, "-c", code, str(target)],
        cwd=ROOT, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    trace = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    if not trace:
        pytest.skip("strace is not allowed to trace here")
    kinds = [line.split("(")[0].split()[-1] for line in trace]
    assert kinds == ["write", "fsync", "rename", "fsync"]
    assert f"<{tmp_path}>" in trace[-1]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(NotDurableError):
        durable.write_bytes(tmp_path / "folder.json", b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["folder.json"]
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(NotDurableError):
        durable.write_bytes(tmp_path / "file" / "below.json", b"new")
    assert (tmp_path / "file").read_bytes() == b"x"


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE is POSIX")
def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    code = """
import pathlib, resource, signal, sys
from core import durable
from core.errors import NotDurableError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = pathlib.Path(sys.argv[1])
durable.write_bytes(path, b"old")
for level in range(0, 4000, 100):
    resource.setrlimit(resource.RLIMIT_FSIZE, (level, resource.RLIM_INFINITY))
    try:
        durable.write_bytes(path, b"n" * 4000)
    except NotDurableError:
        assert path.read_bytes() == b"old", level
    else:
        raise SystemExit(f"level {level} was not refused")
assert [p.name for p in path.parent.iterdir()] == [path.name]
"""
    folder = tmp_path / "small"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder / "x")],
        cwd=ROOT, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_folder_that_cannot_take_its_name_is_not_published(tmp_path: Path) -> None:
    draft, taken = tmp_path / "draft", tmp_path / "taken"
    for folder in (draft, taken):
        folder.mkdir()
        (folder / "file").write_bytes(folder.name.encode())
    with pytest.raises(NotDurableError):
        durable.publish_folder(draft, taken)
    assert (taken / "file").read_bytes() == b"taken"
    assert not draft.exists()


def test_a_line_that_does_not_fit_spoils_no_other(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    durable.append_line(file, "one")
    code = (
        "import pathlib, resource, signal, sys; from core import durable\n"
        "from core.errors import NotDurableError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))\n"
        "try: durable.append_line(pathlib.Path(sys.argv[1]), 'x' * 40)\n"
        "except NotDurableError: sys.exit(7)\n"
    )
    if sys.platform != "win32":
        done = subprocess.run([sys.executable, "-c", code, str(file)], cwd=ROOT, check=False)
        assert done.returncode == 7
    assert file.read_text() == "one\n"
    with file.open("a") as stream:
        stream.write("half")  # of a process that was killed
    durable.append_line(file, "two")
    assert file.read_text() == "one\nhalf\ntwo\n"
