import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QToolButton

from core.imaging.geometry import Plane
from core.imaging.intensity import CT_PRESETS, Quantity, Window
from core.imaging.volume import ImageWarning
from core.models.answers import HeatMap
from core.reading.burnt_in import BurntIn
from core.reading.layout import Layout, Tool
from desktop import appearance
from desktop.viewer.level_verbs import starting_window
from desktop.viewer.pages import Pages
from desktop.viewer.stage import Stage
from tests.desktop.viewer.making import (
    drag,
    grab,
    make_case,
    mouse,
    predict,
    settle,
    wheel,
)


@pytest.fixture
def stage(qtbot):
    made = Stage()
    qtbot.addWidget(made)
    made.resize(900, 500)
    made.show()
    return made


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    made = make_case(
        rng.integers(0, 200, (8, 40, 40)).astype(np.int16),
        windows=(Window(50, 100, "A"), Window(60, 200, "B")),
        warnings=(ImageWarning("gantry-tilt", "The gantry was tilted."),),
    )
    values = np.full((4, 4), 0.8, np.float32)
    heat = {k: HeatMap(values, (0, 0, 40, 40), "hemorrhage") for k in range(8)}
    predict(made, [0.1, 0.1, 0.9, 0.9, 0.1, 0.8, 0.1, 0.1], heat)
    return made


def test_slices(stage, case):
    stage.set_case(case)
    stage.first()
    assert case.navigation.index() == 0
    stage.step(3)
    assert case.navigation.index() == 3
    stage.last()
    assert case.navigation.index() == 7
    stage.step(10)
    assert case.navigation.index() == 7


def test_next_suspicious(stage, case):
    stage.set_case(case)
    stage.first()
    assert stage.next_suspicious()
    assert case.navigation.index() == 2
    assert stage.next_suspicious() and case.navigation.index() == 5
    assert stage.next_suspicious(-1) and case.navigation.index() == 2
    case.show(answers=False)
    assert not stage.next_suspicious()


def test_windows(stage, case):
    stage.set_case(case)
    assert stage.presets() == CT_PRESETS
    assert stage.preset(3) and case.display.window == CT_PRESETS[2]
    assert not stage.preset(6) and case.display.window == CT_PRESETS[2]
    stage.header_window()
    assert case.display.window.name == "A"
    stage.header_window()
    assert case.display.window.name == "B"
    stage.automatic_window()
    low, high = case.display.window.levels()
    values = case.volume.voxels[case.navigation.index()]
    assert low == pytest.approx(np.percentile(values, 0.1), abs=1)
    assert high == pytest.approx(np.percentile(values, 99.9), abs=1)
    assert starting_window(Quantity.HU) == CT_PRESETS[0]
    assert starting_window(Quantity.GREY).levels() == (0.0, 255.0)


def test_everything_is_calm_without_a_case(stage):
    for verb in (
        stage.first, stage.last, stage.invert, stage.automatic_window, stage.header_window,
        stage.toggle_annotations, stage.toggle_heat_map, stage.toggle_three_panels, stage.rotate,
        stage.flip_horizontally, stage.flip_vertically, stage.fit, stage.actual_pixels,
        stage.neutral, stage.toggle_smooth, stage.next_suspicious, stage.on_screen,
        lambda: stage.picture(BurntIn()),
    ):  # fmt: skip
        verb()
    stage.step(1)
    stage.zoom(2)
    assert not stage.preset(1) and stage.presets() == ()


def test_camera_verbs_and_neutral(stage, case):
    stage.set_case(case)
    settle()
    stage.rotate()
    stage.flip_horizontally()
    stage.flip_vertically()
    stage.zoom(2.0)
    stage.invert()
    stage.tool = Tool.PAN
    assert stage.viewpoint.camera.zoom == pytest.approx(2.0)
    stage.actual_pixels()
    settle()
    across = stage.single.to_screen(1, 0) - stage.single.to_screen(0, 0)
    assert abs(across.x()) + abs(across.y()) == pytest.approx(1.0)
    stage.neutral()
    camera = stage.viewpoint.camera
    assert (camera.zoom, camera.turns, camera.mirror_x, camera.mirror_y) == (1.0, 0, False, False)
    assert not case.display.inverted and stage.tool is Tool.WINDOW


def test_three_panels_are_in_step(stage, case):
    stage.set_case(case)
    stage.toggle_three_panels()
    settle()
    views = stage.three.views
    assert all(view.isVisible() for view in views) and not stage.single.isVisible()
    drag(views[2], (100, 200), (20, 10), Qt.MouseButton.MiddleButton)
    wheel(views[1], 120, (60, 60), Qt.KeyboardModifier.ControlModifier)
    wheel(views[0], -120, (60, 60))
    settle()
    assert case.navigation.index() == 5
    places = [view.to_screen(10, 10) for view in views]
    assert all(abs(p.x() - places[0].x()) <= 1 and abs(p.y() - places[0].y()) <= 1 for p in places)
    assert [v.title for v in views] == ["Original", "Heat map: hemorrhage", "Overlay"]
    left = Qt.MouseButton.LeftButton
    mouse(views[1], QEvent.Type.MouseButtonDblClick, (50, 50), left, left)
    settle()
    assert stage.single.isVisible() and not case.display.three_panels


def test_warnings_are_on_every_layout(stage, case):
    stage.set_case(case)
    settle()
    assert stage.single.banners.isVisible()
    stage.toggle_three_panels()
    settle()
    assert stage.three.banners.isVisible()
    tops = {view.mapTo(stage, view.rect().topLeft()).y() for view in stage.three.views}
    assert tops == {round(stage.three.banners.taken)}
    stage.toggle_planes(Layout.GRID)
    settle()
    planes = stage.planes
    assert planes.banners.isVisible() and planes.banners.width() == planes.width()
    assert not any(view.banners.isVisible() for view in planes.every)
    highest = min(view.geometry().top() for view in planes.every)
    assert highest == round(planes.banners.taken)


def test_a_missing_heat_map_is_asked_for_once(stage):
    case = make_case(np.zeros((4, 10, 10), np.int16))
    predict(case, [0.9, 0.9, 0.9, 0.9])
    asked = []
    stage.heat_map_wanted.connect(asked.append)
    stage.set_case(case)
    assert asked == []
    stage.toggle_heat_map()
    case.show(inverted=True)
    assert asked == [2]
    stage.step(1)
    assert asked == [2, 3]


def test_the_picture_has_what_is_shown(stage, case):
    stage.set_case(case)
    case.show(heat_map=True)
    picture = stage.picture(stage.on_screen())
    assert picture.width() >= 900
    image = grab(stage)
    assert (np.ptp(image.astype(int), axis=2) > 60).any()


def test_the_picture_has_the_warnings_without_their_button(stage, case, monkeypatch):
    stage.set_case(case)
    banners = stage.view.banners
    banners.set_messages(("The gantry was tilted.",))
    (button,) = [b for b in banners.findChildren(QToolButton) if b.text() == "–"]
    before, seen = banners.taken, []
    grabbed = Pages.grab

    def looked_at(pages):
        seen.append((button.isVisible(), banners.isVisible(), banners.taken))
        return grabbed(pages)

    monkeypatch.setattr(Pages, "grab", looked_at)
    stage.picture(stage.on_screen())
    assert seen == [(False, True, before)]
    assert button.isVisible()


def test_another_case_takes_over_and_the_old_one_is_let_go(stage, case):
    stage.set_case(case)
    other = make_case(np.zeros((3, 20, 20), np.int16))
    stage.set_case(other)
    assert len(case.navigation.moved) == len(case.prediction_changed) == 0
    stage.set_case(None)
    assert len(other.navigation.moved) == len(other.display_changed) == 0


@pytest.mark.parametrize("name", ["dark", "light"])
def test_themes_have_contrast(name):
    """WCAG AA for text, 3 : 1 for what is large or drawn."""

    def luminance(colour):
        parts = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
        linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    def contrast(one, two):
        high, low = sorted((luminance(one), luminance(two)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    t = appearance.THEMES[name]
    for back in (t.window, t.panel, t.raised):
        assert contrast(t.text, back) >= 7
        assert contrast(t.dim, back) >= 4.5, back
        assert contrast(t.warning, back) >= 3.9
        assert contrast(t.positive, back) >= 3 and contrast(t.negative, back) >= 3
    assert contrast(t.on_accent, t.accent) >= 4.5


def test_fonts_have_latin_and_hangul(qapp):
    from PySide6.QtGui import QFontMetrics

    assert {"DejaVu Sans", "NanumGothic"} <= set(appearance.register_fonts())
    metrics = QFontMetrics(appearance.font())
    assert metrics.horizontalAdvance("출혈") > 0 and metrics.inFont("A")
    assert "NanumGothic" in appearance.font().families()


# ----------------------------------------------------------------- planes


def test_three_planes_and_their_cross_hair(stage):
    voxels = np.zeros((10, 30, 20), np.int16)
    voxels[3, 12, 5] = 255
    case = make_case(voxels)
    stage.set_case(case)
    case.show(annotations=False, smooth=False)
    assert stage.toggle_planes()
    settle()
    slices, rows, columns = stage.planes.views
    case.navigation.go(3)
    settle()
    at = slices.to_screen(5.5, 12.5)
    drag(slices, (at.x(), at.y()), (0, 0))  # a click
    settle()
    assert [case.navigation.index(plane) for plane in Plane] == [3, 12, 5]
    for view, pixel in ((slices, (5.5, 12.5)), (rows, (5.5, 3.5)), (columns, (12.5, 3.5))):
        at = view.to_screen(*pixel)
        assert view.image is not None
        shown = grab(view)[int(at.y()), int(at.x())]
        assert shown.min() > 200, view.plane  # one voxel, in all three planes, under the cross
    mouse(
        columns, QEvent.Type.MouseMove,
        (columns.to_screen(20.5, 7.5).x(), columns.to_screen(20.5, 7.5).y()),
        modifiers=Qt.KeyboardModifier.ShiftModifier,
    )  # fmt: skip
    assert [case.navigation.index(plane) for plane in Plane] == [7, 20, 5]


def test_planes_are_hung_and_named_as_readers_expect(stage):
    case = make_case(np.zeros((10, 30, 20), np.int16))
    stage.set_case(case)
    stage.toggle_planes()
    settle()
    views = stage.planes.views
    assert [view.title for view in views] == ["Axial", "Coronal", "Sagittal"]
    assert [view.furniture.letters for view in views] == [
        ("R", "L", "A", "P"), ("R", "L", "H", "F"), ("A", "P", "H", "F"),
    ]  # fmt: skip


def test_keys_act_on_the_plane_that_was_clicked(stage):
    case = make_case(np.zeros((10, 30, 20), np.int16))
    stage.set_case(case)
    stage.toggle_planes()
    settle()
    rows = stage.planes.views[1]
    drag(rows, (30, 30), (0, 0))
    before = case.navigation.index(Plane.ROW)
    stage.step(2)
    stage.rotate()
    assert case.navigation.index(Plane.ROW) == before + 2
    assert rows.viewpoint.camera != stage.planes.views[0].viewpoint.camera
    left = Qt.MouseButton.LeftButton
    mouse(rows, QEvent.Type.MouseButtonDblClick, (30, 30), left, left)
    assert [view.isVisible() for view in stage.planes.views] == [False, True, False]
    mouse(rows, QEvent.Type.MouseButtonDblClick, (30, 30), left, left)
    assert all(view.isVisible() for view in stage.planes.views)


def test_pictures_have_no_planes(stage):
    stage.set_case(make_case(np.zeros((1, 20, 20), np.int16)))
    assert not stage.toggle_planes()
    settle()
    assert stage.single.isVisible()


def test_cine_goes_round_and_stops(stage, case, qtbot):
    stage.set_case(case)
    stage.last()
    told = []
    stage.cine_changed.connect(told.append)
    stage.toggle_cine()
    qtbot.waitUntil(lambda: case.navigation.index() == 1)
    stage.toggle_cine()
    here = case.navigation.index()
    assert told == [True, False] and not stage.plays_cine
    stage.toggle_cine()
    stage.set_case(None)
    assert told == [True, False, True, False] and case.navigation.index() == here
