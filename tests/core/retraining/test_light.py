"""What the window imports of this room loads no heavy library: the window is up in a second."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = ("torch", "sklearn", "matplotlib", "SimpleITK", "pyarrow")
LIGHT = ("collecting", "promotion", "comparison", "sources", "protocol", "recipe", "dataset")


def test_the_windows_imports_are_light() -> None:
    lines = [f"import core.retraining.{name}" for name in LIGHT]
    lines += ["import sys", f"print([name for name in {HEAVY} if name in sys.modules])"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.strip() == "[]"
