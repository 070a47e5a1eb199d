"""After the freeze: slim, check licences, report, pack. Runs in the build's own environment."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from installer import contents, elf, notices, packages, sizes, slimming
from installer.owners import missing_modules

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
DIST = BUILD / "dist"

INSTALLED_LIMIT, DOWNLOAD_LIMIT = 1_000_000_000, 280_000_000
"""Bytes that the CPU bundle may take on the disk, and its package to download."""


class Report:
    """What is printed and kept."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines: list[str] = []

    def say(self, *lines: str) -> None:
        """Print lines, and keep them."""
        for line in lines:
            print(line)
        self._lines += lines
        self._file.write_text("\n".join(self._lines) + "\n", encoding="utf-8")


def main() -> int:
    """Finish what PyInstaller left in build/dist. Returns the exit code."""
    wanted = _arguments()
    sys.path.insert(0, str(ROOT))
    from installer.build import version

    bundle = DIST / "sliceloop"
    report = Report(DIST / "report.txt")
    taken = json.loads((BUILD / "wheels.json").read_text("utf-8"))
    report.say(f"torch {taken['version']} ({taken['variant']}) from {taken['source']}")
    dropped = slimming.drop_system_libraries(bundle)
    slimming.drop_dangling_links(bundle)
    slimming.add_windowed_name(bundle)
    saved = slimming.strip_symbols(bundle)
    report.say(
        f"{saved / 1e6:.0f} MB of symbols stripped; left to the system: {' '.join(dropped) or '-'}"
    )
    found = notices.find(bundle, BUILD / "work" / "sliceloop")
    listing = notices.write(found, bundle)
    _tell_sizes(report, bundle)
    _tell_ceilings(report, bundle)
    report.say("", "Licences", "", listing)
    problems = found.problems()
    report.say(*(f"licences: {line}" for line in problems))
    for name in missing_modules(ROOT, contents.OWN_PACKAGES, BUILD / "work" / "sliceloop"):
        problems.append(f"{name} is not in the bundle")
        report.say(f"modules: {problems[-1]}")
    total = sizes.size_of(bundle)
    is_cpu = taken["variant"] == "CPU"
    if is_cpu and total > INSTALLED_LIMIT:
        problems.append(f"the bundle has {total / 1e6:.0f} MB")
        report.say(f"size: {total / 1e6:.0f} MB installed, allowed are {INSTALLED_LIMIT / 1e6:.0f}")
    if sys.platform.startswith("linux"):
        made = packages.write_packages(
            bundle, DIST, version(), listing, level=wanted.level, archive=not wanted.only_deb
        )
        for file in made:
            size = sizes.size_of(file)
            report.say(f"{file.name}: {size / 1e6:.0f} MB")
            if is_cpu and size > DOWNLOAD_LIMIT and wanted.level >= 19:
                report.say(f"size: allowed are {DOWNLOAD_LIMIT / 1e6:.0f} MB")
                if file.suffix == ".deb":  # zstd has no filter for machine code: a tenth more
                    problems.append(f"{file.name} has {size / 1e6:.0f} MB")
    elif sys.platform == "win32":
        _run_if_there(report, "iscc", [f"/DVersion={version()}", "installer/windows/sliceloop.iss"])
    elif sys.platform == "darwin":
        _run_if_there(report, "bash", ["installer/macos/make_dmg.sh", version()])
    return 1 if problems else 0


def _run_if_there(report: Report, tool: str, words: list[str]) -> None:
    """Pack with a tool of the system's; without it the folder in build/dist is the result."""
    found = shutil.which(tool)
    if found is None:
        report.say(f"{tool} is not on this computer: the folder in build/dist is not packed")
        return
    subprocess.run([found, *words], cwd=ROOT, check=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--level", type=int, default=19)
    parser.add_argument("--only-deb", action="store_true")
    return parser.parse_args()


def _tell_sizes(report: Report, bundle: Path) -> None:
    report.say("", "Sizes by part, MB", "")
    small = 0
    for name, size in sizes.by_part(bundle).items():
        if size < sizes.MEGA:
            small += size
        else:
            report.say(f"{size / 1e6:9.1f}  {name}")
    report.say(f"{small / 1e6:9.1f}  everything below 1 MB")
    report.say(f"{sizes.size_of(bundle) / 1e6:9.1f}  in all")


def _tell_ceilings(report: Report, bundle: Path) -> None:
    found = elf.ceilings(bundle)
    if not found:
        return
    report.say("", "Newest symbols asked of the system: glibc, libstdc++, file", "")
    for one in sorted(found, key=lambda one: (one.glibc, one.glibcxx), reverse=True):
        report.say(f"{elf.text_of(one.glibc):>8}{elf.text_of(one.glibcxx):>8}  {one.file}")
    report.say(
        f"In all: glibc {elf.text_of(elf.highest(found, 'glibc'))}, "
        f"libstdc++ GLIBCXX_{elf.text_of(elf.highest(found, 'glibcxx'))}, {len(found)} files"
    )


if __name__ == "__main__":
    sys.exit(main())
