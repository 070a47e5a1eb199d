"""How large a bundle is, and which of its parts take the room."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

MEGA = 1_000_000


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files under a folder; links count nothing."""
    if path.is_symlink():
        return 0
    if path.is_file():
        return path.stat().st_size
    return sum(size_of(inner) for inner in path.iterdir())


def by_part(bundle: Path) -> dict[str, int]:
    """Bytes by part, largest first: a package with its `.libs`, Python, our own files."""
    parts: dict[str, int] = defaultdict(int)
    inside = bundle / "_internal"
    for path in inside.iterdir():
        parts[_part(path)] += size_of(path)
    for path in bundle.iterdir():
        if path != inside:
            parts["executables with the archive of modules"] += size_of(path)
    return dict(sorted(parts.items(), key=lambda item: -item[1]))


def _part(path: Path) -> str:
    name = path.name
    if path.is_dir():
        if name in ("resources", "weights", "licences"):
            return "Sliceloop"
        if name == "lib-dynload":
            return "Python"
        if name.endswith((".dist-info", ".egg-info")):
            return "package descriptions"
        return name.removesuffix(".libs").lower()
    if name.startswith("libpython") or name == "base_library.zip":
        return "Python"
    return "libraries of the system"
