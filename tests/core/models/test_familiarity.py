"""What a model never saw is told, and a new patient of the kind it knows is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.imaging.intensity import Quantity
from core.models.card import Accepts, Pictures
from core.models.familiarity import UNLIKE, describe, figures, looked_at, strangeness, unlike
from core.models.loading import load_predictor
from tests.core.models.making import make_model, spec, volume


def _heads(count: int, seed: int, side: int = 48) -> np.ndarray:
    """Bright ellipses on black, a little different each: (n, 1, side, side)."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    found = []
    for _ in range(count):
        a, b = random.uniform(0.36, 0.46), random.uniform(0.28, 0.36)
        inside = (rows / a) ** 2 + (columns / b) ** 2 < 1
        grey = random.uniform(90, 130) + random.normal(0, random.uniform(4, 9), (side, side))
        found.append(np.where(inside, grey, 0))
    return np.clip(np.stack(found), 0, 255).astype(np.uint8)[:, None]


def _films(count: int, seed: int, side: int = 48) -> np.ndarray:
    """Grey all over, as a radiograph or a photograph is."""
    random = np.random.default_rng(seed)
    slope = np.linspace(60, 200, side)[None, :, None]
    noise = random.normal(0, 12, (count, side, side))
    return np.clip(slope + noise, 0, 255).astype(np.uint8)[:, None]


@pytest.fixture(scope="module")
def look() -> Pictures:
    found = describe(_heads(200, 1), [k // 10 for k in range(200)])
    assert found is not None
    return found


def test_a_new_patient_is_familiar_and_another_kind_of_picture_is_not(look: Pictures) -> None:
    assert float(np.mean(strangeness(look, _heads(100, 2)) > 1)) <= 0.05
    assert (strangeness(look, _films(20, 3)) > 1).all()
    assert (strangeness(look, 255 - _heads(20, 4)) > 1).all()  # inverted


def test_what_is_looked_at_is_bounded_and_finite() -> None:
    flat = np.stack([np.zeros((1, 40, 40)), np.full((1, 40, 40), 255)]).astype(np.uint8)
    found = figures(flat)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:, :8].sum(axis=1), 1)
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_few_pictures_or_one_patient_describe_nothing() -> None:
    assert describe(_heads(30, 1), list(range(30))) is None
    assert describe(_heads(120, 1), ["one"] * 120) is None


def test_a_few_slices_of_a_long_series_are_looked_at_and_every_one_of_a_short() -> None:
    assert looked_at(1) == {0}
    assert looked_at(5) == set(range(5))
    assert len(looked_at(300)) == 8
    assert {0, 299} <= looked_at(300) <= set(range(300))


def test_figures_of_another_program_are_never_called_strange() -> None:
    other = Pictures(center=(0.0,), scale=(1.0,), inverse=((1.0,),), limit=1.0)
    assert not strangeness(other, _films(2, 1)).any()


def test_a_card_refuses_figures_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="as many figures"):
        Pictures(center=(0.0, 1.0), scale=(1.0,), inverse=((1.0,),), limit=1.0)


def test_a_series_of_strange_pictures_is_told_and_one_strange_slice_is_not(
    tmp_path: Path, look: Pictures
) -> None:
    accepts = Accepts(quantities=(Quantity.GREY,), pictures=look)
    how = spec(reach=0, size=48)
    make_model(tmp_path / "m", accepts=accepts, preprocessing=how)
    predictor = load_predictor(tmp_path / "m", "cpu")

    def told(pictures: np.ndarray) -> str:
        series = volume(pictures[:, 0], Quantity.GREY)
        return unlike(predictor.card, list(predictor.predict_volume(series)))

    assert told(_films(3, 1)) == UNLIKE
    assert told(_films(40, 1)) == UNLIKE
    assert told(_heads(3, 2)) == ""
    assert told(np.concatenate([_heads(4, 2), _films(1, 1)])) == ""
