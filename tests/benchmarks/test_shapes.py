"""Measures of masks whose shape is known, and the command that judges them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.shapes import main, measures


def ball(radius: float, side: int = 28) -> np.ndarray:
    grid = np.mgrid[:side, :side, :side] - (side - 1) / 2
    return (grid**2).sum(axis=0) <= radius**2


def test_a_ball_is_measured_as_one() -> None:
    found = measures(ball(10))
    assert found["volume"] == pytest.approx(4 / 3 * np.pi * 10**3, rel=0.02)
    assert found["depth-most"] == pytest.approx(10, abs=1)
    assert found["opened-share-5"] > 0.9 and found["cores-5"] == found["parts"] == 1
    assert found["solid"] > 0.95 and found["flat"] == pytest.approx(1) == found["long"]
    assert found["straight-inside"] > 0.99 and found["hollow-1.2"] == 0


def test_a_plate_is_thin_and_two_balls_are_two_parts() -> None:
    plate = np.zeros((28, 28, 28), bool)
    plate[12:15, 4:24, 4:24] = True
    thin = measures(plate)
    assert thin["depth-most"] == 2 and thin["opened-2.5"] == 0
    assert thin["faces-0"] > 0.7 and thin["flat"] < 0.2
    two = np.concatenate([ball(8), ball(8)])
    assert measures(two)["parts"] == measures(two)["cores-5"] == 2


@pytest.mark.slow
def test_the_command_tells_thick_from_thin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 12), ("val", 6)):
        labels = np.arange(count) % 2
        masks = [ball(3 + 2.5 * ill + rng.uniform(0, 1), 16) for ill in labels]
        arrays[f"{part}_images"] = np.stack(masks).astype(np.uint8) * 255
        arrays[f"{part}_labels"] = labels[:, None]
    np.savez(tmp_path / "balls.npz", **arrays)
    words = ["shapes", "--arrays", str(tmp_path / "balls.npz"), "--keep", str(tmp_path / "k.npz")]
    monkeypatch.setattr(sys, "argv", words)
    main()
    first = capsys.readouterr().out
    assert "seed 0: AUROC 1.000" in first and "validation part:     AUROC 1.000" in first
    main()
    assert capsys.readouterr().out == first and (tmp_path / "k.npz").is_file()
