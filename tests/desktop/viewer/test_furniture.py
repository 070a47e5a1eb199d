"""What stands in the corners of a narrow view: names are cut, answers are not."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QSizeF
from PySide6.QtGui import QImage, QPainter
from pytestqt.qtbot import QtBot

from desktop.viewer.furniture import Furniture, Line, Painter

ANSWER = "Model: No hemorrhage 98 %"


def _painted(painter: Painter, width: int, left: list[Line]) -> np.ndarray:
    """(rows, columns) grey of a black view with corner texts."""
    image = QImage(width, 200, QImage.Format.Format_RGB32)
    image.fill(0)
    content = Furniture(top_left=left, top_right=[Line(ANSWER, bold=True)])
    with QPainter(image) as inner:
        painter.draw(inner, QSizeF(width, 200), content)
    grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(grey.constBits(), np.uint8).reshape(200, grey.bytesPerLine())
    return rows[:, :width].copy()  # the picture's own memory goes with it


@pytest.mark.parametrize("width", [320, 400, 900])
def test_an_answer_is_not_cut_for_a_long_name(qtbot: QtBot, width: int) -> None:
    painter = Painter()
    alone = _painted(painter, width, [])
    begins = int(np.flatnonzero(alone.any(axis=0))[0])
    assert begins > 60, "the answer alone leaves room at the left"
    beside = _painted(
        painter, width, [Line("SYNTHETIC PHANTOM of a head, 5 mm, a long description")]
    )
    np.testing.assert_array_equal(beside[:, begins:], alone[:, begins:])
    assert beside[:, :begins].any(), "the name is still there"
