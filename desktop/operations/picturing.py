"""Slices as pictures that leave the window: window and zoom of their own, overlays burnt in.

Drawn from frozen requests, so that a movie of a long series is made on a worker thread while the
reader goes on. Nothing that identifies the patient is drawn unless it was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QTransform

from core.imaging.geometry import Plane
from core.imaging.intensity import Window
from core.imaging.volume import Volume
from core.labels.schema import Region
from core.models import heat
from core.models.answers import HeatMap
from core.reading.burnt_in import BurntIn
from core.reading.drawings import Drawing
from core.reading.measurements import Measurement
from core.session import Reading
from desktop import appearance
from desktop.language import current, is_industry, say
from desktop.panels.bars import percent
from desktop.panels.footer import DISCLAIMER
from desktop.viewer.grey import GreyRenderer
from desktop.viewer.ink import Drawn, Ink
from desktop.viewer.overlay import WEAKEST_TOP, draw_onto

LEAST_SIDE = 512
"""Pixels of the longer side of a picture; smaller slices are enlarged by whole factors."""


@dataclass(frozen=True)
class PictureRequest:
    """Everything that a worker needs to draw any slice of a series; nothing is shared."""

    volume: Volume
    window: Window
    inverted: bool
    spacing: tuple[float, float]
    heat_maps: Mapping[int, HeatMap] = field(default_factory=dict)
    style: heat.HeatStyle = field(default_factory=lambda: heat.HeatStyle(1.0))
    opacity: float = 0.45
    words: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    regions: Mapping[int, tuple[Region, ...]] = field(default_factory=dict)
    measurements: Mapping[int, tuple[Drawn, ...]] = field(default_factory=dict)
    """Laid out in pixels of the slice."""
    drawings: Mapping[int, Drawing] = field(default_factory=dict)
    identity: tuple[str, ...] = ()

    @property
    def slices(self) -> int:
        """How many pictures there are."""
        return self.volume.slices


def request_of(reading: Reading, burnt: BurntIn) -> PictureRequest | None:
    """A request for a series as it is shown now; None while its voxels are not all there."""
    case = reading.case
    if case.volume is None or not case.is_complete:
        return None
    display, summary = case.display, case.summary
    prediction = case.prediction if display.answers else None
    maps = {
        index: answer.heat_map
        for index, answer in (prediction.slices.items() if prediction is not None else ())
        if answer.heat_map is not None
    }
    top = max(heat.series_top(list(maps.values())), WEAKEST_TOP) if maps else 1.0
    spacing = summary.geometry.spacing if summary.geometry.has_spacing else (1.0, 1.0, 1.0)
    return PictureRequest(
        case.volume,
        display.window,
        display.inverted,
        (float(spacing[1]), float(spacing[2])),
        maps if burnt.heat_map else {},
        heat.HeatStyle(top, display.heat_cut, display.colour_map),
        display.opacity,
        {index: slice_words(reading, index) for index in range(summary.shape[0])}
        if burnt.words
        else {},
        {
            index: case.regions[slice_id]
            for index, slice_id in enumerate(summary.slice_ids)
            if burnt.regions and slice_id in case.regions
        },
        _laid_out(reading) if burnt.measurements else {},
        {
            index: drawing
            for index in range(summary.shape[0] if burnt.drawings else 0)
            if (drawing := case.drawing_at(index)) is not None
        },
        identity_words(reading) if burnt.identity else (),
    )


def _laid_out(reading: Reading) -> dict[int, tuple[Drawn, ...]]:
    """Measurements on the slices: where they lie in pixels, and what they say."""
    case = reading.case
    found: dict[int, list[Measurement]] = {}
    for item in case.measurements:
        if item.plane is Plane.SLICE:
            found.setdefault(item.index, []).append(item)
    ink = Ink()
    return {
        index: tuple(ink.lay_out(case, items, QPointF, fine=is_industry()))
        for index, items in found.items()
    }


def identity_words(reading: Reading) -> tuple[str, ...]:
    """Who the images are of: for pictures of which a person said that they may tell."""
    summary = reading.summary
    name = " ".join(part for part in summary.patient_name.split("^") if part)
    return tuple(part for part in (name, summary.patient_id, summary.study_date) if part)


def slice_words(reading: Reading, index: int) -> tuple[str, ...]:
    """What is said under a picture: number, answer and label; nothing of the patient."""
    case = reading.case
    lines = [say("Slice {number} of {count}", number=index + 1, count=reading.summary.shape[0])]
    prediction = case.prediction if case.display.answers else None
    answer = prediction.slices.get(index) if prediction is not None else None
    if prediction is not None and answer is not None:
        name = case.label_set.find(prediction.positive).name(current())
        value = percent(answer.probabilities[prediction.positive])
        lines.append(say("Model: {name} {percent}", name=name, percent=value))
    given = case.label_at(index)
    if given is not None:
        known = {item.id: item for item in case.label_set.classes}
        name = known[given].name(current()) if given in known else given
        lines.append(say("Label: {name}", name=name))
    return tuple(lines)


def picture_size(request: PictureRequest) -> QSize:
    """Pixels of each picture: true to the pixels' shape, and even, as movies need it."""
    rows, columns = request.volume.geometry.shape[1:]
    down, across = request.spacing
    unit = min(down, across)
    height, width = rows * down / unit, columns * across / unit
    enlarge = max(1, -(-LEAST_SIDE // round(max(height, width))))
    return QSize(2 * round(width * enlarge / 2), 2 * round(height * enlarge / 2))


def draw(request: PictureRequest, index: int) -> QImage:
    """One slice as it leaves the window, format RGB32. May be called on any thread."""
    pixels = GreyRenderer()(
        request.volume, Plane.SLICE, index, request.window, inverted=request.inverted
    ).copy()
    if index in request.heat_maps:
        _burn(pixels, request, request.heat_maps[index])
    if index in request.drawings:
        draw_onto(pixels, request.drawings[index])
    rows, columns = pixels.shape
    plain = QImage(pixels.data, columns, rows, 4 * columns, QImage.Format.Format_RGB32)
    size = picture_size(request)
    made = plain.scaled(
        size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    ).convertToFormat(QImage.Format.Format_RGB32)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    onto = QTransform.fromScale(size.width() / columns, size.height() / rows)
    Ink().draw_regions(
        painter, request.regions.get(index, ()), lambda x, y: onto.map(QPointF(x, y)), None, onto,
        (rows, columns),
    )  # fmt: skip
    measured = [
        replace(item, points=tuple(onto.map(at) for at in item.points), edge=onto.map(item.edge))
        for item in request.measurements.get(index, ())
    ]
    Ink.draw(painter, measured, None, QRectF(0, 0, size.width(), size.height()))
    _write(painter, request, index, size)
    painter.end()
    return made


def _burn(pixels: NDArray[np.uint32], request: PictureRequest, heat_map: HeatMap) -> None:
    rows, columns = pixels.shape
    colours = heat.paint(heat.on_slice(heat_map, (rows, columns)), request.style)
    channels = pixels.view(np.uint8).reshape(rows, columns, 4)  # blue, green, red, 255
    where = colours[..., 3] > 0
    above = colours[where][:, [2, 1, 0]].astype(np.float32) * request.opacity
    below = channels[where][:, :3].astype(np.float32) * (1 - request.opacity)
    mixed = np.empty((len(above), 4), np.uint8)
    mixed[:, :3] = np.rint(above + below)
    mixed[:, 3] = 255
    channels[where] = mixed


def _write(painter: QPainter, request: PictureRequest, index: int, size: QSize) -> None:
    """The words in the corners, in light grey with a shadow, whatever lies beneath."""
    pixels = max(12, size.height() // 40)
    painter.setFont(appearance.font(pixels))
    line = round(pixels * 1.35)

    def corner(words: tuple[str, ...], align: Qt.AlignmentFlag, bottom: bool) -> None:
        place = QRectF(8, 6, size.width() - 16, line * max(len(words), 1))
        if bottom:
            place.moveBottom(size.height() - 6)
        for shift, colour in ((1, appearance.IMAGE.shadow), (0, appearance.IMAGE.text)):
            painter.setPen(QColor(colour))
            painter.drawText(place.translated(shift, shift), align, "\n".join(words))

    corner(request.words.get(index, ()), Qt.AlignmentFlag.AlignLeft, bottom=False)
    corner(request.identity, Qt.AlignmentFlag.AlignRight, bottom=False)
    if request.words or request.identity:
        corner((say(DISCLAIMER),), Qt.AlignmentFlag.AlignLeft, bottom=True)


def as_array(image: QImage) -> NDArray[np.uint8]:
    """A picture as (rows, columns, 3) uint8 RGB."""
    rows, columns = image.height(), image.width()
    flat = np.frombuffer(image.constBits(), np.uint8).reshape(rows, image.bytesPerLine())
    return np.ascontiguousarray(flat[:, : 4 * columns].reshape(rows, columns, 4)[..., [2, 1, 0]])
