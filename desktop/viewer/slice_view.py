"""One plane of the open case: the picture, what the model sees in it, and words around it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from enum import Enum

from PySide6.QtCore import (
    QEvent,
    QLineF,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSizeF,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QWidget

from core.case import Case
from core.events import SignalInstance
from core.imaging.geometry import Plane
from desktop import appearance
from desktop.viewer import captions, tools
from desktop.viewer.banners import Banners
from desktop.viewer.camera import PlaneFrame, Viewpoint, edge_letters
from desktop.viewer.canvas import Canvas
from desktop.viewer.furniture import ColourBar, Furniture, Line, Painter, choose_scale_bar
from desktop.viewer.grey import GreyRenderer
from desktop.viewer.overlay import HeatPictures, HeatRange, lay_over
from desktop.viewer.words import number, say

NOTCH = 120
"""Eighths of a degree that one step of a wheel turns."""

CROSS_HAIR_GAP = 12.0
"""Logical pixels that stay free on each side of the cross-hair's middle."""

PROBE_AREA = QSizeF(320, 150)
"""Lower right corner that is drawn anew when only the mouse moves."""


class Content(Enum):
    """What a view shows of its plane."""

    READING = "the image; the heat map over it when it is switched on"
    ORIGINAL = "the image alone"
    HEAT_MAP = "the heat map alone, weak evidence included, with its colour bar"
    OVERLAY = "the image with the heat map over it, always"


class SliceView(Canvas):
    """Shows one index plane of a `Case` true to its pixel spacing.

    It owns nothing: slice and window belong to the case, zoom and pan to the viewpoint, which
    several views may share. Whatever changes marks it dirty; it is drawn once per turn of the
    event loop. Keys are the window's; the mouse is handled here.
    """

    maximise_requested = Signal()
    """Double click."""
    context_menu_requested = Signal(QPoint)
    """Right click without a drag; global position."""
    pressed = Signal()
    """A mouse button went down here."""

    def __init__(
        self,
        plane: Plane = Plane.SLICE,
        *,
        content: Content = Content.READING,
        viewpoint: Viewpoint | None = None,
        title: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.plane = plane
        self.content = content
        self.viewpoint = viewpoint or Viewpoint()
        self.title = title
        self.language = "en"
        self.tool = tools.Tool.WINDOW
        self.placeholder = ""
        self.cross_hair = False
        self.shows_heat = False
        self.banners = Banners(self.viewport())
        self.banners.resized.connect(self._mark)
        self.shows_banners = content is Content.READING
        self._case: Case | None = None
        self._heat: HeatPictures | None = None
        self._frame: PlaneFrame | None = None
        self._grey = GreyRenderer()
        self.furniture = Furniture()
        self._painter = Painter()
        self._colour_bar = ColourBar(self._painter)
        self._connected: list[tuple[SignalInstance, Callable[..., object]]] = []
        self._drag: tools.Drag | None = None
        self._pressed_at = QPointF()
        self._has_moved = False
        self._turned = 0.0
        self._mouse_at: QPointF | None = None
        self._redraw_timer = QTimer(self, singleShot=True, interval=0)
        self._redraw_timer.timeout.connect(self.redraw)
        self._listen([(self.viewpoint.changed, self._mark)])
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(160, 120)
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

    def set_case(self, case: Case | None, heat: HeatPictures | None = None) -> None:
        """Show a case, or the placeholder for None.

        heat: the case's heat maps, where several views share them.
        """
        self._forget()
        self._case, self._drag, self._turned = case, None, 0.0
        self._heat = None
        self._frame = None
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
        if plane is self.plane or self.cross_hair:
            self._mark()

    def _loaded(self, index: int) -> None:
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
            self.set_image(None)
            self.set_heat(None)
            self.shows_heat = False
            self.banners.set_messages(())
            self.furniture = Furniture(
                centre=self.placeholder or say("Drop a folder or an image here"), title=self.title
            )
            self.viewport().update()
            return
        index = case.navigation.index(self.plane)
        display = case.display
        volume = case.volume
        present = volume is not None and (self.plane is not Plane.SLICE or case.has(index))
        self.set_smooth(display.smooth)
        self.set_transform(self.viewpoint.camera.transform(frame, self.area))
        image = None
        if volume is not None and present and self.content is not Content.HEAT_MAP:
            image = self._grey(volume, self.plane, index, display.window, inverted=display.inverted)
        picture, opacity = None, display.opacity if image is not None else 1.0
        if present and self._draws_heat() and self._heat is not None:
            picture = self._heat.picture(
                index, self.plane, opacity=opacity, everything=image is None
            )
        if image is not None and picture is not None:
            lay_over(image, picture, opacity)
        self.set_image(image)
        self.set_heat(picture if image is None else None)
        self.shows_heat = picture is not None
        self.furniture = self._compose(case, frame, index, present, picture is not None)
        if picture is not None and display.annotations and not picture.any():
            words = (
                say("Heat map: nothing here")
                if image is None
                else say("Heat map: nothing above the cut")
            )
            self.furniture.top_right.append(Line(words, appearance.IMAGE.dim))
        if self.shows_banners:
            self.banners.set_messages(captions.warnings(case))
        self.viewport().update()

    def _compose(
        self, case: Case, frame: PlaneFrame, index: int, present: bool, has_heat: bool
    ) -> Furniture:
        geometry = case.summary.geometry
        letters = edge_letters(geometry.letters(self.plane), self.viewpoint.camera)
        made = Furniture(letters=letters, title=self.title)
        if not present:
            made.centre = say("Loading slice {number} …", number=index + 1)
        elif self.content is Content.HEAT_MAP and not has_heat:
            made.centre = (
                say("Answers are hidden until you commit")
                if not case.display.answers
                else say("No heat map for this slice yet")
                if case.prediction is not None
                else say("No model has been asked")
            )
        if not case.display.annotations:
            return made
        main = self.plane is Plane.SLICE and self.content in (Content.READING, Content.ORIGINAL)
        if main:
            made.top_left = captions.study(case)
        if self.plane is Plane.SLICE and self.content in (Content.READING, Content.OVERLAY):
            made.top_right = captions.label(case, index, self.language)
            made.top_right += captions.model(case, index, self.language)
        scale = self.viewpoint.camera.scale(frame, self.area)
        made.bottom_left = [captions.place(case, self.plane)]
        if main:
            made.bottom_left.append(captions.window(case))
            zoom = scale * (1.0 if not geometry.has_spacing else float(frame.matrix[0, 0]))
            made.bottom_left.append(Line(say("Zoom {part} %", part=number(zoom * 100, 0))))
        if letters is None:
            made.bottom_left.insert(0, Line(say("orientation unknown"), appearance.IMAGE.dim))
        if self.content is not Content.HEAT_MAP:
            unit = "mm" if geometry.has_spacing else "px"
            made.scale_bar = choose_scale_bar(scale, min(self.area[0] / 4, 160.0), unit)
            made.bottom_right = self._probe_lines()
        return made

    def _probe_lines(self) -> list[Line]:
        if self._mouse_at is None or self._case is None:
            return []
        x, y = self.to_pixel(self._mouse_at)
        return captions.pixel(self._case, self.plane, int(y // 1), int(x // 1))

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        size = QSizeF(*self.area)
        if self.cross_hair and self._case is not None and self._frame is not None:
            self._draw_cross_hair(painter, self._case, self._frame)
        self._painter.draw(painter, size, self.furniture, self.banners.taken)
        if self._heat is not None and self.plane is Plane.SLICE and self._draws_heat():
            self._draw_colour_bar(painter, size, self._heat.range)

    def _draw_cross_hair(self, painter: QPainter, case: Case, frame: PlaneFrame) -> None:
        """Where the other planes cut this one, open in the middle so as to hide nothing."""
        down, across = [plane for plane in Plane if plane is not self.plane]
        x, y = case.navigation.index(across) + 0.5, case.navigation.index(down) + 0.5
        centre = self.to_screen(x, y)
        colour = QColor(appearance.IMAGE.cross_hair)
        colour.setAlpha(170)
        painter.setPen(QPen(colour, 1))
        for end in ((x, 0), (x, frame.rows), (0, y), (frame.columns, y)):
            line = QLineF(self.to_screen(*end), centre)
            if line.length() > CROSS_HAIR_GAP:
                line.setLength(line.length() - CROSS_HAIR_GAP)
                painter.drawLine(line)

    def _put_cross_hair(self, at: QPointF) -> None:
        """Let the other planes cut where the mouse is."""
        if self._case is None:
            return
        down, across = [plane for plane in Plane if plane is not self.plane]
        x, y = self.to_pixel(at)
        self._case.navigation.go(int(y // 1), down)
        self._case.navigation.go(int(x // 1), across)

    def _draw_colour_bar(self, painter: QPainter, size: QSizeF, shown: HeatRange) -> None:
        if self.content is Content.OVERLAY or not self.shows_heat:
            return  # the panel beside it has the bar
        tall = min(size.height() * 0.35, 180.0)
        area = QRectF(size.width() - 26 - 24, (size.height() - tall) / 2, 10, tall)
        cut = 0.0 if self.content is Content.HEAT_MAP else shown.cut
        self._colour_bar.draw(painter, area, colour_map=shown.colour_map, top=shown.top, cut=cut)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if hasattr(self, "_redraw_timer"):
            self._mark()

    # ---- mouse

    def _scene(self) -> tools.Scene | None:
        if self._case is None or self._frame is None:
            return None
        return tools.Scene(self._case, self.plane, self.viewpoint, self._frame, self.area)

    def wheelEvent(self, event: QWheelEvent) -> None:
        scene = self._scene()
        event.accept()
        turn = event.angleDelta().y() or event.angleDelta().x()  # Alt turns it sideways
        if scene is None or not turn:
            return
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            at = event.position()
            camera = self.viewpoint.camera.zoomed(
                1.25 ** (turn / NOTCH), scene.frame, scene.size, (at.x(), at.y())
            )
            self.viewpoint.look(camera)
            return
        # High-resolution wheels and touch pads send parts of a step.
        if turn * self._turned < 0:
            self._turned = 0.0
        self._turned += turn
        steps = int(self._turned / NOTCH)
        self._turned -= steps * NOTCH
        faster = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        if steps:
            scene.case.navigation.step(-steps * faster, self.plane)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.pressed.emit()
        scene = self._scene()
        event.accept()
        if scene is None or self._drag is not None:
            return
        self._pressed_at, self._has_moved = event.position(), False
        self._drag = tools.begin(
            scene, self.tool, event.button(), event.modifiers(), event.position()
        )

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        event.accept()
        at = event.position()
        self._mouse_at = at
        if self._drag is not None and event.buttons() != Qt.MouseButton.NoButton:
            far = (at - self._pressed_at).manhattanLength() >= QApplication.startDragDistance() / 3
            self._has_moved = self._has_moved or far
            if self._has_moved:
                control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
                self._drag.move(at, tools.FASTER if control else 1.0)
        elif self.cross_hair and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._put_cross_hair(at)
        self._refresh_probe()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()
        clicked = not self._has_moved and self._drag is not None
        self._drag = None
        if clicked and event.button() == Qt.MouseButton.RightButton:
            self.context_menu_requested.emit(event.globalPosition().toPoint())
        elif clicked and event.button() == Qt.MouseButton.LeftButton and self.cross_hair:
            self._put_cross_hair(event.position())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()
        if event.button() == Qt.MouseButton.LeftButton:
            self.maximise_requested.emit()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.accept()  # by mouse it is told from a drag at the release
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            self.context_menu_requested.emit(event.globalPos())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._mouse_at = None
        self._refresh_probe()

    def _refresh_probe(self) -> None:
        """Draw only the corner where the value under the mouse stands."""
        if self._case is None or self.furniture.scale_bar is None:
            return
        lines = self._probe_lines()
        if lines != self.furniture.bottom_right:
            self.furniture.bottom_right = lines
            width, height = self.area
            self.viewport().update(
                QRectF(
                    width - PROBE_AREA.width(), height - PROBE_AREA.height(),
                    PROBE_AREA.width(), PROBE_AREA.height(),
                ).toAlignedRect()
            )  # fmt: skip

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()  # keys are the window's; a scroll area would eat the arrows
