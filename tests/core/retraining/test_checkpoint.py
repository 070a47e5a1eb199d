"""Checkpoints: whole, or the one before; a flipped byte is found."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from core.errors import RunError
from core.retraining import checkpoint


def state(number: int) -> dict[str, checkpoint.Tensors]:
    return {"model": {"weight": torch.full((4, 3), float(number))}}


def numbers(folder: Path) -> tuple[int, float]:
    found = checkpoint.load(folder)
    assert found is not None
    return found[1]["epoch"], float(found[0]["model"]["weight"][0, 0])


def test_the_last_state_and_the_one_before(tmp_path: Path) -> None:
    place = tmp_path / "last"
    assert checkpoint.load(place) is None
    for epoch in (1, 2, 3):
        checkpoint.save(place, state(epoch), {"epoch": epoch})
        assert numbers(place) == (epoch, epoch)
    (place / "state.json").unlink()
    assert numbers(place) == (2, 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".last.old", "last"]


def test_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    (tmp_path / ".last.0a1b2c3d").mkdir()
    checkpoint.save(tmp_path / "last", state(1), {"epoch": 1})
    assert [p.name for p in tmp_path.iterdir()] == ["last"]


def flip_bytes(tmp_path: Path, times: int) -> None:
    """Flip a random byte of the last state: the one before is taken, never a wrong number."""
    place, chance = tmp_path / "last", random.Random(5)
    for epoch in (1, 2):
        checkpoint.save(place, state(epoch), {"epoch": epoch})
    files = [place / "state.json", place / "state.safetensors"]
    for _ in range(times):
        file = chance.choice(files)
        whole = file.read_bytes()
        flipped = bytearray(whole)
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        file.write_bytes(flipped)
        # White space outside of the values may change without harm.
        assert numbers(place) in ((1, 1.0), (2, 2.0))
        file.write_bytes(whole)


def test_a_flipped_byte_is_found(tmp_path: Path) -> None:
    flip_bytes(tmp_path, 60)


@pytest.mark.slow
def test_a_thousand_flipped_bytes(tmp_path: Path) -> None:
    flip_bytes(tmp_path, 1000)


def test_two_damaged_states_are_one_sentence(tmp_path: Path) -> None:
    place = tmp_path / "last"
    for epoch in (1, 2):
        checkpoint.save(place, state(epoch), {"epoch": epoch})
    for folder in (place, tmp_path / ".last.old"):
        (folder / "state.safetensors").write_bytes(b"damaged")
    with pytest.raises(RunError):
        checkpoint.load(place)
