"""One preprocessing function: the same slice gives the same pixels, whatever road it came by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from core.imaging.geometry import Plane
from core.imaging.intensity import Quantity
from core.models import preprocessing
from core.models.preprocessing import (
    cut_out,
    prepare,
    prepare_slice,
    prepare_slices,
    slice_grey,
    to_grey,
)
from core.models.rows import prepare_row
from tests.core.models.making import head_like, spec, volume


class _Set:
    """A training set of one series, as the predictor sees it."""

    def __init__(self, planes: list[np.ndarray], quantity: Quantity) -> None:
        self.planes, self.quantity = planes, quantity

    def plane(self, row: int) -> np.ndarray:
        return self.planes[row]

    def quantity_of(self, row: int) -> Quantity:
        return self.quantity

    def neighbours(self, row: int, reach: int) -> list[int]:
        around = range(row - reach, row + reach + 1)
        return [k if 0 <= k < len(self.planes) else row for k in around]


@pytest.mark.parametrize("crop", ["foreground", "whole"])
def test_dicom_window_and_ready_picture_give_the_same_pixels(crop: str) -> None:
    hu = head_like()
    how = spec(crop=crop, size=48)
    stored = volume((hu + 1024).astype(np.int16), intercept=-1024.0)
    greys = np.stack([to_grey(plane.astype(np.float32), Quantity.HU, how) for plane in hu])
    pictures = volume(greys, Quantity.GREY)
    rows = _Set(list(greys), Quantity.GREY)
    for index in range(len(hu)):
        one = prepare_slice(stored, index, how)
        other = prepare_slice(pictures, index, how)
        third = prepare_row(rows, index, how)
        np.testing.assert_array_equal(one.pixels, other.pixels)
        np.testing.assert_array_equal(one.pixels, third.pixels)
        assert one.box == other.box == third.box


@given(
    arrays(np.uint8, (3, 37, 51)),
    st.tuples(st.floats(-20, 20), st.floats(-20, 30), st.floats(9.5, 70), st.floats(9.5, 70)),
)
def test_three_planes_are_cut_at_once_as_each_alone(
    planes: np.ndarray, box: tuple[float, float, float, float]
) -> None:
    alone = np.stack([cut_out(plane, box, 24) for plane in planes])
    bands = Image.merge("RGB", [Image.fromarray(plane) for plane in planes])
    np.testing.assert_array_equal(preprocessing._three(bands, box, 24), alone)


def test_the_window_is_that_of_the_training_pictures() -> None:
    values = np.array([[-20.0, 40.0, 100.0, -1000.0, 34.0]], np.float32)
    grey = to_grey(values, Quantity.HU, spec(window_center=40, window_width=120))
    assert grey.tolist() == [[0, 128, 255, 0, 115]]


@given(
    stored=arrays(st.sampled_from(["<i2", "<u2"]), (70, 9)),
    slope=st.sampled_from([1.0, 0.5, 1.7, -1.0]),
    intercept=st.integers(-2048, 100),
    center=st.integers(-600, 400),
    width=st.integers(1, 2500),
)
def test_looked_up_grey_is_the_computed_one(
    stored: np.ndarray, slope: float, intercept: float, center: float, width: float
) -> None:
    how = spec(window_center=center, window_width=width)
    series = volume(stored[None], slope=slope, intercept=float(intercept))
    computed = to_grey(series.values(Plane.SLICE, 0), Quantity.HU, how)
    np.testing.assert_array_equal(slice_grey(series, 0, how), computed)


def test_slices_beyond_the_ends_are_the_slice_itself() -> None:
    hu = head_like(slices=3)
    made = prepare_slice(volume(hu), 0, spec()).pixels
    np.testing.assert_array_equal(made[0], made[1])
    assert (made[2] != made[1]).any()


def test_a_single_picture_fills_the_channels_of_a_pretrained_trunk() -> None:
    made = prepare([head_like(1)[0].astype(np.float32)], Quantity.HU, spec(reach=0))
    assert made.pixels.shape == (3, 32, 32)
    assert (made.pixels[0] == made.pixels[2]).all()


def test_a_photograph_keeps_its_colours() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[..., 1] = 200
    made = prepare([picture] * 3, Quantity.COLOUR, spec())
    assert made.pixels[1].min() == 200
    assert made.pixels[0].max() == 0


def test_the_table_under_the_head_does_not_widen_the_crop() -> None:
    hu = head_like(1, size=256)[0].astype(np.float32)
    bare = prepare([hu] * 3, Quantity.HU, spec(crop="foreground")).box
    hu[245:248, :] = 60  # a headrest, thin and bright
    assert prepare([hu] * 3, Quantity.HU, spec(crop="foreground")).box == bare


@given(
    row=st.integers(40, 200),
    col=st.integers(40, 200),
    rows=st.integers(220, 300),
)
def test_a_bright_spot_is_found_again_where_the_box_says(row: int, col: int, rows: int) -> None:
    hu = np.full((rows, 256), -1000, np.float32)
    hu[30:210, 30:210] = 30
    hu[row - 4 : row + 5, col - 4 : col + 5] = 100
    made = prepare([hu] * 3, Quantity.HU, spec(crop="foreground", size=128))
    top, left, height, width = made.box
    peak = np.argwhere(made.pixels[1] == made.pixels[1].max()).mean(axis=0) + 0.5
    assert abs(top + peak[0] * height / 128 - (row + 0.5)) < 1.5
    assert abs(left + peak[1] * width / 128 - (col + 0.5)) < 1.5


def test_black_pictures_are_shown_whole() -> None:
    made = prepare([np.zeros((40, 60), np.uint8)] * 3, Quantity.GREY, spec(crop="foreground"))
    assert made.box == (-10.0, 0.0, 60.0, 60.0)


def test_resampling_is_antialiased() -> None:
    stripes = np.zeros((256, 256), np.uint8)
    stripes[:, ::2] = 255
    made = prepare([stripes] * 3, Quantity.GREY, spec(size=32))
    assert np.abs(made.pixels.astype(int) - 127).max() < 40
    assert Image.fromarray(made.pixels[0]).size == (32, 32)


def test_slices_prepared_together_are_those_prepared_alone() -> None:
    case, how = volume(head_like(7)), spec(reach=2, crop="foreground")
    together = prepare_slices(case, [3, 2, 4, 0, 6], how)
    for index, one in zip([3, 2, 4, 0, 6], together, strict=True):
        alone = prepare_slice(case, index, how)
        np.testing.assert_array_equal(one.pixels, alone.pixels)
        assert one.box == alone.box
