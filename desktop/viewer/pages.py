"""The pages of the stage, one a layout, each made when it is first shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from core.case import Case
from core.models.answers import ModelIdentity
from core.reading.layout import Layout, Tool
from desktop.viewer.beside import BesideView
from desktop.viewer.camera import Camera, Viewpoint
from desktop.viewer.marking import Pen
from desktop.viewer.overlay import HeatPictures
from desktop.viewer.planes import PlanesView, can_be_cut
from desktop.viewer.slice_view import SliceView
from desktop.viewer.three_panel import ThreePanel

Page = SliceView | ThreePanel | PlanesView | BesideView


@dataclass(frozen=True)
class Kept:
    """What a reader has arranged and the case does not know, to be arranged so again.

    planes: cameras of the four views of the planes. alone, active: places among them.
    right: camera of the companion's view.
    """

    camera: Camera
    tool: Tool
    planes: tuple[Camera, ...] = ()
    alone: int | None = None
    active: int = 0
    companion: Case | None = None
    right: Camera | None = None


class Pages(QStackedWidget):
    """Shows the page of the case's layout.

    A page takes a tenth of the time in which the window appears: those that are not looked at are
    not made. One that is made later is dressed as the others are.
    """

    maximise_requested = Signal(object)
    """Double click on a page; the page."""
    context_menu_requested = Signal(QPoint)
    regions_drawn = Signal(int, object)

    def __init__(self, viewpoint: Viewpoint, pen: Pen) -> None:
        super().__init__()
        self._viewpoint = viewpoint
        self._pen = pen
        self._case: Case | None = None
        self._heat: HeatPictures | None = None
        self._language = "en"
        self._industry = False
        self._stale = False
        self._tool = Tool.WINDOW
        self._dates: Mapping[ModelIdentity, str] = {}
        self._three: ThreePanel | None = None
        self._planes: PlanesView | None = None
        self._beside: BesideView | None = None
        self.single = SliceView(viewpoint=viewpoint, pen=pen)
        self._take(self.single, (self.single,))

    # ---- the pages

    @property
    def three(self) -> ThreePanel:
        """Original, heat map and overlay."""
        if self._three is None:
            self._three = ThreePanel(self._viewpoint, pen=self._pen)
            self._take(self._three, self._three.views)
            self._three.set_language(self._language)
            self._three.set_case(self._case, self._heat)
        return self._three

    @property
    def planes(self) -> PlanesView:
        """The three planes and the projection."""
        if self._planes is None:
            self._planes = PlanesView(pen=self._pen)
            self._take(self._planes, self._planes.every)
            self._planes.set_language(self._language)
            self._planes.set_case(self._case, self._heat)
        return self._planes

    @property
    def beside(self) -> BesideView:
        """Two cases in step."""
        if self._beside is None:
            self._beside = BesideView(self._viewpoint, pen=self._pen)
            self._take(self._beside, self._beside.views)
            self._beside.set_language(self._language)
        return self._beside

    @property
    def views(self) -> tuple[SliceView, ...]:
        """Every view of every page that was made."""
        three = self._three.views if self._three is not None else ()
        planes = self._planes.every if self._planes is not None else ()
        beside = self._beside.views if self._beside is not None else ()
        return (self.single, *three, *planes, *beside)

    def _take(self, page: Page, views: tuple[SliceView, ...]) -> None:
        self.addWidget(page)
        if isinstance(page, SliceView | ThreePanel | BesideView):  # planes keep it to themselves
            page.maximise_requested.connect(lambda: self.maximise_requested.emit(page))
        page.context_menu_requested.connect(self.context_menu_requested)
        for view in views:
            view.marking.drawn.connect(self.regions_drawn)
            view.industry = self._industry
            view.tool = self._tool
            view.language = self._language
            view.dates = self._dates
        for view in self._own(views):
            view.stale = self._stale

    def _own(self, views: tuple[SliceView, ...]) -> Iterator[SliceView]:
        """Without the companion's, whose answers are of another model or series."""
        other = self._beside.views[1] if self._beside is not None else None
        return (view for view in views if view is not other)

    # ---- which is shown

    @property
    def is_three(self) -> bool:
        """Whether the three panels are shown."""
        return self._case is not None and self._case.display.three_panels

    @property
    def is_beside(self) -> bool:
        """Whether two cases are shown."""
        return (
            self._case is not None
            and self._case.display.layout is Layout.BESIDE
            and self.companion is not None
        )

    @property
    def is_planes(self) -> bool:
        """Whether the planes are shown."""
        return self._case is not None and self._case.display.planes and can_be_cut(self._case)

    @property
    def companion(self) -> Case | None:
        """The case that stands beside the open one."""
        pair = self._beside.companion if self._beside is not None else None
        return pair.other if pair is not None else None

    @property
    def view(self) -> SliceView:
        """The view that keys act on: the single one, the leftmost of three, the active plane."""
        if self.is_three:
            return self.three.original
        if self.is_beside:
            return self.beside.views[0]
        return self.planes.active if self.is_planes else self.single

    def arrange(self) -> bool:
        """Show the page of the case's layout; whether it is another one than before."""
        shown: QWidget = self.single
        if self.is_three:
            shown = self.three
            self.three.hear()
        elif self.is_beside:
            shown = self.beside
        elif self.is_planes and self._case is not None:
            shown = self.planes
            self.planes.arrange(self._case.display.layout)
            self.planes.hear()
        if self.currentWidget() is shown:
            return False
        self.setCurrentWidget(shown)
        return True

    # ---- what they show

    def set_case(self, case: Case | None, heat: HeatPictures | None) -> None:
        """Show a case on all pages; none beside it."""
        self._case, self._heat = case, heat
        self.single.set_case(case, heat)
        if self._three is not None:
            self._three.set_case(case, heat)
        if self._planes is not None:
            self._planes.set_case(case, heat)
        self.part()

    def part(self) -> None:
        """Let the companion go."""
        if self._beside is not None:
            self._beside.show_pair(None, None)

    def hear(self) -> None:
        """What the model says was replaced: name and warn anew."""
        for page in (self._three, self._planes):
            if page is not None:
                page.hear()
        if self._beside is not None:
            self._beside.refresh()

    def set_language(self, language: str) -> None:
        """Say class names and captions in a language."""
        self._language = language
        self.single.language = language
        for page in (self._three, self._planes, self._beside):
            if page is not None:
                page.set_language(language)

    def set_industry(self, industry: bool) -> None:
        """Show objects instead of patients."""
        self._industry = industry
        for view in self.views:
            view.industry = industry
            view.refresh()

    def set_stale(self, stale: bool) -> None:
        """Grey what a model said that is no longer the one that is asked."""
        self._stale = stale
        for view in self._own(self.views):
            if view.stale != stale:
                view.stale = stale
                view.refresh()

    def set_dates(self, dates: Mapping[ModelIdentity, str]) -> None:
        """When each known model was made."""
        self._dates = dates
        for view in self.views:
            view.dates = dates
            view.refresh()

    @property
    def tool(self) -> Tool:
        """What the left button does."""
        return self._tool

    @tool.setter
    def tool(self, tool: Tool) -> None:
        self._tool = tool
        for view in self.views:
            view.tool = tool

    # ---- from one window's inside to the next

    def keep(self) -> Kept:
        """How a reader has arranged things."""
        kept = Kept(self._viewpoint.camera, self._tool)
        planes = self._planes
        if planes is not None and self.is_planes:
            every = planes.every
            kept = Kept(
                kept.camera,
                kept.tool,
                tuple(view.viewpoint.camera for view in every),
                every.index(planes.alone) if planes.alone is not None else None,
                every.index(planes.active),
            )
        if self.is_beside:
            right = self.beside.views[1].viewpoint.camera
            kept = Kept(kept.camera, kept.tool, companion=self.companion, right=right)
        return kept

    def take_up(self, kept: Kept) -> None:
        """Arrange things so again, with the same case; the pair is the stage's to show."""
        self._viewpoint.look(kept.camera)
        if kept.planes and self.is_planes:
            planes = self.planes
            planes.arrange_as(kept.active, kept.alone)
            for view, camera in zip(planes.every, kept.planes, strict=True):
                view.viewpoint.look(camera)
        if kept.right is not None and self.is_beside:
            self.beside.views[1].viewpoint.look(kept.right)
