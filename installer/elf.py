"""What each shipped library asks of the system's C and C++ libraries, read from its ELF tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"\x7fELF"
_VERSION = re.compile(r"(GLIBC|GLIBCXX|CXXABI)_([0-9.]+)$")

Version = tuple[int, ...]


@dataclass(frozen=True)
class Ceiling:
    """The newest symbol versions that one file asks for; () where it asks for none.

    needed: the libraries that it names (DT_NEEDED).
    """

    file: Path
    glibc: Version
    glibcxx: Version
    needed: tuple[str, ...]


def is_elf(path: Path) -> bool:
    """Whether a file is an ELF binary."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(4) == _MAGIC


def ceilings(folder: Path) -> list[Ceiling]:
    """Ceilings of every ELF file under a folder, paths relative to it."""
    files = sorted(path for path in folder.rglob("*") if is_elf(path))
    return [_ceiling(path, path.relative_to(folder)) for path in files]


def highest(found: list[Ceiling], which: str) -> Version:
    """The newest version that any file asks for; which: "glibc" or "glibcxx"."""
    return max((getattr(one, which) for one in found), default=())


def text_of(version: Version) -> str:
    """2.28 for (2, 28); - for none."""
    return ".".join(map(str, version)) or "-"


def _ceiling(path: Path, name: Path) -> Ceiling:
    from elftools.elf.dynamic import DynamicSection
    from elftools.elf.elffile import ELFFile
    from elftools.elf.gnuversions import GNUVerNeedSection

    newest: dict[str, Version] = {}
    needed: list[str] = []
    with path.open("rb") as stream:
        for section in ELFFile(stream).iter_sections():
            if isinstance(section, GNUVerNeedSection):
                for kind, version in _asked(section):
                    newest[kind] = max(newest.get(kind, ()), version)
            elif isinstance(section, DynamicSection):
                needed = [
                    tag.needed for tag in section.iter_tags() if tag.entry.d_tag == "DT_NEEDED"
                ]
    return Ceiling(name, newest.get("GLIBC", ()), newest.get("GLIBCXX", ()), tuple(needed))


def _asked(section: object) -> Iterator[tuple[str, Version]]:
    for _, entries in section.iter_versions():  # type: ignore[attr-defined]
        for entry in entries:
            found = _VERSION.match(entry.name)
            if found:
                yield found[1], tuple(int(part) for part in found[2].split("."))
