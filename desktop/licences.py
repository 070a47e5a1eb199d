"""Licences of others: which there are, and their texts, in the source tree and in a bundle."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path

from core import places

_FILES = ("LICENSE", "LICENCE", "COPYING", "NOTICE")
_ROW = re.compile(r"^\| ([\w.-]+) \| ([^|]*) \| ([^|]*) \|$")


def _folder() -> Path:
    """Where a bundle keeps the texts; absent in the source tree and the wheel."""
    return places.shipped() / "licences"


def packages() -> list[tuple[str, str, str]]:
    """(name, version, licence) of everything that ships: the bundle's list, else that of docs."""
    try:
        facts = json.loads((_folder() / "list.json").read_text(encoding="utf-8"))
        notes = sorted(file.stem for file in _folder().glob("*.txt") if file.stem != "LIST")
        return [(name, "", "") for name in notes] + [
            (str(name), str(version), str(licence)) for name, (version, licence) in facts.items()
        ]
    except (OSError, ValueError):
        return _of_docs()


def _of_docs() -> list[tuple[str, str, str]]:
    try:
        page = places.documents() / "third-party-licences.md"
        lines = page.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    rows = (_ROW.match(line) for line in lines)
    return [(row[1], row[2], row[3]) for row in rows if row and row[1] != "package"]


def licence_text(name: str) -> str:
    """The licence texts that came along with a package, one after the other; "" if none did."""
    kept = _folder() / name.replace(" ", "-")
    files = sorted(kept.glob("*")) if kept.is_dir() else []
    note = _folder() / f"{name}.txt"
    if not files and note.is_file():
        files = [note]
    if not files:
        files = _of_metadata(name)
    texts = []
    for file in files:
        try:
            texts.append(file.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
    return "\n\n".join(texts)


def _of_metadata(name: str) -> list[Path]:
    try:
        files = metadata.distribution(name).files or []
    except metadata.PackageNotFoundError:
        return []
    return [
        Path(str(file.locate()))
        for file in files
        if "dist-info" in str(file) and file.name.upper().startswith(_FILES)
    ]
