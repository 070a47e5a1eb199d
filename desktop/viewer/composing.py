"""Which words stand where on a view: the facts of a case as furniture. No drawing here."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import Enum

from core.case import Case
from core.imaging.geometry import Geometry, Plane
from core.reading.slab import Slab, span
from desktop import appearance
from desktop.viewer import captions, units
from desktop.viewer.camera import Camera, PlaneFrame, edge_letters
from desktop.viewer.furniture import Furniture, Line, ScaleBar, choose_scale_bar
from desktop.viewer.words import number, say

NARROW, CROWDED = 300.0, 480.0
"""Logical pixels below which a view's foot, and its upper corners, are written in shorter lines."""


class Content(Enum):
    """What a view shows of its plane."""

    READING = "the image; the heat map over it when it is switched on"
    ORIGINAL = "the image alone"
    HEAT_MAP = "the heat map alone, weak evidence included, with its colour bar"
    OVERLAY = "the image with the heat map over it, always"


@dataclass(frozen=True)
class Looks:
    """What a view is and how it stands, as far as its words depend on it.

    present: its picture is there. has_heat, heat_is_empty: a heat map is drawn, and whether all
    of it is below the cut. stale: answers are of a model that is no longer asked. industry: no
    patient, no letters, micrometres. is_projection: the whole volume at once. words, identity:
    whether the texts of the image and those about the patient are written; on the screen both are.
    made: date of the model that answered.
    """

    plane: Plane
    content: Content
    title: str
    language: str
    camera: Camera
    frame: PlaneFrame
    area: tuple[float, float]
    present: bool
    has_heat: bool = False
    heat_is_empty: bool = False
    stale: bool = False
    industry: bool = False
    is_projection: bool = False
    words: bool = True
    identity: bool = True
    made: str = ""


@functools.lru_cache(maxsize=64)
def _letters(geometry: Geometry, plane: Plane, camera: Camera) -> tuple[str, str, str, str] | None:
    """Patient letters at the screen's edges; the same from slice to slice."""
    return edge_letters(geometry.letters(plane), camera)


@functools.lru_cache(maxsize=64)
def _scale(
    camera: Camera, frame: PlaneFrame, area: tuple[float, float], unit: str, fine: bool
) -> tuple[float, ScaleBar]:
    """Screen pixels to a unit, and the bar that tells them; the same from slice to slice."""
    scale = camera.scale(frame, area)
    return scale, choose_scale_bar(scale, min(area[0] / 4, 160.0), unit, fine=fine)


def compose(case: Case, looks: Looks) -> Furniture:
    """Everything to write on a view of a case."""
    geometry = case.summary.geometry
    index = case.navigation.index(looks.plane)
    letters = None
    if not looks.industry:
        letters = _letters(geometry, looks.plane, looks.camera)
    made = Furniture(letters=letters, title=looks.title)
    made.centre = _instead(case, looks, index)
    if not case.display.annotations:
        return made
    crowded = looks.area[0] < CROWDED
    main = looks.plane is Plane.SLICE and looks.content in (Content.READING, Content.ORIGINAL)
    if main and looks.identity:
        made.top_left = captions.study(case, industry=looks.industry, narrow=crowded)
    if not looks.words:
        return made
    if looks.plane is Plane.SLICE and looks.content in (Content.READING, Content.OVERLAY):
        made.top_right = captions.label(case, index, looks.language)
        made.top_right += captions.model(case, index, looks.language, stale=looks.stale,
                                         made=looks.made, narrow=crowded)  # fmt: skip
    unit = "mm" if geometry.has_spacing else "px"
    scale, bar = _scale(looks.camera, looks.frame, looks.area, unit, looks.industry)
    made.bottom_left = _foot(case, looks, scale, main)
    if letters is None and not looks.industry:
        made.bottom_left.insert(0, Line(say("orientation unknown"), appearance.IMAGE.dim))
    if looks.content is not Content.HEAT_MAP:
        made.scale_bar = bar
    if looks.has_heat and looks.heat_is_empty:
        empty = (
            say("nothing here")
            if looks.content is Content.HEAT_MAP
            else say("nothing above the cut")
        )
        if main:  # elsewhere the title says so, or the plane is one of several
            empty = say("Heat map: {words}", words=empty)
        made.top_right.append(Line(empty, appearance.IMAGE.dim))
    elif looks.has_heat and looks.plane is Plane.SLICE:
        named = looks.content is not Content.HEAT_MAP
        made.top_right += captions.not_predicted(case, index, looks.language, named=named)
    return made


def _instead(case: Case, looks: Looks, index: int) -> str:
    """The sentence in the middle where there is no picture."""
    if not looks.present:
        return say("Loading slice {number} …", number=index + 1)
    if looks.content is not Content.HEAT_MAP or looks.has_heat:
        return ""
    if not case.display.answers:
        return say("Answers are hidden until you commit")
    if case.prediction is not None:
        return say("No heat map for this slice yet")
    return say("No model has been asked")


def _foot(case: Case, looks: Looks, scale: float, main: bool) -> list[Line]:
    """Slice and place, slab, window, zoom, and where the millimetres come from."""
    geometry = case.summary.geometry
    index = case.navigation.index(looks.plane)
    if looks.is_projection:
        return [Line(say("whole volume"), appearance.IMAGE.dim),
                Line(say("own window"), appearance.IMAGE.dim)]  # fmt: skip
    narrow = looks.area[0] < NARROW
    lines = captions.place(case, looks.plane, narrow=narrow)
    slab = case.display.slab
    if slab is not None:
        lines.append(Line(slab_words(case, looks.plane, index, slab, fine=looks.industry,
                                     narrow=narrow), appearance.IMAGE.measure))  # fmt: skip
    if main:
        lines.append(captions.window(case))
        zoom = scale * (1.0 if not geometry.has_spacing else float(looks.frame.matrix[0, 0]))
        lines.append(Line(say("Zoom {part} %", part=number(zoom * 100, 0))))
    if case.display.measurements and case.measurements.on(looks.plane, index):
        lines.append(Line(units.source(case.summary), appearance.IMAGE.dim))
    return lines


def slab_words(case: Case, plane: Plane, index: int, slab: Slab, *, fine: bool = False,
               narrow: bool = False) -> str:  # fmt: skip
    """A slab in words: its projection, thickness and, unless narrow, number of planes."""
    geometry = case.summary.geometry
    thick = units.distance(slab.thickness, known=geometry.has_spacing, fine=fine)
    if narrow:
        return f"{say(slab.projection.value)} {thick}"
    count = len(span(geometry, plane, index, slab))
    return say("{kind} {thick}, planes: {count}", kind=say(slab.projection.value), thick=thick,
               count=count)  # fmt: skip
