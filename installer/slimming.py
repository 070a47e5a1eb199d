"""What a frozen folder can do without once it is there: symbols, copies, the system's own files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from installer import elf
from installer.owners import SYSTEM
from installer.sizes import size_of

_OURS = re.compile(r"libpython\d|.*\.(cpython|abi3)[-.]")
"""Python's library and compiled modules, which lie beside the system's libraries."""


def drop_system_libraries(bundle: Path) -> list[str]:
    """Remove libraries of the build machine's desktop; the target's own are used instead.

    A copy of another release beside the target's graphics drivers does harm: they are loaded
    into one process. Python's own few stay. Returns the names of what went.
    """
    if not sys.platform.startswith("linux"):
        return []
    gone = []
    for path in sorted((bundle / "_internal").iterdir()):
        if ".so" not in path.name or _OURS.match(path.name) or path.is_dir():
            continue
        if path.is_symlink():
            if not path.exists():
                path.unlink()
            continue
        if elf.is_elf(path) and re.split(r"[-.]", path.name)[0] not in SYSTEM:
            path.unlink()
            gone.append(path.name)
    return gone


def add_windowed_name(bundle: Path) -> None:
    """On Linux the windowed executable is the console one under its second name."""
    windowed = bundle / "sliceloopw"
    if sys.platform.startswith("linux") and not windowed.exists():
        windowed.symlink_to("sliceloop")


def drop_dangling_links(bundle: Path) -> None:
    """Remove links to what was left out."""
    for path in (bundle / "_internal").rglob("*"):
        if path.is_symlink() and not path.exists():
            path.unlink()


def strip_symbols(bundle: Path) -> int:
    """Remove what only debuggers read; returns the bytes saved. Nothing where `strip` is absent.

    Libraries whose tables were moved by the wheel's maker (`*.libs`) are left alone: binutils
    writes some of them back in an order that the loader refuses.
    """
    tool = shutil.which("strip")
    if tool is None or not sys.platform.startswith("linux"):
        return 0
    before = size_of(bundle)
    files = [
        path
        for path in (bundle / "_internal").rglob("*")
        if elf.is_elf(path) and not any(part.endswith(".libs") for part in path.parts)
    ]
    for start in range(0, len(files), 50):
        subprocess.run(
            [tool, "--strip-unneeded", *map(str, files[start : start + 50])],
            stderr=subprocess.DEVNULL,
            check=False,
        )
    return before - size_of(bundle)
