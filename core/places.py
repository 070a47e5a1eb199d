"""Where things live: what ships with the program, and what belongs to the person."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

from core import durable

HOME_VARIABLE = "SLICELOOP_HOME"
"""Environment variable that moves everything personal into one folder (a *profile*)."""


def shipped() -> Path:
    """Folder that holds `resources/` and `weights/`: the source tree, the wheel or the bundle."""
    return Path(getattr(sys, "_MEIPASS", Path(__file__).resolve().parent.parent))


def resources() -> Path:
    """Read-only resources: recipes, label sets, icons."""
    return shipped() / "resources"


def documents() -> Path:
    """Read-only pages of the manual and of the licences, `docs/` of the source tree."""
    packed = resources() / "documents"
    return packed if packed.is_dir() else shipped() / "docs"


def shipped_weights() -> Path:
    """Read-only model folders that came with the program."""
    return shipped() / "weights"


def _personal(kind: str) -> Path:
    profile = os.environ.get(HOME_VARIABLE)
    if profile:
        folder = Path(profile) / kind
    else:
        dirs = platformdirs.PlatformDirs("sliceloop", appauthor=False)
        folder = Path(getattr(dirs, f"user_{kind}_dir"))
    durable.make_folder(folder, 0o700)
    return folder


def settings_folder() -> Path:
    """The person's settings."""
    return _personal("config")


def data_folder() -> Path:
    """What must never be lost: labels, measurements, published models, training sets, runs."""
    return _personal("data")


def state_folder() -> Path:
    """Logs and crash reports, without patient data."""
    return _personal("state")


def cache_folder() -> Path:
    """What can be made again: thumbnails, decoded slices, features."""
    return _personal("cache")


def journal_file() -> Path:
    """The label journal."""
    return data_folder() / "labels.db"


def user_models() -> Path:
    """The person's own published models, and which one is active."""
    return data_folder() / "models"


def measurements() -> Path:
    """What the person measured, a file a series."""
    return data_folder() / "measurements"


def datasets() -> Path:
    """Training-set snapshots made in the window."""
    return data_folder() / "datasets"


def runs() -> Path:
    """Training runs started in the window."""
    return data_folder() / "runs"
