"""Heat maps as pictures live in `core.models.heat`: the command line draws them, too."""

from core.models.heat import (
    COLOUR_MAPS,
    NOTHING,
    HeatStyle,
    colour_table,
    line_on_slice,
    on_slice,
    paint,
    series_top,
)

__all__ = [
    "COLOUR_MAPS",
    "NOTHING",
    "HeatStyle",
    "colour_table",
    "line_on_slice",
    "on_slice",
    "paint",
    "series_top",
]
