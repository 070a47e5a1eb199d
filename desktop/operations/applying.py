"""What settings do: to a series that is opened, to the engine, to memory, to the window."""

from __future__ import annotations

import os

from core.imaging.intensity import CT_PRESETS, Quantity, Window
from core.reading.layout import Layout
from core.session import Reading, Session
from core.settings import Settings, SettingsStore
from desktop.logs import keep_from
from desktop.operations.asking import Asking
from desktop.viewer.planes import can_be_cut

LAYOUTS = {
    "single": Layout.SINGLE,
    "three-panels": Layout.THREE_PANELS,
    "planes": Layout.PLANES,
    "grid": Layout.GRID,
}
"""Setting → how the stage is divided at first."""

THREADS_VARIABLE = "OMP_NUM_THREADS"
"""What the processes that compute look at when they start: the engine and the trainer."""


def presets_of(settings: Settings) -> tuple[Window, ...]:
    """The windows on keys 1–5 for Hounsfield units."""
    own = settings.window_presets
    return tuple(Window(item.center, item.width, item.name) for item in own) or CT_PRESETS


class Applying:
    """Keeps the settings in force: at once where that can be, else from the next series on."""

    def __init__(self, session: Session, settings: SettingsStore, asking: Asking) -> None:
        self._session = session
        self._settings = settings
        self._asking = asking
        self._threads_before = os.environ.get(THREADS_VARIABLE)
        session.added.connect(self._begin)
        settings.changed.connect(self._changed)
        self._compute()

    def close(self) -> None:
        """Stop listening, and give the environment back."""
        self._session.added.disconnect(self._begin)
        self._settings.changed.disconnect(self._changed)
        _set_variable(self._threads_before)

    def _begin(self, reading: Reading) -> None:
        """How a series is shown at first; what was open at the last start begins so, too."""
        values, case = self._settings.values, reading.case
        layout = LAYOUTS[values.first_layout]
        if layout.has_planes and not can_be_cut(case):
            layout = Layout.SINGLE
        case.show(
            layout=layout,
            smooth=values.smooth,
            annotations=values.annotations,
            cross_hair=values.cross_hair,
            measurements=values.measurements_shown,
            regions=values.regions_shown,
            heat_map=values.heat_map,
            opacity=values.heat_opacity,
            colour_map=values.heat_colours,
            heat_cut=values.heat_cut,
        )
        quantity = reading.summary.quantity
        if quantity is Quantity.COLOUR:
            return
        if values.first_window == "automatic":
            reading.window_is_chosen = False  # taken from the voxels, once there are some
        elif values.first_window == "preset" and quantity is Quantity.HU:
            case.show(window=presets_of(values)[0])

    def _changed(self, names: set[str]) -> None:
        values = self._settings.values
        self._compute()
        if "memory_gb" in names:
            self._session.trim(values.voxel_budget)
        if "heat_opacity" in names and self._session.current is not None:
            self._session.current.case.show(opacity=values.heat_opacity)

    def _compute(self) -> None:
        values = self._settings.values
        self._asking.device, self._asking.runtime = values.device, values.runtime
        _set_variable(str(values.threads) if values.threads else self._threads_before)
        keep_from(values.log_level)


def _set_variable(value: str | None) -> None:
    if value is None:
        os.environ.pop(THREADS_VARIABLE, None)
    else:
        os.environ[THREADS_VARIABLE] = value
