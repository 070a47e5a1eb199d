"""What wheel and buttons do on a view: the mouse ends here, and plain requests leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication

from core.imaging.geometry import Plane
from core.reading.layout import Tool
from desktop.viewer import ink, tools

if TYPE_CHECKING:
    from desktop.viewer.slice_view import SliceView

NOTCH = 120
"""Eighths of a degree that one step of a wheel turns."""

THICKER = 1.25
"""How much one step of the wheel with Alt changes a slab."""

_LEFT, _RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
_CONTROL, _SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
_ALT = Qt.KeyboardModifier.AltModifier
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)

CURSORS = {
    Tool.WINDOW: Qt.CursorShape.ArrowCursor,
    Tool.PAN: Qt.CursorShape.OpenHandCursor,
    Tool.ZOOM: Qt.CursorShape.SizeVerCursor,
    Tool.SCROLL: Qt.CursorShape.SplitVCursor,
}
"""Mouse pointer of each tool; all others draw and have a cross."""


class Gestures:
    """The mouse on one `SliceView`."""

    def __init__(self, view: SliceView) -> None:
        self._view = view
        self._drag: tools.Drag | None = None
        self._pressed_at = QPointF()
        self._pressed_button = Qt.MouseButton.NoButton
        self._has_moved = False
        self._turned = 0.0
        self.mouse_at: QPointF | None = None

    def forget(self) -> None:
        """Give up whatever is under way."""
        self._drag, self._turned = None, 0.0
        self._pressed_button = Qt.MouseButton.NoButton

    def _scene(self) -> tools.Scene | None:
        view = self._view
        if view.case is None or view.frame is None:
            return None
        return tools.Scene(view.case, view.plane, view.viewpoint, view.frame, view.area)

    # ---- wheel

    def wheel(self, event: QWheelEvent) -> None:
        """Slices; with Ctrl zoom, with Alt the slab, over the colour bar the opacity."""
        scene, view = self._scene(), self._view
        turn = event.angleDelta().y() or event.angleDelta().x()  # Alt turns it sideways
        if scene is None or not turn:
            return
        at, display = event.position(), scene.case.display
        if event.modifiers() & _CONTROL:
            camera = view.viewpoint.camera.zoomed(
                1.25 ** (turn / NOTCH), scene.frame, scene.size, (at.x(), at.y())
            )
            view.viewpoint.look(camera)
        elif event.modifiers() & _ALT and display.slab is not None:
            scene.case.show(slab=display.slab.changed(THICKER ** (turn / NOTCH)))
        elif view.colour_bar_area().contains(at):
            opacity = min(max(display.opacity + 0.05 * turn / NOTCH, 0.05), 1.0)
            scene.case.show(opacity=round(opacity, 3))
        else:
            self._scroll(scene, turn, 10 if event.modifiers() & _SHIFT else 1)

    def _scroll(self, scene: tools.Scene, turn: float, faster: int) -> None:
        # High-resolution wheels and touch pads send parts of a step.
        if turn * self._turned < 0:
            self._turned = 0.0
        self._turned += turn
        steps = int(self._turned / NOTCH)
        self._turned -= steps * NOTCH
        if steps:
            scene.case.navigation.step(-steps * faster, scene.plane)

    # ---- buttons

    def press(self, event: QMouseEvent) -> None:
        """Begin a drag, or take what lies under the mouse."""
        scene, at = self._scene(), event.position()
        if scene is None or self._pressed_button != Qt.MouseButton.NoButton:
            return
        self._pressed_at, self._has_moved = at, False
        self._pressed_button = event.button()
        if event.button() == _LEFT and not event.modifiers() & _SHIFT and self._take(scene, at):
            return
        self._drag = tools.begin(scene, self._view.tool, event.button(), event.modifiers(), at)

    def _take(self, scene: tools.Scene, at: QPointF) -> bool:
        """Give a left press to the colour bar, to what is drawn, or to a drawing tool."""
        view, case = self._view, scene.case
        if view.colour_bar_area().contains(at):
            self._drag = _CutDrag(view)
            self._drag.move(at, 1.0)
            return True
        if view.measuring.draft is not None and view.measuring.draft.awaits_click:
            return True
        polygon = view.marking.draft is not None
        found = None if polygon else view.find(at)
        if found is not None:
            view.choose(found)
            item = case.measurements.find(found.number) if found.is_measurement else None
            if item is not None:
                view.measuring.take(case, view.plane, item, found.grip, at)
            return True
        view.choose(None)
        if view.tool.measures and not view.is_projection:
            view.measuring.begin(case, view.plane, view.tool, at)
            return True
        if view.tool.marks and view.plane is Plane.SLICE:
            view.marking.press(case, view.tool, at)
            view.update()
            return True
        return view.tool is Tool.MAGNIFY or view.tool.marks

    def move(self, event: QMouseEvent) -> None:
        """The mouse moved, with or without a button."""
        view, at = self._view, event.position()
        self.mouse_at = at
        held = event.buttons() != Qt.MouseButton.NoButton
        if held:
            far = (at - self._pressed_at).manhattanLength() >= QApplication.startDragDistance() / 3
            self._has_moved = self._has_moved or far
        case = view.case
        if case is None:
            return
        if self._drag is not None and held:
            if self._has_moved:
                self._drag.move(at, tools.FASTER if event.modifiers() & _CONTROL else 1.0)
        elif view.measuring.draft is not None:
            view.measuring.move(case, view.plane, at)
            view.update()
        elif view.marking.draft is not None:
            view.marking.move(case, at, held and event.buttons() == _LEFT)
            view.update()
        elif view.cross_hair and event.modifiers() & _SHIFT:
            view.put_cross_hair(at)
        elif view.tool in (Tool.MAGNIFY, Tool.MARK_BRUSH):
            view.update()
        view.hover(at)

    def release(self, event: QMouseEvent) -> None:
        """A button went up."""
        view, case, at = self._view, self._view.case, event.position()
        if event.button() != self._pressed_button:
            return
        clicked = not self._has_moved
        drag, self._drag = self._drag, None
        self._pressed_button = Qt.MouseButton.NoButton
        if case is None:
            return
        if event.button() == _LEFT and view.measuring.draft is not None:
            number = view.measuring.release(case, view.plane, at)
            if number is not None:
                view.choose_measurement(number)
            view.update()
        elif event.button() == _LEFT and view.marking.draft is not None:
            view.marking.release(case, at)
            view.update()
        elif clicked and event.button() == _RIGHT:
            found = view.find(at)
            if found is not None:
                view.choose(found)
            view.context_menu_requested.emit(event.globalPosition().toPoint())
        elif clicked and drag is not None and event.button() == _LEFT and view.cross_hair:
            view.put_cross_hair(at)

    def double_click(self, event: QMouseEvent) -> None:
        """Another layout; with the polygon tool, the polygon's end."""
        view = self._view
        if event.button() != _LEFT:
            return
        if view.marking.draft is not None:
            self.finish()
        elif view.tool.measures or view.tool.marks or self._on_something(event.position()):
            return  # a second click is part of drawing
        else:
            view.maximise_requested.emit()

    def takes(self, event: QKeyEvent) -> bool:
        """Whether a key is for what is being drawn: Enter, for a polygon."""
        return self._view.marking.draws_polygon and event.key() in _ENTER

    def finish(self) -> None:
        """End the polygon that is being drawn."""
        if self._view.case is not None:
            self._view.marking.close(self._view.case)
            self._view.update()

    def _on_something(self, at: QPointF) -> bool:
        return self._view.colour_bar_area().contains(at) or self._view.find(at) is not None

    def leave(self) -> None:
        """The mouse left the view."""
        self.mouse_at = None


class _CutDrag:
    """Along the colour bar: how strong evidence must be to be drawn."""

    def __init__(self, view: SliceView) -> None:
        self._view = view

    def move(self, at: QPointF, speed: float) -> None:
        """See the class."""
        area, case = self._view.colour_bar_area(), self._view.case
        if case is not None and not area.isEmpty():
            bar = area.adjusted(0, ink.REACH, 0, -ink.REACH)
            part = (bar.bottom() - at.y()) / bar.height()
            case.show(heat_cut=round(min(max(part, 0.0), 0.95), 3))
