"""What a case says of the model's answers: called or not, conflicts, classes not predicted."""

from __future__ import annotations

import numpy as np
import pytest

from core.case import Case
from core.imaging.intensity import CT_PRESETS
from core.labels.sets import load_label_set
from core.models.answers import ModelIdentity, SeriesPrediction, SlicePrediction
from tests.core.models.making import volume

SLICES = ModelIdentity("slices", "1", "a" * 64)
VOLUMES = ModelIdentity("volumes", "1", "b" * 64)


@pytest.fixture
def case() -> Case:
    summary = volume(np.zeros((4, 8, 8), np.int16)).summary
    return Case(summary, load_label_set("hemorrhage"), CT_PRESETS[0])


def _answer(
    case: Case, model: ModelIdentity, shares: list[float], series: float, **facts: object
) -> None:
    of_volume = model is VOLUMES
    case.expect(SeriesPrediction(model, "hemorrhage", 0.5, **facts))  # type: ignore[arg-type]
    for index, share in enumerate(shares):
        said = {"hemorrhage": share, "no_hemorrhage": 1 - share}
        case.answer_arrived(model, SlicePrediction(index, said, of_volume=of_volume))
    case.prediction_finished(model, series)


def test_a_model_of_volumes_against_one_of_slices_is_told(case: Case) -> None:
    _answer(case, SLICES, [0.1, 0.2, 0.1, 0.1], 0.2)
    assert case.prediction is not None and case.prediction.conflict == ""
    _answer(case, VOLUMES, [0.9] * 4, 0.9)
    assert "the model of slices none" in case.prediction.conflict
    assert case.is_in_conflict()
    _answer(case, SLICES, [0.1, 0.8, 0.1, 0.1], 0.8)
    assert case.prediction.conflict == ""


def test_a_rule_for_series_may_have_a_threshold_of_its_own(case: Case) -> None:
    _answer(case, SLICES, [0.1, 0.8, 0.1, 0.1], 0.4)
    assert not case.is_series_called and case.is_in_conflict()
    _answer(case, SLICES, [0.1, 0.8, 0.1, 0.1], 0.4, series_threshold=0.3)
    assert case.is_series_called and not case.is_in_conflict()
    case.show(threshold=0.45)  # a reader's threshold stands for both
    assert not case.is_series_called


def test_what_the_engine_noted_is_kept(case: Case) -> None:
    case.expect(SeriesPrediction(SLICES, "hemorrhage", 0.5))
    case.prediction_finished(SLICES, 0.2, "They disagree.", ("Memory ran out.",))
    assert case.prediction is not None
    assert (case.prediction.conflict, case.prediction.notes) == (
        "They disagree.",
        ("Memory ran out.",),
    )


def test_whether_a_class_is_predicted_follows_the_threshold_in_force(case: Case) -> None:
    assert case.predicts(0, "hemorrhage") is None
    _answer(case, SLICES, [0.1, 0.6, 0.6, 0.1], 0.6)
    told = [case.predicts(index, "hemorrhage") for index in range(4)]
    assert told == [False, True, True, False]
    assert [case.predicts(index, "no_hemorrhage") for index in range(4)] == [True, False, False,
                                                                             True]  # fmt: skip
    case.show(threshold=0.7)
    assert case.predicts(1, "hemorrhage") is False
    assert case.predicts(1, "no_hemorrhage") is True
    assert case.predicts(1, "of another set") is None


def test_the_likeliest_of_several_or_each_by_itself() -> None:
    said = {"free": 0.2, "crack": 0.35, "blowhole": 0.45}
    answer = SlicePrediction(0, said)
    assert answer.predicts("blowhole", "crack", 0.5)
    assert not answer.predicts("free", "crack", 0.5)
    assert answer.predicts("crack", "crack", 0.3)
    assert not answer.predicts("blowhole", "crack", 0.3)
    assert answer.predicts("blowhole", "crack", 0.3, "any-of")
