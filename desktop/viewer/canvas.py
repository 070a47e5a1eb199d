"""A black widget that draws one grey picture and one coloured overlay through a camera."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QResizeEvent, QTransform
from PySide6.QtWidgets import QFrame, QGraphicsScene, QGraphicsView, QWidget

from desktop import appearance
from desktop.viewer.camera import Matrix, invert
from desktop.viewer.grey import Pixels


class _Picture(pg.ImageItem):
    """Draws (rows, columns) of 0xAARRGGBB as they are: no levels, no table, no copy."""

    def __init__(self, image_format: QImage.Format, parent: pg.GraphicsObject) -> None:
        super().__init__(axisOrder="row-major")
        self.setParentItem(parent)
        self._format = image_format
        self.hide()

    def render(self) -> None:
        """See ImageItem.render: make what is painted."""
        rows, columns = self.image.shape
        pixels = np.ascontiguousarray(self.image)
        self._drawn = pixels  # a QImage borrows its memory
        self.qimage = QImage(pixels.data, columns, rows, 4 * columns, self._format)
        self._renderRequired = False
        self._unrenderable = False


class Canvas(QGraphicsView):
    """Draws pixels exactly where a 2 × 3 transform puts them.

    The image and the overlay are children of one item in pixel coordinates, so that nothing can
    move the one against the other. Scene coordinates are logical screen pixels.
    """

    # pyqtgraph's items look for these two on the widget in which they lie.
    sigDeviceRangeChanged = Signal(object, object)  # noqa: N815
    sigDeviceTransformChanged = Signal(object)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontSavePainterState)
        self.setBackgroundBrush(QBrush(QColor(appearance.IMAGE.background)))
        self.setAcceptDrops(False)  # what is dropped is the window's
        self.viewport().setAcceptDrops(False)
        scene = QGraphicsScene(self)
        scene.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.setScene(scene)
        self._pixels = pg.ItemGroup()
        scene.addItem(self._pixels)
        self.image_item = _Picture(QImage.Format.Format_RGB32, self._pixels)
        self.heat_item = _Picture(QImage.Format.Format_ARGB32_Premultiplied, self._pixels)
        self.heat_item.setZValue(1)
        self._transform: Matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        self._heat_shown: Pixels | None = None
        self.set_smooth(True)

    # ---- what is drawn

    def set_image(self, picture: Pixels | None) -> None:
        """Draw (rows, columns) of 0xffRRGGBB; None draws nothing."""
        self.image_item.setVisible(picture is not None)
        if picture is not None:
            self.image_item.setImage(picture, autoLevels=False)

    def set_heat(self, picture: Pixels | None) -> None:
        """Lay premultiplied 0xAARRGGBB of the image's size over it; None takes it away."""
        self.heat_item.setVisible(picture is not None)
        if picture is not None and picture is not self._heat_shown:
            self.heat_item.setImage(picture, autoLevels=False)
        self._heat_shown = picture

    def set_smooth(self, smooth: bool) -> None:
        """Interpolate between pixels, or show each as a square."""
        self.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)

    # ---- where it is drawn

    def set_transform(self, transform: Matrix) -> None:
        """Put pixel (x, y) at transform · (x, y, 1), logical screen pixels."""
        if not np.array_equal(transform, self._transform):
            self._transform = transform
            (a, c, dx), (b, d, dy) = transform.tolist()
            self._pixels.setTransform(QTransform(a, b, c, d, dx, dy))

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
        return float(max(self.viewport().width(), 1)), float(max(self.viewport().height(), 1))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.setSceneRect(QRectF(QPointF(0, 0), QSizeF(*self.area)))
