import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt

from core.imaging.geometry import Geometry, Plane
from core.imaging.intensity import Window
from core.imaging.volume import ImageWarning
from core.models.answers import HeatMap
from core.reading.layout import Tool
from desktop.viewer.captions import iso_date
from desktop.viewer.composing import Content
from desktop.viewer.slice_view import SliceView
from tests.desktop.viewer.making import (
    drag,
    grab,
    load,
    make_case,
    mouse,
    predict,
    settle,
    wheel,
)

CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def show(qtbot):
    def shown(case, **options):
        view = SliceView(**options)
        qtbot.addWidget(view)
        view.resize(400, 300)
        view.show()
        view.set_case(case)
        settle()
        return view

    return shown


def small(slices=9, size=40):
    return make_case(np.zeros((slices, size, size), np.int16))


# ----------------------------------------------------------------- the picture


def test_each_pixel_is_where_and_as_grey_as_it_should_be(show):
    voxels = np.arange(12, dtype=np.int16).reshape(1, 3, 4) * 20
    case = make_case(voxels, spacing=(1.0, 2.0, 1.0))
    case.show(annotations=False, smooth=False)
    view = show(case)
    picture = grab(view)
    for row in range(3):
        for column in range(4):
            at = view.to_screen(column + 0.5, row + 0.5)
            assert abs(int(picture[int(at.y()), int(at.x()), 0]) - int(voxels[0, row, column])) <= 1
    # 4 × 1 mm wide and 3 × 2 mm high fill a view of 400 × 300: true to the spacing
    corner = view.to_screen(4, 3) - view.to_screen(0, 0)
    assert (round(corner.x()), round(corner.y())) == (200, 300)


def test_inverted_and_windowed(show):
    case = make_case(np.full((1, 20, 20), 50, np.int16))
    case.show(annotations=False, window=Window(50, 101))
    view = show(case)
    assert abs(int(grab(view)[150, 200, 0]) - 128) <= 2
    case.show(window=Window(100, 101), inverted=True)
    assert int(grab(view)[150, 200, 0]) > 250


def test_a_slice_that_has_not_arrived_says_so_and_then_appears(show):
    voxels = np.full((3, 20, 20), 200, np.int16)
    case = make_case(voxels, loaded=False)
    view = show(case)
    assert view.image is None
    assert "Loading slice 2" in view.furniture.centre
    load(case, voxels)
    assert int(grab(view)[150, 200, 0]) == 200
    assert view.furniture.centre == ""


def test_without_a_case_there_is_a_sentence(show):
    view = show(None)
    assert "Drop" in view.furniture.centre
    drag(view, (50, 50), (20, 20))
    wheel(view, 120)
    view.set_case(small())
    view.set_case(None)
    settle()
    assert "Drop" in view.furniture.centre


def test_one_redraw_for_many_changes(show, monkeypatch):
    case = small()
    view = show(case)
    drawn = []
    monkeypatch.setattr(view, "set_image", drawn.append)
    for index in range(5):
        case.navigation.go(index)
    case.show(inverted=True)
    settle()
    assert len(drawn) == 1


# ----------------------------------------------------------------- the heat map's place


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("zoom", [0.7, 1.0, 3.3])
def test_a_one_pixel_lesion_and_its_heat_are_on_the_same_pixel(show, turns, mirrored, zoom):
    voxels = np.zeros((1, 31, 37), np.int16)
    voxels[0, 12, 21] = 255
    values = np.zeros((31, 37), np.float32)
    values[12, 21] = 1.0
    case = make_case(voxels, spacing=(1.0, 1.3, 0.9))
    predict(case, [0.9], {0: HeatMap(values, (0.0, 0.0, 31.0, 37.0), "hemorrhage")})
    case.show(annotations=False, smooth=False, heat_cut=0.99, opacity=1.0)
    view = show(case)
    view.resize(700, 300)
    settle()
    camera = view.viewpoint.camera.rotated(turns)
    camera = camera.flipped(horizontally=True) if mirrored else camera
    view.viewpoint.look(camera.zoomed(zoom, view.frame, view.area))
    without = grab(view)[:, :540].astype(int)  # bar and class are at the right
    lesion = (without[..., 0] > 128) & (np.ptp(without, axis=2) < 5)  # white, not a letter
    case.show(heat_map=True)
    heat = np.abs(grab(view)[:, :540] - without).max(axis=2) > 20
    assert lesion.any() and np.array_equal(heat, lesion)


def test_heat_follows_the_content(show):
    values = np.ones((4, 4), np.float32)
    case = make_case(np.zeros((2, 40, 40), np.int16))
    predict(case, [0.9, 0.9], {0: HeatMap(values, (0, 0, 40, 40), "hemorrhage")})
    case.navigation.go(0)
    seen = {}
    for content in Content:
        view = show(case, content=content)
        seen[content] = (view.image is not None, view.shows_heat)
    assert seen == {
        Content.READING: (True, False),
        Content.ORIGINAL: (True, False),
        Content.HEAT_MAP: (False, True),
        Content.OVERLAY: (True, True),
    }
    view = show(case)
    case.show(heat_map=True)
    settle()
    assert view.shows_heat
    case.show(answers=False)
    settle()
    assert not view.shows_heat
    case.show(answers=True)
    case.navigation.go(1)
    settle()
    assert not view.shows_heat


# ----------------------------------------------------------------- the mouse


def test_wheel_steps_whole_slices(show):
    case = small()
    view = show(case)
    case.navigation.go(4)
    wheel(view, -120)
    assert case.navigation.index() == 5
    wheel(view, 240)
    assert case.navigation.index() == 3


def test_a_fine_wheel_adds_up_and_forgets_when_it_turns_back(show):
    case = small()
    view = show(case)
    case.navigation.go(4)
    for _ in range(7):
        wheel(view, -15)
    assert case.navigation.index() == 4
    wheel(view, -15)
    assert case.navigation.index() == 5
    wheel(view, -105)
    wheel(view, 30)
    wheel(view, -30)
    assert case.navigation.index() == 5


def test_control_wheel_zooms_at_the_cursor(show):
    case = small()
    view = show(case)
    from PySide6.QtCore import QPointF

    at = QPointF(260, 90)
    before = view.to_pixel(at)
    wheel(view, 240, (260, 90), CONTROL)
    settle()
    assert view.viewpoint.camera.zoom == pytest.approx(1.25**2)
    assert view.to_pixel(at) == pytest.approx(before, abs=1e-6)
    assert case.navigation.index() == 4


def test_left_drag_right_is_wider_and_up_is_brighter(show):
    case = small()
    case.show(window=Window(40, 80, "Brain"))
    view = show(case)
    drag(view, (100, 100), (50, 0))
    wide = case.display.window
    assert wide.width > 80 and wide.center == 40 and wide.name == ""
    drag(view, (100, 100), (0, -50))
    assert case.display.window.center < 40
    assert case.display.window.width == pytest.approx(wide.width)
    drag(view, (300, 100), (-5000, 0))
    assert case.display.window.width >= 1


def test_control_makes_a_drag_faster(show):
    case = small()
    case.show(window=Window(40, 80))
    view = show(case)
    drag(view, (100, 100), (40, 0))
    slow = case.display.window.width - 80
    case.show(window=Window(40, 80))
    drag(view, (100, 100), (40, 0), modifiers=CONTROL)
    assert case.display.window.width - 80 == pytest.approx(5 * slow)


def test_the_window_stays_while_scrolling(show):
    case = small()
    view = show(case)
    drag(view, (100, 100), (33, -12))
    window = case.display.window
    wheel(view, -360)
    assert case.display.window == window


@pytest.mark.parametrize(
    ("button", "modifiers"),
    [
        (Qt.MouseButton.MiddleButton, Qt.KeyboardModifier.NoModifier),
        (Qt.MouseButton.LeftButton, SHIFT),
    ],
)
def test_pan(show, button, modifiers):
    case = small()
    view = show(case)
    before = view.to_screen(10, 10)
    drag(view, (200, 150), (30, -20), button, modifiers)
    settle()
    moved = view.to_screen(10, 10) - before
    assert (round(moved.x()), round(moved.y())) == (30, -20)


def test_right_drag_zooms_and_a_right_click_is_a_menu(show, qtbot):
    case = small()
    view = show(case)
    drag(view, (200, 150), (0, -60), Qt.MouseButton.RightButton)
    assert view.viewpoint.camera.zoom > 1.5
    with qtbot.waitSignal(view.context_menu_requested):
        drag(view, (200, 150), (0, 0), Qt.MouseButton.RightButton)


def test_double_click_asks_for_the_other_layout(show, qtbot):
    view = show(small())
    with qtbot.waitSignal(view.maximise_requested):
        left = Qt.MouseButton.LeftButton
        mouse(view, QEvent.Type.MouseButtonDblClick, (50, 50), left, left)


def test_the_left_button_does_what_the_tool_says(show):
    case = small()
    view = show(case)
    window = case.display.window
    view.tool = Tool.SCROLL
    drag(view, (100, 100), (0, 150))
    assert case.navigation.index() > 4
    view.tool = Tool.ZOOM
    drag(view, (100, 100), (0, -50))
    assert view.viewpoint.camera.zoom > 1
    view.tool = Tool.PAN
    drag(view, (100, 100), (20, 0))
    assert view.viewpoint.camera.pan[0] != 0
    assert case.display.window == window


def test_keys_are_left_to_the_window(show, qtbot):
    case = small()
    view = show(case)
    qtbot.keyClick(view, Qt.Key.Key_Down)
    assert case.navigation.index() == 4


# ----------------------------------------------------------------- the words


def words(view):
    f = view.furniture
    corners = (f.top_left, f.top_right, f.bottom_left, f.bottom_right)
    return " | ".join(line.text for corner in corners for line in corner)


def test_slice_position_window_model_and_label_are_said(show):
    case = small()
    case.show(window=Window(40, 80, "Brain"))
    predict(case, [0.83] * 9)
    case.relabel({"slice-4": "no_hemorrhage"})
    view = show(case)
    said = words(view)
    for part in ("Slice 5 / 9", "H 20.0 mm", "W 80  L 40", "Brain", "Model: hemorrhage 83 %",
                 "head-ct-hemorrhage", "Label: no hemorrhage"):  # fmt: skip
        assert part in said, part
    case.expect(None)
    predict(case, [0.2] * 9)
    settle()
    assert "Model: no hemorrhage 80 %" in words(view)
    view.language = "ko"
    view.redraw()
    assert "출혈 없음" in words(view)


def test_the_models_name_version_date_and_hash_are_said(show):
    case = small()
    predict(case, [0.83] * 9)
    view = show(case)
    model = case.prediction.model
    view.dates = {model: "2026-11-20"}
    view.redraw()
    which = " ".join(line.text for line in view.furniture.top_right[-2:]).split()
    assert which == [model.id, model.version, "2026-11-20", model.weights_sha256[:8]]
    view.dates = {model: model.version}  # where the version is the date it is said once
    view.redraw()
    assert view.furniture.top_right[-1].text.split() == [which[1], which[3]]
    view.resize(700, 300)  # where there is room it is one line
    settle()
    assert view.furniture.top_right[-1].text.split() == [which[0], which[1], which[3]]


def test_read_first_mode_hides_the_answer_until_it_may_be_seen(show):
    case = small()
    predict(case, [0.83] * 9)
    case.show(answers=False)
    view = show(case)
    assert "83" not in words(view) and "hidden" in words(view)


def test_space_hides_the_words_but_not_the_letters_and_warnings(show):
    case = make_case(np.zeros((3, 40, 40), np.int16), warnings=(ImageWarning("a", "Mind this."),))
    view = show(case)
    case.show(annotations=False)
    settle()
    assert words(view) == ""
    assert view.furniture.letters == ("R", "L", "A", "P")
    assert view.banners.isVisible() and view.banners.messages == ("Mind this.",)


def test_letters_follow_the_image(show):
    view = show(small())
    view.viewpoint.look(view.viewpoint.camera.rotated())
    settle()
    assert view.furniture.letters == ("P", "A", "R", "L")


def test_what_is_not_known_is_not_shown(show):
    voxels = np.zeros((2, 40, 40), np.uint8)
    case = make_case(voxels, geometry=Geometry.unknown((2, 40, 40)))
    view = show(case)
    assert view.furniture.letters is None
    assert "orientation unknown" in words(view) and "mm" not in words(view)
    assert view.furniture.scale_bar.words.endswith("px")


def test_the_scale_bar_is_as_long_as_it_says(show):
    case = make_case(np.zeros((1, 100, 100), np.int16), spacing=(1.0, 0.5, 0.5))
    view = show(case)
    bar = view.furniture.scale_bar
    across = view.to_screen(1, 0).x() - view.to_screen(0, 0).x()
    assert bar.words == "1 cm"
    assert bar.pixels == pytest.approx(across / 0.5 * 10)


def test_the_probe_says_value_and_place(show):
    voxels = np.zeros((3, 40, 40), np.int16)
    voxels[1, 12, 30] = 57
    case = make_case(voxels, intercept=-1000.0)
    view = show(case)
    at = view.to_screen(30.5, 12.5)
    mouse(view, QEvent.Type.MouseMove, (at.x(), at.y()))
    said = words(view)
    assert "−943 HU" in said
    assert "L 30.0  P 12.0  H 5.0 mm" in said
    assert "column 31, row 13" in said
    mouse(view, QEvent.Type.MouseMove, (2, 2))
    assert "HU" not in words(view)


def test_warnings_can_be_made_small_but_never_sent_away(show):
    first, second = ImageWarning("gantry-tilt", "Tilted."), ImageWarning("gap", "A gap.")
    case = make_case(np.zeros((3, 40, 40), np.int16), warnings=(first, second))
    view = show(case)
    banners = view.banners
    assert banners.isVisible() and banners.taken > 20
    amber = grab(view)[: int(banners.taken)]
    assert (amber[..., 0].astype(int) - amber[..., 2] > 100).any()
    banners.set_small(True)
    settle()
    assert banners.isVisible() and banners.is_small and banners.taken == 0
    predict(case, [0.1] * 3)
    settle()
    assert banners.is_small  # nothing new was said
    assert "Tilted." in banners.accessibleDescription()
    banners.set_small(False)
    settle()
    assert banners.taken > 20


def test_planes_show_rows_and_columns(show):
    voxels = np.zeros((10, 30, 20), np.int16)
    voxels[3, 12, 5] = 255
    case = make_case(voxels)
    case.navigation.go(12, Plane.ROW)
    case.navigation.go(5, Plane.COLUMN)
    for plane, pixel in ((Plane.ROW, (5, 3)), (Plane.COLUMN, (12, 3))):
        case.show(annotations=False, smooth=False)
        view = show(case, plane=plane)
        picture = grab(view)
        at = view.to_screen(pixel[0] + 0.5, pixel[1] + 0.5)
        assert picture[int(at.y()), int(at.x()), 0] == 255
        wheel(view, -120)
        settle()
        assert grab(view)[int(at.y()), int(at.x()), 0] == 0


def test_a_view_lets_go_of_a_case(show):
    first, second = small(), small()
    view = show(first)
    view.set_case(second)
    first.navigation.go(0)
    first.show(inverted=True)
    assert all(len(s) == 0 for s in (first.navigation.moved, first.display_changed, first.loaded))
    assert len(second.navigation.moved) == 1


def test_a_heat_map_without_evidence_says_so(show):
    weak = HeatMap(np.full((4, 4), 0.01, np.float32), (0, 0, 40, 40), "hemorrhage")
    case = make_case(np.zeros((1, 40, 40), np.int16))
    predict(case, [0.1], {0: weak})
    view = show(case)
    assert "nothing above the cut" not in words(view)
    case.show(heat_map=True)
    settle()
    assert "nothing above the cut" in words(view)


def test_names_and_dates_are_written_for_people():
    assert iso_date("20260131") == "2026-01-31"
    assert iso_date("2019-04-02") == "2019-04-02"
