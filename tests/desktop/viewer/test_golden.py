"""The viewer draws what it drew when a person last looked: see `golden` for what to look for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from desktop import appearance
from tests.desktop.viewer.golden import SCENES, load, save

MEAN, FAR, SHARE = 1.5, 32, 0.01
"""Mean difference allowed; how far a channel may be off at most, but for this share of pixels.

Another version of Qt draws the rims of letters and lines a little differently, nothing else.
"""


@pytest.mark.parametrize("name", SCENES)
def test_the_picture_is_the_golden_one(
    name: str, qapp: QApplication, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(appearance, "PREFERRED_FAMILIES", ("DejaVu Sans",))
    appearance.apply(qapp)
    drawn, kept = SCENES[name](), load(name)
    assert drawn.shape == kept.shape
    apart = np.abs(drawn.astype(int) - kept).max(axis=2)
    if apart.mean() > MEAN or (apart > FAR).mean() > SHARE:
        file = save(name, drawn, tmp_path)
        pytest.fail(f"{name}: {apart.mean():.2f} apart, {(apart > FAR).mean():.1%} far; see {file}")


def test_a_heat_map_shifted_by_a_pixel_would_be_noticed() -> None:
    kept = load("overlay").astype(int)
    width = kept.shape[1] // 4
    coloured = np.ptp(kept, axis=2) > 40
    near = coloured[:, width : 2 * width]  # enlarged six times: a pixel is thirty across
    assert near.sum() >= 25 * 25
    moved = np.roll(near, 30, axis=1)
    assert (moved != near).mean() > SHARE
