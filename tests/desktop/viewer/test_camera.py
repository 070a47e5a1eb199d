import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.imaging.geometry import Geometry, Plane
from desktop.viewer.camera import Camera, PlaneFrame, edge_letters, invert, upright
from tests.desktop.viewer.making import axial

FRAME = PlaneFrame.of(axial((20, 100, 80), (5.0, 0.5, 0.7)), Plane.SLICE)
SIZE = (640.0, 480.0)

cameras = st.builds(
    Camera,
    zoom=st.floats(0.5, 20),
    pan=st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
    turns=st.integers(0, 3),
    mirror_x=st.booleans(),
    mirror_y=st.booleans(),
)
points = st.tuples(st.floats(0, 640), st.floats(0, 480))


def apply(transform, point):
    return transform[:, :2] @ np.asarray(point) + transform[:, 2]


@given(cameras, points)
def test_screen_to_pixel_and_back(camera, point):
    transform = camera.transform(FRAME, SIZE)
    assert np.allclose(apply(transform, apply(invert(transform), point)), point, atol=1e-6)


@given(cameras, points, st.floats(0.8, 1.25))
def test_zoom_leaves_the_point_under_the_cursor(camera, point, factor):
    pixel = apply(invert(camera.transform(FRAME, SIZE)), point)
    zoomed = camera.zoomed(factor, FRAME, SIZE, point)
    assert np.allclose(apply(zoomed.transform(FRAME, SIZE), pixel), point, atol=1e-5)


@given(cameras, st.floats(-15, 15), st.floats(-15, 15))
def test_a_drag_moves_the_image_with_the_mouse(camera, dx, dy):
    camera = Camera(camera.zoom, (0.0, 0.0), camera.turns, camera.mirror_x, camera.mirror_y)
    before = apply(camera.transform(FRAME, SIZE), (40, 50))
    after = apply(camera.dragged(dx, dy, FRAME, SIZE).transform(FRAME, SIZE), (40, 50))
    assert np.allclose(after - before, (dx, dy), atol=1e-6)


@given(cameras)
def test_four_turns_and_two_flips_are_nothing(camera):
    turned = camera
    for _ in range(4):
        turned = turned.rotated()
    assert turned == camera
    assert camera.flipped(horizontally=True).flipped(horizontally=True) == camera


@given(cameras)
def test_a_turn_is_clockwise_on_the_screen_whatever_is_mirrored(camera):
    """What is at the right edge goes to the lower edge."""
    right = camera.orientation.T @ np.array([1.0, 0.0])
    assert np.allclose(camera.rotated().orientation @ right, [0.0, 1.0])


@given(cameras)
def test_a_flip_mirrors_what_is_on_the_screen_whatever_is_turned(camera):
    right = camera.orientation.T @ np.array([1.0, 0.0])
    assert np.allclose(camera.flipped(horizontally=True).orientation @ right, [-1.0, 0.0])


def test_pixels_are_shown_as_wide_as_they_are():
    transform = Camera().transform(FRAME, SIZE)
    assert np.isclose(transform[0, 0] / transform[1, 1], 0.7 / 0.5)
    corners = [apply(transform, c) for c in ((0, 0), (80, 100))]
    assert np.isclose(corners[1][1] - corners[0][1], 480)  # fits


def test_a_tilted_series_leans_where_it_leans():
    tilt = np.radians(18.5)
    affine = np.zeros((4, 4))
    affine[0, 2] = affine[1, 1] = 0.5
    affine[2, 0], affine[1, 0], affine[3, 3] = 3.0, 3.0 * np.tan(tilt), 1.0
    frame = PlaneFrame.of(Geometry((10, 64, 64), affine), Plane.COLUMN)  # slices down, rows across
    assert np.isclose(frame.matrix[0, 1], 3.0 * np.tan(tilt))
    assert np.isclose(frame.matrix[1, 1], 3.0)
    straight = PlaneFrame.of(Geometry((10, 64, 64), affine), Plane.SLICE)
    assert straight.matrix[0, 1] == 0


def test_letters_turn_and_mirror_with_the_image():
    letters = ("R", "L", "A", "P")
    assert edge_letters(letters, Camera()) == letters
    assert edge_letters(letters, Camera().rotated()) == ("P", "A", "R", "L")
    assert edge_letters(letters, Camera().flipped(horizontally=True)) == ("L", "R", "A", "P")
    assert edge_letters(letters, Camera().flipped(horizontally=False)) == ("R", "L", "P", "A")
    assert edge_letters(None, Camera()) is None


def test_planes_are_hung_head_up():
    geometry = axial((10, 64, 64), (5.0, 1.0, 1.0))
    for plane, expected in (
        (Plane.ROW, ("R", "L", "H", "F")),
        (Plane.COLUMN, ("A", "P", "H", "F")),
    ):
        letters = geometry.letters(plane)
        assert edge_letters(letters, upright(letters, plane)) == expected
