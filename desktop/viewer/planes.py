"""The three index planes of a volume at once, with a cross-hair that links them."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from core.case import Case
from core.imaging.geometry import Geometry, Plane
from core.reading.layout import Layout, Tool
from desktop.language import later
from desktop.viewer import captions
from desktop.viewer.banners import Banners
from desktop.viewer.camera import Viewpoint, upright
from desktop.viewer.marking import Pen
from desktop.viewer.overlay import HeatPictures
from desktop.viewer.slice_view import SliceView
from desktop.viewer.words import say

_BY_AXIS = (later("Sagittal"), later("Coronal"), later("Axial"))
_BY_INDEX = {Plane.SLICE: later("Slices"), Plane.ROW: later("Rows"), Plane.COLUMN: later("Columns")}

_PLACES = {
    Layout.PLANES: ((0, 0, 3, 1), (0, 1, 1, 1), (1, 1, 1, 1), (2, 1, 1, 1)),
    Layout.GRID: ((0, 0, 1, 1), (0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 1, 1)),
}
"""Row, column and spans of the four views: slices, rows, columns, projection."""

_STRETCH = {Layout.PLANES: ((5, 2), (1, 1, 1)), Layout.GRID: ((1, 1), (1, 1, 0))}
"""How columns and rows share the room."""


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
    """Slices, rows, columns, and the whole volume seen from the front: 1 + 3 or 2 × 2.

    A click, or moving the mouse with Shift held, puts the cross-hair there, and the other planes
    follow. A double click shows one view alone and back.
    """

    context_menu_requested = Signal(QPoint)

    def __init__(self, parent: QWidget | None = None, *, pen: Pen | None = None) -> None:
        super().__init__(parent)
        self.views: tuple[SliceView, ...] = tuple(
            SliceView(plane, viewpoint=Viewpoint(), pen=pen) for plane in Plane
        )
        self.projection = SliceView(Plane.ROW, viewpoint=Viewpoint(), pen=pen)
        self.projection.is_projection = True
        # One set of warnings over all planes: in a small one it would hide what it warns about.
        self.banners = Banners(self)
        self.banners.resized.connect(self._make_room)
        self._case: Case | None = None
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self._layout = Layout.PLANES
        self._active = self.views[0]
        self._alone: SliceView | None = None
        for view in self.every:
            view.setMinimumSize(80, 60)
            view.cross_hair = True
            view.shows_banners = False
            view.context_menu_requested.connect(self.context_menu_requested)
            view.maximise_requested.connect(lambda chosen=view: self.toggle_alone(chosen))
            view.pressed.connect(lambda chosen=view: self._choose(chosen))
        self._place()

    @property
    def every(self) -> tuple[SliceView, ...]:
        """All four views."""
        return (*self.views, self.projection)

    @property
    def active(self) -> SliceView:
        """The view that was clicked last; keys act on it."""
        return self._active

    @property
    def alone(self) -> SliceView | None:
        """The view that is shown alone, or None."""
        return self._alone

    def _choose(self, view: SliceView) -> None:
        if view is not self.projection:
            self._active = view

    def arrange(self, layout: Layout) -> None:
        """One large view and three small ones, or two by two."""
        if layout is not self._layout:
            self._layout, self._alone = layout, None
            self._place()

    def _place(self) -> None:
        columns, rows = _STRETCH[self._layout]
        for view, place in zip(self.every, _PLACES[self._layout], strict=True):
            self._grid.addWidget(view, *place)
            view.setVisible(self._alone in (None, view))
        for column, part in enumerate(columns):
            self._grid.setColumnStretch(column, part if self._alone is None else 0)
        for row, part in enumerate(rows):
            self._grid.setRowStretch(row, part if self._alone is None else 0)

    def toggle_alone(self, view: SliceView) -> None:
        """Show one view alone, or all again."""
        self._alone = None if self._alone is view else view
        self._place()
        self._choose(view)

    def arrange_as(self, active: int, alone: int | None) -> None:
        """Make one of `every` the active one, and show one alone or (None) all."""
        self._choose(self.every[active])
        self._alone = self.every[alone] if alone is not None else None
        self._place()

    def set_case(self, case: Case | None, heat: HeatPictures | None = None) -> None:
        """Show the planes of a case, each the way readers hang it."""
        if case is not None and not can_be_cut(case):
            case = heat = None
        for view in self.every:
            view.placeholder = say("These images do not form a volume")
            view.title = ""
            if case is not None:
                geometry = case.summary.geometry
                name = say(plane_name(geometry, view.plane))
                projected = view is self.projection
                view.title = say("{plane}, MIP", plane=name) if projected else name
                view.setAccessibleName(view.title)
                view.viewpoint.set_home(upright(geometry.letters(view.plane), view.plane))
            view.set_case(case, heat)
        self._case = case
        self.hear()

    def hear(self) -> None:
        """What the case says may have changed: warn anew."""
        self.banners.set_messages(captions.warnings(self._case) if self._case is not None else ())
        self.banners.raise_()

    def _make_room(self) -> None:
        self._grid.setContentsMargins(0, round(self.banners.taken), 0, 0)

    def set_tool(self, tool: Tool) -> None:
        """Choose what the left button does."""
        for view in self.every:
            view.tool = tool

    def set_language(self, language: str) -> None:
        """Say class names in a language."""
        for view in self.every:
            view.language = language
