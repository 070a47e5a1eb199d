"""Slices of a training set as pictures for reports, with what models looked at laid over them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.imaging.geometry import Plane
from core.models import heat
from core.models.overlays import CUT, blend
from core.models.preprocessing import to_grey
from core.retraining.dataset import Dataset
from core.retraining.scoring import Subject

if TYPE_CHECKING:
    from core.imaging.volume import Volume
    from core.models.predictor import Predictor

_SIDE = 288
"""Largest side of one panel, pixels."""
_GAP = 6
_VARIES = 0.5


def picture(dataset: Dataset, row: int, subject: Subject) -> NDArray[np.uint8]:
    """One slice as its model sees its grey levels: (rows, columns, 3)."""
    grey = to_grey(dataset.plane(row), dataset.quantity_of(row), subject.card.preprocessing)
    return _in_colour(grey)


def explained(
    dataset: Dataset, rows: Sequence[int], subjects: Sequence[Subject], device: str = "auto"
) -> dict[int, bytes]:
    """Row → PNG: the slice, then once for each model with its heat map over it.

    Colours span the strongest evidence of each model among these rows, so that panels of one
    model can be compared with each other, not those of different models. A volume is shown on the
    slice where the first model finds most, of those that show something, in the colours of that
    volume.
    """
    if not rows:
        return {}
    from core.models.loading import load_predictor
    from core.models.rows import prepare_row

    if subjects[0].card.preprocessing.dimensions == 3:
        models = [load_predictor(subject.model, device) for subject in subjects]
        return {row: _png(_of_volume(dataset, row, models)) for row in rows}
    panels = {row: [picture(dataset, row, subjects[0])] for row in rows}
    for subject in subjects:
        predictor = load_predictor(subject.model, device)
        maps: dict[int, Any] = {}
        for row in rows:  # one by one: a handful, and colour pictures may differ in channels
            prepared = prepare_row(dataset, row, subject.card.preprocessing)
            maps[row] = predictor.heat_map(prepared)
        top = heat.series_top([found for found in maps.values() if found is not None])
        style = heat.HeatStyle(top=top, cut=CUT)
        for row, found in maps.items():
            under = picture(dataset, row, subject)
            if found is not None and top > 0:
                shape = (under.shape[0], under.shape[1])
                under = blend(under, heat.paint(heat.on_slice(found, shape), style))
            panels[row].append(under)
    return {row: _png(shown) for row, shown in panels.items()}


def _of_volume(dataset: Dataset, row: int, models: Sequence[Predictor]) -> list[NDArray[np.uint8]]:
    """A series on the slice where the first model finds most, and each model's map over it."""
    from core.models.volumes import prepare_volume

    volume = dataset.volume(row)
    panels: list[NDArray[np.uint8]] = []
    shown = volume.slices // 2
    for model in models:
        spec = model.card.preprocessing
        maps = model.volume_maps(prepare_volume(volume, spec), volume.slices)
        known = {index: found for index, found in enumerate(maps) if found is not None}
        if not panels and known:
            # Where nothing speaks for the finding, what is least against it may be empty space.
            seen = [index for index in _telling(volume) if index in known] or list(known)
            shown = max(seen, key=lambda index: float(known[index].values.max()))
        values = volume.values(Plane.SLICE, shown)
        under = _in_colour(to_grey(values, volume.summary.quantity, spec))
        panels = panels or [under]
        top = heat.series_top(list(known.values()))
        if shown in known and top > 0:
            style = heat.HeatStyle(top=top, cut=CUT)
            shape = (under.shape[0], under.shape[1])
            under = blend(under, heat.paint(heat.on_slice(known[shown], shape), style))
        panels.append(under)
    return panels


def _telling(volume: Volume) -> list[int]:
    """Slices with something on them: whose values vary at least half as much as those of any."""
    spread = np.array([float(np.std(plane)) for plane in volume.voxels])
    found: list[int] = np.flatnonzero((spread >= _VARIES * spread.max()) & (spread > 0)).tolist()
    return found


def _in_colour(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return grey if grey.ndim == 3 else np.repeat(grey[..., None], 3, axis=2)


def _png(panels: Sequence[NDArray[np.uint8]]) -> bytes:
    """Panels side by side, each at most `_SIDE` on its longer side."""
    images = []
    for panel in panels:
        image = Image.fromarray(panel)
        image.thumbnail((_SIDE, _SIDE))
        images.append(image)
    width = sum(image.width for image in images) + _GAP * (len(images) - 1)
    sheet = Image.new("RGB", (width, max(image.height for image in images)), "white")
    left = 0
    for image in images:
        sheet.paste(image, (left, 0))
        left += image.width + _GAP
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    return stream.getvalue()
