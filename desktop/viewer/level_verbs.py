"""Verbs that change grey levels: presets on keys, the automatic window, the header's."""

from __future__ import annotations

from core.case import Case
from core.imaging.geometry import Plane
from core.imaging.intensity import (
    CT_PRESETS,
    PERCENTILES,
    Quantity,
    Window,
    WindowFunction,
    automatic_window,
    percentile_window,
)
from core.imaging.volume import measured_values
from desktop.viewer.display_verbs import DisplayVerbs


def starting_window(quantity: Quantity, header: tuple[Window, ...] = ()) -> Window:
    """The window that a series opens with: the header's, else one that fits what it is."""
    if header:
        return header[0]
    if quantity is Quantity.HU:
        return CT_PRESETS[0]
    return Window(127.5, 255.0, "", WindowFunction.LINEAR_EXACT)


class LevelVerbs(DisplayVerbs):
    """Of a widget that shows a case."""

    _industry = False
    _presets: tuple[Window, ...] = CT_PRESETS
    _known: tuple[object, tuple[Window, ...]] = (None, ())

    def set_presets(self, windows: tuple[Window, ...]) -> None:
        """Windows on keys 1–5 for Hounsfield units."""
        self._presets = windows

    def presets(self) -> tuple[Window, ...]:
        """The windows on keys 1–5 for this case."""
        if self._case is None:
            return ()
        if self._industry:
            return self._percentiles(self._case)
        if self._case.summary.quantity is Quantity.HU:
            return self._presets
        return self._case.summary.windows[:5]

    def _percentiles(self, case: Case) -> tuple[Window, ...]:
        """Windows between percentiles of the slice now shown: grey values have no unit here.

        Kept until another slice is shown: they are asked for at each change of the display, and
        sorting a slice takes longer than drawing it.
        """
        index, volume = case.navigation.index(), case.volume
        if volume is None or volume.is_colour or not case.has(index):
            return ()
        key = (id(volume), index)
        if self._known[0] != key:
            values = volume.values(Plane.SLICE, index)
            made = (
                percentile_window(values, low, high, f"{low:g}–{high:g} %")
                for low, high in PERCENTILES
            )
            self._known = (key, tuple(made))
        return self._known[1]

    def preset(self, key: int) -> bool:
        """Take preset 1–5; whether this case has it."""
        found = self.presets()
        if self._case is None or not 1 <= key <= len(found):
            return False
        self._case.show(window=found[key - 1])
        return True

    def automatic_window(self) -> None:
        """Fit the window to the slice now shown, without its 0.1 % tails."""
        case = self._case
        if case is None or case.volume is None or case.volume.is_colour:
            return
        index = case.navigation.index()
        if case.has(index):
            case.show(window=automatic_window(measured_values(case.volume, index)))

    def header_window(self) -> None:
        """Take the next of the header's windows; the starting window if it states none."""
        case = self._case
        if case is None:
            return
        windows = case.summary.windows
        if windows and case.display.window in windows:
            following = windows[(windows.index(case.display.window) + 1) % len(windows)]
            case.show(window=following)
        else:
            case.show(window=starting_window(case.summary.quantity, windows))
