"""What a file draws over its slices lies on the pixels that it says, and one key hides it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.imaging.volume import ImageWarning
from core.reading.drawings import Drawing
from desktop.viewer.overlay import DRAWN
from desktop.viewer.slice_view import SliceView
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries
from tests.desktop.test_window import opened, press
from tests.desktop.viewer.making import grab, make_case

WARNING = ImageWarning("overlays", "2 images carry overlay planes.", (6, 7))
COLOUR = [int(DRAWN) >> shift & 255 for shift in (16, 8, 0)]


@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_a_drawing_gives_back_what_was_drawn(mask: np.ndarray) -> None:
    made = Drawing.of([mask])
    if not mask.any():
        assert made is None
    else:
        assert made is not None and (made.mask() == mask).all()


def test_it_lies_on_its_pixels_whatever_the_camera_does(qtbot: QtBot) -> None:
    case = make_case(np.full((3, 20, 30), 60, np.int16))
    case.show(annotations=False, smooth=False)
    mask = np.zeros((20, 30), np.bool_)
    mask[4, 7] = mask[15, 22] = True
    made = Drawing.of([mask])
    assert made is not None
    case.drawing_arrived(1, made)
    view = SliceView()
    qtbot.addWidget(view)
    view.resize(420, 300)
    view.show()
    view.set_case(case)
    camera = view.viewpoint.camera
    for looked in (camera, camera.rotated(1), camera.flipped(horizontally=True).rotated(3)):
        view.viewpoint.look(looked)
        picture = grab(view)
        for row, column in np.argwhere(mask):
            at = view.to_screen(column + 0.5, row + 0.5)
            assert picture[int(at.y()), int(at.x())].tolist() == COLOUR
        beside = view.to_screen(9.5, 4.5)
        assert picture[int(beside.y()), int(beside.x())].tolist() == [60, 60, 60]
    case.navigation.go(0)
    assert not (grab(view) == COLOUR).all(axis=2).any()


class Drawn(MemorySeries):
    """A series whose slices 6 and 7 bring a drawing along, as DICOM series tell it."""

    def overlays(self, index: int) -> tuple[SimpleNamespace, ...]:
        mask = np.zeros(self.summary.shape[1:], np.bool_)
        mask[index, :] = True
        return (SimpleNamespace(mask=mask),)


def test_drawings_are_read_after_the_slices_and_a_key_hides_them(
    qtbot: QtBot, bench: Bench
) -> None:
    reading = opened(qtbot, bench, Drawn(warnings=(WARNING,)))
    qtbot.waitUntil(lambda: all(reading.case.drawing_at(at) is not None for at in (6, 7)))
    reading.case.show(smooth=False)
    view = bench.app.window.stage.view
    assert (grab(view) == COLOUR).all(axis=2).any()
    press(qtbot, bench, Qt.Key.Key_O, Qt.KeyboardModifier.ShiftModifier)
    assert not (grab(view) == COLOUR).all(axis=2).any()
    press(qtbot, bench, Qt.Key.Key_O, Qt.KeyboardModifier.ShiftModifier)
    assert (grab(view) == COLOUR).all(axis=2).any()
