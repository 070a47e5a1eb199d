"""What the mouse does on an image: each drag is a small object that lives as long as the drag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from PySide6.QtCore import QPointF, Qt

from core.case import Case, Navigation
from core.imaging.geometry import Plane
from core.imaging.intensity import Window, WindowFunction
from core.reading.layout import Tool
from desktop.viewer.camera import PlaneFrame, Viewpoint

FASTER = 5.0
"""How much Ctrl accelerates a drag, as in Weasis."""


@dataclass(frozen=True)
class Scene:
    """What a drag may touch."""

    case: Case
    plane: Plane
    viewpoint: Viewpoint
    frame: PlaneFrame
    size: tuple[float, float]


class Drag(Protocol):
    """One press–move–release."""

    def move(self, at: QPointF, speed: float) -> None:
        """The mouse is now at a screen position of the view; speed multiplies its effect."""


class WindowDrag:
    """Right = wider, up = brighter (lower centre); left-right by a two-hundredth of the width."""

    def __init__(self, scene: Scene, start: QPointF) -> None:
        self._case = scene.case
        self._last = start
        window = scene.case.display.window
        self._center, self._width = window.center, window.width
        self._function = window.function
        # A step follows the window's width, so that a brain window is as fine as it must be
        # and a bone window as quick as it should be.
        self._step = max(window.width, 1e-6) / 200.0
        exact = window.function is not WindowFunction.LINEAR
        self._least = max(window.width, 1e-6) * 1e-3 if exact else 1.0

    def move(self, at: QPointF, speed: float) -> None:
        """See the class."""
        step = self._step * speed
        self._width = max(self._width + (at.x() - self._last.x()) * step, self._least)
        self._center += (at.y() - self._last.y()) * step
        self._last = at
        self._case.show(window=Window(self._center, self._width, "", self._function))


class PanDrag:
    """The image follows the mouse."""

    def __init__(self, scene: Scene, start: QPointF) -> None:
        self._scene, self._last = scene, start

    def move(self, at: QPointF, speed: float) -> None:
        """See the class."""
        scene, by = self._scene, (at - self._last) * speed
        self._last = at
        camera = scene.viewpoint.camera
        scene.viewpoint.look(camera.dragged(by.x(), by.y(), scene.frame, scene.size))


class ZoomDrag:
    """Up = larger, about the point where the drag began."""

    def __init__(self, scene: Scene, start: QPointF) -> None:
        self._scene, self._start, self._last = scene, start, start

    def move(self, at: QPointF, speed: float) -> None:
        """See the class."""
        scene = self._scene
        factor = 1.01 ** ((self._last.y() - at.y()) * speed)
        self._last = at
        about = (self._start.x(), self._start.y())
        camera = scene.viewpoint.camera
        scene.viewpoint.look(camera.zoomed(factor, scene.frame, scene.size, about))


class ScrollDrag:
    """Down = further, a slice every few pixels; the whole series within one screen height."""

    def __init__(self, scene: Scene, start: QPointF) -> None:
        self._navigation: Navigation = scene.case.navigation
        self._plane = scene.plane
        self._from = self._navigation.index(scene.plane)
        count = self._navigation.count(scene.plane)
        self._pixels = min(max(scene.size[1] * 0.8 / count, 2.0), 20.0)
        self._start = start

    def move(self, at: QPointF, speed: float) -> None:
        """See the class."""
        steps = round((at.y() - self._start.y()) * speed / self._pixels)
        self._navigation.go(self._from + steps, self._plane)


def begin(
    scene: Scene, tool: Tool, button: Qt.MouseButton, modifiers: Qt.KeyboardModifier, at: QPointF
) -> Drag | None:
    """The drag that a button starts, or None if it starts none.

    Middle = pan, Shift + left = pan, right = zoom, left = the active tool.
    """
    shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
    if button == Qt.MouseButton.MiddleButton or (button == Qt.MouseButton.LeftButton and shift):
        return PanDrag(scene, at)
    if button == Qt.MouseButton.RightButton:
        return ZoomDrag(scene, at)
    if button != Qt.MouseButton.LeftButton:
        return None
    if tool is Tool.WINDOW:
        colour = scene.case.volume is not None and scene.case.volume.is_colour
        return None if colour else WindowDrag(scene, at)
    makers = {Tool.PAN: PanDrag, Tool.ZOOM: ZoomDrag, Tool.SCROLL: ScrollDrag}
    maker = makers.get(tool)
    return maker(scene, at) if maker is not None else None
