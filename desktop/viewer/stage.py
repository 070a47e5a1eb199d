"""The middle of the window: the image, in one view or three, and the strip under it.

Public use: `set_case`, the verbs (one a key or menu item), `tool`, `picture`, and the signals.
The window's actions call the verbs; everything lasting that they change belongs to the case.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from PySide6.QtCore import QPoint, QTimer, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from core.case import Case
from core.companion import Companion, second_opinion
from core.imaging.geometry import Plane
from core.labels.schema import Region
from core.models.answers import ModelIdentity, SeriesPrediction
from core.models.card import Card
from core.reading.burnt_in import BurntIn
from core.reading.layout import Layout, Tool
from desktop.viewer.banners import Banners
from desktop.viewer.beside import BesideView
from desktop.viewer.camera import Viewpoint
from desktop.viewer.camera_verbs import CameraVerbs
from desktop.viewer.level_verbs import LevelVerbs
from desktop.viewer.marking import Pen
from desktop.viewer.overlay import HeatPictures
from desktop.viewer.pages import Kept, Pages
from desktop.viewer.planes import PlanesView, can_be_cut
from desktop.viewer.slice_view import SliceView
from desktop.viewer.strip import PredictionStrip
from desktop.viewer.three_panel import ThreePanel

CINE_MILLISECONDS = 80
"""Between two slices of cine: 12.5 a second."""


class Stage(QWidget, LevelVerbs, CameraVerbs):
    """Shows the open case in one of the layouts, and the strip under it."""

    context_menu_requested = Signal(QPoint)
    """Right click on an image; global position."""
    heat_map_wanted = Signal(int)
    """A heat map should be shown on this slice, whose answer came without one."""
    cine_changed = Signal(bool)
    """Cine has started or ended."""
    regions_drawn = Signal(int, object)
    """(slice index, areas.Edit) as a reader drew it; to be written."""
    tool_changed = Signal(object)
    """The Tool that the left button now is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewpoint = Viewpoint()
        self.pen = Pen()
        self._pages = Pages(self.viewpoint, self.pen)
        self.strip = PredictionStrip()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._pages, 1)
        column.addWidget(self.strip)
        self._heat: HeatPictures | None = None
        self._asked: tuple[object, int] | None = None
        self._cine = QTimer(self, interval=CINE_MILLISECONDS)
        self._cine.timeout.connect(self._next_picture)
        self._pages.maximise_requested.connect(self._maximise)
        self._pages.context_menu_requested.connect(self.context_menu_requested)
        self._pages.regions_drawn.connect(self.regions_drawn)
        self.setFocusProxy(self.single)
        self.destroyed.connect(self._forget)

    # ---- the pages

    @property
    def single(self) -> SliceView:
        """The page with one view."""
        return self._pages.single

    @property
    def three(self) -> ThreePanel:
        """The page with original, heat map and overlay."""
        return self._pages.three

    @property
    def planes(self) -> PlanesView:
        """The page with the planes."""
        return self._pages.planes

    @property
    def beside(self) -> BesideView:
        """The page with two cases."""
        return self._pages.beside

    @property
    def view(self) -> SliceView:
        """The view that keys act on: the single one, the leftmost of three, the active plane."""
        return self._pages.view

    @property
    def views(self) -> tuple[SliceView, ...]:
        """Every view of every layout that was shown yet."""
        return self._pages.views

    # ---- the case

    def set_case(self, case: Case | None) -> None:
        """Show a case from its own slice and display, upright and fitted; None for none."""
        self._forget()
        self.stop_cine()
        self._case = case
        self._heat = HeatPictures(case) if case is not None else None
        self._asked = None
        if case is not None and self._heat is not None:
            self._heat.answers_changed(None)
            # Before the views: they draw with the range that this finds.
            case.prediction_changed.connect(self._heat.answers_changed)
            case.prediction_changed.connect(self._answered)
            case.display_changed.connect(self._arrange)
            case.navigation.moved.connect(self._ask_for_heat)
        self.viewpoint.reset()
        self._pages.set_case(case, self._heat)
        self.strip.set_case(case)
        if case is not None and case.display.layout is Layout.BESIDE:
            case.show(layout=Layout.SINGLE)  # what stood beside it belonged to another case
        self._arrange()

    def _forget(self) -> None:
        case = self._case
        if case is None:
            return
        pairs = (
            (case.prediction_changed, self._heat.answers_changed if self._heat else None),
            (case.prediction_changed, self._answered),
            (case.display_changed, self._arrange),
            (case.navigation.moved, self._ask_for_heat),
        )
        for signal, slot in pairs:
            with contextlib.suppress(ValueError):
                signal.disconnect(slot)

    def _arrange(self, *_: object) -> None:
        focused = QApplication.focusWidget()
        reads = focused is not None and self._pages.isAncestorOf(focused)
        is_other = self._pages.arrange()
        self.strip.setVisible(not self._pages.is_beside)  # which has a strip for each half
        if is_other:
            self.setFocusProxy(self.view)
            if reads:  # Qt would pass the focus on to whatever takes it first, such as a button
                self.view.setFocus()
        self._ask_for_heat()

    def _answered(self, index: int | None) -> None:
        if index is None:
            self._pages.hear()
        self._ask_for_heat()

    def _maximise(self, page: object) -> None:
        if isinstance(page, BesideView):
            self.leave_beside()
        else:
            self.toggle_three_panels()

    def _ask_for_heat(self, *_: object) -> None:
        case = self._case
        if case is None or case.prediction is None or not case.display.answers:
            return
        if not (case.display.heat_map or case.display.layout is Layout.THREE_PANELS):
            return
        index = case.navigation.index()
        answer = case.prediction.slices.get(index)
        wanted = (case.prediction.model, index)
        if answer is not None and answer.heat_map is None and self._asked != wanted:
            self._asked = wanted
            self.heat_map_wanted.emit(index)

    def set_language(self, language: str) -> None:
        """Say class names and captions in a language: "en" or "ko"."""
        self.strip.language = language
        self._pages.set_language(language)
        self.set_case(self._case)

    def set_stale(self, stale: bool) -> None:
        """Grey what a model said that is no longer the one that is asked."""
        self.strip.set_stale(stale)
        self._pages.set_stale(stale)

    def set_card(self, card: Card | None) -> None:
        """The card of the model that is asked: what it measured is said at the threshold."""
        self.strip.set_card(card)

    def set_dates(self, dates: Mapping[ModelIdentity, str]) -> None:
        """When each known model was made; said on the image beside its name, version and hash."""
        self._pages.set_dates(dates)

    def set_industry(self, industry: bool) -> None:
        """Show objects instead of patients: no letters, no patient text, micrometres."""
        self._industry = industry
        self._pages.set_industry(industry)

    def set_cine_rate(self, slices_a_second: float) -> None:
        """How fast cine goes."""
        self._cine.setInterval(round(1000 / slices_a_second))

    # ---- cine

    @property
    def plays_cine(self) -> bool:
        """Whether the slices are shown one after another by themselves."""
        return self._cine.isActive()

    def toggle_cine(self) -> None:
        """Show the slices one after another, from the last back to the first; or stop."""
        if self.plays_cine:
            self.stop_cine()
        elif self._case is not None and self._case.navigation.count(self.view.plane) > 1:
            self._cine.start()
            self.cine_changed.emit(True)

    def stop_cine(self) -> None:
        """End cine, if it plays."""
        if self.plays_cine:
            self._cine.stop()
            self.cine_changed.emit(False)

    def _next_picture(self) -> None:
        case, plane = self._case, self.view.plane
        if case is None or not self.isVisible():
            self.stop_cine()
            return
        following = (case.navigation.index(plane) + 1) % case.navigation.count(plane)
        if plane is not Plane.SLICE or case.has(following):  # else wait for it to arrive
            case.navigation.go(following, plane)

    def neutral(self) -> None:
        """Give up what is being drawn; else back to neutral.

        Neutral is fitted and upright, not inverted, no slab, no cine, the window tool.
        """
        self.stop_cine()
        if any(view.is_drawing for view in self.views):
            for view in self.views:
                view.stop_drawing()
            return
        self.view.viewpoint.reset()
        self.tool = Tool.WINDOW
        if self._case is not None:
            self._case.show(inverted=False, slab=None)

    # ---- layouts

    def _toggle(self, layout: Layout) -> None:
        if self._case is not None:
            now = self._case.display.layout
            self._case.show(layout=Layout.SINGLE if now is layout else layout)

    def toggle_three_panels(self) -> None:
        """Swap the single view and original | heat map | overlay."""
        self._toggle(Layout.THREE_PANELS)

    def toggle_planes(self, layout: Layout = Layout.PLANES) -> bool:
        """Swap the single view and the planes, 1 + 3 or 2 × 2; whether this case has planes."""
        if self._case is None or not can_be_cut(self._case):
            return False
        self._toggle(layout)
        return True

    # ---- side by side

    def show_beside(self, other: Case) -> None:
        """Show another series at the right, in step."""
        if self._case is not None and other is not self._case:
            self._pair(Companion(self._case, other))

    def show_model_beside(self, prediction: SeriesPrediction) -> None:
        """Show the answers of another model on the same series at the right, in step."""
        if self._case is not None:
            self._pair(Companion(self._case, second_opinion(self._case, prediction)))

    def _pair(self, companion: Companion) -> None:
        self.beside.show_pair(companion, self._heat)
        companion.lead.show(layout=Layout.BESIDE)
        self._arrange()

    def leave_beside(self) -> None:
        """Show the open case alone again."""
        if self._case is not None and self._case.display.layout is Layout.BESIDE:
            self._case.show(layout=Layout.SINGLE)
        self._pages.part()

    @property
    def companion(self) -> Case | None:
        """The case that stands beside the open one, or None."""
        return self._pages.companion if self._pages.is_beside else None

    # ---- from one window's inside to the next

    def keep(self) -> Kept:
        """What a reader has arranged and the case does not know."""
        return self._pages.keep()

    def take_up(self, kept: Kept) -> None:
        """Arrange the same case so again, in a stage that was made anew."""
        if kept.companion is not None:
            self.show_beside(kept.companion)
        self._pages.take_up(kept)
        self.tool = kept.tool

    # ---- tools and pictures

    @property
    def tool(self) -> Tool:
        """What the left button does."""
        return self._pages.tool

    @tool.setter
    def tool(self, tool: Tool) -> None:
        self._pages.tool = tool
        self.tool_changed.emit(tool)

    def delete_chosen(self) -> bool:
        """Take away the measurement or region that is held; whether there was one."""
        return any(view.delete_chosen() for view in self.views if view.isVisible())

    def fill_between(self) -> dict[int, tuple[Region, ...]]:
        """Regions between the slices on which they were drawn: slice index → its regions."""
        return self.single.marking.fill_between(self._case) if self._case is not None else {}

    def set_hint(self, words: str) -> None:
        """Say over the image what a drawing tool does now; nothing for none."""
        self.single.title = words
        self.single.refresh()

    def picture(self, burnt: BurntIn) -> QPixmap:
        """What is shown now as it may leave the window: only what `burnt` says lies over it.

        Letters at the edges and warnings stay: without them the image would mislead. The strip is
        among the words.
        """
        case, shown = self._case, [view for view in self.views if view.isVisible()]
        if case is None:
            return self.grab()
        before, banners = case.display, self.findChildren(Banners)
        over = ("heat_map", "measurements", "regions", "drawings")
        try:
            for view in shown:
                view.says_words, view.says_identity = burnt.words, burnt.identity
            case.show(
                annotations=burnt.words or burnt.identity,
                **{name: getattr(burnt, name) for name in over},
            )
            for view in shown:
                view.redraw()
            for banner in banners:
                banner.show_button(False)
            return (self if burnt.words else self._pages).grab()
        finally:
            for banner in banners:
                banner.show_button(True)
            for view in shown:
                view.says_words = view.says_identity = True
                view.refresh()
            case.show(
                annotations=before.annotations, **{name: getattr(before, name) for name in over}
            )

    def on_screen(self) -> BurntIn:
        """What lies over the image now, words aside."""
        display = self._case.display if self._case is not None else None
        if display is None:
            return BurntIn()
        return BurntIn(
            heat_map=display.heat_map,
            measurements=display.measurements,
            regions=display.regions,
            drawings=display.drawings,
        )
