"""Licences of everything that ships: the list in docs/, and the law that none is GPL or AGPL.

python .ci/licences.py            check
python .ci/licences.py --write    write docs/third-party-licences.md
python .ci/licences.py --bundle   check what installer/build.py has left in build/dist, too
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from installer import owners  # noqa: E402 - found by path

PAGE = ROOT / "docs" / "third-party-licences.md"

INTRO = """# Third-party licences

What ships with Sliceloop, as installed by its runtime dependencies on Linux. Sliceloop itself is
Apache-2.0. No GPL or AGPL code is among these packages: `.ci/licences.py` reads it from the
packages' own statements, and a test fails otherwise. Qt and PySide6 are used under the LGPL, as
separate shared libraries that can be replaced. Packages whose names begin with `nvidia-` or
`cuda-` come with PyTorch under NVIDIA's terms and are not part of the CPU installer.

| package | version | licence |
|---|---|---|
"""

INSTALLED = """
## In the installed bundle besides

The bundle holds only those of the packages above that it uses, no NVIDIA library, and the
following. The build traces every file to its owner, puts the texts into `_internal/licences`
with a list, and fails where nobody answers for a file (`installer/notices.py`). GCC's libraries
and PyInstaller's start code are under the GPL with exceptions that allow programs under any
licence to contain them. How to replace Qt by a build of one's own stands in
`_internal/licences/Qt-and-PySide6.txt`.

| part | what it is | licence |
|---|---|---|
"""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def runtime() -> list[metadata.Distribution]:
    """Everything that the runtime dependencies install here, each once, by name."""
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text())
    open_names: list[tuple[str, frozenset[str]]] = []
    for text in tables["project"]["dependencies"]:
        requirement = Requirement(text)
        open_names.append((requirement.name, frozenset(requirement.extras)))
    found: dict[str, metadata.Distribution] = {}
    seen = set()
    while open_names:
        name, extras = open_names.pop()
        if (_normal(name), extras) in seen:
            continue
        seen.add((_normal(name), extras))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # asked for only on another system
        found[_normal(name)] = distribution
        for text in distribution.requires or []:
            requirement = Requirement(text)
            wanted = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in (*extras, "")
            )
            if wanted:
                open_names.append((requirement.name, frozenset(requirement.extras)))
    return [found[name] for name in sorted(found)]


def licence(distribution: metadata.Distribution) -> str:
    """What the package says of its licence, shortest statement first."""
    return owners.statement(distribution) or "not stated"


def problems() -> list[str]:
    """Packages that may not ship, as sentences; and a list that has fallen behind."""
    told = []
    for distribution in runtime():
        statement = licence(distribution)
        if not owners.may_ship(statement):
            told.append(f"{distribution.metadata['Name']} is under {statement}: it may not ship")
        if statement == "not stated":
            told.append(f"{distribution.metadata['Name']} states no licence: read it by hand")
    page = PAGE.read_text() if PAGE.exists() else ""
    for name in [_normal(d.metadata["Name"]) for d in runtime()]:
        if f"| {name} |" not in page:
            told.append(f"{name} is not in docs/third-party-licences.md")
    return told


def bundle_problems(folder: Path) -> list[str]:
    """What is wrong with the licences in a frozen folder, as sentences.

    The build itself traces each file to its owner and fails where nobody answers for one; here
    it is checked that its list and every text are there, as they were found.
    """
    texts = folder / "_internal" / "licences"
    try:
        listed: dict[str, list[str]] = json.loads((texts / "list.json").read_text("utf-8"))
    except OSError:
        return [f"{folder} has no list of licences: build it with installer/build.py"]
    told = [
        f"{name} is under {statement}: it may not ship"
        for name, (_, statement) in listed.items()
        if not owners.may_ship(statement)
    ]
    for name in listed:
        own = texts / name.replace(" ", "-")
        if name not in owners.LGPL and not (own.is_dir() and any(own.iterdir())):
            told.append(f"the text of {name}'s licence is not in the bundle")
    needed = ("LIST.txt", "LGPL-3.0.txt", "GPL-3.0.txt", "Qt-and-PySide6.txt", "Sliceloop.txt")
    told += [f"{name} is not in the bundle" for name in needed if not (texts / name).is_file()]
    linked = list((folder / "_internal" / "PySide6").rglob("*Qt6Core*"))
    if not linked:
        told.append("Qt is not a shared library of its own: the LGPL asks that it can be replaced")
    return told


def page() -> str:
    """The page, whole."""
    rows = [
        f"| {_normal(d.metadata['Name'])} | {d.version.split('+')[0]} | {licence(d)} |\n"
        for d in runtime()
    ]
    besides = {
        "Python": ("the interpreter and its library", "PSF-2.0"),
        "PyInstaller": ("the start code of the executables", owners.BY_HAND["pyinstaller"]),
        **{name: ("a library that Python needs", said) for name, said in owners.SYSTEM.values()},
        **{name: ("inside the packages above", said) for name, said in owners.WITHIN.values()},
    }
    more = [f"| {name} | {what} | {said} |\n" for name, (what, said) in sorted(besides.items())]
    return INTRO + "".join(rows) + INSTALLED + "".join(more)


def main() -> int:
    """Check, or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--write", action="store_true", help="write the page")
    parser.add_argument("--bundle", action="store_true", help="check build/dist/sliceloop, too")
    wanted = parser.parse_args()
    if wanted.write:
        PAGE.write_text(page())
    told = problems()
    if wanted.bundle:
        told += bundle_problems(ROOT / "build" / "dist" / "sliceloop")
    sys.stdout.writelines(f"licences: {line}\n" for line in told)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
