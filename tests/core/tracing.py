"""Reads a trace of system calls and names every durable write that is not made as promised.

The promise: what was written to a file is flushed (fsync, fdatasync) before the file takes its
name, and the folder is flushed after anything in it took a name or lost one. A file that is
written under its final name, as SQLite's database and lists of lines are, is flushed after the
last write, and its folder after the file was made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

CALLS = (
    "openat,write,pwrite64,writev,pwritev,ftruncate,copy_file_range,sendfile,fsync,fdatasync,"
    "rename,renameat,renameat2,link,linkat,mkdir,mkdirat"
)
"""What strace is to tell: everything that changes a file's content or a folder's entries."""

_LINE = re.compile(r"^\d+\s+(?P<call>\w+)\((?P<words>.*)\)\s+= (?P<result>-?\d+)")
_UNFINISHED = re.compile(r"^(?P<pid>\d+)\s+(?P<begun>.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(?P<pid>\d+)\s+<\.\.\. \w+ resumed>(?P<rest>.*)$")
_HANDLE = re.compile(r"^(?:\d+|AT_FDCWD)<(?P<path>[^>]*)>")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass
class Ledger:
    """What is not on the disk yet.

    root: only what lies under it counts, apart from paths that hold one of `spared`. faults: what
    took its name without being flushed.
    """

    root: str
    spared: tuple[str, ...] = ()
    dirty: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    renamed: int = 0
    flushed: int = 0
    written: set[str] = field(default_factory=set)

    def mine(self, path: str) -> bool:
        """Whether a path counts."""
        inside = path.startswith(f"{self.root}/")
        return inside and not any(part in path for part in self.spared)

    def left(self) -> list[str]:
        """Files and folders that were never flushed."""
        return sorted(self.dirty | self.folders)

    # ---- one call

    def write(self, path: str) -> None:
        """A file's content was changed."""
        if self.mine(path):
            self.dirty.add(path)
            self.written.add(path)

    def make(self, path: str) -> None:
        """A name appeared in a folder."""
        if self.mine(path):
            self.folders.add(str(PurePosixPath(path).parent))

    def flush(self, path: str) -> None:
        """A file or folder was flushed."""
        if self.mine(path) or path == self.root:
            self.flushed += 1
            self.dirty.discard(path)
            self.folders.discard(path)

    def rename(self, old: str, new: str) -> None:
        """A file or a whole folder took another name."""
        if not self.mine(new):
            return
        self.renamed += 1
        if self._is_hidden(new):  # part of what is not published yet: flushed and judged with it
            if old in self.dirty:
                self.dirty.remove(old)
                self.dirty.add(new)
            self.folders.add(str(PurePosixPath(new).parent))
            return
        inside = [p for p in self.dirty if p == old or p.startswith(f"{old}/")]
        self.faults += [f"{path} became {new} before it was flushed" for path in sorted(inside)]
        unsaid = [p for p in self.folders if p == old or p.startswith(f"{old}/")]
        self.faults += [f"the entries of {path} were not flushed before {new}" for path in unsaid]
        self.dirty -= set(inside)
        self.folders -= set(unsaid)
        self.folders.add(str(PurePosixPath(new).parent))

    def _is_hidden(self, path: str) -> bool:
        above = PurePosixPath(path).relative_to(self.root).parts[:-1]
        return any(part.startswith(".") for part in above)


def joined(lines: Iterable[str]) -> Iterable[str]:
    """Lines of a trace, calls that were interrupted by another thread put together again."""
    begun: dict[str, str] = {}
    for line in lines:
        if match := _UNFINISHED.match(line):
            begun[match["pid"]] = match["begun"]
        elif match := _RESUMED.match(line):
            yield f"{match['pid']} {begun.pop(match['pid'], '')}{match['rest']}"
        else:
            yield line


def read(lines: Iterable[str], root: str, spared: tuple[str, ...] = ()) -> Ledger:
    """What a trace (`strace -f -y`) says about the files under a folder."""
    found = Ledger(root, spared)
    for line in joined(lines):
        match = _LINE.match(line)
        if match is None or int(match["result"]) < 0:
            continue
        call, words = match["call"], match["words"]
        handle = _HANDLE.match(words)
        place = handle["path"] if handle else ""
        names = [_absolute(name, place) for name in _QUOTED.findall(words)]
        if call in ("fsync", "fdatasync"):
            found.flush(place)
        elif call in ("write", "pwrite64", "writev", "pwritev", "ftruncate"):
            found.write(place)
        elif call in ("copy_file_range", "sendfile"):
            for path in re.findall(r"\d+<([^>]*)>", words)[:2]:
                found.write(path)
        elif (call == "openat" and "O_CREAT" in words) or call.startswith("mkdir"):
            found.make(names[0])
        elif call.startswith("rename"):
            found.rename(names[0], names[1])
        elif call.startswith("link"):
            found.make(names[1])
    return found


def _absolute(name: str, place: str) -> str:
    return name if name.startswith("/") else f"{place}/{name}"
