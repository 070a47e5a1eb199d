"""Slabs are the highest, lowest or mean of their planes; two series go in step."""

from __future__ import annotations

import numpy as np
import pytest

from core.companion import Companion, second_opinion
from core.imaging.geometry import Geometry, Plane
from core.imaging.intensity import Window
from core.models.answers import ModelIdentity, SeriesPrediction
from core.reading.in_step import Step, beside, how
from core.reading.operating import measured_at
from core.reading.slab import Projection, Slab, distance, project, span
from tests.desktop.models import write_model
from tests.desktop.viewer.making import axial, make_case, predict

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("projection", list(Projection))
@pytest.mark.parametrize("scale", ["one", "many", "negative"])
def test_a_slab_is_what_numpy_says(plane, projection, scale):
    voxels = RNG.integers(-500, 500, (9, 11, 13)).astype(np.int16)
    slope = {"one": 2.0, "negative": -1.5, "many": np.linspace(1, 2, 9)}[scale]
    case = make_case(voxels, slope=slope, intercept=3.0, spacing=(5.0, 1.0, 1.0))
    slopes = np.broadcast_to(slope, 9)
    values = voxels * slopes[:, None, None] + 3.0
    slab = Slab(projection, 15.0)
    index = 4
    indices = span(case.summary.geometry, plane, index, slab)
    part = np.take(values, list(indices), axis=plane.value)
    how_ = {Projection.MAXIMUM: np.max, Projection.MINIMUM: np.min, Projection.MEAN: np.mean}
    expected = how_[projection](part, axis=plane.value)
    found = project(case.volume, plane, index, slab)
    assert np.allclose(found, expected, atol=1e-2)


def test_a_slab_is_as_thick_as_it_says_and_ends_with_the_volume():
    geometry = axial((20, 40, 40), (5.0, 1.0, 1.0))
    assert span(geometry, Plane.SLICE, 10, Slab(Projection.MEAN, 20.0)) == range(8, 13)
    assert span(geometry, Plane.SLICE, 0, Slab(Projection.MEAN, 20.0)) == range(3)
    assert span(geometry, Plane.ROW, 20, Slab(Projection.MEAN, 1.0)) == range(20, 21)
    assert Slab(Projection.MEAN, 10).changed(0.01).thickness == 1.0
    assert Slab(Projection.MEAN, 10).changed(100).thickness == 200.0


def test_planes_of_a_tilted_series_are_nearer_than_their_steps():
    affine = np.eye(4)
    affine[:3, :3] = 0
    affine[0, 2] = affine[1, 1] = 1.0
    affine[:3, 0] = [0, 3.0, 4.0]
    assert distance(Geometry((5, 9, 9), affine), Plane.SLICE) == pytest.approx(4.0)


def shifted(count, spacing, start):
    geometry = axial((count, 8, 8), (spacing, 1.0, 1.0))
    affine = geometry.affine.copy()
    affine[2, 3] = start
    return Geometry(geometry.shape, affine)


def test_series_in_one_space_go_by_position():
    thick, thin = shifted(10, 5.0, 0.0), shifted(50, 1.0, 2.0)
    assert how(thick, thin) is Step.POSITION
    assert beside(thick, thin, 4) == 18  # 20 mm
    assert beside(thin, thick, 18) == 4
    assert beside(thin, thick, 49) == 9


def test_series_elsewhere_go_by_order():
    one, far = shifted(10, 5.0, 0.0), shifted(19, 5.0, 900.0)
    assert how(one, far) is Step.ORDER
    assert [beside(one, far, k) for k in (0, 9)] == [0, 18]
    unknown = Geometry.unknown((4, 8, 8))
    assert how(one, unknown) is Step.ORDER


def test_a_companion_scrolls_and_shows_alike_both_ways():
    lead = make_case(np.zeros((10, 8, 8), np.int16))
    other = make_case(np.zeros((19, 8, 8), np.int16), geometry=shifted(19, 5.0, 900.0))
    companion = Companion(lead, other)
    lead.navigation.go(9)
    assert other.navigation.index() == 18
    other.navigation.go(0)
    assert lead.navigation.index() == 0
    lead.show(window=Window(1, 2), inverted=True)
    assert other.display.window == Window(1, 2) and other.display.inverted
    companion.close()
    lead.navigation.go(5)
    assert other.navigation.index() == 0 and len(lead.navigation.moved) == 0


def test_two_models_on_one_series():
    case = make_case(np.zeros((4, 8, 8), np.int16), loaded=False)
    predict(case, [0.1] * 4)
    old = SeriesPrediction(ModelIdentity("old", "1", "0" * 64), "hemorrhage", 0.5)
    twin = second_opinion(case, old)
    companion = Companion(case, twin)
    case.navigation.go(3)
    case.relabel({"slice-0": "hemorrhage"})
    assert twin.navigation.index() == 3 and twin.labels == case.labels
    assert twin.prediction is old and case.prediction is not old
    companion.close()


def test_finished_answers_are_kept_and_thresholds_start_anew():
    case = make_case(np.zeros((3, 8, 8), np.int16))
    first = predict(case, [0.9, 0.3, 0.1], threshold=0.5)
    case.prediction_finished(first.model, 0.2)
    assert case.is_in_conflict()
    case.show(threshold=0.25)
    assert [case.is_suspicious(k) for k in range(3)] == [True, True, False]
    case.show(threshold=0.95)
    assert not case.is_in_conflict()
    other = SeriesPrediction(ModelIdentity("other", "1", "1" * 64), "hemorrhage", 0.4)
    case.expect(other)
    assert case.threshold == 0.4 and case.display.threshold is None
    case.prediction_finished(other.model, 0.1)
    assert [item.model.id for item in case.kept] == [first.model.id, "other"]


def test_the_card_speaks_only_where_it_measured(tmp_path):
    from core.models.card import CurvePoint

    card = write_model(tmp_path / "m")
    at = measured_at(card, 0.4)
    assert at is not None and (at.sensitivity, at.specificity) == (0.9, 0.8)
    assert measured_at(card, 0.6) is None
    curve = (CurvePoint(threshold=0.59, sensitivity=0.7, specificity=0.95),)
    found = measured_at(card.model_copy(update={"operating_curve": curve}), 0.6)
    assert found is not None and found.sensitivity == 0.7 and found.at == 0.59
