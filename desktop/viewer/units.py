"""Numbers with their units on the image: millimetres, micrometres, pixels, and grey values."""

from __future__ import annotations

from core.case import Case
from core.imaging.intensity import Quantity
from core.imaging.volume import SeriesSummary
from core.reading.measurements import Kind, Measurement, Statistics, angle, length, sides
from desktop.viewer.words import number, say

SQUARE = "²"
MICROMETRES = 1000.0

LONG = 10.0
"""Millimetres from which inspectors, too, read millimetres, to the micrometre."""


def distance(value: float, *, known: bool, fine: bool = False) -> str:
    """A length. known: the header states the spacing; fine: in µm, as inspectors say it."""
    if not known:
        return f"{number(value, 1)} px"
    if fine and value < LONG:
        return f"{number(value * MICROMETRES, 0 if value >= 0.1 else 1)} µm"
    if fine:
        return f"{number(value, 3)} mm"
    return f"{number(value, 1 if value >= 10 else 2)} mm"


def surface(value: float, *, known: bool, fine: bool = False) -> str:
    """An area; parameters as `distance`."""
    if not known:
        return f"{number(value, 0)} px{SQUARE}"
    if fine and value < 1:
        return f"{number(value * MICROMETRES * MICROMETRES, 0)} µm{SQUARE}"
    return f"{number(value, 1)} mm{SQUARE}"


def value_unit(case: Case) -> str:
    """The unit of grey values, with a space before it; empty if they have none."""
    return " HU" if case.summary.quantity is Quantity.HU else ""


def source(summary: SeriesSummary) -> str:
    """Where the millimetres of a series come from, in words and with the tag."""
    if not summary.geometry.has_spacing:
        return say("pixels: the header states no spacing")
    for warning in summary.warnings:
        if warning.code == "detector-spacing":
            if "PixelSpacing = Imager" in warning.message:
                return say("mm at the detector, PixelSpacing (0028,0030)")
            return say("mm at the detector, ImagerPixelSpacing (0018,1164)")
    if summary.transfer_syntax:
        return say("mm by PixelSpacing (0028,0030)")
    return say("mm by the file's header")


def describe(
    case: Case, item: Measurement, found: Statistics | None, *, fine: bool = False
) -> list[str]:
    """A measurement in words, one entry a line."""
    geometry = case.summary.geometry
    known = geometry.has_spacing
    if item.kind is Kind.LENGTH:
        return [distance(length(*item.points[:2]), known=known, fine=fine)]
    if item.kind is Kind.ANGLE:
        return [f"{number(angle(*item.points[:3]), 1)}°"]
    unit = value_unit(case)
    wide, high = sides(geometry, item)
    size = (f"{distance(wide, known=known, fine=fine)} × "
            f"{distance(high, known=known, fine=fine)}")  # fmt: skip
    if found is None:
        return [size]
    digits = 1 if unit or max(abs(found.minimum), abs(found.maximum)) >= 10 else 3
    return [
        f"{number(found.mean, digits)} ± {number(found.deviation, digits)}{unit}",
        say(
            "min {low}  max {high}",
            low=number(found.minimum, 0 if found.minimum % 1 == 0 else digits),
            high=number(found.maximum, 0 if found.maximum % 1 == 0 else digits),
        ),
        say(
            "{area}  n {count}", area=surface(found.area, known=known, fine=fine), count=found.count
        ),
        size,
    ]
