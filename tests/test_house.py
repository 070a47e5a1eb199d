"""The house: pins agree, licences allow shipping, the rooms import downward, errors are told."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from core import errors
from core.sentences import explained
from installer.owners import may_ship

ROOT = Path(__file__).resolve().parent.parent


def _tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / ".ci" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_constraints_and_pyproject_pin_the_same_versions() -> None:
    pins = _tool("pins")
    assert pins.in_constraints() == pins.in_pyproject()
    assert len(pins.in_constraints()) > 50


def test_pins_are_exact_and_name_no_index() -> None:
    text = (ROOT / "constraints.txt").read_text()
    assert "://" not in text
    assert "--index" not in text
    assert all("==" in line for line in text.splitlines() if line and not line.startswith("#"))


def test_the_versions_that_run_here_are_the_pinned_ones() -> None:
    told = _tool("pins").problems()
    assert not told, told


def test_nothing_that_ships_is_gpl_and_the_list_is_whole() -> None:
    told = _tool("licences").problems()
    assert not told, told


@pytest.mark.parametrize(
    ("statement", "ships"),
    [
        ("GPL-3.0-or-later", False),
        ("AGPL-3.0", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("LGPL-3.0-only", True),
        ("GNU Lesser General Public License v3 (LGPLv3)", True),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", True),
        ("MIT", True),
    ],
)
def test_the_licence_check_knows_gpl_from_lgpl(statement: str, ships: bool) -> None:
    assert may_ship(statement) is ships


def test_every_error_has_a_sentence() -> None:
    family = {
        item
        for item in vars(errors).values()
        if isinstance(item, type)
        and issubclass(item, errors.CoreError)
        and item is not errors.CoreError
    }
    assert family <= explained()


def test_core_imports_without_qt() -> None:
    code = (
        "import sys, core.session, core.sample; print([m for m in sys.modules if 'PySide6' in m])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_no_tracked_file_names_this_machine_or_an_index() -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, or no git here")
    listed = subprocess.run(
        [git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    forbidden = ("/" + "work/", "index" + "-url", "/" + "root/")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in {".safetensors", ".png"} or not path.is_file():
            continue
        text = path.read_text("utf-8", errors="ignore")
        assert not [word for word in forbidden if word in text], name
