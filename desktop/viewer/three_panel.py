"""Original, heat map and overlay beside one another, in step."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from core.case import Case
from core.imaging.geometry import Plane
from core.reading.layout import Tool
from desktop.viewer import captions
from desktop.viewer.banners import Banners
from desktop.viewer.camera import Viewpoint
from desktop.viewer.composing import Content
from desktop.viewer.marking import Pen
from desktop.viewer.overlay import HeatPictures
from desktop.viewer.slice_view import SliceView
from desktop.viewer.words import say


class ThreePanel(QWidget):
    """The same slice three times through one viewpoint: zoom and pan one, and all follow."""

    maximise_requested = Signal()
    context_menu_requested = Signal(QPoint)

    def __init__(
        self, viewpoint: Viewpoint, parent: QWidget | None = None, *, pen: Pen | None = None
    ) -> None:
        super().__init__(parent)
        self.original = SliceView(content=Content.ORIGINAL, viewpoint=viewpoint, pen=pen)
        self.heat_map = SliceView(content=Content.HEAT_MAP, viewpoint=viewpoint, pen=pen)
        self.overlay = SliceView(content=Content.OVERLAY, viewpoint=viewpoint, pen=pen)
        # One set of warnings over all three, so that the images stay at the same height.
        self.banners = Banners(self)
        self.banners.resized.connect(self._make_room)
        row = self._row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        for view in self.views:
            row.addWidget(view, 1)
            view.maximise_requested.connect(self.maximise_requested)
            view.context_menu_requested.connect(self.context_menu_requested)
        self._language = "en"
        self._case: Case | None = None
        self._name()

    @property
    def views(self) -> tuple[SliceView, SliceView, SliceView]:
        """Original, heat map, overlay."""
        return self.original, self.heat_map, self.overlay

    def set_case(self, case: Case | None, heat: HeatPictures | None) -> None:
        """Show a case with heat maps shared with other views."""
        self._case = case
        self._name()
        for view in self.views:
            view.set_case(case, heat)
        self._warn()

    def hear(self, *_: object) -> None:
        """What the case says may have changed: name and warn anew."""
        self._name()
        self._warn()
        for view in self.views:
            view.refresh()

    def _warn(self) -> None:
        self.banners.set_messages(captions.warnings(self._case) if self._case is not None else ())
        self.banners.raise_()

    def _make_room(self) -> None:
        self._row.setContentsMargins(0, round(self.banners.taken), 0, 0)

    def set_language(self, language: str) -> None:
        """Say titles and class names in a language."""
        self._language = language
        for view in self.views:
            view.language = language
        self._name()

    def set_tool(self, tool: Tool) -> None:
        """Choose what the left button does."""
        for view in self.views:
            view.tool = tool

    def _name(self) -> None:
        self.original.title = say("Original")
        self.heat_map.title = say("Heat map")
        self.overlay.title = say("Overlay")
        case = self._case
        if case is not None and case.prediction is not None:
            shown = case.display.heat_class or case.prediction.positive
            name = captions.class_name(case, shown, self._language)
            self.heat_map.title = say("Heat map: {name}", name=name)
        for view, title in zip(self.views, ("Original", "Heat map", "Overlay"), strict=True):
            view.setAccessibleName(say(title))

    @property
    def plane(self) -> Plane:
        """The plane that is shown."""
        return self.original.plane
