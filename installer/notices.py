"""The licences of everything in a bundle: the check that all may ship, the list, and the texts."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from installer.owners import LGPL, WITHIN, Owner, Owners, bootloader, python, sources_of

ROOT = Path(__file__).resolve().parent.parent
TEXTS = ROOT / "installer" / "licences"
OURS = ("core", "desktop", "docs", "resources", "weights", "licences", "sliceloop-")

RELINKING = """Qt and PySide6 (LGPL-3.0-only)

Sliceloop uses Qt and PySide6 under the GNU Lesser General Public License, version 3. They are
unchanged, as published in the wheels PySide6-Essentials and shiboken6 of the version stated in
the list beside this file; their source is published by The Qt Company with each version
(qtbase, pyside-setup). The texts of the LGPL and of the GPL, which the LGPL refers to, lie in
this folder as LGPL-3.0.txt and GPL-3.0.txt.

Your rights, and how to use them. Qt and PySide6 are separate shared libraries in the folder
_internal/PySide6 (Qt's own under Qt/lib, its plug-ins under Qt/plugins) and _internal/shiboken6
of the installation. Nothing is linked into the executables. To run Sliceloop with a version of
your own, build it with the same major and minor version and replace the files of the same names;
nothing checks their hashes. Reverse engineering for debugging such changes is allowed.
"""


@dataclass(frozen=True)
class Notices:
    """What was found. owners: by name; unowned: places in the bundle that nobody answers for.

    within: libraries inside wheels that are another's, (place, whose, licence).
    """

    owners: dict[str, Owner]
    unowned: tuple[str, ...]
    within: tuple[tuple[str, str, str], ...]
    files: int

    def problems(self) -> list[str]:
        """What keeps the bundle from being given away, as sentences."""
        told = [f"{place} is in the bundle, and nobody knows whose it is" for place in self.unowned]
        for owner in self.owners.values():
            if not owner.may_ship:
                told.append(f"{owner.name} is under “{owner.licence or 'nothing stated'}”")
            if not owner.texts and owner.name not in LGPL:
                told.append(f"{owner.name} comes without the text of its licence")
        return told


def find(bundle: Path, work: Path) -> Notices:
    """Whose everything in a bundle is. work: PyInstaller's folder with its tables."""
    known, sources = Owners(), sources_of(work)
    owners: dict[str, Owner] = {}
    unowned: list[str] = []
    within: list[tuple[str, str, str]] = []
    inside = bundle / "_internal"
    shipped = {
        path.relative_to(inside).as_posix()
        for path in inside.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    modules = {name for name in sources if name not in shipped and not (inside / name).is_symlink()}
    modules = {name for name in modules if sources[name].suffix == ".py"}
    for place in sorted(shipped | modules):
        if place.startswith(OURS):
            continue
        source = sources.get(place)
        owner = python() if place == "base_library.zip" else known.of(source) if source else None
        if owner is None:
            unowned.append(place)
            continue
        owners[owner.name] = _with_text(owner)
        stem = Path(place).name
        for lead, (whose, licence) in WITHIN.items():
            if stem.startswith(lead):
                within.append((place, whose, licence))
    start = bootloader()
    owners[start.name] = start
    return Notices(dict(sorted(owners.items())), tuple(unowned), tuple(within), len(shipped))


def _with_text(owner: Owner) -> Owner:
    if owner.texts:
        return owner
    kept = sorted(TEXTS.glob(f"{owner.name}*.txt"))
    return Owner(owner.name, owner.version, owner.licence, tuple(kept))


def write(notices: Notices, bundle: Path) -> str:
    """Put every text into the bundle's `licences` folder; returns the list as one text."""
    folder = bundle / "_internal" / "licences"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("LGPL-3.0.txt", "GPL-3.0.txt"):
        shutil.copyfile(TEXTS / name, folder / name)
    (folder / "Qt-and-PySide6.txt").write_text(RELINKING, encoding="utf-8")
    shutil.copyfile(ROOT / "LICENSE", folder / "Sliceloop.txt")
    for owner in notices.owners.values():
        used: dict[str, int] = defaultdict(int)
        for text in owner.texts:
            target = folder / owner.name.replace(" ", "-")
            target.mkdir(exist_ok=True)
            number = used[text.name]
            used[text.name] += 1
            shutil.copyfile(text, target / (f"{number}-{text.name}" if number else text.name))
    told = listing(notices)
    (folder / "LIST.txt").write_text(told, encoding="utf-8")
    facts = {name: [one.version, one.licence] for name, one in notices.owners.items()}
    (folder / "list.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return told


def listing(notices: Notices) -> str:
    """The list: Sliceloop, then everything of others, then what their packages carry inside."""
    width = max(len(name) for name in notices.owners) + 2
    lines = [
        "Sliceloop is under Apache-2.0. With it come, each under its own licence:",
        "",
        *(f"{one.name:<{width}}{one.version:<16}{one.licence}" for one in notices.owners.values()),
        "",
        "Libraries of others inside these packages:",
        "",
        *(f"{place}: {whose}, {licence}" for place, whose, licence in notices.within),
        "",
        "GCC's run-time libraries and PyInstaller's start code are under the GPL with exceptions",
        "that allow programs under any licence to contain them.",
        "",
    ]
    return "\n".join(lines)
