"""The open study: one series with what a model says of it, what people labelled, and where we look.

Each fact has one owner here; widgets show and ask. All objects are changed on one thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.events import Signal
from core.imaging.geometry import Plane
from core.imaging.intensity import Window
from core.imaging.volume import SeriesSummary, Volume
from core.labels.schema import LabelSet
from core.models.answers import ModelIdentity, SeriesPrediction, SlicePrediction


def clamp(value: int, low: int, high: int) -> int:
    """`value`, or the nearer bound."""
    return max(low, min(high, value))


class Navigation:
    """Which slice is looked at, in each index plane."""

    moved = Signal(object, int)
    """(plane, index) after a change; never when nothing changed."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._count = dict(zip(Plane, shape, strict=True))
        self._index = {plane: count // 2 for plane, count in self._count.items()}

    def index(self, plane: Plane = Plane.SLICE) -> int:
        """Index now shown."""
        return self._index[plane]

    def count(self, plane: Plane = Plane.SLICE) -> int:
        """Number of slices along a plane."""
        return self._count[plane]

    def go(self, index: int, plane: Plane = Plane.SLICE) -> None:
        """Show a slice; out of range means the nearest end."""
        index = clamp(index, 0, self._count[plane] - 1)
        if index != self._index[plane]:
            self._index[plane] = index
            self.moved.emit(plane, index)

    def step(self, slices: int, plane: Plane = Plane.SLICE) -> None:
        """Move by whole slices."""
        self.go(self._index[plane] + slices, plane)


@dataclass(frozen=True)
class Display:
    """How the slice is shown. The window stays while scrolling.

    opacity: of the heat map over the image. heat_cut: part of the heat map's range below which
        nothing is drawn, 0–1. colour_map: its colours, one of viewer.heat.COLOUR_MAPS.
    smooth: pixels are interpolated. annotations: texts over the image.
    answers: what the model says is shown; False is read-first mode.
    """

    window: Window
    inverted: bool = False
    heat_map: bool = False
    three_panels: bool = False
    planes: bool = False
    opacity: float = 0.45
    annotations: bool = True
    heat_cut: float = 0.25
    colour_map: str = "inferno"
    smooth: bool = True
    answers: bool = True


class Case:
    """The open series and everything known about it."""

    loaded = Signal(int)
    """A slice's voxels have arrived."""
    display_changed = Signal(object)
    """The new Display."""
    prediction_changed = Signal(object)
    """Slice index that was filled, or None when the whole prediction was replaced."""
    labels_changed = Signal()

    def __init__(self, summary: SeriesSummary, label_set: LabelSet, window: Window) -> None:
        self.summary = summary
        self.label_set = label_set
        self.navigation = Navigation(summary.shape)
        self.volume: Volume | None = None
        self._have = [False] * summary.shape[0]
        self._display = Display(window)
        self._prediction: SeriesPrediction | None = None
        self._labels: dict[str, str] = {}

    # ---- voxels

    def slice_arrived(self, volume: Volume, index: int) -> None:
        """A loader filled slice `index` of `volume`."""
        self.volume = volume
        self._have[index] = True
        self.loaded.emit(index)

    def has(self, index: int) -> bool:
        """Whether slice `index` can be shown."""
        return self._have[index]

    @property
    def is_complete(self) -> bool:
        """Whether all slices are there."""
        return all(self._have)

    def release(self) -> None:
        """Let the voxels go to free memory; predictions and labels stay."""
        self.volume = None
        self._have = [False] * len(self._have)

    # ---- display

    @property
    def display(self) -> Display:
        """How the slice is shown now."""
        return self._display

    def show(self, **changes: object) -> None:
        """Change fields of the display, by name."""
        display = replace(self._display, **changes)  # type: ignore[arg-type]
        if display != self._display:
            self._display = display
            self.display_changed.emit(display)

    # ---- what the model says

    @property
    def prediction(self) -> SeriesPrediction | None:
        """The answers of the model that was asked last, as far as they have come."""
        return self._prediction

    def expect(self, prediction: SeriesPrediction | None) -> None:
        """Begin a new prediction (or forget the old one)."""
        self._prediction = prediction
        self.prediction_changed.emit(None)

    def answer_arrived(self, model: ModelIdentity, answer: SlicePrediction) -> None:
        """Take a slice's answer, if it is of the model now expected; else it is too late."""
        if self._prediction is not None and self._prediction.model == model:
            self._prediction.slices[answer.index] = answer
            self.prediction_changed.emit(answer.index)

    def prediction_finished(self, model: ModelIdentity, series_probability: float | None) -> None:
        """All slices are answered: take the answer for the series as a whole."""
        if self._prediction is not None and self._prediction.model == model:
            self._prediction = replace(self._prediction, series_probability=series_probability)
            self.prediction_changed.emit(None)

    def is_suspicious(self, index: int) -> bool:
        """Whether the model's probability reaches its operating threshold on this slice."""
        prediction = self._prediction
        if prediction is None or index not in prediction.slices:
            return False
        return prediction.slices[index].probabilities[prediction.positive] >= prediction.threshold

    def next_suspicious(self, direction: int = 1) -> int | None:
        """Index of the next run of suspicious slices in a direction: its first slice.

        Wraps around. None if there is no suspicious slice other than the run looked at.
        """
        count, here = self.navigation.count(), self.navigation.index()
        for offset in range(1, count):
            index = (here + direction * offset) % count
            before = index - 1
            starts_run = self.is_suspicious(index) and not (
                before >= 0 and self.is_suspicious(before)
            )
            if starts_run:
                return index
        return None

    # ---- what people say

    @property
    def labels(self) -> dict[str, str]:
        """Slice id → class id, derived from the journal."""
        return self._labels

    def relabel(self, labels: dict[str, str]) -> None:
        """Take the labels as the journal now has them."""
        if labels != self._labels:
            self._labels = labels
            self.labels_changed.emit()

    def label_at(self, index: int) -> str | None:
        """Class id given to slice `index`, or None."""
        return self._labels.get(self.summary.slice_ids[index])
