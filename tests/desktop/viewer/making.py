"""Cases made of numpy for the viewer's tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from core.case import Case
from core.imaging.geometry import Geometry
from core.imaging.intensity import Quantity, Window, WindowFunction
from core.imaging.volume import ImageWarning, SeriesSummary, Volume
from core.labels.schema import LabelClass, LabelSet
from core.models.answers import HeatMap, ModelIdentity, SeriesPrediction, SlicePrediction
from desktop.viewer.slice_view import SliceView

LABELS = LabelSet(
    "head-ct",
    {"en": "Head CT", "ko": "두부 CT"},
    (
        LabelClass("hemorrhage", {"en": "hemorrhage", "ko": "출혈"}, True, "#e5534b", 1),
        LabelClass(
            "no_hemorrhage", {"en": "no hemorrhage", "ko": "출혈 없음"}, False, "#4fa866", 2
        ),
    ),
)  # fmt: skip
MODEL = ModelIdentity("head-ct-hemorrhage", "1.0", "ab12" * 16)
FULL = Window(127.5, 255.0, "", WindowFunction.LINEAR_EXACT)


def axial(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Geometry:
    """Head first, supine: rows to posterior, columns to the left, slices to the head."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    affine[2, 0], affine[1, 1], affine[0, 2] = spacing
    return Geometry(shape, affine)


def make_case(
    voxels: NDArray[np.generic],
    *,
    geometry: Geometry | None = None,
    spacing: tuple[float, float, float] = (5.0, 1.0, 1.0),
    window: Window = FULL,
    slope: NDArray[np.float64] | float = 1.0,
    intercept: float = 0.0,
    warnings: tuple[ImageWarning, ...] = (),
    loaded: bool = True,
    quantity: Quantity = Quantity.HU,
    windows: tuple[Window, ...] = (),
) -> Case:
    """A case of these voxels, all slices loaded unless told otherwise."""
    shape = (voxels.shape[0], voxels.shape[1], voxels.shape[2])
    summary = SeriesSummary(
        uid="1.2.3",
        case_id="case",
        modality="CT",
        description="Head",
        geometry=geometry or axial(shape, spacing),
        quantity=Quantity.COLOUR if voxels.ndim == 4 else quantity,
        transfer_syntax="Explicit VR Little Endian",
        slice_ids=tuple(f"slice-{k}" for k in range(shape[0])),
        warnings=warnings,
        windows=windows,
    )
    case = Case(summary, LABELS, window)
    if loaded:
        load(case, voxels, slope, intercept)
    return case


def load(
    case: Case,
    voxels: NDArray[np.generic],
    slope: NDArray[np.float64] | float = 1.0,
    intercept: float = 0.0,
) -> None:
    """Let all slices of a case arrive."""
    count = voxels.shape[0]
    volume = Volume(
        case.summary, voxels, np.broadcast_to(slope, count) * 1.0, np.full(count, intercept)
    )
    for index in range(count):
        case.slice_arrived(volume, index)


def predict(
    case: Case,
    probabilities: list[float | None],
    heat: dict[int, HeatMap] | None = None,
    threshold: float = 0.5,
) -> SeriesPrediction:
    """Give a case answers; None leaves a slice unanswered."""
    prediction = SeriesPrediction(MODEL, "hemorrhage", threshold)
    for index, p in enumerate(probabilities):
        if p is not None:
            both = {"hemorrhage": p, "no_hemorrhage": 1 - p}
            prediction.slices[index] = SlicePrediction(index, both, (heat or {}).get(index))
    case.expect(prediction)
    return prediction


def settle() -> None:
    """Let everything that waits for the event loop happen, redraws included."""
    for _ in range(3):
        QApplication.processEvents()


def grab(widget: QWidget) -> NDArray[np.uint8]:
    """What a widget shows: (rows, columns, 3) uint8 in device pixels."""
    settle()
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    flat = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return flat[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()


def wheel(
    widget: QWidget,
    angle: int,
    at: tuple[float, float] = (100, 100),
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
) -> None:
    """Turn the wheel over a widget; 120 is one step away from the person."""
    point = QPointF(*at)
    event = QWheelEvent(
        point, QPointF(widget.mapToGlobal(point)), QPoint(), QPoint(0, angle),
        Qt.MouseButton.NoButton, modifiers, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)


def mouse(
    widget: QWidget,
    kind: QEvent.Type,
    at: tuple[float, float],
    button: Qt.MouseButton = Qt.MouseButton.NoButton,
    held: Qt.MouseButton = Qt.MouseButton.NoButton,
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
) -> None:
    """Send one mouse event."""
    point = QPointF(*at)
    event = QMouseEvent(kind, point, QPointF(widget.mapToGlobal(point)), button, held, modifiers)
    QApplication.sendEvent(widget, event)


def drag(
    widget: QWidget,
    start: tuple[float, float],
    by: tuple[float, float],
    button: Qt.MouseButton = Qt.MouseButton.LeftButton,
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
    steps: int = 4,
) -> None:
    """Press, move in a few steps, release."""
    mouse(widget, QEvent.Type.MouseButtonPress, start, button, button, modifiers)
    for step in range(1, steps + 1):
        at = (start[0] + by[0] * step / steps, start[1] + by[1] * step / steps)
        mouse(widget, QEvent.Type.MouseMove, at, held=button, modifiers=modifiers)
    end = (start[0] + by[0], start[1] + by[1])
    mouse(widget, QEvent.Type.MouseButtonRelease, end, button, modifiers=modifiers)


def at(view: SliceView, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the slice stands on the screen."""
    point = view.to_screen(x, y)
    return point.x(), point.y()


def pull(view: SliceView, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag from one pixel of the slice to another, and let the window come to rest."""
    a, b = at(view, *start), at(view, *end)
    drag(view, a, (b[0] - a[0], b[1] - a[1]))
    settle()
