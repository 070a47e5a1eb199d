"""The three index planes of a volume at once, with a cross-hair that links them."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from core.case import Case
from core.imaging.geometry import Geometry, Plane
from desktop.viewer.camera import Viewpoint, upright
from desktop.viewer.overlay import HeatPictures
from desktop.viewer.slice_view import SliceView
from desktop.viewer.tools import Tool
from desktop.viewer.words import say

_BY_AXIS = ("Sagittal", "Coronal", "Axial")
_BY_INDEX = {Plane.SLICE: "Slices", Plane.ROW: "Rows", Plane.COLUMN: "Columns"}


def can_be_cut(case: Case) -> bool:
    """Whether the slices of a case lie in space, so that other planes mean something."""
    return case.summary.is_volume and case.summary.shape[0] > 1


def plane_name(geometry: Geometry, plane: Plane) -> str:
    """Axial, coronal or sagittal, whichever the plane is closest to; neutral if unknown."""
    if not geometry.has_orientation:
        return _BY_INDEX[plane]
    down, across = [axis for axis in range(3) if axis != plane.value]
    normal = np.cross(geometry.affine[:3, across], geometry.affine[:3, down])
    return _BY_AXIS[int(np.abs(normal).argmax())]


class PlanesView(QWidget):
    """The plane of acquisition large at the left, the two others beside it.

    A click, or moving the mouse with Shift held, puts the cross-hair there, and the other planes
    follow. A double click shows one plane alone and back.
    """

    context_menu_requested = Signal(QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.views: tuple[SliceView, ...] = tuple(
            SliceView(plane, viewpoint=Viewpoint()) for plane in Plane
        )
        self._right = QSplitter(Qt.Orientation.Vertical)
        self._split = QSplitter()
        self._split.addWidget(self.views[0])
        self._split.addWidget(self._right)
        for view in self.views[1:]:
            self._right.addWidget(view)
        self._split.setStretchFactor(0, 3)
        self._split.setStretchFactor(1, 2)
        self._split.setHandleWidth(2)
        self._right.setHandleWidth(2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._split)
        self._active = self.views[0]
        self._alone: SliceView | None = None
        for view in self.views:
            view.cross_hair = True
            view.shows_banners = view.plane is Plane.SLICE
            view.context_menu_requested.connect(self.context_menu_requested)
            view.maximise_requested.connect(lambda chosen=view: self.toggle_alone(chosen))
            view.pressed.connect(lambda chosen=view: self._choose(chosen))

    @property
    def active(self) -> SliceView:
        """The view that was clicked last; keys act on it."""
        return self._active

    def _choose(self, view: SliceView) -> None:
        self._active = view

    def toggle_alone(self, view: SliceView) -> None:
        """Show one plane alone, or all three again."""
        self._alone = None if self._alone is view else view
        for each in self.views:
            each.setVisible(self._alone in (None, each))
        self._right.setVisible(self._alone is not self.views[0])
        self._active = view

    def set_case(self, case: Case | None, heat: HeatPictures | None = None) -> None:
        """Show the planes of a case, each the way readers hang it."""
        if case is not None and not can_be_cut(case):
            case = heat = None
        for view in self.views:
            view.placeholder = say("These images do not form a volume")
            view.title = ""
            if case is not None:
                geometry = case.summary.geometry
                view.title = say(plane_name(geometry, view.plane))
                view.setAccessibleName(view.title)
                view.viewpoint.set_home(upright(geometry.letters(view.plane), view.plane))
            view.set_case(case, heat)

    def set_tool(self, tool: Tool) -> None:
        """Choose what the left button does."""
        for view in self.views:
            view.tool = tool

    def set_language(self, language: str) -> None:
        """Say class names in a language."""
        for view in self.views:
            view.language = language
