"""Builds the installable application for the system that it runs on: one command.

    uv run python installer/build.py

It makes an environment of its own under build/, freezes the application with PyInstaller (one
folder, a console and a windowed executable), leaves out what nothing needs, checks licences,
and packs it: .deb and tar.zst on Linux, an Inno Setup installer on Windows, a DMG on macOS.
What went in, how large each part is, which system libraries are asked for, and every licence
are printed, and written to build/dist/report.txt.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from installer.wheels import TORCH, NoWheelError, make_environment  # noqa: E402 - found by path

BUILD = ROOT / "build"
DIST = BUILD / "dist"
NO_WHEEL = 3
"""Exit code where there is no wheel to build with: no fault of the source tree's."""


def main() -> int:
    """Build. Returns 0; 1 or NO_WHEEL with one sentence on standard error."""
    wanted = _arguments()
    began = time.monotonic()
    try:
        python = _environment(wanted)
        _freeze(python)
        words = ["--level", str(wanted.level), *(["--only-deb"] if wanted.only_deb else [])]
        step = [str(python), "-m", "installer.finishing", *words]
        done = subprocess.run(step, cwd=ROOT, check=False).returncode
    except NoWheelError as error:
        sys.stderr.write(f"build: {error}\n")
        return NO_WHEEL
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"build: {Path(error.cmd[0]).name} ended with {error.returncode}\n")
        return 1
    print(f"build: {time.monotonic() - began:.0f} s in all")
    return done


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--torch", default=TORCH, help="requirement, file or address of torch")
    parser.add_argument("--cuda", action="store_true", help="a GPU bundle: torch with CUDA")
    parser.add_argument("--level", type=int, default=19, help="3 is fast (zstd), 19 small (xz)")
    parser.add_argument("--only-deb", action="store_true", help="no tar.zst")
    parser.add_argument(
        "--keep", action="store_true", help="take the environment of the last build"
    )
    return parser.parse_args()


def _environment(wanted: argparse.Namespace) -> Path:
    folder, note = BUILD / "env", BUILD / "wheels.json"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if wanted.keep and python.exists() and note.exists():
        print("build: the environment of the last build is taken")
        return python
    BUILD.mkdir(exist_ok=True)
    began = time.monotonic()
    python, taken = make_environment(folder, wanted.torch, cuda=wanted.cuda)
    note.write_text(json.dumps(vars(taken)))
    print(
        f"build: torch {taken.version} ({taken.variant}) from {taken.source}; "
        f"environment made in {time.monotonic() - began:.0f} s"
    )
    return python


def _freeze(python: Path) -> None:
    began = time.monotonic()
    for folder in (DIST, BUILD / "work"):
        shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([str(python), "-m", "installer.preparing"], cwd=ROOT, check=True)
    words = ["--distpath", str(DIST), "--workpath", str(BUILD / "work"), "--noconfirm"]
    # Qt is imported to be looked at: no screen is needed for that.
    quiet = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    log = BUILD / "freeze.log"
    with log.open("wb") as stream:
        done = subprocess.run(
            [
                *(str(python), "-m", "PyInstaller", *words),
                str(ROOT / "installer" / "sliceloop.spec"),
            ],
            cwd=ROOT,
            env=quiet,
            stdout=stream,
            stderr=stream,
            check=False,
        )
    if done.returncode != 0:
        sys.stderr.write(log.read_text("utf-8", errors="replace")[-3000:])
        raise subprocess.CalledProcessError(done.returncode, ["PyInstaller"])
    print(f"build: frozen in {time.monotonic() - began:.0f} s")


def version() -> str:
    """The application's version."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])


if __name__ == "__main__":
    sys.exit(main())
