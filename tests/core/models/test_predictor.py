"""Answers: calibrated, explained in place, the visible slice first; bad weights are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import DamagedModelError
from core.models.calibration import calibrated_by
from core.models.card import CARD_FILE, WEIGHTS_FILE, Calibration, read_card, sha256_of, write_card
from core.models.loading import load_predictor
from core.models.turns import outwards
from core.models.verification import verify_model
from core.sentences import sentence
from tests.core.models.making import head_like, make_model, volume


def test_a_volume_is_answered_from_the_visible_slice_outwards(tmp_path: Path) -> None:
    make_model(tmp_path / "m")
    predictor = load_predictor(tmp_path / "m", "cpu")
    answers = list(predictor.predict_volume(volume(head_like(9)), first=6))
    assert [answer.index for answer in answers] == [6, 5, 7, 4, 8, 3, 2, 1, 0]
    for answer in answers:
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert answer.heat_map is not None
        assert answer.heat_map.class_id == "hemorrhage"


def test_batches_do_not_change_answers(tmp_path: Path) -> None:
    make_model(tmp_path / "m", flip_averaging=True)
    predictor = load_predictor(tmp_path / "m", "cpu")
    case = volume(head_like(20))
    one = {a.index: a for a in predictor.predict_volume(case, first=0)}
    two = {a.index: a for a in predictor.predict_volume(case, first=11)}
    for index in range(20):
        first, second = one[index], two[index]
        assert first.probabilities["hemorrhage"] == pytest.approx(
            second.probabilities["hemorrhage"], abs=1e-6
        )
        assert first.heat_map is not None
        assert second.heat_map is not None
        np.testing.assert_allclose(first.heat_map.values, second.heat_map.values, atol=1e-6)


def test_with_flip_averaging_a_mirrored_slice_gets_the_same_answer(tmp_path: Path) -> None:
    make_model(tmp_path / "m", flip_averaging=True)
    predictor = load_predictor(tmp_path / "m", "cpu")
    voxels = head_like(1)
    plain, mirrored = (
        next(predictor.predict_volume(volume(v)))
        for v in (voxels, np.ascontiguousarray(voxels[..., ::-1]))
    )
    assert plain.probabilities["hemorrhage"] == pytest.approx(
        mirrored.probabilities["hemorrhage"], abs=1e-5
    )


def test_stopping_ends_before_the_next_batch(tmp_path: Path) -> None:
    make_model(tmp_path / "m")
    predictor = load_predictor(tmp_path / "m", "cpu")
    found = list(predictor.predict_volume(volume(head_like(5)), cancelled=lambda: True))
    assert found == []


def test_order_outwards() -> None:
    assert outwards(range(5), 1) == [1, 0, 2, 3, 4]
    assert outwards(range(1), 0) == [0]


def test_calibration_of_two_classes_and_of_more() -> None:
    how = Calibration(slope=2.0, intercept=1.0)
    logits = np.array([[0.0], [-800.0], [800.0]])
    shares = calibrated_by(how, logits, 2, 1)
    assert shares[:, 1] == pytest.approx([1 / (1 + np.exp(-1)), 0, 1])
    assert calibrated_by(how, logits, 2, 0)[:, 0] == pytest.approx(shares[:, 1])
    three = calibrated_by(Calibration(), np.array([[1.0, 1.0, 1.0, 99.0]]), 3, 2)
    assert three == pytest.approx(np.full((1, 3), 1 / 3))


def test_a_whole_model_verifies(tmp_path: Path) -> None:
    make_model(tmp_path / "m")
    assert verify_model(tmp_path / "m").id == "small"


def _rehash(folder: Path) -> None:
    card = read_card(folder)
    digest = sha256_of(folder / WEIGHTS_FILE)
    write_card(folder, card.model_copy(update={"weights_sha256": digest}))


def _truncated(folder: Path) -> None:
    path = folder / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:-100])
    _rehash(folder)


def _not_finite(folder: Path) -> None:
    state = load_file(folder / WEIGHTS_FILE)
    state["head.weight"][0, 0] = float("nan")
    save_file(state, folder / WEIGHTS_FILE)
    _rehash(folder)


def _wrong_shapes(folder: Path) -> None:
    state = load_file(folder / WEIGHTS_FILE)
    state["head.weight"] = torch.zeros(7, 3)
    save_file(state, folder / WEIGHTS_FILE)
    _rehash(folder)


def _other_hash(folder: Path) -> None:
    state = load_file(folder / WEIGHTS_FILE)
    state["head.bias"] += 1
    save_file(state, folder / WEIGHTS_FILE)


def _answers_otherwise(folder: Path) -> None:
    _other_hash(folder)
    _rehash(folder)


def _pickle(folder: Path) -> None:
    torch.save({"head.bias": torch.zeros(1)}, folder / WEIGHTS_FILE)
    _rehash(folder)


def _no_weights(folder: Path) -> None:
    (folder / WEIGHTS_FILE).unlink()


def _card_lacks(folder: Path) -> None:
    content = json.loads((folder / CARD_FILE).read_text())
    del content["classes"]
    (folder / CARD_FILE).write_text(json.dumps(content))


def _unknown_family(folder: Path) -> None:
    content = json.loads((folder / CARD_FILE).read_text())
    content["architecture"]["family"] = "os.system"
    (folder / CARD_FILE).write_text(json.dumps(content))


@pytest.mark.parametrize(
    "damage",
    [
        _truncated,
        _not_finite,
        _wrong_shapes,
        _other_hash,
        _answers_otherwise,
        _pickle,
        _no_weights,
        _card_lacks,
        _unknown_family,
    ],
)
def test_damaged_models_are_refused_with_a_sentence(tmp_path: Path, damage: object) -> None:
    make_model(tmp_path / "m")
    damage(tmp_path / "m")  # type: ignore[operator]
    with pytest.raises(DamagedModelError) as caught:
        verify_model(tmp_path / "m")
    words = str(sentence(caught.value))
    assert str(tmp_path / "m") in words
    assert "Traceback" not in words
    assert len(words) < 500
