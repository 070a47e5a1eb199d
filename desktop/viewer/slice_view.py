"""One plane of the open case: the picture, what the model sees in it, and words around it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from PySide6.QtCore import QEvent, QPointF, QRectF, QSizeF, Qt, QTimer
from PySide6.QtGui import (
    QPainter,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QWidget

from core.case import Case, Display
from core.events import SignalInstance
from core.imaging.geometry import Plane
from core.models.answers import ModelIdentity
from core.reading.layout import Tool
from desktop.viewer import captions, cross_hair
from desktop.viewer.banners import Banners
from desktop.viewer.camera import PlaneFrame, Viewpoint
from desktop.viewer.class_picker import ClassPicker
from desktop.viewer.colour_bar import ColourBar
from desktop.viewer.composing import Content, Looks, compose
from desktop.viewer.furniture import Furniture, Line, Painter
from desktop.viewer.gestures import CURSORS, Gestures
from desktop.viewer.grey import GreyRenderer
from desktop.viewer.holding import Chosen
from desktop.viewer.ink import REACH, Drawn, Ink
from desktop.viewer.lens import draw_lens
from desktop.viewer.marking import Marking, Pen
from desktop.viewer.measuring import Measuring
from desktop.viewer.overlay import HeatPictures, draw_onto, lay_over
from desktop.viewer.touching import Touching
from desktop.viewer.words import say

BAR_GAP, PICKER_ROOM, LEAST_BAR = 40.0, 72.0, 90.0
"""Around the colour bar its heading above it and the class picker below it; its least height."""

PROBE_AREA = QSizeF(320, 150)
"""Lower right corner that is drawn anew when only the mouse moves."""


class SliceView(Touching):
    """Shows one index plane of a `Case` true to its pixel spacing.

    It owns nothing: slice and window belong to the case, zoom and pan to the viewpoint, which
    several views may share. Whatever changes marks it dirty; it is drawn once per turn of the
    event loop. Keys are the window's; the mouse is in `gestures`.
    """

    def __init__(
        self,
        plane: Plane = Plane.SLICE,
        *,
        content: Content = Content.READING,
        viewpoint: Viewpoint | None = None,
        pen: Pen | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.plane = plane
        self.content = content
        self.viewpoint = viewpoint or Viewpoint()
        self.title = ""
        self.language = "en"
        self.placeholder = ""
        self.cross_hair = False
        self.stale = False
        self.industry = False
        self.is_projection = False
        self.says_words = self.says_identity = True
        self.dates: Mapping[ModelIdentity, str] = {}
        self.shows_heat = False
        self.shows_banners = content is Content.READING
        self.furniture = Furniture()
        self.banners = Banners(self)
        self.banners.resized.connect(self._mark)
        self.picker = ClassPicker(self)
        self.measuring = Measuring(self)
        self.marking = Marking(self, pen or Pen())
        self._tool = Tool.WINDOW
        self._chosen: Chosen | None = None
        self._case: Case | None = None
        self._heat: HeatPictures | None = None
        self._frame: PlaneFrame | None = None
        self._stands: object = None
        self._grey = GreyRenderer()
        self._ink = Ink()
        self._drawn: list[Drawn] = []
        self._painter = Painter()
        self._colour_bar = ColourBar(self._painter)
        self._gestures = Gestures(self)
        self._connected: list[tuple[SignalInstance, Callable[..., object]]] = []
        self._redraw_timer = QTimer(self, singleShot=True, interval=0)
        self._redraw_timer.timeout.connect(self.redraw)
        self._listen([(self.viewpoint.changed, self._mark)])
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(120, 100)
        self.setAccessibleName(say("Image"))
        self.destroyed.connect(self._forget)

    # ---- what is shown

    @property
    def case(self) -> Case | None:
        """The case that is shown."""
        return self._case

    @property
    def frame(self) -> PlaneFrame | None:
        """The metric of the plane that is shown."""
        return self._frame

    @property
    def tool(self) -> Tool:
        """What the left button does."""
        return self._tool

    @tool.setter
    def tool(self, tool: Tool) -> None:
        self._tool = tool
        self.measuring.forget()
        self.marking.forget()
        self.setCursor(CURSORS.get(tool, Qt.CursorShape.CrossCursor))
        self.update()

    def set_case(self, case: Case | None, heat: HeatPictures | None = None) -> None:
        """Show a case, or the placeholder for None.

        heat: the case's heat maps, where several views share them.
        """
        self._forget()
        self._case, self._heat, self._frame, self._chosen = case, None, None, None
        self._gestures.forget()
        self.measuring.forget()
        self.marking.forget()
        if case is not None:
            self._heat = heat or HeatPictures(case)
            if heat is None:
                self._heat.answers_changed(None)
                self._listen([(case.prediction_changed, self._heat.answers_changed)])
            self._frame = PlaneFrame.of(case.summary.geometry, self.plane)
            self._listen(
                [
                    (case.navigation.moved, self._moved),
                    (case.loaded, self._loaded),
                    (case.display_changed, self._mark),
                    (case.prediction_changed, self._answered),
                    (case.labels_changed, self._mark),
                    (case.regions_changed, self.let_go_of_region),
                    (case.drawings_changed, self._mark),
                    (case.measurements.changed, self._mark),
                ]
            )
        self._listen([(self.viewpoint.changed, self._mark)])
        self._mark()

    def _listen(self, pairs: list[tuple[SignalInstance, Callable[..., object]]]) -> None:
        for signal, slot in pairs:
            signal.connect(slot)
        self._connected += pairs

    def _forget(self) -> None:
        """Stop listening; core objects outlive widgets."""
        for signal, slot in self._connected:
            with contextlib.suppress(ValueError):
                signal.disconnect(slot)
        self._connected = []

    def _moved(self, plane: Plane, index: int) -> None:
        if plane is self.plane:
            self.measuring.forget()
            self.marking.forget()
            self._chosen = None
        if plane is self.plane or self.cross_hair:
            self._mark()

    def _loaded(self, index: int) -> None:
        self._grey.forget()
        if self.plane is not Plane.SLICE or (
            self._case is not None and index == self._case.navigation.index()
        ):
            self._mark()

    def _answered(self, index: int | None) -> None:
        case = self._case
        if index is None or self.plane is not Plane.SLICE or case is None:
            self._mark()
        elif index == case.navigation.index() or self._draws_heat():
            self._mark()  # a stronger answer elsewhere widens the range of colours

    def refresh(self) -> None:
        """Draw anew soon, after a change that no signal tells."""
        self._mark()

    def _mark(self, *_: object) -> None:
        """Draw anew, once, when the event loop is next reached; a hidden view when it is shown."""
        if self.isVisible() and not self._redraw_timer.isActive():
            self._redraw_timer.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.redraw()

    # ---- drawing

    def _draws_heat(self) -> bool:
        case = self._case
        if case is None or case.prediction is None or not case.display.answers:
            return False
        if self.content is Content.READING:
            return case.display.heat_map
        return self.content in (Content.HEAT_MAP, Content.OVERLAY)

    def redraw(self) -> None:
        """Bring the picture and the words up to date; called once per turn of the event loop."""
        self._redraw_timer.stop()
        case, frame = self._case, self._frame
        if case is None or frame is None:
            self._show_nothing()
            return
        index = case.navigation.index(self.plane)
        display, volume = case.display, case.volume
        present = volume is not None and (self.plane is not Plane.SLICE or case.has(index))
        if self.is_projection or display.slab is not None:
            present = present and (case.is_complete or not self.is_projection)
        self.set_smooth(display.smooth)
        stands = (self.viewpoint.camera, frame, self.area)
        if stands != self._stands:  # from slice to slice it stays
            self._stands = stands
            self.set_transform(self.viewpoint.camera.transform(frame, self.area))
        image = None
        if volume is not None and present and self.content is not Content.HEAT_MAP:
            image = self._grey(
                volume, self.plane, index, display.window, inverted=display.inverted,
                slab=display.slab, whole=self.is_projection,
            )  # fmt: skip
        picture, opacity = None, display.opacity if image is not None else 1.0
        if present and self._draws_heat() and self._heat is not None:
            picture = self._heat.picture(
                index, self.plane, opacity=opacity, everything=image is None,
                whole=self.is_projection,
            )  # fmt: skip
        empty = False
        if picture is not None and self._heat is not None:
            spots = self._heat.spots(picture)
            empty = spots.where.size == 0
            if image is not None:
                lay_over(image, spots, opacity)
        if image is not None and display.drawings and self._shows_single_planes(display):
            drawing = case.drawing_at(index)
            if drawing is not None:
                draw_onto(image, drawing)
        self.set_image(image)
        self.set_heat(picture if image is None else None)
        self.shows_heat = picture is not None
        self.furniture = compose(case, self._looks(frame, present, empty))
        self.furniture.bottom_right = self._probe_lines()
        self._drawn = self._lay_out(case, index)
        if self.shows_banners:
            self.banners.set_messages(captions.warnings(case))
        bar = self.shows_heat and self.content is not Content.OVERLAY
        self.picker.show_case(case, visible=bar and self.plane is Plane.SLICE)
        if self.picker.isVisible():
            area = self._bar_area()
            self.picker.language = self.language
            left = self.area[0] - 10 - self.picker.width()
            self.picker.move(round(left), round(area.bottom() + 14))
        self.update()

    def _shows_single_planes(self, display: Display) -> bool:
        return self.plane is Plane.SLICE and display.slab is None and not self.is_projection

    def _show_nothing(self) -> None:
        self.set_image(None)
        self.set_heat(None)
        self.shows_heat = False
        self._drawn = []
        self.banners.set_messages(())
        self.picker.show_case(None, visible=False)
        self.furniture = Furniture(
            centre=self.placeholder or say("Drop a folder or an image here"), title=self.title
        )
        self.update()

    def _looks(self, frame: PlaneFrame, present: bool, heat_is_empty: bool) -> Looks:
        return Looks(
            self.plane, self.content, self.title, self.language, self.viewpoint.camera, frame,
            self.area, present, self.shows_heat, heat_is_empty, self.stale, self.industry,
            self.is_projection, self.says_words, self.says_identity,
            self.dates.get(self._case.prediction.model, "")
            if self._case is not None and self._case.prediction is not None
            else "",
        )  # fmt: skip

    def _lay_out(self, case: Case, index: int) -> list[Drawn]:
        if not case.display.measurements or self.is_projection:
            return []
        if self.content is Content.HEAT_MAP:
            return []
        items = list(case.measurements.on(self.plane, index))
        draft = self.measuring.draft
        if draft is not None and draft.item.number:
            items = [draft.item if k.number == draft.item.number else k for k in items]
        return self._ink.lay_out(case, items, self.to_screen, fine=self.industry)

    def _probe_lines(self) -> list[Line]:
        at = self._gestures.mouse_at
        if at is None or self._case is None or self.is_projection:
            return []
        if self.furniture.scale_bar is None:
            return []
        x, y = self.to_pixel(at)
        slab = self._case.display.slab
        return captions.pixel(self._case, self.plane, int(y // 1), int(x // 1), slab=slab)

    def draw_over(self, painter: QPainter) -> None:
        """Regions, measurements, the cross-hair, words, bar and lens, in this order."""
        case, frame = self._case, self._frame
        size = QSizeF(*self.area)
        if case is not None and frame is not None:
            self._draw_ink(painter, case)
            if self.cross_hair and case.display.cross_hair:
                cross_hair.draw(painter, self, case, self.plane, frame)
        self._painter.draw(painter, size, self.furniture, self.banners.taken)
        shows_bar = self.shows_heat and self.plane is Plane.SLICE
        if shows_bar and self._heat is not None and self.content is not Content.OVERLAY:
            shown = self._heat.range
            cut = 0.0 if self.content is Content.HEAT_MAP else shown.cut
            self._colour_bar.draw(painter, self._bar_area(), colour_map=shown.colour_map,
                                  top=shown.top, cut=cut)  # fmt: skip
        at = self._gestures.mouse_at
        if self._tool is Tool.MAGNIFY and at is not None and self.image is not None:
            draw_lens(painter, self, at, self._probe_lines())

    def _draw_ink(self, painter: QPainter, case: Case) -> None:
        """What readers have drawn, and what is being drawn."""
        chosen, area = self._chosen, QRectF(0, 0, *self.area)
        draws_regions = self.plane is Plane.SLICE and case.display.regions
        index = case.navigation.index(self.plane)
        if draws_regions and case.regions_at(index):
            place = chosen.number if chosen is not None and not chosen.is_measurement else None
            size = (case.summary.shape[1], case.summary.shape[2])
            self._ink.draw_regions(painter, case.regions_at(index), self.to_screen, place,
                                   self.transform, size)  # fmt: skip
        if self.plane is Plane.SLICE and (self.marking.draft is not None or self._tool.marks):
            self.marking.draw(painter, case, self._gestures.mouse_at, self._tool, self.transform)
        drawn, draft = self._drawn, self.measuring.draft
        if draft is not None:
            drawn = [one for one in drawn if one.item.number != draft.item.number]
            drawn += self._ink.lay_out(case, [draft.item], self.to_screen, fine=self.industry)
        if drawn:
            number = chosen.number if chosen is not None and chosen.is_measurement else None
            Ink.draw(painter, drawn, number, area)

    def put_cross_hair(self, at: QPointF) -> None:
        """Let the other planes cut where the mouse is."""
        if self._case is not None:
            cross_hair.put(self._case, self, self.plane, at, projection=self.is_projection)

    def _bar_area(self) -> QRectF:
        width, height = self.area
        tall = min(height * 0.35, 180.0)
        top = (height - tall) / 2
        if self.content is Content.HEAT_MAP and self.heat_image is not None:
            # Beside other panels the map is narrow: the bar stands below it, where there is room.
            below = self.transform.mapRect(QRectF(self.heat_image.rect())).bottom() + BAR_GAP
            room = height - below - PICKER_ROOM
            if room >= LEAST_BAR:
                top, tall = below, min(tall, room)
        return QRectF(width - 50, top, 10, tall)

    def colour_bar_area(self) -> QRectF:
        """Where the colour bar takes the mouse; empty where none is drawn."""
        there = self.shows_heat and self.content is Content.READING and self.plane is Plane.SLICE
        return self._bar_area().adjusted(-REACH, -REACH, REACH, REACH) if there else QRectF()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._mark()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.hover(None)

    def hover(self, at: QPointF | None) -> None:
        """Draw only the corner where the value under the mouse stands."""
        lines = self._probe_lines() if at is not None else []
        if lines != self.furniture.bottom_right:
            self.furniture.bottom_right = lines
            width, height = self.area
            corner = QRectF(width - PROBE_AREA.width(), height - PROBE_AREA.height(),
                            PROBE_AREA.width(), PROBE_AREA.height())  # fmt: skip
            self.update(corner.toAlignedRect())
        if at is None and self._tool is Tool.MAGNIFY:
            self.update()
