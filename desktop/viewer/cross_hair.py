"""The cross-hair that links planes: where the others cut this one, and putting it elsewhere."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QLineF, QPointF
from PySide6.QtGui import QColor, QPainter, QPen

from core.case import Case, clamp
from core.imaging.geometry import Plane
from desktop import appearance
from desktop.viewer.camera import PlaneFrame
from desktop.viewer.canvas import Canvas

GAP = 12.0
"""Logical pixels that stay free on each side of the cross-hair's middle."""


def others(plane: Plane) -> tuple[Plane, Plane]:
    """The planes that a picture's rows and columns belong to: (down, across)."""
    down, across = [each for each in Plane if each is not plane]
    return down, across


def draw(painter: QPainter, view: Canvas, case: Case, plane: Plane, frame: PlaneFrame) -> None:
    """Draw where the other planes cut this one, open in the middle so as to hide nothing."""
    down, across = others(plane)
    x, y = case.navigation.index(across) + 0.5, case.navigation.index(down) + 0.5
    centre = view.to_screen(x, y)
    colour = QColor(appearance.IMAGE.cross_hair)
    colour.setAlpha(170)
    painter.setPen(QPen(colour, 1))
    for end in ((x, 0), (x, frame.rows), (0, y), (frame.columns, y)):
        line = QLineF(view.to_screen(*end), centre)
        if line.length() > GAP:
            line.setLength(line.length() - GAP)
            painter.drawLine(line)


def put(case: Case, view: Canvas, plane: Plane, at: QPointF, *, projection: bool) -> None:
    """Let the other planes cut where a position of a view is.

    projection: the view shows the whole volume's highest values; this plane then goes to where
    the value under the mouse comes from.
    """
    down, across = others(plane)
    x, y = view.to_pixel(at)
    row = clamp(int(y // 1), 0, case.navigation.count(down) - 1)
    column = clamp(int(x // 1), 0, case.navigation.count(across) - 1)
    if projection and case.volume is not None:
        cut: list[slice | int] = [slice(None)] * 3
        cut[down.value], cut[across.value] = row, column
        line = np.asarray(case.volume.voxels[tuple(cut)], np.float64)
        if line.ndim == 2:  # colour
            line = line.sum(axis=1)
        elif plane is not Plane.SLICE:
            line = line * case.volume.slope[row] + case.volume.intercept[row]
        case.navigation.go(int(line.argmax()), plane)
    case.navigation.go(row, down)
    case.navigation.go(column, across)
