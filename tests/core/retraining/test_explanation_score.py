"""Scores of explanations: each tells a good map from a bad one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli.main import run
from core.models.faithfulness import (
    deletion_insertion,
    energy_in_mask,
    likeness,
    pointing_by_chance,
    pointing_hit,
    randomised,
)
from core.retraining.building import build_from_table
from tests.core.models.making import make_model, network
from tests.core.retraining.making import picture, request, write_table


def test_pointing_and_energy() -> None:
    mask = np.zeros((20, 20), bool)
    mask[4:8, 4:8] = True
    on = np.zeros((20, 20), np.float32)
    on[5, 5], on[15, 15] = 3.0, 1.0
    assert pointing_hit(on, mask, 0)
    assert energy_in_mask(on, mask) == pytest.approx(0.75)
    beside = np.zeros((20, 20), np.float32)
    beside[5, 10] = 1
    assert not pointing_hit(beside, mask, 2)
    assert pointing_hit(beside, mask, 3)
    assert energy_in_mask(-on, mask) == 0.0
    assert pointing_by_chance(on, mask, 0) == pytest.approx(16 / 400)
    assert pointing_by_chance(on, mask, 2) > 16 / 400
    nothing = np.full((20, 20), -np.inf, np.float32)
    assert pointing_by_chance(nothing, mask, 5) == 0.0
    assert not pointing_hit(nothing, mask, 5)


def test_the_right_map_deletes_and_inserts_faster_than_chance_and_a_wrong_one_slower() -> None:
    pixels = np.zeros((1, 48, 48), np.uint8)
    pixels[:, 8:16, 8:16] = 250

    def ask(batch: np.ndarray) -> np.ndarray:
        return np.clip(batch[:, 0, 8:16, 8:16].mean(axis=(1, 2)) / 250, 0, 1)

    right = pixels[0].astype(np.float32)
    good = deletion_insertion(ask, pixels, right)
    bad = deletion_insertion(ask, pixels, -right)
    assert good.deletion < good.random_deletion < bad.deletion
    assert good.insertion > good.random_insertion > bad.insertion


def test_random_weights_are_drawn_anew_and_the_model_is_left_alone() -> None:
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    other = randomised(model, seed=99)
    assert not (other.last.weight == model.last.weight).any()
    assert all((tensor == before[name]).all() for name, tensor in model.state_dict().items())
    assert likeness(np.arange(9.0, dtype=np.float32), np.arange(9.0, dtype=np.float32)) == 1
    assert likeness(np.ones(9, np.float32), np.arange(9.0, dtype=np.float32)) == 0


def test_the_command_scores_marked_slices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[dict[str, object]] = []
    (tmp_path / "s").mkdir()
    for number in range(6):
        Image.fromarray(picture(number, (40, 40))).save(tmp_path / "s" / f"{number}.png")
        mask = np.zeros((40, 40), np.uint8)
        if number % 2:
            mask[10:20, 10:20] = 255
        Image.fromarray(mask).save(tmp_path / "s" / f"{number}_mask.png")
        rows.append(
            {
                "file": f"s/{number}.png",
                "mask": f"s/{number}_mask.png",
                "patient": f"P{number}",
                "bleed": number % 2,
            }
        )
    table = write_table(tmp_path / "table.csv", rows)
    build_from_table(request(table, tmp_path / "set", mask="mask", split="test"))
    make_model(tmp_path / "m")
    words = ["explain-score", str(tmp_path / "m"), "--data", str(tmp_path / "set")]
    for method in ("closed-form", "grad-cam++", "occlusion"):
        assert run([*words, "--method", method, "--json", "--device", "cpu"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["slices"] == 3
        assert found["mask_area"]["value"] == pytest.approx(0.0625)
        assert 0 <= found["energy_in_mask"]["value"] <= 1
        assert len(found["pointing_game"]["ci95"]) == 2
        assert 0.0625 <= found["pointing_chance"]["value"] < 0.5
        assert found["likeness_to_random_weights"]["value"] < 1
    assert run([*words, "--split", "train"]) == 1
    assert "marked" in capsys.readouterr().err
