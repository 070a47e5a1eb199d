"""A second case in step with the one that is read: another series, or another model's answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from core.case import Case
from core.events import SignalInstance
from core.imaging.geometry import Plane
from core.models.answers import SeriesPrediction
from core.reading.in_step import Step, beside, how

SHARED = ("inverted", "heat_map", "opacity", "heat_cut", "colour_map", "smooth", "annotations",
          "answers", "slab", "measurements", "regions", "drawings")  # fmt: skip
"""Fields of the display that both cases show alike; the window only if both mean the same."""


def second_opinion(case: Case, prediction: SeriesPrediction) -> Case:
    """A case of the same series with the answers of another model."""
    made = Case(case.summary, case.label_set, case.display.window)
    if case.volume is not None:
        for index in range(case.summary.shape[0]):
            if case.has(index):
                made.slice_arrived(case.volume, index)
            drawing = case.drawing_at(index)
            if drawing is not None:
                made.drawing_arrived(index, drawing)
    made.measurements = case.measurements
    made.relabel(case.labels)
    made.remark(case.regions)
    made.expect(prediction)
    return made


class Companion:
    """Keeps `other` in step with `lead` until `close`.

    Scrolling one scrolls the other, by patient position where both have one, else by order.
    """

    def __init__(self, lead: Case, other: Case) -> None:
        self.lead, self.other = lead, other
        self.step = how(lead.summary.geometry, other.summary.geometry)
        self._is_following = False
        self._connected: list[tuple[SignalInstance, Callable[..., object]]] = [
            (lead.navigation.moved, self._lead_moved),
            (other.navigation.moved, self._other_moved),
            (lead.display_changed, self._show_alike),
        ]
        if self.is_same_series:
            self.step = Step.POSITION
            self._connected += [
                (lead.loaded, self._loaded),
                (lead.labels_changed, self._relabelled),
                (lead.regions_changed, self._remarked),
            ]
        for signal, slot in self._connected:
            signal.connect(slot)
        self._show_alike()
        self._lead_moved(Plane.SLICE, lead.navigation.index())

    @property
    def is_same_series(self) -> bool:
        """Whether both show one series, with answers of two models."""
        return self.lead.summary is self.other.summary

    def close(self) -> None:
        """Part them."""
        for signal, slot in self._connected:
            with contextlib.suppress(ValueError):
                signal.disconnect(slot)
        self._connected = []

    def _follow(self, source: Case, target: Case, plane: Plane, index: int) -> None:
        if self._is_following:
            return
        self._is_following = True
        try:
            if self.is_same_series:
                target.navigation.go(index, plane)
            elif plane is Plane.SLICE:
                one, two = source.summary.geometry, target.summary.geometry
                target.navigation.go(beside(one, two, index))
        finally:
            self._is_following = False

    def _lead_moved(self, plane: Plane, index: int) -> None:
        self._follow(self.lead, self.other, plane, index)

    def _other_moved(self, plane: Plane, index: int) -> None:
        self._follow(self.other, self.lead, plane, index)

    def _show_alike(self, _display: object = None) -> None:
        changes = {name: getattr(self.lead.display, name) for name in SHARED}
        if self.lead.summary.quantity is self.other.summary.quantity:
            changes["window"] = self.lead.display.window
        self.other.show(**changes)

    def _loaded(self, index: int) -> None:
        if self.lead.volume is not None:
            self.other.slice_arrived(self.lead.volume, index)

    def _relabelled(self) -> None:
        self.other.relabel(self.lead.labels)

    def _remarked(self) -> None:
        self.other.remark(self.lead.regions)
