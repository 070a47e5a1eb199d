"""A black widget that draws one picture, and whatever lies over it, through a 2 × 3 transform."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QRegion, QTransform
from PySide6.QtWidgets import QWidget

from desktop import appearance
from desktop.viewer.camera import Matrix, invert
from desktop.viewer.grey import Pixels


class Canvas(QWidget):
    """Draws pixels exactly where a transform puts them, straight onto the widget.

    Picture and overlay are drawn through the same transform, so that nothing can move the one
    against the other. No scene lies between: it would cost as much as the picture itself.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)  # paintEvent fills everything
        self.setAcceptDrops(False)  # what is dropped is the window's
        self._image: QImage | None = None
        self._heat_image: QImage | None = None
        self._borrowed: list[Pixels | None] = [None, None]
        self._smooth = True
        self._transform: Matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        self._painted = QTransform()
        self._background = QColor(appearance.IMAGE.background)

    # ---- what is drawn

    def set_image(self, picture: Pixels | None) -> None:
        """Draw (rows, columns) of 0xffRRGGBB; None draws nothing. Its memory is borrowed."""
        self._image = self._wrapped(picture, 0, QImage.Format.Format_RGB32)

    def set_heat(self, picture: Pixels | None) -> None:
        """Lay premultiplied 0xAARRGGBB of the image's size over it; None takes it away."""
        self._heat_image = self._wrapped(picture, 1, QImage.Format.Format_ARGB32_Premultiplied)

    def _wrapped(
        self, picture: Pixels | None, place: int, image_format: QImage.Format
    ) -> QImage | None:
        if picture is None:
            self._borrowed[place] = None
            return None
        pixels = np.ascontiguousarray(picture)
        self._borrowed[place] = pixels
        rows, columns = pixels.shape
        return QImage(pixels.data, columns, rows, 4 * columns, image_format)

    @property
    def image(self) -> QImage | None:
        """The picture that is drawn, or None."""
        return self._image

    @property
    def heat_image(self) -> QImage | None:
        """The heat map that is drawn alone, or None."""
        return self._heat_image

    def set_smooth(self, smooth: bool) -> None:
        """Interpolate between pixels, or show each as a square."""
        self._smooth = smooth

    # ---- where it is drawn

    def set_transform(self, transform: Matrix) -> None:
        """Put pixel (x, y) at transform · (x, y, 1), logical screen pixels."""
        if not np.array_equal(transform, self._transform):
            self._transform = transform
            (a, c, dx), (b, d, dy) = transform.tolist()
            self._painted = QTransform(a, b, c, d, dx, dy)

    @property
    def transform(self) -> QTransform:
        """From pixel coordinates to logical screen pixels."""
        return self._painted

    def to_pixel(self, at: QPointF) -> tuple[float, float]:
        """Pixel coordinates (x, y) under a position of the widget; may lie outside."""
        x, y = invert(self._transform) @ np.array([at.x(), at.y(), 1.0])
        return float(x), float(y)

    def to_screen(self, x: float, y: float) -> QPointF:
        """Position in the widget of pixel coordinates (x, y)."""
        across, down = self._transform @ np.array([x, y, 1.0])
        return QPointF(float(across), float(down))

    @property
    def area(self) -> tuple[float, float]:
        """Width and height of the widget in logical pixels."""
        return float(max(self.width(), 1)), float(max(self.height(), 1))

    # ---- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            self._draw_background(painter, event.rect())
            self.draw_picture(painter)
            self.draw_over(painter)

    def _draw_background(self, painter: QPainter, area: QRect) -> None:
        """Fill what the picture does not: filling all of it would write each pixel twice."""
        shape = self._painted
        upright = shape.m12() == shape.m21() == 0 or shape.m11() == shape.m22() == 0
        if self._image is None or not upright:
            painter.fillRect(area, self._background)
            return
        # Pixels at the picture's rim may be left open by rounding.
        inside = self._painted.mapRect(QRectF(self._image.rect())).toAlignedRect()
        inside.adjust(2, 2, -2, -2)
        for rest in QRegion(area).subtracted(QRegion(inside)):
            painter.fillRect(rest, self._background)

    def draw_picture(self, painter: QPainter) -> None:
        """The image and the heat map, as they are placed now."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._smooth)
        painter.setTransform(self._painted, True)
        for image in (self._image, self._heat_image):
            if image is not None:
                painter.drawImage(QRectF(image.rect()), image)
        painter.restore()

    def draw_over(self, painter: QPainter) -> None:
        """What lies over the picture, in logical screen pixels; nothing here."""
