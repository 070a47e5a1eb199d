"""What a disk may hold after a power cut, worked out from a trace of system calls.

SIGKILL leaves everything that was written in the kernel's hands; a power cut does not. Here a
traced run is replayed on a model of a disk: what was flushed (fsync of a file for its content,
fsync of a folder for its names) is there for certain; of all else any part may be there or not,
down to single sectors of 512 bytes.

After: Pillai et al., *All File Systems Are Not Created Equal*, OSDI 2014 (their tool ALICE).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
CALLS = (
    "openat,creat,close,write,pwrite64,ftruncate,fsync,fdatasync,"
    "unlink,unlinkat,rename,renameat,renameat2,mkdir"
)

_CALL = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)\) += (-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass
class File:
    """Content: what is certain, and what was written since the last flush, in order."""

    certain: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """(offset, data), or (size, None) for a truncation."""

    def flush(self) -> None:
        """fsync."""
        self.certain, self.pending = self.after(lambda: True), []

    def after(self, survives: object) -> bytes:
        """Content if each pending sector survives as the given function says."""
        assert callable(survives)
        content = bytearray(self.certain)
        for place, data in self.pending:
            if data is None:
                if survives():
                    del content[place:]
                    content.extend(b"\0" * (place - len(content)))
                continue
            for start in range(0, len(data), SECTOR):
                if survives():
                    part = data[start : start + SECTOR]
                    at = place + start
                    content.extend(b"\0" * (at + len(part) - len(content)))
                    content[at : at + len(part)] = part
        return bytes(content)


@dataclass
class Disk:
    """Files by name below one folder, as certain and as the running program sees them."""

    certain: dict[str, File] = field(default_factory=dict)
    now: dict[str, File] = field(default_factory=dict)
    pending: list[tuple[str, File | None]] = field(default_factory=list)
    """(name, file) for each name given, (name, None) for each taken away, in order."""

    def name(self, name: str, file: File | None) -> None:
        """Give a name, or take it away."""
        self.pending.append((name, file))
        _name(self.now, name, file)

    def flush_folder(self, folder: str) -> None:
        """fsync of a folder: its names become certain."""
        kept = []
        for name, file in self.pending:
            if str(Path(name).parent) == folder:
                _name(self.certain, name, file)
            else:
                kept.append((name, file))
        self.pending = kept

    def after_power_cut(self, chance: random.Random, share: float) -> dict[str, bytes]:
        """A state in which this share of what was not flushed survives."""

        def survives() -> bool:
            return chance.random() < share

        names = dict(self.certain)
        for name, file in self.pending:
            if survives():
                _name(names, name, file)
        return {name: file.after(survives) for name, file in names.items()}


def _name(names: dict[str, File], name: str, file: File | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


class Replay:
    """The traced calls, carried out on the model."""

    def __init__(self, folder: Path, before: dict[str, bytes]) -> None:
        self.disk = Disk({name: File(content) for name, content in before.items()})
        self.disk.now = dict(self.disk.certain)
        self.acknowledged = ""
        self._folder = str(folder)
        self._files: dict[int, File] = {}
        self._folders: dict[int, str] = {}

    def do(self, kind: str, arguments: str, texts: list[bytes], result: int) -> bool:
        """Carry out one call; whether it changed the disk, or what is known of it."""
        handle = int(arguments.split(",", maxsplit=1)[0]) if arguments[:1].isdigit() else -1
        if kind in ("openat", "creat"):
            return self._open(texts[0].decode("utf-8", "replace"), arguments, result)
        if kind == "close":
            self._files.pop(handle, None)
            self._folders.pop(handle, None)
            return False
        if kind in ("unlink", "unlinkat", "rename", "renameat", "renameat2"):
            return self._rename([text.decode("utf-8", "replace") for text in texts])
        if kind in ("fsync", "fdatasync") and handle in self._folders:
            self.disk.flush_folder(self._folders[handle])
            return True
        if kind == "write" and handle == 1:
            self.acknowledged += texts[0].decode()
            return True
        return handle in self._files and self._write(self._files[handle], kind, arguments, texts)

    def _open(self, path: str, arguments: str, handle: int) -> bool:
        self._files.pop(handle, None)
        self._folders.pop(handle, None)
        if not path.startswith(self._folder):
            return False
        if path not in self.disk.now:
            if "O_CREAT" not in arguments:
                self._folders[handle] = path
                return False
            self.disk.name(path, File())
        self._files[handle] = self.disk.now[path]
        if "O_TRUNC" in arguments:
            self._files[handle].pending.append((0, None))
        return True

    def _rename(self, paths: list[str]) -> bool:
        file = self.disk.now.get(paths[0])
        if file is None:
            return False
        if len(paths) > 1:
            self.disk.name(paths[1], file)
        self.disk.name(paths[0], None)
        return True

    @staticmethod
    def _write(file: File, kind: str, arguments: str, texts: list[bytes]) -> bool:
        match kind:
            case "fsync" | "fdatasync":
                file.flush()
            case "write":
                # The lock's record and durable.write_bytes: one write from the beginning.
                file.pending.append((0, texts[0]))
            case "pwrite64":
                file.pending.append((int(arguments.rpartition(",")[2]), texts[0]))
            case "ftruncate":
                file.pending.append((int(arguments.rpartition(",")[2]), None))
            case _:
                return False
        return True


def content_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by their full names."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def replay(trace: str, folder: Path, before: dict[str, bytes]) -> Iterator[tuple[Disk, str]]:
    """The disk after each call that changes it, and what was acknowledged so far.

    trace: of strace with -xx (all strings in hexadecimal) and CALLS. before: what the folder
    held when the traced run began.
    """
    run = Replay(folder, before)
    for line in trace.splitlines():
        call = _CALL.match(line)
        if call is None or int(call[3]) < 0:
            continue
        texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(call[2])]
        if run.do(call[1], call[2], texts, int(call[3])):
            yield run.disk, run.acknowledged
