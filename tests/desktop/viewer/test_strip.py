import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QColor, QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip

from core.models.answers import SeriesPrediction, SlicePrediction
from desktop.viewer.strip import SIDE, PredictionStrip
from desktop.viewer.strip_drawing import blend
from tests.desktop.viewer.making import MODEL, drag, grab, make_case, predict, settle, wheel


@pytest.fixture
def strip(qtbot):
    made = PredictionStrip()
    qtbot.addWidget(made)
    made.resize(400, 60)
    made.show()
    return made


@pytest.fixture
def case():
    return make_case(np.zeros((10, 8, 8), np.int16))


def test_a_click_goes_to_the_slice_and_a_drag_scrubs(strip, case, qtbot):
    strip.set_case(case)
    with qtbot.waitSignal(strip.chosen) as told:
        qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=strip.cell(7).center().toPoint())
    assert case.navigation.index() == 7 and told.args == [7]
    seen = []
    case.navigation.moved.connect(lambda _, index: seen.append(index))
    start = strip.cell(1).center()
    drag(strip, (start.x(), start.y()), (strip.cell(5).center().x() - start.x(), 0), steps=8)
    assert seen == [1, 2, 3, 4, 5]
    drag(strip, (100, 20), (4000, 0))
    assert case.navigation.index() == 9


def test_every_position_belongs_to_the_cell_that_is_drawn_there(strip, case):
    strip.set_case(case)
    for index in range(10):
        area = strip.cell(index)
        assert strip.index_at(area.left() + 0.01) == strip.index_at(area.right() - 0.01) == index
    assert strip.cell(0).left() == SIDE


def test_height_and_colour_are_the_probability(strip, case):
    predict(case, [0.05, 0.2, 0.4, 0.6, 0.8, 0.95, None, None, None, None])
    strip.set_case(case)
    case.navigation.go(9)
    picture = grab(strip).astype(int)
    heights, redness = [], []
    for index in range(6):
        area = strip.cell(index)
        column = picture[int(area.top()) + 1 : int(area.bottom()), int(area.center().x())]
        bar = column[::-1]  # from the foot upwards
        coloured = np.ptp(bar, axis=1) > 8
        foot = bar[0]
        heights.append(int(coloured.sum()))
        redness.append(int(foot[0] - foot[1]))
    assert heights == sorted(heights) and heights[-1] > heights[0] + 20
    assert redness == sorted(redness) and redness[0] < 0 < redness[-1]
    empty = strip.cell(7).center().toPoint()
    assert picture[empty.y(), empty.x()].sum() < 60


def test_over_the_threshold_is_never_merely_grey():
    low, middle, high = "#00ff00", "#808080", "#ff0000"
    assert blend(low, middle, high, 0.3, 0.3).red() > 150
    assert blend(low, middle, high, 0.29999, 0.3).red() <= 128
    assert blend(low, middle, high, 1.0, 0.3) == QColor(high)
    assert blend(low, middle, high, 0.0, 0.3) == QColor(low)


def test_labels_are_ticks_in_their_colour(strip, case):
    strip.set_case(case)
    case.relabel({"slice-2": "hemorrhage", "slice-6": "no_hemorrhage"})
    picture = grab(strip).astype(int)
    red = picture[6, int(strip.cell(2).center().x())]
    green = picture[6, int(strip.cell(6).center().x())]
    none = picture[6, int(strip.cell(4).center().x())]
    assert red[0] > red[1] + 80 and green[1] > green[0] + 50 and np.ptp(none) < 20
    case.relabel({})
    assert np.ptp(grab(strip).astype(int)[6, int(strip.cell(2).center().x())]) < 20


@pytest.mark.qt_log_ignore("This plugin does not support raise")
def test_the_words_of_a_cell(strip, case):
    predict(case, [None] * 3 + [0.83] + [None] * 6)
    case.relabel({"slice-3": "no_hemorrhage"})
    strip.set_case(case)
    assert strip.describe(3) == "slice 4 · hemorrhage 83 % · labelled no hemorrhage"
    assert strip.describe(4) == "slice 5 · no answer yet"
    case.show(answers=False)
    assert strip.describe(3) == "slice 4 · labelled no hemorrhage"
    at = strip.cell(3).center().toPoint()
    QApplication.sendEvent(
        strip, QHelpEvent(QEvent.Type.ToolTip, at, strip.mapToGlobal(at) + QPoint(0, 0))
    )
    assert QToolTip.text() == strip.describe(3)
    QToolTip.hideText()


def test_keyboard_and_wheel(strip, case, qtbot):
    strip.set_case(case)
    strip.setFocus()
    case.navigation.go(4)
    for key, index in (
        (Qt.Key.Key_Right, 5), (Qt.Key.Key_Left, 4), (Qt.Key.Key_End, 9), (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_PageDown, 9), (Qt.Key.Key_PageUp, 0),
    ):  # fmt: skip
        qtbot.keyClick(strip, key)
        assert case.navigation.index() == index
    wheel(strip, -120, (50, 30))
    assert case.navigation.index() == 1
    assert strip.accessibleDescription().startswith("slice 2")


def test_a_thousand_slices_hide_no_finding(strip, qtbot):
    case = make_case(np.zeros((3000, 1, 1), np.int16))
    probabilities = [0.02] * 3000
    probabilities[1234] = 0.99
    predict(case, probabilities)
    strip.set_case(case)
    case.navigation.go(0)
    area = strip.cell(1234)
    around = grab(strip)[16:24, int(area.left()) - 1 : int(area.right()) + 2].astype(int)
    assert (around[..., 0] - around[..., 1]).max() > 60


def test_nothing_is_shown_in_read_first_mode_or_without_a_case(strip, case):
    predict(case, [0.9] * 10)
    strip.set_case(case)
    case.show(answers=False)
    hidden = grab(strip).astype(int)
    assert (hidden[..., 0] - hidden[..., 1]).max() < 40
    strip.set_case(None)
    settle()
    assert grab(strip).any()


def test_among_many_classes_the_strip_follows_the_class_that_is_chosen(strip, case):
    prediction = SeriesPrediction(MODEL, "hemorrhage", 0.5)
    for index in range(10):
        other = 0.8 if index in (6, 7) else 0.1
        parts = {"hemorrhage": 0.15, "no_hemorrhage": 0.85 - other, "fracture": other}
        prediction.slices[index] = SlicePrediction(index, parts)
    case.expect(prediction)
    strip.set_case(case)
    assert case.next_suspicious() is None  # no hemorrhage anywhere
    before = grab(strip)
    case.show(heat_class="fracture")
    assert case.class_shown == "fracture"
    assert case.next_suspicious() == 6
    assert "fracture 80 %" in strip.describe(6)
    after = grab(strip)
    tall, low = strip.cell(6), strip.cell(2)
    row = int(tall.top() + tall.height() * 0.4)  # at 60 %: reached by 80 %, not by 10 %
    assert np.ptp(after[row, int(tall.center().x())].astype(int)) > 20
    assert np.ptp(after[row, int(low.center().x())].astype(int)) < 12
    assert (before != after).any()
