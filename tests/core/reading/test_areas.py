"""Regions as pixels: shapes, strokes, and what is filled between slices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.labels.schema import Attention, Region, RegionShape
from core.reading import areas

HERE, NOT = Attention.LOOK_HERE, Attention.NOT_HERE


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_runs_give_the_mask_back(mask):
    assert np.array_equal(areas.from_runs(areas.to_runs(mask), mask.shape), mask)
    region = areas.region_of_mask(mask, HERE)
    assert (region is None) is (not mask.any())
    if region is not None:
        assert np.array_equal(areas.mask_of(region, mask.shape), mask)
        top, left, high, wide = (int(part) for part in region.box)
        assert mask[top : top + high, left : left + wide].sum() == mask.sum()


def test_runs_of_another_size_are_refused():
    with pytest.raises(ValueError, match="cover"):
        areas.from_runs((3, 2), (4, 4))


def test_a_polygon_holds_the_pixels_whose_centres_it_holds():
    square = [(2.0, 3.0), (2.0, 7.0), (6.0, 7.0), (6.0, 3.0)]
    mask = areas.polygon_mask(square, (10, 10))
    expected = np.zeros((10, 10), bool)
    expected[2:6, 3:7] = True
    assert np.array_equal(mask, expected)
    triangle = areas.polygon_mask([(0, 0), (0, 9.9), (9.9, 0)], (10, 10))
    assert triangle[0, 8] and not triangle[5, 5] and triangle.sum() == 45


def test_shapes_are_cut_to_the_slice():
    region = areas.drawn(RegionShape.ELLIPSE, [(-5, -5), (5, 5)], HERE, (20, 20))
    assert region is not None and region.box == (0, 0, 5, 5) and sum(region.runs) == 400
    assert areas.drawn(RegionShape.BOX, [(30, 30), (40, 40)], HERE, (20, 20)) is None
    box = areas.drawn(RegionShape.BOX, [(8, 9), (2, 3)], NOT, (20, 20))
    assert box == Region((2, 3, 6, 6), NOT)


def test_a_stroke_has_no_gaps():
    mask = np.zeros((40, 40), bool)
    areas.stroke(mask, (5, 5), (30, 35), (2, 2))
    from scipy.ndimage import label

    assert label(mask)[1] == 1 and mask[5, 5] and mask[29, 34]


def test_strokes_become_one_region_and_can_be_erased():
    size = (20, 20)

    def stroke(columns):
        mask = np.zeros(size, bool)
        mask[5:8, columns] = True
        return areas.region_of_mask(mask, HERE)

    box = Region((1, 1, 2, 2), HERE)
    now = areas.Edit(stroke(slice(2, 6))).apply([box], size)
    now = areas.Edit(stroke(slice(4, 9))).apply(now, size)
    assert len(now) == 2 and areas.mask_of(now[1], size).sum() == 21
    other = areas.Edit(areas.region_of_mask(np.eye(20, dtype=bool), NOT)).apply(now, size)
    assert len(other) == 3
    now = areas.Edit(stroke(slice(2, 7)), erases=True).apply(now, size)
    assert areas.mask_of(now[1], size).sum() == 6
    now = areas.Edit(stroke(slice(0, 20)), erases=True).apply(now, size)
    assert now == (box,)
    assert areas.Edit(taken=box).apply(now, size) == ()


def disc(row, column, radius, shape=(64, 64)):
    mask = np.zeros(shape, bool)
    areas.disc(mask, row, column, (radius, radius))
    return mask


def test_a_cone_is_filled_as_a_cone():
    filled = areas.fill_between({2: disc(30, 30, 20), 6: disc(30, 30, 8)})
    assert sorted(filled) == [3, 4, 5]
    for index, radius in ((3, 17), (4, 14), (5, 11)):
        assert filled[index].sum() == pytest.approx(np.pi * radius**2, rel=0.06)


def test_a_structure_that_wanders_is_followed():
    filled = areas.fill_between({0: disc(15, 15, 6), 4: disc(45, 50, 6)})
    for index in (1, 2, 3):
        rows, columns = np.nonzero(filled[index])
        assert rows.mean() == pytest.approx(15 + 7.5 * index, abs=1)
        assert columns.mean() == pytest.approx(15 + 8.75 * index, abs=1)
        assert filled[index].sum() == pytest.approx(np.pi * 36, rel=0.25)


def test_nothing_is_filled_without_two_drawn_slices():
    empty = np.zeros((64, 64), bool)
    assert areas.fill_between({3: disc(10, 10, 4)}) == {}
    assert areas.fill_between({3: disc(10, 10, 4), 4: disc(10, 10, 4), 9: empty}) == {}
