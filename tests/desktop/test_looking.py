"""Every command given once: no control is mute, no word cut off, in two languages and scales."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

from tests.conftest import ROOT

SCALES = ((1.0, "en", "dark"), (1.5, "ko", "light"), (2.5, "en", "light"))


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "language", "theme"), SCALES)
def test_nothing_is_mute_or_cut_off(
    tmp_path: Path, scale: float, language: str, theme: str
) -> None:
    screen = tmp_path / "screen.json"  # Qt's own is 800 pixels wide, and nothing is wider than it
    side = round(1600 * scale)
    screen.write_text(json.dumps({"screens": [{"name": "wide", "width": side, "height": side}]}))
    done = subprocess.run(
        [sys.executable, "-m", "tests.desktop.looking", str(tmp_path), language, theme],
        cwd=ROOT,
        env={
            **os.environ,
            "QT_QPA_PLATFORM": f"offscreen:configfile={screen}",
            "QT_SCALE_FACTOR": str(scale),
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == {}
    picture = QImage(str(tmp_path / "0-window.png"))
    assert picture.width() == round(1400 * scale)  # as many pixels as the screen has
    assert len(list(tmp_path.glob("*Dialog.png"))) >= 10
