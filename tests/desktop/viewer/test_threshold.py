"""The operating threshold is moved on the strip, and the card says what it measured there."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt

from core.models.answers import SlicePrediction
from core.models.card import CurvePoint
from desktop.viewer.strip import PredictionStrip
from tests.desktop.models import write_model
from tests.desktop.viewer.making import drag, grab, make_case, mouse, predict, settle

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def case():
    made = make_case(np.zeros((8, 10, 10), np.int16))
    predict(made, [0.1, 0.3, 0.45, 0.6, 0.9, 0.2, 0.1, 0.05])
    return made


@pytest.fixture
def strip(qtbot, case):
    made = PredictionStrip()
    qtbot.addWidget(made)
    made.resize(700, 60)
    made.show()
    made.set_case(case)
    settle()
    return made


def grip(strip, case):
    area = strip.cell(0)
    return area.left() - 3, area.bottom() - area.height() * case.threshold


def test_dragging_the_grip_moves_the_threshold_and_the_flags(strip, case):
    here = case.navigation.index()
    assert sum(case.is_suspicious(k) for k in range(8)) == 2
    tall = strip.cell(0).height()
    drag(strip, grip(strip, case), (0, tall * 0.25))
    assert case.threshold == pytest.approx(0.25, abs=0.03)
    assert sum(case.is_suspicious(k) for k in range(8)) == 4
    assert case.navigation.index() == here
    assert case.next_suspicious() is not None
    mouse(strip, QEvent.Type.MouseButtonDblClick, grip(strip, case), LEFT, LEFT)
    assert case.display.threshold is None and case.threshold == 0.5


def test_keys_move_it_by_a_hundredth(strip, case, qtbot):
    qtbot.keyClick(strip, Qt.Key.Key_Up)
    assert case.threshold == pytest.approx(0.51)
    qtbot.keyClick(strip, Qt.Key.Key_Down)
    qtbot.keyClick(strip, Qt.Key.Key_Down)
    assert case.threshold == pytest.approx(0.49)
    strip.move_threshold(7.0)
    assert case.threshold == 0.999


def test_it_cannot_be_moved_while_answers_are_hidden(strip, case, qtbot):
    case.show(answers=False)
    drag(strip, grip(strip, case), (0, -10))
    qtbot.keyClick(strip, Qt.Key.Key_Up)
    assert case.display.threshold is None


def test_the_card_says_what_it_measured_there(strip, case, tmp_path):
    card = write_model(tmp_path / "m")
    own = case.prediction.model
    curve = (CurvePoint(threshold=0.5, sensitivity=0.81, specificity=0.77),)
    card = card.model_copy(
        update={
            "id": own.id, "version": own.version, "weights_sha256": own.weights_sha256,
            "operating_curve": curve,
        }
    )  # fmt: skip
    strip.set_card(card)
    assert "Sensitivity 81 %, specificity 77 % there (on validation)" in strip.threshold_words()
    strip.move_threshold(0.4)
    assert "Sensitivity 90 %, specificity 80 %" in strip.threshold_words()
    strip.move_threshold(0.7)
    assert "nothing near" in strip.threshold_words()
    assert "the model's own is 50 %" in strip.threshold_words()
    strip.set_card(write_model(tmp_path / "other", name="other"))
    assert "ensitivity" not in strip.threshold_words()


def test_the_spread_of_an_ensemble_is_a_band(strip, case):
    plain = grab(strip)
    shares = case.prediction.slices[3].probabilities
    case.prediction.slices[3] = SlicePrediction(3, shares, spread=(0.3, 0.95))
    case.prediction_changed.emit(3)
    area = strip.cell(3)
    shown = grab(strip)
    x = int(area.center().x())
    changed = np.flatnonzero((shown[:, x] != plain[:, x]).any(axis=1))
    assert changed.min() == pytest.approx(area.bottom() - area.height() * 0.95, abs=1.5)
    assert changed.max() == pytest.approx(area.bottom() - area.height() * 0.3, abs=1.5)
    assert "members said 30 % – 95 %" in strip.describe(3)
