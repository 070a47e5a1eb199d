"""Planes in two arrangements, two cases side by side, slabs, and whose evidence is shown."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt

from core.imaging.geometry import Plane
from core.imaging.intensity import Window
from core.models.answers import HeatMap, ModelIdentity, SeriesPrediction, SlicePrediction
from core.reading.layout import Layout
from core.reading.slab import Projection
from desktop.viewer.slice_view import SliceView
from desktop.viewer.stage import Stage
from tests.desktop.viewer.making import axial, drag, grab, make_case, mouse, predict, settle, wheel

ALT = Qt.KeyboardModifier.AltModifier
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def stage(qtbot):
    made = Stage()
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.show()
    return made


@pytest.fixture
def case():
    voxels = np.zeros((10, 30, 20), np.int16)
    voxels[3, 12, 5] = 255
    return make_case(voxels)


def test_one_large_and_three_small_or_two_by_two(stage, case):
    stage.set_case(case)
    assert stage.toggle_planes()
    settle()
    sizes = [view.width() * view.height() for view in stage.planes.every]
    assert all(view.isVisible() for view in stage.planes.every) and sizes[0] > 4 * max(sizes[1:])
    assert stage.toggle_planes(Layout.GRID)
    settle()
    sizes = [view.width() * view.height() for view in stage.planes.every]
    assert max(sizes) < 1.1 * min(sizes)
    left = [view.mapTo(stage, view.rect().topLeft()) for view in stage.planes.every]
    assert len({p.x() for p in left}) == 2 and len({p.y() for p in left}) == 2
    assert stage.toggle_planes(Layout.GRID)
    settle()
    assert stage.single.isVisible()


def test_each_of_the_four_can_be_alone(stage, case):
    stage.set_case(case)
    stage.toggle_planes(Layout.GRID)
    settle()
    for view in stage.planes.every:
        mouse(view, QEvent.Type.MouseButtonDblClick, (30, 60), LEFT, LEFT)
        settle()
        assert [each for each in stage.planes.every if each.isVisible()] == [view]
        assert view.height() > 500
        mouse(view, QEvent.Type.MouseButtonDblClick, (30, 60), LEFT, LEFT)
        settle()


def test_the_projection_shows_everything_and_a_click_finds_where_it_is(stage, case):
    stage.set_case(case)
    case.show(annotations=False, smooth=False)
    stage.toggle_planes(Layout.GRID)
    case.navigation.go(0)
    case.navigation.go(0, Plane.ROW)
    case.navigation.go(0, Plane.COLUMN)
    settle()
    view = stage.planes.projection
    at = view.to_screen(5.5, 3.5)
    shown = grab(view)
    assert shown[int(at.y()), int(at.x())].min() > 200
    drag(view, (at.x(), at.y()), (0, 0))
    assert [case.navigation.index(plane) for plane in Plane] == [3, 12, 5]


def test_the_cross_hair_can_be_hidden(stage, case):
    stage.set_case(case)
    case.show(annotations=False, window=Window(5000, 10))
    stage.toggle_planes(Layout.GRID)
    settle()
    view = stage.planes.views[0]

    def has_blue():
        shown = grab(view).astype(int)
        return (shown[..., 2] - shown[..., 0] > 60).any()

    assert has_blue()
    stage.toggle_cross_hair()
    assert not has_blue()


# ----------------------------------------------------------------- registration


def lesion_case(plane):
    """A one-pixel lesion and its heat, in a case that looks at it in all planes."""
    voxels = np.zeros((9, 15, 13), np.int16)
    voxels[4, 6, 8] = 255
    case = make_case(voxels, spacing=(1.7, 1.3, 0.9))
    values = np.zeros((15, 13), np.float32)
    values[6, 8] = 1.0
    heat = {4: HeatMap(values, (0.0, 0.0, 15.0, 13.0), "hemorrhage")}
    predict(case, [0.1] * 4 + [0.9] + [0.1] * 4, heat)
    for each, index in zip(Plane, (4, 6, 8), strict=True):
        case.navigation.go(index, each)
    case.show(annotations=False, smooth=False, heat_cut=0.99, opacity=1.0)
    return case


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("zoom", [0.6, 1.0, 4.7])
def test_lesion_and_heat_are_one_pixel_in_every_plane(qtbot, plane, turns, mirrored, zoom):
    case = lesion_case(plane)
    view = SliceView(plane)
    qtbot.addWidget(view)
    view.resize(700, 300)
    view.show()
    view.set_case(case)
    settle()
    camera = view.viewpoint.camera.rotated(turns)
    camera = camera.flipped(horizontally=True) if mirrored else camera
    camera = camera.zoomed(zoom, view.frame, view.area)
    pixel = {Plane.SLICE: (8.5, 6.5), Plane.ROW: (8.5, 4.5), Plane.COLUMN: (6.5, 4.5)}[plane]
    view.viewpoint.look(camera)
    settle()
    at = view.to_screen(*pixel)
    middle = QPointF(250, 150) - at
    view.viewpoint.look(camera.dragged(middle.x(), middle.y(), view.frame, view.area))
    settle()
    # letters at the edges and the bar at the right are left out
    part = (slice(30, 270), slice(30, 500))
    without = grab(view)[part].astype(int)
    lesion = (without[..., 0] > 128) & (np.ptp(without, axis=2) < 5)
    case.show(heat_map=True)
    heat = np.abs(grab(view)[part] - without).max(axis=2) > 20
    assert lesion.any() and np.array_equal(heat, lesion)


# ----------------------------------------------------------------- slabs


def test_slabs_go_round_and_alt_wheel_changes_them(stage, case):
    stage.set_case(case)
    settle()
    kinds = []
    for _ in range(4):
        stage.cycle_slab()
        kinds.append(case.display.slab.projection if case.display.slab else None)
    assert kinds == [*Projection, None]
    stage.cycle_slab()
    wheel(stage.single, 120, modifiers=ALT)
    assert case.display.slab.thickness == pytest.approx(12.5)
    settle()
    assert any("MIP" in line.text for line in stage.single.furniture.bottom_left)
    case.show(annotations=False, smooth=False)
    case.navigation.go(4)  # the lesion is one slice away
    settle()
    at = stage.single.to_screen(5.5, 12.5)
    assert grab(stage.single)[int(at.y()), int(at.x()), 0] == 255
    stage.neutral()
    settle()
    assert grab(stage.single)[int(at.y()), int(at.x()), 0] == 0


# ----------------------------------------------------------------- side by side


def test_two_series_in_step(stage, case):
    other = make_case(
        np.full((20, 16, 16), 90, np.int16), geometry=axial((20, 16, 16), (2.5, 1, 1))
    )
    stage.set_case(case)
    stage.show_beside(other)
    settle()
    left, right = stage.beside.views
    assert left.isVisible() and right.isVisible() and not stage.strip.isVisible()
    wheel(left, -120)
    settle()
    assert (case.navigation.index(), other.navigation.index()) == (6, 12)
    wheel(right, 240)
    assert (other.navigation.index(), case.navigation.index()) == (10, 5)
    drag(right, (100, 100), (40, 0))  # its window is the lead's until it is changed there
    mouse(right, QEvent.Type.MouseButtonDblClick, (100, 100), LEFT, LEFT)
    settle()
    assert stage.single.isVisible() and stage.strip.isVisible()
    case.navigation.go(0)
    assert other.navigation.index() == 10  # they have parted


def test_two_models_on_one_series(stage, case):
    new = predict(case, [0.9] * 10)
    old = SeriesPrediction(ModelIdentity("older", "0.9", "cd" * 32), "hemorrhage", 0.5)
    old.slices[5] = SlicePrediction(5, {"hemorrhage": 0.2, "no_hemorrhage": 0.8})
    stage.set_case(case)
    stage.show_model_beside(old)
    case.navigation.go(5)
    settle()
    left, right = stage.beside.views
    assert abs(left.width() - right.width()) <= 1, "whatever their headings say"
    said = [" ".join(line.text for line in v.furniture.top_right) for v in stage.beside.views]
    assert "hemorrhage 90 %" in said[0] and "no hemorrhage 80 %" in said[1]
    assert new.model.id in said[0] and "older" in said[1]
    camera = stage.view.viewpoint.camera.rotated()
    stage.view.viewpoint.look(camera)
    assert stage.beside.views[1].viewpoint.camera == camera
    stage.set_case(None)
    settle()


# ----------------------------------------------------------------- whose evidence


def heated(stage, classes=("hemorrhage", "no_hemorrhage")):
    case = make_case(np.zeros((3, 40, 40), np.int16))
    values = np.zeros((40, 40), np.float32)
    values[5:15, 5:15], values[25:35, 25:35] = 1.0, -1.0
    prediction = predict(case, [0.7] * 3)
    for index in range(3):
        heat = HeatMap(values, (0, 0, 40, 40), "hemorrhage")
        shares = dict.fromkeys(classes, 1 / len(classes))
        prediction.slices[index] = SlicePrediction(index, shares, heat)
    case.show(heat_map=True, annotations=False, opacity=1.0)
    stage.set_case(case)
    settle()
    return case


def coloured(view, x, y):
    at = view.to_screen(x, y)
    return grab(view)[int(at.y()), int(at.x())].max() > 40


def test_what_speaks_against_one_class_speaks_for_the_other(stage):
    case, view = heated(stage), stage.single
    assert coloured(view, 10, 10) and not coloured(view, 30, 30)
    assert view.picker.isVisible() and view.picker.text().startswith("hemorrhage")
    case.show(heat_class="no_hemorrhage")
    assert coloured(view, 30, 30) and not coloured(view, 10, 10)
    assert view.picker.text().startswith("no hemorrhage")


def test_the_picker_offers_classes_and_colours(stage):
    case, picker = heated(stage), stage.single.picker
    picker.menu().aboutToShow.emit()
    words = [action.text() for action in picker.menu().actions() if action.text()]
    assert words[0] == "Evidence for hemorrhage" and len(words) == 5
    picker.menu().actions()[1].trigger()
    assert case.display.heat_class == "no_hemorrhage"
    picker.menu().actions()[-1].trigger()
    assert case.display.colour_map == "red-blue"


def test_of_three_classes_only_the_explained_one_is_known(stage):
    case, view = heated(stage, ("hemorrhage", "no_hemorrhage", "fracture")), stage.single
    case.show(heat_class="fracture")
    settle()
    assert not view.shows_heat


def test_the_colour_bar_takes_the_mouse(stage):
    case, view = heated(stage), stage.single
    area = view.colour_bar_area()
    before = case.navigation.index()
    drag(view, (area.center().x(), area.center().y()), (0, 0))
    assert case.display.heat_cut == pytest.approx(0.5, abs=0.02)
    drag(view, (area.center().x(), area.center().y()), (0, 500))
    assert case.display.heat_cut == 0.0
    wheel(view, -120, (area.center().x(), area.center().y()))
    assert case.display.opacity == pytest.approx(0.95) and case.navigation.index() == before


def test_stale_answers_are_grey_and_say_so(stage):
    case = make_case(np.zeros((3, 40, 40), np.int16))
    predict(case, [0.9] * 3)
    stage.set_case(case)
    settle()
    fresh = grab(stage.strip)
    stage.set_stale(True)
    settle()
    said = " ".join(line.text for line in stage.single.furniture.top_right)
    assert "stale" in said
    stale = grab(stage.strip).astype(int)
    bar = stale[20:40, 30:200]
    assert np.ptp(bar, axis=2).max() < 30 < np.ptp(fresh[20:40, 30:200].astype(int), axis=2).max()
