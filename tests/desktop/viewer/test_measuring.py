"""Measuring with real presses, drags and clicks, on every plane and under every camera."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt

from core.imaging.geometry import Plane
from core.reading.layout import Tool
from core.reading.measurements import Kind, angle, length, sides
from desktop.viewer.slice_view import SliceView
from tests.desktop.viewer.making import at, drag, grab, make_case, mouse, pull, settle

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def case():
    voxels = np.zeros((6, 60, 80), np.int16)
    voxels[3, 20:30, 30:50] = 100
    return make_case(voxels, spacing=(4.0, 0.5, 0.5))


@pytest.fixture
def view(qtbot, case):
    made = SliceView()
    qtbot.addWidget(made)
    made.resize(700, 560)
    made.show()
    made.set_case(case)
    settle()
    return made


def press(view, place):
    mouse(view, QEvent.Type.MouseButtonPress, place, LEFT, LEFT)
    mouse(view, QEvent.Type.MouseButtonRelease, place, LEFT)
    settle()


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_length_is_that_of_the_patient_under_every_camera(view, case, turns, mirrored):
    camera = view.viewpoint.camera.rotated(turns)
    view.viewpoint.look(camera.flipped(horizontally=True) if mirrored else camera)
    settle()
    view.tool = Tool.LENGTH
    pull(view, (10, 10), (50, 40))
    (item,) = case.measurements
    assert item.kind is Kind.LENGTH and (item.plane, item.index) == (Plane.SLICE, 3)
    assert length(*item.points) == pytest.approx(0.5 * 50, rel=1e-6)
    ink = grab(view)
    yellow = (ink[..., 0] > 200) & (ink[..., 1] > 180) & (ink[..., 2] < 140)
    middle = view.to_screen(30, 25)
    assert yellow[int(middle.y()) - 2 : int(middle.y()) + 3, int(middle.x()) - 2 :][:, :5].any()


def test_an_angle_is_a_drag_and_a_click(view, case):
    view.tool = Tool.ANGLE
    pull(view, (10, 10), (40, 10))
    assert len(case.measurements) == 0 and view.is_drawing
    mouse(view, QEvent.Type.MouseMove, at(view, 40, 30))
    press(view, at(view, 40, 40))
    (item,) = case.measurements
    assert angle(*item.points) == pytest.approx(90, abs=1e-6) and not view.is_drawing


def test_areas_say_their_statistics(view, case):
    view.tool = Tool.RECTANGLE
    pull(view, (30, 20), (50, 30))
    words = view._drawn[0].words
    assert words[0] == "100.0 ± 0.0 HU" and words[2] == "50.0 mm²  n 200"
    assert words[3] == "10.0 mm × 5.00 mm"
    view.tool = Tool.ELLIPSE
    pull(view, (5, 5), (15, 15))
    assert view._drawn[1].words[0] == "0.0 ± 0.0 HU"
    assert "PixelSpacing (0028,0030)" in view.furniture.bottom_left[-1].text


def test_points_and_wholes_can_be_moved_and_each_is_one_step(view, case):
    view.tool = Tool.LENGTH
    pull(view, (10, 10), (30, 10))
    view.tool = Tool.WINDOW
    pull(view, (30, 10), (30, 40))  # a handle, with any tool
    (item,) = case.measurements
    assert length(*item.points) == pytest.approx(0.5 * np.hypot(20, 30), rel=1e-6)
    before = item.points
    pull(view, (20, 25), (25, 30))  # the line
    (item,) = case.measurements
    assert length(*item.points) == pytest.approx(length(*before))
    assert np.allclose(np.subtract(item.points, before), [2.5, 2.5, 0])
    assert case.measurements.undo() and case.measurements.undo()
    assert length(*next(iter(case.measurements)).points) == pytest.approx(10)


def test_a_click_chooses_and_delete_takes_away(view, case):
    view.tool = Tool.ELLIPSE
    pull(view, (10, 10), (30, 30))
    press(view, at(view, 60, 50))
    assert not view.delete_chosen()
    press(view, at(view, 20, 10))
    assert view.delete_chosen() and len(case.measurements) == 0
    case.measurements.undo()
    assert len(case.measurements) == 1


def test_a_slip_of_the_hand_measures_nothing(view, case):
    for tool in (Tool.LENGTH, Tool.RECTANGLE, Tool.ANGLE):
        view.tool = tool
        drag(view, (200, 200), (1, 1))
        assert len(case.measurements) == 0 and not view.is_drawing


def test_what_is_being_drawn_ends_with_the_slice(view, case):
    view.tool = Tool.ANGLE
    pull(view, (10, 10), (40, 10))
    case.navigation.step(1)
    settle()
    assert not view.is_drawing and len(case.measurements) == 0


def test_a_measurement_is_on_its_own_plane_alone(view, case, qtbot):
    view.tool = Tool.LENGTH
    pull(view, (10, 10), (40, 10))
    case.navigation.step(1)
    settle()
    assert view._drawn == []
    case.navigation.step(-1)
    case.show(measurements=False)
    settle()
    assert view._drawn == []


@pytest.mark.parametrize("plane", [Plane.ROW, Plane.COLUMN])
def test_other_planes_measure_across_slices(qtbot, case, plane):
    view = SliceView(plane)
    qtbot.addWidget(view)
    view.resize(600, 400)
    view.show()
    view.set_case(case)
    settle()
    view.tool = Tool.RECTANGLE
    pull(view, (10, 1), (30, 4))
    (item,) = case.measurements
    assert item.plane is plane
    assert sides(case.summary.geometry, item) == pytest.approx((10.0, 12.0), abs=1e-6)


def test_pixels_are_said_where_no_spacing_is_known(qtbot):
    from core.imaging.geometry import Geometry

    case = make_case(np.zeros((1, 50, 50), np.uint8), geometry=Geometry.unknown((1, 50, 50)))
    view = SliceView()
    qtbot.addWidget(view)
    view.resize(500, 500)
    view.show()
    view.set_case(case)
    settle()
    view.tool = Tool.LENGTH
    pull(view, (10, 10), (40, 10))
    assert view._drawn[0].words == ("30.0 px",)
    assert "no spacing" in view.furniture.bottom_left[-1].text


def test_inspectors_read_micrometres_and_no_letters(view, case):
    view.industry = True
    view.tool = Tool.LENGTH
    pull(view, (10, 10), (40, 10))
    pull(view, (10, 30), (12, 30))
    assert [one.words for one in view._drawn] == [("15.000 mm",), ("1000 µm",)]
    assert view.furniture.letters is None and view.furniture.scale_bar.words == "5000 µm"
    texts = [line.text for line in view.furniture.top_left]
    assert all("CT" not in text for text in texts)


def test_the_lens_enlarges_what_is_under_it(view, case):
    view.tool = Tool.MAGNIFY
    plain = grab(view)
    place = at(view, 40, 25)
    mouse(view, QEvent.Type.MouseMove, place)
    shown = grab(view)
    assert (shown != plain).any(axis=2).sum() > 10_000
    assert any("100 HU" in line.text for line in view.furniture.bottom_right)
    x, y = int(place[0]), int(place[1])
    # four times as large: 12 screen pixels from the middle the same tissue fills the glass
    assert (shown[y - 40 : y + 40, x - 60 : x + 60].mean(axis=2) > 60).mean() > 0.9
