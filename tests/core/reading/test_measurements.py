"""Lengths, angles and areas are those of the patient, whatever the grid looks like."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.imaging.geometry import Geometry, Plane
from core.reading.book import MeasurementBook
from core.reading.measurements import (
    Kind,
    Measurement,
    angle,
    area,
    inside,
    length,
    statistics,
    to_patient,
    to_pixel,
)
from tests.desktop.viewer.making import axial, make_case


def oblique(lean: float = 0.0) -> Geometry:
    """A grid turned by 20° about z, with steps that lean as under a tilted gantry."""
    turn = math.radians(20)
    affine = np.eye(4)
    affine[:3, 2] = np.array([math.cos(turn), math.sin(turn), 0]) * 0.7
    affine[:3, 1] = np.array([-math.sin(turn), math.cos(turn), 0]) * 0.9
    affine[:3, 0] = [0, lean, 4.0]
    affine[:3, 3] = [-11, 7, 3]
    return Geometry((6, 50, 60), affine)


@given(
    st.sampled_from(list(Plane)),
    st.floats(-5, 65),
    st.floats(-5, 55),
    st.integers(0, 5),
    st.floats(-2, 2),
)
def test_pixels_and_patient_are_inverse(plane, x, y, index, lean):
    geometry = oblique(lean)
    found = to_pixel(geometry, plane, to_patient(geometry, plane, index, x, y))
    assert found == pytest.approx((x, y), abs=1e-6)


def test_a_pixels_centre_is_its_position():
    geometry = oblique()
    centre = to_patient(geometry, Plane.SLICE, 2, 10.5, 20.5)
    assert centre == pytest.approx(tuple(geometry.to_patient(np.array([2.0, 20, 10]))))


@given(st.tuples(*[st.floats(-300, 300)] * 9), st.floats(0.1, 50))
def test_angles_do_not_depend_on_size_or_order(numbers, factor):
    a, b, c = numbers[:3], numbers[3:6], numbers[6:]
    found = angle(a, b, c)
    assert 0 <= found <= 180
    assert angle(c, b, a) == pytest.approx(found, abs=1e-6)
    far = tuple(p + (q - p) * factor for p, q in zip(b, c, strict=True))
    if length(b, c) > 1e-3 and length(a, b) > 1e-3:
        assert angle(a, b, far) == pytest.approx(found, abs=1e-3)


def test_known_lengths_and_angles():
    assert length((0, 0, 0), (3, 4, 0)) == 5
    assert angle((1, 0, 0), (0, 0, 0), (0, 1, 0)) == pytest.approx(90)
    assert angle((1, 0, 0), (0, 0, 0), (-1, 0, 0)) == pytest.approx(180)


def drawn(geometry, kind, corner, size, plane=Plane.SLICE, index=1):
    points = tuple(
        to_patient(geometry, plane, index, *at)
        for at in (corner, (corner[0] + size[0], corner[1] + size[1]))
    )
    return Measurement(kind, plane, index, points)


def test_a_rectangle_on_whole_pixels_holds_exactly_those():
    geometry = axial((3, 40, 40), (5.0, 0.5, 0.5))
    item = drawn(geometry, Kind.RECTANGLE, (10, 12), (6, 4))
    down, across, mask = inside(geometry, item)
    assert (down, across) == (slice(12, 16), slice(10, 16)) and mask.all()
    assert area(geometry, item) == pytest.approx(24 * 0.25)


def test_an_ellipse_has_its_area_and_about_as_many_pixels():
    geometry = axial((3, 200, 200), (5.0, 1.0, 1.0))
    item = drawn(geometry, Kind.ELLIPSE, (20, 30), (120, 80))
    assert area(geometry, item) == pytest.approx(math.pi * 60 * 40)
    assert inside(geometry, item)[2].sum() == pytest.approx(math.pi * 60 * 40, rel=0.005)


def test_areas_stay_rectangular_in_a_leaning_cut():
    geometry = oblique(lean=1.5)
    points = (
        to_patient(geometry, Plane.COLUMN, 30, 10, 1),
        to_patient(geometry, Plane.COLUMN, 30, 30, 5),
    )
    item = Measurement(Kind.RECTANGLE, Plane.COLUMN, 30, points)
    assert area(geometry, item) > 0
    assert inside(geometry, item)[2].any()


def test_statistics_are_of_modality_values():
    voxels = np.arange(2 * 20 * 20, dtype=np.int16).reshape(2, 20, 20)
    case = make_case(voxels, slope=2.0, intercept=-1000.0, spacing=(5.0, 1.0, 1.0))
    item = drawn(case.summary.geometry, Kind.RECTANGLE, (3, 5), (4, 2))
    found = statistics(case.volume, item)
    expected = voxels[1, 5:7, 3:7] * 2.0 - 1000.0
    assert found is not None
    assert (found.count, found.area) == (8, pytest.approx(8.0))
    assert found.mean == pytest.approx(expected.mean())
    assert found.deviation == pytest.approx(expected.std(ddof=1))
    assert (found.minimum, found.maximum) == (expected.min(), expected.max())
    outside = drawn(case.summary.geometry, Kind.ELLIPSE, (-30, -30), (5, 5))
    assert statistics(case.volume, outside) is None
    assert statistics(case.volume, Measurement(Kind.LENGTH, Plane.SLICE, 0, item.points)) is None


POINT = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))


def test_a_book_undoes_step_by_step():
    book, told = MeasurementBook(), []
    book.changed.connect(lambda: told.append(len(book)))
    first = book.add(Measurement(Kind.LENGTH, Plane.SLICE, 3, POINT))
    second = book.add(Measurement(Kind.LENGTH, Plane.ROW, 3, POINT))
    assert [k.number for k in book] == [1, 2] and book.on(Plane.SLICE, 3) == (first,)
    book.change(second.moved((0, 0, 5)))
    book.remove(first.number)
    book.clear()
    assert told == [1, 2, 2, 1, 0]
    for expected in (1, 2, 2, 1, 0):
        assert book.undo() and len(book) == expected
    assert not book.undo() and not book.can_undo
    for _ in range(3):
        assert book.redo()
    assert book.find(2).points[0] == (0, 0, 5)
    book.add(first)
    assert not book.can_redo
    with pytest.raises(KeyError):
        book.change(Measurement(Kind.LENGTH, Plane.SLICE, 0, POINT, number=99))


@given(st.lists(st.sampled_from(["add", "remove", "undo", "redo"]), max_size=40))
def test_undo_and_redo_are_a_walk_over_states(steps):
    book = MeasurementBook()
    states, place = [()], 0
    for step in steps:
        before = tuple(book)
        if step == "add":
            book.add(Measurement(Kind.LENGTH, Plane.SLICE, 0, POINT))
        elif step == "remove" and before:
            book.remove(before[0].number)
        elif step == "undo":
            assert book.undo() is (place > 0)
            place = max(place - 1, 0)
        elif step == "redo":
            assert book.redo() is (place < len(states) - 1)
            place = min(place + 1, len(states) - 1)
        if step in ("add", "remove") and tuple(book) != before:
            states = [*states[: place + 1], tuple(book)]
            place += 1
        assert tuple(book) == states[place]
