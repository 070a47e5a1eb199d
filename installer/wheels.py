"""The build's own environment: which wheels go into a bundle, and where they came from.

The bundle computes on the processor, so torch must be a CPU build. Where pip finds one (on
Windows and macOS the index's own; on Linux in a folder or index that pip's settings name), it is
taken; a build that would bring CUDA along is refused before anything is downloaded.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_TOOLS = ROOT / "installer" / "requirements.txt"
TORCH = "torch==2.13.0"
"""The CPU build that was tested in the bundle; --torch takes another."""

LEFT_OUT = {"simpleitk", "qtawesome", "torch", "torchvision"}
"""Dependencies that a bundle does without, and the two that are chosen here."""

_PINNED_ELSEWHERE = re.compile(r"(torch|torchvision|triton|nvidia-.*|cuda-.*|simpleitk)==")


@dataclass(frozen=True)
class Taken:
    """A wheel that was chosen. source: file or address it came from; variant: "CPU" or "CUDA"."""

    name: str
    version: str
    source: str
    variant: str


class NoWheelError(Exception):
    """There is no wheel to build with. Its text tells what to do."""


def make_environment(folder: Path, torch: str = TORCH, *, cuda: bool = False) -> tuple[Path, Taken]:
    """Make a fresh environment with everything that a bundle holds; returns its Python.

    torch: a requirement, a file or an address. cuda: take a build with CUDA all the same.
    Raises NoWheelError if pip finds no fitting torch, CalledProcessError if installing fails.
    """
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    uv = shutil.which("uv")
    shutil.rmtree(folder, ignore_errors=True)
    if uv:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        _run([uv, "venv", "--quiet", "--seed", "--python", version, str(folder)])
    else:
        _run([sys.executable, "-m", "venv", str(folder)])
    taken = choose_torch(python, torch, cuda=cuda)
    _ask(python, "all of installer/requirements.txt", "--requirement", str(_TOOLS))
    minor = int(taken.version.split(".")[1])
    vision = f"torchvision==0.{minor + 15}.*"  # 0.15 came with torch 2.0, and so on since
    wanted, pins = _lists(folder)
    if uv:
        override = folder / "override.txt"
        override.write_text(f"torch @ {_address(taken.source)}\n{vision}\n")
        _run(
            [
                *(uv, "pip", "install", "--quiet", "--no-config", "--python", str(python)),
                *("-r", str(wanted), "-c", str(pins), "--override", str(override), "torchvision"),
            ]
        )
    else:
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        _run([*pip, "-c", str(pins), taken.source])
        _run([*pip, "--no-deps", vision])
        _run([*pip, "-r", str(wanted), "-c", str(pins)])
    return python, taken


def choose_torch(python: Path, wanted: str, *, cuda: bool = False) -> Taken:
    """Which torch pip would install, without downloading what it brings along."""
    told = _ask(python, wanted, wanted)
    found: dict[str, Any] = json.loads(told)["install"][0]
    about = found["metadata"]
    needs = " ".join(about.get("requires_dist") or [])
    brings_cuda = sys.platform == "linux" and ("nvidia-" in needs or "cuda-" in needs)
    taken = Taken(
        "torch", about["version"], found["download_info"]["url"], "CUDA" if brings_cuda else "CPU"
    )
    if brings_cuda and not cuda:
        raise NoWheelError(
            f"pip would take torch {taken.version} with CUDA from {taken.source}, which makes a "
            "bundle of more than 4 GB. Give a CPU build by --torch FILE-OR-ADDRESS, or let pip "
            "find one (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL). For a GPU bundle say --cuda."
        )
    return taken


def _ask(python: Path, what: str, *wanted: str) -> str:
    """What pip would install, as JSON. Raises NoWheelError, naming `what`, if it finds none."""
    words = ["--dry-run", "--no-deps", "--ignore-installed", "--quiet", "--report", "-", *wanted]
    done = subprocess.run(
        [str(python), "-m", "pip", "install", *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        told = (done.stderr.strip() or "pip gave no reason").splitlines()[-1]
        raise NoWheelError(f"pip does not find {what}: {told}")
    return done.stdout


def _address(source: str) -> str:
    return source if "://" in source else Path(source).resolve().as_uri()


def _lists(folder: Path) -> tuple[Path, Path]:
    """What to install, and the versions that were tested together."""
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    names = [
        text
        for text in tables["project"]["dependencies"]
        if re.split(r"[ ><=\[;]", text)[0].lower() not in LEFT_OUT
    ]
    tools = _TOOLS.read_text("utf-8").splitlines()
    wanted = folder / "wanted.txt"
    wanted.write_text("".join(f"{line}\n" for line in (*names, *tools)))
    pins = folder / "pins.txt"
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins.write_text("".join(f"{pin}\n" for pin in lines if not _PINNED_ELSEWHERE.match(pin)))
    return wanted, pins


def _run(words: list[str]) -> None:
    subprocess.run(words, check=True, cwd=ROOT)
