"""The guard says before predicting what a model was not made for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.imaging.geometry import Geometry
from core.imaging.intensity import Quantity
from core.imaging.volume import ImageWarning, SeriesSummary
from core.models import guard
from core.models.card import Accepts, Card, Preprocessing
from tests.core.models.making import head_like, make_model, volume


@pytest.fixture
def card(tmp_path: Path) -> Card:
    accepts = Accepts(
        quantities=(Quantity.HU, Quantity.GREY),
        modalities=("CT",),
        axial_only=True,
        max_tilt_degrees=10,
        plane_distance_mm=(3, 7),
    )
    return make_model(tmp_path / "m", accepts=accepts)


def _summary(step: tuple[float, float, float] = (0, 0, 5), **changes: object) -> SeriesSummary:
    affine = np.eye(4)
    affine[:3, :3] = np.array([step, (0, 0.5, 0), (0.5, 0, 0)]).T
    base = replace(volume(head_like(4)).summary, geometry=Geometry((4, 64, 64), affine))
    return replace(base, **changes)


def test_what_it_was_made_for_passes_without_a_word(card: Card) -> None:
    assert guard.refusals(card, _summary()) == ()
    assert guard.cautions(card, _summary()) == ()


def test_a_picture_without_space_passes(card: Card) -> None:
    picture = replace(
        _summary(), quantity=Quantity.GREY, modality="", geometry=Geometry.unknown((1, 64, 64))
    )
    assert guard.refusals(card, picture) == ()
    assert guard.cautions(card, picture) == ()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"quantity": Quantity.COLOUR}, "colour"),
        ({"quantity": Quantity.SIGNAL, "modality": "MR"}, "signal"),
        ({"modality": "PT"}, "PT"),
    ],
)
def test_wrong_kinds_are_refused_with_the_reason(
    card: Card, changes: dict[str, object], word: str
) -> None:
    assert any(word in reason for reason in guard.refusals(card, _summary(**changes)))


@pytest.mark.parametrize(
    ("step", "word"),
    [
        ((0, 2, 5), "tilted"),
        ((0, 0, 1), "1.00 mm"),
        ((0, 0, 12), "12.00 mm"),
    ],
)
def test_geometry_outside_the_training_range_is_flagged(
    card: Card, step: tuple[float, float, float], word: str
) -> None:
    found = guard.cautions(card, _summary(step))
    assert any(word in sentence for sentence in found)
    assert all(sentence.endswith(".") for sentence in found)


def test_slices_of_another_orientation_are_flagged(card: Card) -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.array([(0, 5, 0), (0, 0, -0.5), (0.5, 0, 0)]).T  # coronal
    found = guard.cautions(card, _summary(geometry=Geometry((4, 64, 64), affine)))
    assert any("not axial" in sentence for sentence in found)


@pytest.mark.parametrize("code", ["missing-slices", "several-patients", "mixed-orientation"])
def test_what_breaks_trust_in_the_series_is_passed_on(card: Card, code: str) -> None:
    warned = _summary(warnings=(ImageWarning(code, "Something is wrong."),))
    assert any(s.startswith("Answers are less certain") for s in guard.cautions(card, warned))
    other = _summary(warnings=(ImageWarning("no-spacing", "Something is wrong."),))
    assert guard.cautions(card, other) == ()


def test_spacing_slices_and_windows_outside_the_training_range_are_flagged(tmp_path: Path) -> None:
    accepts = Accepts(
        quantities=(Quantity.HU, Quantity.GREY), pixel_spacing_mm=(0.6, 1.0), slices=(10, 60)
    )
    card = make_model(tmp_path / "other", accepts=accepts)
    told = " ".join(guard.cautions(card, _summary()))
    assert "0.50 mm" in told
    assert "4 slices" in told
    assert "windowed elsewhere" not in told
    windowed = " ".join(guard.cautions(card, _summary(quantity=Quantity.GREY)))
    assert "40/120" in windowed


def test_a_model_of_volumes_refuses_what_is_none(tmp_path: Path) -> None:
    cube = Preprocessing(dimensions=3, size=32, crop="whole")
    card = make_model(
        tmp_path / "cube", family="resnet3d", options={"widths": [4, 4, 4, 4]}, preprocessing=cube
    )
    assert guard.refusals(card, _summary()) == ()
    assert "volume" in guard.refusals(card, _summary(is_volume=False))[0]
    single = _summary(geometry=Geometry.unknown((1, 64, 64)))
    assert "volume" in guard.refusals(card, single)[0]
