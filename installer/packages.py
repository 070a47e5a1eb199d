"""Packages for Linux: a `.deb` and a `tar.zst` of the same bundle."""

from __future__ import annotations

import sys
import textwrap
import time
from pathlib import Path

from installer import elf
from installer.deb import Tree, write_deb, write_tar_zst
from installer.sizes import size_of

ROOT = Path(__file__).resolve().parent.parent
LINUX = ROOT / "installer" / "linux"
HOME = "usr/lib/sliceloop"
"""Where the bundle lies on a Debian system."""

_TELL_THE_DESKTOP = """\
    command -v update-desktop-database >/dev/null \\
        && update-desktop-database -q "$DPKG_ROOT/usr/share/applications" || true
    command -v update-mime-database >/dev/null && [ -d "$DPKG_ROOT/usr/share/mime/packages" ] \\
        && update-mime-database "$DPKG_ROOT/usr/share/mime" || true
    command -v gtk-update-icon-cache >/dev/null \\
        && gtk-update-icon-cache -q -t -f "$DPKG_ROOT/usr/share/icons/hicolor" || true
"""
POSTINST = f"""#!/bin/sh
set -e
if [ "$1" = configure ]; then
{_TELL_THE_DESKTOP}fi
"""
POSTRM = f"""#!/bin/sh
set -e
# Labels, models, settings and caches of people lie in their home folders: never touched here.
if [ "$1" = remove ]; then
{_TELL_THE_DESKTOP}fi
"""


def depends(bundle: Path) -> list[str]:
    """Debian packages that the bundle needs: what Qt needs, and libc and libstdc++ new enough."""
    sys.path.insert(0, str(ROOT))
    from desktop.system_libraries import ALWAYS, ON_A_SCREEN

    found = elf.ceilings(bundle)
    glibc = elf.text_of(elf.highest(found, "glibc"))
    names = {package for table in (ALWAYS, ON_A_SCREEN) for package in table.values()}
    names.discard("libstdc++6")
    # Debian 13 and Ubuntu 24.04 renamed it in the change to 64-bit times.
    names = {"libglib2.0-0t64 | libglib2.0-0" if n == "libglib2.0-0" else n for n in names}
    return [f"libc6 (>= {glibc})", f"libstdc++6 (>= {_gcc(found)})", *sorted(names)]


def _gcc(found: list[elf.Ceiling]) -> str:
    """The release of GCC whose libstdc++ has the symbols (GCC's ABI policy)."""
    patch = elf.highest(found, "glibcxx")[2:]
    releases = {21: "5", 22: "6", 23: "7", 24: "7", 25: "8", 26: "9", 28: "10", 29: "11", 30: "12"}
    wanted = patch[0] if patch else 0
    return next((release for symbol, release in releases.items() if symbol >= wanted), "13")


def control(bundle: Path, version: str, tree: Tree) -> str:
    """The control file."""
    size = sum(size_of(path) for path in tree.paths.values()) // 1024
    fields = {
        "Package": "sliceloop",
        "Version": version,
        "Architecture": "amd64",
        "Maintainer": "The Sliceloop authors <sliceloop@localhost>",
        "Installed-Size": str(size),
        "Depends": ", ".join(depends(bundle)),
        "Recommends": "libgl1-mesa-dri, shared-mime-info, desktop-file-utils",
        "Section": "science",
        "Priority": "optional",
        "Description": "Read slices, see what a model says and why, correct it, retrain",
    }
    told = """\
        Opens a study, shows what a model says about each slice and where it looked, takes
        corrections, retrains on them and lets a person promote the better model. Everything
        happens on this computer; nothing is sent anywhere.
        .
        It is an assistant for reading and for research, and not a diagnostic device."""
    lines = [f"{name}: {value}\n" for name, value in fields.items()]
    return "".join(lines) + textwrap.indent(textwrap.dedent(told), " ") + "\n"


def debian_tree(bundle: Path, version: str, copyright_text: str) -> Tree:
    """Everything that the package installs."""
    date = time.strftime("%Y-%m-%d", time.gmtime(_when()))
    about = (LINUX / "sliceloop.metainfo.xml").read_text("utf-8")
    icons = {
        f"usr/share/icons/hicolor/{path.stem.split('-')[1]}x{path.stem.split('-')[1]}"
        "/apps/sliceloop.png": path
        for path in sorted((ROOT / "resources" / "icons").glob("sliceloop-*.png"))
    }
    return Tree(
        paths={
            HOME: bundle,
            "usr/share/applications/sliceloop.desktop": LINUX / "sliceloop.desktop",
            "usr/share/mime/packages/sliceloop.xml": LINUX / "sliceloop.xml",
            "usr/share/icons/hicolor/scalable/apps/sliceloop.svg": ROOT
            / "resources/icons/sliceloop.svg",
            **icons,
        },
        texts={
            "usr/share/metainfo/sliceloop.metainfo.xml": about.replace(
                "@VERSION@", version
            ).replace("@DATE@", date),
            "usr/share/doc/sliceloop/copyright": copyright_text,
        },
        links={
            "usr/bin/sliceloop": "../lib/sliceloop/sliceloop",
            "usr/bin/sliceloopw": "../lib/sliceloop/sliceloopw",
        },
    )


def write_packages(
    bundle: Path, out: Path, version: str, copyright_text: str, *, level: int, archive: bool = True
) -> list[Path]:
    """Write both packages; returns their files. archive: also the tar.zst."""
    tree = debian_tree(bundle, version, copyright_text)
    package = out / f"sliceloop_{version}_amd64.deb"
    scripts = {"postinst": POSTINST, "postrm": POSTRM}
    about = control(bundle, version, tree)
    write_deb(package, about, scripts, tree, level=level, when=_when())
    made = [package]
    if archive:
        name = f"sliceloop-{version}"
        plain = out / f"{name}-linux-x86_64.tar.zst"
        share = {
            f"{name}/share/{place.removeprefix('usr/share/')}": path
            for place, path in tree.paths.items()
            if place.startswith("usr/share/")
        }
        with plain.open("wb") as stream:
            content = Tree(paths={name: bundle, **share})
            write_tar_zst(stream, content, level=level, when=_when())
        made.append(plain)
    return made


def _when() -> int:
    """Time stamp of packages: SOURCE_DATE_EPOCH, or now."""
    import os

    return int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
