"""How the stage is divided, and what the left button does."""

from __future__ import annotations

from enum import Enum


class Layout(Enum):
    """What the stage shows of the open case."""

    SINGLE = "one view"
    THREE_PANELS = "original, heat map, overlay"
    PLANES = "one large plane and three small views"
    GRID = "two by two"
    BESIDE = "two series or two models side by side"

    @property
    def has_planes(self) -> bool:
        """Whether the three index planes are shown."""
        return self in (Layout.PLANES, Layout.GRID)


class Tool(Enum):
    """What the left button does on an image."""

    WINDOW = "window"
    PAN = "pan"
    ZOOM = "zoom"
    SCROLL = "scroll"
    MAGNIFY = "magnify"
    LENGTH = "length"
    ANGLE = "angle"
    RECTANGLE = "rectangle"
    ELLIPSE = "ellipse"
    MARK_BOX = "mark box"
    MARK_ELLIPSE = "mark ellipse"
    MARK_POLYGON = "mark polygon"
    MARK_BRUSH = "mark brush"

    @property
    def measures(self) -> bool:
        """Whether it makes measurements."""
        return self in (Tool.LENGTH, Tool.ANGLE, Tool.RECTANGLE, Tool.ELLIPSE)

    @property
    def marks(self) -> bool:
        """Whether it draws regions for the model."""
        return self in (Tool.MARK_BOX, Tool.MARK_ELLIPSE, Tool.MARK_POLYGON, Tool.MARK_BRUSH)
