"""Layouts, tools and the model's view by their keys, in the whole application."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeySequence

from core.labels.schema import Attention
from core.reading.layout import Layout, Tool
from core.session import AnswerState, LoadState
from desktop.command_names import Command, Menu, Where
from desktop.command_table import SPECS
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries
from tests.desktop.viewer.making import at, drag, mouse, settle

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def opened(bench: Bench, qtbot):
    """The application with two answered series; the first is looked at."""
    path = bench.add(MemorySeries("one"), MemorySeries("two"))
    bench.app.operations.opening.open_paths([path])
    qtbot.waitUntil(lambda: bench.app.session.current is not None)
    reading = bench.app.session.current
    qtbot.waitUntil(lambda: reading.load_state is LoadState.LOADED)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    # The window shows answers and models a moment after they have come, many at once.
    qtbot.waitUntil(bench.app.window.actions_[Command.ACCEPT].isEnabled)
    qtbot.waitUntil(lambda: bool(bench.app.window.findings._point.text()))
    settle()
    return bench.app


@pytest.fixture
def press(opened, qtbot):
    """Press the first key of a command in the window, as a person does."""
    window = opened.window
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    specs = {spec.command: spec for spec in SPECS}

    def pressed(command):
        stroke = QKeySequence(specs[command].keys[0])[0]
        window.stage.setFocus()
        qtbot.keyClick(window.stage.view, stroke.key(), stroke.keyboardModifiers())
        settle()

    return pressed


def test_keys_are_given_once(opened):
    taken = {}
    for spec in SPECS:
        for key in spec.keys:
            assert key not in taken, f"{key}: {spec.command} and {taken[key]}"
            taken[key] = spec.command


def test_every_command_does_something(opened):
    from PySide6.QtCore import SIGNAL

    for spec in SPECS:
        action = opened.window.actions_[spec.command]
        assert action.receivers(SIGNAL("triggered(bool)")) > 0, spec.command
        assert spec.text and action.text()
    assert {spec.menu for spec in SPECS} == set(Menu)
    assert {spec.where for spec in SPECS} == set(Where)


def test_layouts_by_their_keys(opened, press):
    case, actions = opened.session.current.case, opened.window.actions_
    for command, layout in (
        (Command.PLANES, Layout.PLANES),
        (Command.GRID, Layout.GRID),
        (Command.THREE_PANELS, Layout.THREE_PANELS),
        (Command.BESIDE, Layout.BESIDE),
    ):
        press(command)
        assert case.display.layout is layout and actions[command].isChecked()
        press(command)
        assert case.display.layout is Layout.SINGLE and not actions[command].isChecked()
    press(Command.CROSS_HAIR)
    assert not case.display.cross_hair and not actions[Command.CROSS_HAIR].isChecked()


def test_the_next_series_is_read_and_shown_beside(opened, press, qtbot):
    press(Command.BESIDE)
    partner = [*opened.session][1]
    qtbot.waitUntil(lambda: partner.load_state is LoadState.LOADED)
    right = opened.window.stage.beside.views[1]
    assert right.case is partner.case and right.isVisible()
    opened.session.current.case.navigation.go(2)
    assert partner.case.navigation.index() == 2
    opened.operations.opening.show(partner)
    settle()
    assert opened.window.stage.single.isVisible()


def test_the_menu_of_what_can_stand_beside(opened):
    menu = opened.reading_commands.beside_menu
    menu.aboutToShow.emit()
    (action,) = menu.actions()
    assert action.text() == "DOE JANE · Head two"


def test_tools_by_their_keys(opened, press):
    stage, actions = opened.window.stage, opened.window.actions_
    tools = {
        Command.TOOL_PAN: Tool.PAN, Command.TOOL_ZOOM: Tool.ZOOM,
        Command.TOOL_SCROLL: Tool.SCROLL, Command.TOOL_MAGNIFY: Tool.MAGNIFY,
        Command.TOOL_LENGTH: Tool.LENGTH, Command.TOOL_ANGLE: Tool.ANGLE,
        Command.TOOL_RECTANGLE: Tool.RECTANGLE, Command.TOOL_ELLIPSE: Tool.ELLIPSE,
        Command.MARK_BOX: Tool.MARK_BOX, Command.MARK_ELLIPSE: Tool.MARK_ELLIPSE,
        Command.MARK_POLYGON: Tool.MARK_POLYGON, Command.MARK_BRUSH: Tool.MARK_BRUSH,
        Command.TOOL_WINDOW: Tool.WINDOW,
    }  # fmt: skip
    for command, tool in tools.items():
        press(command)
        assert stage.tool is tool
        assert [c for c in tools if actions[c].isChecked()] == [command]
    press(Command.TOOL_LENGTH)
    press(Command.NEUTRAL)
    assert stage.tool is Tool.WINDOW


def test_a_length_is_measured_undone_redone_and_deleted(opened, press):
    case, stage = opened.session.current.case, opened.window.stage
    press(Command.TOOL_LENGTH)
    drag(stage.single, (150, 150), (60, 0))
    assert len(case.measurements) == 1
    press(Command.UNDO)
    assert len(case.measurements) == 0
    press(Command.REDO)
    assert len(case.measurements) == 1
    mouse(stage.single, QEvent.Type.MouseButtonPress, (180, 150), LEFT, LEFT)
    mouse(stage.single, QEvent.Type.MouseButtonRelease, (180, 150), LEFT)
    press(Command.DELETE)
    assert len(case.measurements) == 0
    press(Command.UNDO)
    press(Command.CLEAR_MEASUREMENTS)
    assert len(case.measurements) == 0


def test_regions_go_to_the_journal_and_come_back(opened, press, qtbot):
    case, stage = opened.session.current.case, opened.window.stage
    saved = lambda: opened.operations.labels.saved.pending == 0  # noqa: E731
    press(Command.MARK_BOX)
    assert "should look here" in stage.single.title
    x, y = stage.single.to_screen(8, 8).x(), stage.single.to_screen(8, 8).y()
    drag(stage.single, (x, y), (60, 60))
    press(Command.MARK_NOT_HERE)
    drag(stage.single, (x + 80, y), (50, 50))  # before the disk has answered
    qtbot.waitUntil(saved)
    regions = case.regions_at(case.navigation.index())
    assert [r.attention for r in regions] == [Attention.LOOK_HERE, Attention.NOT_HERE]
    press(Command.UNDO)
    qtbot.waitUntil(saved)
    assert len(case.regions_at(case.navigation.index())) == 1
    assert "should not look here" in stage.single.title


def test_slices_between_are_filled_as_one_step(opened, press, qtbot):
    case, stage = opened.session.current.case, opened.window.stage
    saved = lambda: opened.operations.labels.saved.pending == 0  # noqa: E731
    press(Command.FILL_BETWEEN)
    assert "two slices" in opened.window.banner.notice.text
    press(Command.MARK_ELLIPSE)
    for index in (2, 6):
        case.navigation.go(index)
        settle()
        at = stage.single.to_screen(8, 8)
        drag(stage.single, (at.x(), at.y()), (120, 120))
        qtbot.waitUntil(saved)
    press(Command.FILL_BETWEEN)
    qtbot.waitUntil(saved)
    assert [k for k in range(12) if case.regions_at(k)] == [2, 3, 4, 5, 6]
    press(Command.UNDO)
    qtbot.waitUntil(saved)
    assert [k for k in range(12) if case.regions_at(k)] == [2, 6]


def test_what_finds_nothing_to_do_says_so(opened, press):
    notice = lambda: opened.window.banner.notice.text  # noqa: E731
    for command, words in (
        (Command.DELETE, "Click a measurement"),
        (Command.CLEAR_MEASUREMENTS, "no measurement"),
        (Command.CLEAR_LABEL, "no label"),
        (Command.UNDO, "nothing to undo"),
        (Command.REDO, "nothing to redo"),
        (Command.NEXT_LABELLED, "No other slice"),
    ):
        press(command)
        assert words in notice()


def test_next_labelled_leads_to_whatever_the_list_of_labelled_slices_has(opened, press, qtbot):
    case, stage = opened.session.current.case, opened.window.stage
    press(Command.MARK_BOX)
    case.navigation.go(3)
    settle()
    drag(stage.single, (80, 80), (120, 120))
    qtbot.waitUntil(lambda: opened.operations.labels.saved.pending == 0)
    case.navigation.go(7)
    opened.operations.labels.note(opened.session.current, 5, "calcified")
    qtbot.waitUntil(lambda: len(opened.operations.labels.labelled(opened.session.current)) == 2)
    visited = []
    for command in (*[Command.NEXT_LABELLED] * 3, Command.PREVIOUS_LABELLED):
        press(command)
        visited.append(case.navigation.index())
    assert visited == [3, 5, 3, 5]


def test_the_brush_by_its_keys(opened, press):
    pen = opened.window.stage.pen
    press(Command.MARK_BRUSH)
    press(Command.BRUSH_LARGER)
    assert pen.radius == pytest.approx(5.0)
    press(Command.BRUSH_SMALLER)
    press(Command.BRUSH_ERASES)
    assert pen.radius == pytest.approx(4.0) and pen.erases
    assert "erases" in opened.window.stage.single.title


def test_the_models_view_by_its_keys(opened, press):
    case = opened.session.current.case
    press(Command.HEAT_MAP)
    press(Command.HEAT_CLASS)
    assert case.display.heat_class == "no_hemorrhage"
    press(Command.HEAT_CLASS)
    press(Command.HEAT_COLOURS)
    assert case.display.heat_class == "" and case.display.colour_map == "cividis"
    press(Command.HEAT_CUT_UP)
    assert case.display.heat_cut == pytest.approx(0.3)
    press(Command.HEAT_CUT_DOWN)
    press(Command.THRESHOLD_UP)
    assert case.threshold == pytest.approx(0.41)
    press(Command.THRESHOLD_DOWN)
    press(Command.THRESHOLD_DOWN)
    press(Command.THRESHOLD_OWN)
    assert case.display.threshold is None


def test_slabs_and_camera_by_their_keys(opened, press):
    case, stage = opened.session.current.case, opened.window.stage
    press(Command.SLAB)
    press(Command.SLAB_THICKER)
    assert case.display.slab.thickness == pytest.approx(12.5)
    press(Command.SLAB_THINNER)
    press(Command.ROTATE)
    press(Command.ROTATE_BACK)
    press(Command.ZOOM_IN)
    assert stage.viewpoint.camera.zoom == pytest.approx(1.25)
    press(Command.FIT)
    assert stage.viewpoint.camera.zoom == 1.0 and stage.viewpoint.camera.turns == 0
    press(Command.ACTUAL_PIXELS)
    press(Command.DRAWN)
    assert not case.display.measurements
    press(Command.NEUTRAL)
    assert case.display.slab is None


@pytest.mark.parametrize("width", [1100, 1400])
def test_no_button_of_the_bar_is_hidden(opened, width):
    window = opened.window
    window.resize(width, 800)
    settle()
    more = window.bar.findChild(type(window.bar.layouts), "qt_toolbar_ext_button")
    assert more is None or not more.isVisible()
    assert window.bar.tools.isVisible() and window.bar.layouts.isVisible()


def test_the_threshold_is_dragged_on_the_findings_bar(opened):
    case, findings = opened.session.current.case, opened.window.findings
    bar = findings._bars["hemorrhage"]
    at = case.threshold * (bar.width() - 1)
    assert "sensitivity 90 %" in findings._point.text()
    drag(bar, (at, 27), (bar.width() * 0.3, 0))
    assert case.threshold == pytest.approx(0.7, abs=0.02)
    settle()
    assert "70 %" in findings._verdict.text() and "nothing near" in findings._point.text()
    at = case.threshold * (bar.width() - 1)
    mouse(bar, QEvent.Type.MouseButtonDblClick, (at, 27), LEFT, LEFT)
    assert case.threshold == 0.4


def test_enter_closes_a_polygon_and_labels_nothing(opened, press, qtbot):
    view, reading = opened.window.stage.view, opened.session.current
    case = reading.case
    press(Command.MARK_POLYGON)
    assert "Enter closes it" in view.title
    for x, y in ((10, 10), (40, 10), (40, 40)):
        place = at(view, x, y)
        mouse(view, QEvent.Type.MouseMove, place)
        mouse(view, QEvent.Type.MouseButtonPress, place, LEFT, LEFT)
        mouse(view, QEvent.Type.MouseButtonRelease, place, LEFT)
    mouse(view, QEvent.Type.MouseMove, at(view, 12, 38))
    index = case.navigation.index()
    qtbot.keyClick(view, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(case.regions_at(index)) == 1)
    assert len(case.regions_at(index)[0].outline) == 3 and not view.is_drawing
    assert case.label_at(index) is None
    qtbot.keyClick(view, Qt.Key.Key_Return)  # nothing is drawn now: the window's key again
    qtbot.waitUntil(lambda: case.label_at(index) is not None)


def test_another_layout_leaves_the_focus_on_the_image(opened, press):
    for command in (Command.THREE_PANELS, Command.PLANES, Command.BESIDE, Command.BESIDE):
        press(command)
        assert opened.window.focusWidget() is opened.window.stage.view
