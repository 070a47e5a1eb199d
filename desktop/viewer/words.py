"""The viewer's words, and how numbers are written on the image."""

from __future__ import annotations

from core.imaging.volume import SeriesSummary
from desktop.language import say

__all__ = ["level", "number", "percent", "say", "size_words"]


def size_words(summary: SeriesSummary) -> str:
    """How large a series is: voxels, and millimetres where its header states them."""
    slices, rows, columns = summary.shape
    size = f"{slices} × {rows} × {columns}"
    if not summary.geometry.has_spacing:
        return size
    between, down, across = summary.geometry.spacing
    return say(
        "{size} · {down:.2f} × {across:.2f} mm, {between:.2f} mm between slices",
        size=size,
        down=down,
        across=across,
        between=between,
    )


def number(value: float, digits: int = 1) -> str:
    """A number with a true minus sign and no negative zero."""
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def percent(part: float) -> str:
    """A probability as whole per cent; never 0 % or 100 % for what is not exactly that."""
    shown = round(part * 100)
    if shown >= 100 and part < 1:
        return "> 99 %"
    if shown <= 0 < part:
        return "< 1 %"
    return f"{shown} %"


def level(value: float, width: float) -> str:
    """A grey value of a window, with as many digits as the window's width deserves."""
    return number(value, 0 if width >= 20 else 1 if width >= 2 else 3)
