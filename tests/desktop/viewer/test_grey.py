import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.imaging.geometry import Plane
from core.imaging.intensity import Window, WindowFunction, apply_window
from desktop.viewer.grey import GreyRenderer
from tests.desktop.viewer.making import make_case

WINDOWS = st.builds(
    Window,
    st.floats(-500, 500),
    st.floats(2, 3000),
    st.just(""),
    st.sampled_from(list(WindowFunction)),
)


def expected(values, window, inverted):
    grey = apply_window(values, window)
    return (1 - grey if inverted else grey) * 255


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int8", "uint8", "int32", "float32", ">i2"])
@given(window=WINDOWS, inverted=st.booleans())
def test_every_type_is_drawn_as_the_window_says(dtype, window, inverted):
    rng = np.random.default_rng(3)
    voxels = rng.integers(-128, 127, (3, 8, 9)).astype(dtype)
    case = make_case(voxels, slope=np.array([1.0, 2.0, 0.5]), intercept=-10.0)
    render = GreyRenderer()
    for plane in Plane:
        for index in range(2):
            drawn = render(case.volume, plane, index, window, inverted=inverted)
            assert drawn.dtype == np.uint32 and (drawn >> 24 == 255).all()
            values = case.volume.values(plane, index)
            assert np.abs((drawn & 255) - expected(values, window, inverted)).max() <= 0.51


def test_the_same_values_with_another_scale_are_another_picture():
    case = make_case(np.full((2, 4, 4), 100, np.int16), slope=np.array([1.0, 2.0]))
    render, window = GreyRenderer(), Window(100, 400)
    first = int(render(case.volume, Plane.SLICE, 0, window)[0, 0]) & 255
    second = int(render(case.volume, Plane.SLICE, 1, window)[0, 0]) & 255
    assert second - first == pytest.approx(100 / 399 * 255, abs=1)


def test_colour_stays_colour():
    voxels = np.random.default_rng(0).integers(0, 256, (2, 5, 6, 3)).astype(np.uint8)
    case = make_case(voxels)
    render = GreyRenderer()
    drawn = render(case.volume, Plane.SLICE, 1, Window(0, 1))
    parts = np.stack([drawn >> 16 & 255, drawn >> 8 & 255, drawn & 255], axis=-1)
    assert np.array_equal(parts, voxels[1])
    inverted = render(case.volume, Plane.SLICE, 1, Window(0, 1), inverted=True)
    assert np.array_equal(inverted & 0xFFFFFF, 0xFFFFFF - (drawn & 0xFFFFFF))
    assert render(case.volume, Plane.ROW, 2, Window(0, 1)).shape == (2, 6)


def test_not_a_number_is_black():
    voxels = np.array([[[np.nan, 1.0]]], np.float32)
    drawn = GreyRenderer()(make_case(voxels).volume, Plane.SLICE, 0, Window(0.5, 1.0, "",
                           WindowFunction.LINEAR_EXACT))  # fmt: skip
    assert drawn.tolist() == [[0xFF000000, 0xFFFFFFFF]]
