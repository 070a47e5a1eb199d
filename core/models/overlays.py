"""Heat maps burnt into slices, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from core.imaging.volume import Volume
from core.models import heat
from core.models.answers import SlicePrediction
from core.models.card import Card
from core.models.preprocessing import slice_grey

OPACITY = 0.45
CUT = 0.25
"""Part of the series' strongest evidence below which nothing is drawn."""


UNIT = "calibrated log-odds from each cell of the map"


def write_overlays(
    folder: Path, volume: Volume, answers: Sequence[SlicePrediction], card: Card
) -> float:
    """Write one PNG a slice, `NNNN.png`: the slice in the model's window under its evidence.

    The colour's range is that of the whole series, so that slices can be compared;
    `colour-bar.png` says its numbers. Returns the evidence of the last colour, in `UNIT`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    top = heat.series_top([answer.heat_map for answer in answers if answer.heat_map])
    style = heat.HeatStyle(top=top, cut=CUT)
    for answer in answers:
        grey = slice_grey(volume, answer.index, card.preprocessing)
        picture = grey if grey.ndim == 3 else np.repeat(grey[..., None], 3, axis=2)
        if answer.heat_map is not None and top > 0:
            shape = (picture.shape[0], picture.shape[1])
            picture = blend(picture, heat.paint(heat.on_slice(answer.heat_map, shape), style))
        Image.fromarray(picture).save(folder / f"{answer.index + 1:04d}.png")
    if top > 0:
        colour_bar(style).save(folder / "colour-bar.png")
    return top


def colour_bar(style: heat.HeatStyle) -> Image.Image:
    """The colours from the first that is drawn to the last, with the evidence they stand for."""
    values = np.linspace(style.top, style.cut * style.top, 256, dtype=np.float32)
    colours = heat.paint(np.repeat(values[:, None], 24, axis=1), style)[..., :3]
    picture = Image.new("RGB", (120, 276), "black")
    picture.paste(Image.fromarray(np.ascontiguousarray(colours)), (10, 10))
    draw = ImageDraw.Draw(picture)
    for part in (0.0, 0.5, 1.0):
        value = style.top * (1 - part * (1 - style.cut))
        draw.text((42, 4 + part * 255), f"{value:.3g}", fill="white")
    return picture


def blend(picture: NDArray[np.uint8], over: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB (rows, cols, 3) under RGBA (rows, cols, 4), at constant opacity where alpha is set."""
    part = (over[..., 3:] > 0) * np.float32(OPACITY)
    mixed = picture * (1 - part) + over[..., :3] * part
    found: NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
    return found
