"""`sliceloop demo --shots`: the whole loop without a screen, as anybody would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

from core import places
from tests.conftest import ROOT

STAGES = (
    *("01-opened", "02-strip", "03-heat-map", "04-three-panel", "05-corrected-label"),
    *("06-retraining", "07-comparison", "08-promoted", "09-rolled-back", "10-models"),
    *("11-planes", "12-slab", "13-side-by-side", "14-measurements", "15-review-queue"),
    *("16-light-theme", "17-language-ko", "18-language-ko-light", "19-industry"),
)


@pytest.mark.slow
def test_the_loop_is_walked_and_nothing_of_the_person_is_touched(
    tmp_path: Path, profile: Path
) -> None:
    if not any(places.shipped_weights().glob("*/card.json")):
        pytest.skip("no model is shipped in weights/")
    shots = tmp_path / "shots"
    clean = {k: v for k, v in os.environ.items() if k != "QT_QPA_PLATFORM"}
    done = subprocess.run(
        [sys.executable, "-m", "desktop.launch", "demo", "--shots", str(shots)],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (profile / "data").exists(), "the person's profile was used"
    summary = json.loads((shots / "summary.json").read_text("utf-8"))
    assert summary["pictures"] == [f"{stage}.png" for stage in STAGES]
    whole = [stage for stage in STAGES if stage != "10-models"]
    sizes = {(QImage(str(shots / f"{stage}.png")).width()) for stage in whole}
    assert sizes == {1400}
    low, high = summary["comparison"]["challenger"]["auroc_ci95"]
    assert 0 <= low <= summary["comparison"]["challenger"]["auroc"] <= high <= 1
    actions = [item["action"] for item in summary["changes_of_the_active_model"]]
    assert actions == ["promote", "rollback"]
    assert summary["labels"]["journal_entries"] >= summary["labels"]["given"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    taken = tmp_path / "a-file"
    taken.write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "desktop.launch", "demo", "--shots", str(taken)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "cannot be written" in done.stderr
