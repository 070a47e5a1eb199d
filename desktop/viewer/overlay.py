"""The heat maps of the open case as ready pictures, painted once and kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.case import Case
from core.imaging.geometry import Plane
from core.models import heat
from core.models.answers import HeatMap
from core.reading.drawings import Drawing
from desktop import appearance
from desktop.viewer.grey import Pixels

DRAWN = np.uint32(0xFF000000 | int(appearance.IMAGE.drawn[1:], 16))
"""Colour of overlay planes: one that neither heat maps nor labels use."""

CACHE_BYTES = 128 * 1024 * 1024
SPOTS_KEPT = 128

WEAKEST_TOP = 0.1
"""Log-odds from one place. A series without evidence must not show its noise in full colour."""


@dataclass(frozen=True)
class HeatRange:
    """What the colour bar says: evidence of the last colour, and below which none is drawn."""

    top: float
    cut: float
    colour_map: str


def _painted(values: NDArray[np.float32], style: heat.HeatStyle, opacity: float) -> Pixels:
    """Evidence as premultiplied 0xAARRGGBB of one opacity, each channel rounded down.

    Order of channels and opacity are settled in the table of 256 colours, not in each pixel.
    """
    table = heat.style_table(style)[:, [2, 1, 0, 3]] * min(opacity, 1.0)
    faded = np.ascontiguousarray(table.astype(np.uint8))
    return faded.view("<u4")[:, 0].astype(np.uint32).take(heat.steps(values, style))


@dataclass(frozen=True, eq=False)
class Spots:
    """The pixels of a heat map that have a colour: where in the flat image, and which.

    Finding them takes longer than blending them, and a picture is shown again and again.
    """

    where: NDArray[np.intp]
    colours: NDArray[np.uint32]

    @classmethod
    def of(cls, heat_map: Pixels) -> Spots:
        """Of premultiplied 0xAARRGGBB."""
        where = np.flatnonzero(heat_map)
        return cls(where, heat_map.reshape(-1)[where] & np.uint32(0xFFFFFF))


def lay_over(image: Pixels, heat_map: Pixels | Spots, opacity: float) -> None:
    """Blend a heat map of an opacity into an image of the same size, in place.

    In the pixels themselves, so that no rounding of the screen can part the one from the other;
    and only where there is evidence, which takes a fraction of drawing a second picture.
    """
    spots = heat_map if isinstance(heat_map, Spots) else Spots.of(heat_map)
    below = image.reshape(-1)[spots.where]
    # Both parts are rounded down, so that no channel's sum runs over into the next.
    rest = np.uint32(int((1 - opacity) * 256))
    red_blue = (below & np.uint32(0xFF00FF)) * rest >> np.uint32(8) & np.uint32(0xFF00FF)
    green = (below & np.uint32(0xFF00)) * rest >> np.uint32(8) & np.uint32(0xFF00)
    colours = spots.colours + red_blue + green
    image.reshape(-1)[spots.where] = colours | np.uint32(0xFF000000)


def draw_onto(image: Pixels, drawing: Drawing) -> None:
    """Draw what a file brings along over its slice into the image of that slice, in place.

    In the pixels themselves: at every zoom it stays where the file says.
    """
    mask = drawing.mask()
    if mask.shape == image.shape:
        image[mask] = DRAWN


class HeatPictures:
    """Pictures of a case's heat maps, least recently used thrown away first.

    The range is that of the whole series as far as it is answered, so that a colour means the
    same evidence on every slice.
    """

    def __init__(self, case: Case, cache_bytes: int = CACHE_BYTES) -> None:
        self._case = case
        self._limit = cache_bytes
        self._pictures: OrderedDict[object, Pixels] = OrderedDict()
        self._spots: OrderedDict[int, tuple[Pixels, Spots]] = OrderedDict()
        self._bytes = 0
        self._top = 0.0
        self._answers: object = None
        self._turned: dict[int, tuple[HeatMap, HeatMap]] = {}
        self._class = ""

    def heat_map(self, index: int) -> HeatMap | None:
        """The heat map of a slice for the class that is looked at, if it is there.

        Between two classes what speaks for the one speaks against the other: its negative is
        exactly the other's. Of more classes only the one that was explained is known.
        """
        prediction = self._case.prediction
        answer = prediction.slices.get(index) if prediction is not None else None
        found = answer.heat_map if answer is not None else None
        wanted = self._case.display.heat_class
        if answer is None or found is None or wanted in ("", found.class_id):
            return found
        if len(answer.probabilities) != 2:
            return None
        if index not in self._turned or self._turned[index][0] is not found:
            self._turned[index] = (found, HeatMap(-found.values, found.box, wanted))
        return self._turned[index][1]

    def answers_changed(self, index: int | None) -> None:
        """Take note that a slice was answered, or (None) that everything may have changed.

        The answer for the series as a whole, which comes last, leaves those of its slices as they
        were, and with them the pictures: giving their memory back would hold up a step.
        """
        prediction = self._case.prediction
        answers = prediction.slices if prediction is not None else None
        wanted = self._case.display.heat_class
        if answers is not None and answers is self._answers and wanted == self._class:
            item = self.heat_map(index) if index is not None else None
            self._top = max(self._top, heat.series_top([item]) if item else 0.0)
            return
        self._answers = answers
        self._class = wanted
        self._turned.clear()
        self._pictures.clear()
        self._spots.clear()
        self._bytes = 0
        found = [self.heat_map(k) for k in range(self._case.summary.shape[0])]
        self._top = heat.series_top([item for item in found if item is not None])

    @property
    def range(self) -> HeatRange:
        """The range and colours in force."""
        display = self._case.display
        if display.heat_class != self._class:
            self.answers_changed(None)
        return HeatRange(max(self._top, WEAKEST_TOP), display.heat_cut, display.colour_map)

    def picture(
        self,
        index: int,
        plane: Plane = Plane.SLICE,
        *,
        opacity: float = 1.0,
        everything: bool = False,
        whole: bool = False,
    ) -> Pixels | None:
        """A plane's evidence as premultiplied 0xAARRGGBB, of that plane's size; None for none.

        Opacity is the same wherever something is drawn.

        everything: draw weak evidence below the cut, too. whole: the strongest evidence of all
        planes, for a projection of the whole volume.
        """
        shown = self.range
        style = heat.HeatStyle(shown.top, 0.0 if everything else shown.cut, shown.colour_map)
        if plane is not Plane.SLICE:
            return self._across(None if whole else index, plane, style, opacity)
        item = self.heat_map(index)
        if item is None:
            return None
        key = (index, id(item), style, opacity)
        picture = self._pictures.get(key)
        if picture is not None:
            self._pictures.move_to_end(key)
            return picture
        _, rows, columns = self._case.summary.shape
        picture = _painted(heat.on_slice(item, (rows, columns)), style, opacity)
        self._pictures[key] = picture
        self._bytes += picture.nbytes
        while self._bytes > self._limit and len(self._pictures) > 1:
            _, oldest = self._pictures.popitem(last=False)
            self._bytes -= oldest.nbytes
        return picture

    def spots(self, picture: Pixels) -> Spots:
        """The coloured pixels of a picture that `picture` gave, found once."""
        known = self._spots.get(id(picture))
        if known is None or known[0] is not picture:
            known = (picture, Spots.of(picture))
            self._spots[id(picture)] = known
            if len(self._spots) > SPOTS_KEPT:
                self._spots.popitem(last=False)
        return known[1]

    def _across(
        self, index: int | None, plane: Plane, style: heat.HeatStyle, opacity: float
    ) -> Pixels | None:
        """A cut through the stack of heat maps, or all of it seen from one side (None).

        Slices without a heat map stay empty.
        """
        slices, rows, columns = self._case.summary.shape
        length = columns if plane is Plane.ROW else rows
        values = np.full((slices, length), heat.NOTHING, np.float32)
        for k in range(slices):
            item = self.heat_map(k)
            if item is None:
                continue
            if index is None:
                axis = 0 if plane is Plane.ROW else 1
                values[k] = heat.on_slice(item, (rows, columns)).max(axis=axis)
            else:
                values[k] = heat.line_on_slice(item, (rows, columns), plane, index)
        return _painted(values, style, opacity) if np.isfinite(values).any() else None
