"""The open study: one series with what a model says of it, what people labelled, and where we look.

Each fact has one owner here; widgets show and ask. All objects are changed on one thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.events import Signal
from core.imaging.geometry import Plane
from core.imaging.intensity import Window
from core.imaging.volume import SeriesSummary, Volume
from core.labels.schema import LabelSet, Region
from core.models.aggregation import conflict_between
from core.models.answers import ModelIdentity, SeriesPrediction, SlicePrediction
from core.reading.book import MeasurementBook
from core.reading.drawings import Drawing
from core.reading.layout import Layout
from core.reading.slab import Slab

PREDICTIONS_KEPT = 4
"""Models whose finished answers about one series are kept to be looked at side by side."""


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
    layout: how the stage is divided. slab: planes shown as one, or None for single planes.
    cross_hair: drawn over planes. measurements, regions: drawn over the image. drawings: what the
        file itself draws over the image (DICOM overlay planes) is shown.
    threshold: the operating threshold as the reader moved it; None is the model's own.
    heat_class: the class whose evidence is shown; "" is the one that stands for a finding.
    """

    window: Window
    inverted: bool = False
    heat_map: bool = False
    layout: Layout = Layout.SINGLE
    opacity: float = 0.45
    annotations: bool = True
    heat_cut: float = 0.25
    colour_map: str = "inferno"
    smooth: bool = True
    answers: bool = True
    slab: Slab | None = None
    cross_hair: bool = True
    measurements: bool = True
    regions: bool = True
    drawings: bool = True
    threshold: float | None = None
    heat_class: str = ""

    @property
    def three_panels(self) -> bool:
        """Whether original, heat map and overlay are beside one another."""
        return self.layout is Layout.THREE_PANELS

    @property
    def planes(self) -> bool:
        """Whether the three index planes are shown."""
        return self.layout.has_planes


class Case:
    """The open series and everything known about it."""

    loaded = Signal(int)
    """A slice's voxels have arrived."""
    display_changed = Signal(object)
    """The new Display."""
    prediction_changed = Signal(object)
    """Slice index that was filled, or None when the whole prediction was replaced."""
    labels_changed = Signal()
    drawings_changed = Signal(int)
    """Slice index whose drawing, brought along by the file, has arrived."""
    regions_changed = Signal()
    """Regions that readers drew, as the journal now has them."""

    def __init__(self, summary: SeriesSummary, label_set: LabelSet, window: Window) -> None:
        self.summary = summary
        self.label_set = label_set
        self.navigation = Navigation(summary.shape)
        self.volume: Volume | None = None
        self._have = [False] * summary.shape[0]
        self._display = Display(window)
        self._prediction: SeriesPrediction | None = None
        self._kept: dict[ModelIdentity, SeriesPrediction] = {}
        self._labels: dict[str, str] = {}
        self._regions: dict[str, tuple[Region, ...]] = {}
        self._drawings: dict[int, Drawing] = {}
        self.measurements = MeasurementBook()

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

    # ---- what the file draws over its slices

    def drawing_arrived(self, index: int, drawing: Drawing) -> None:
        """The drawing over slice `index` was read."""
        self._drawings[index] = drawing
        self.drawings_changed.emit(index)

    def drawing_at(self, index: int) -> Drawing | None:
        """What the file draws over slice `index`, if that is known."""
        return self._drawings.get(index)

    @property
    def has_drawings(self) -> bool:
        """Whether the file draws over any slice."""
        return bool(self._drawings)

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
        """Begin a new prediction (or forget the old one); the reader's threshold is reset."""
        before = self._prediction
        self._prediction = prediction
        if before is None or prediction is None or before.model != prediction.model:
            self.show(threshold=None, heat_class="")
        self.prediction_changed.emit(None)

    def answer_arrived(self, model: ModelIdentity, answer: SlicePrediction) -> None:
        """Take a slice's answer, if it is of the model now expected; else it is too late."""
        if self._prediction is not None and self._prediction.model == model:
            self._prediction.slices[answer.index] = answer
            self.prediction_changed.emit(answer.index)

    def prediction_finished(
        self,
        model: ModelIdentity,
        series_probability: float | None,
        conflict: str = "",
        notes: tuple[str, ...] = (),
    ) -> None:
        """All slices are answered: take the answer for the series as a whole.

        conflict: a sentence where slices and series contradict each other at the model's own
        threshold. notes: what was done because memory ran out.
        """
        if self._prediction is not None and self._prediction.model == model:
            self._prediction = replace(
                self._prediction,
                series_probability=series_probability,
                conflict=conflict or self._between_models(),
                notes=notes,
            )
            self._kept.pop(model, None)
            self._kept[model] = self._prediction
            while len(self._kept) > PREDICTIONS_KEPT:
                del self._kept[next(iter(self._kept))]
            self.prediction_changed.emit(None)

    def _between_models(self) -> str:
        """A sentence if a model of volumes and one of slices, both asked, contradict each other."""
        mine = self._prediction
        if mine is None or not mine.slices:
            return ""
        for other in reversed(self._kept.values()):
            if other.positive != mine.positive or other.is_of_volume == mine.is_of_volume:
                continue
            whole, slices = (mine, other) if mine.is_of_volume else (other, mine)
            return conflict_between(
                next(iter(whole.slices.values())),
                list(slices.slices.values()),
                mine.positive,
                (whole.threshold, slices.threshold),
            )
        return ""

    @property
    def kept(self) -> tuple[SeriesPrediction, ...]:
        """Finished answers of the models that were asked, the last one last."""
        return tuple(self._kept.values())

    @property
    def threshold(self) -> float:
        """The operating threshold in force: the reader's, else the model's; 0.5 without one."""
        if self._display.threshold is not None:
            return self._display.threshold
        return self._prediction.threshold if self._prediction is not None else 0.5

    @property
    def is_series_called(self) -> bool:
        """Whether the answer for the series as a whole reaches its operating threshold.

        That is the reader's, else the one of the model's rule for series, else that of slices.
        """
        prediction = self._prediction
        if prediction is None or prediction.series_probability is None:
            return False
        moved = self._display.threshold is not None
        own = None if moved else prediction.series_threshold
        return prediction.series_probability >= (own or self.threshold)

    def is_in_conflict(self) -> bool:
        """Whether slices and the series as a whole are on different sides of the threshold."""
        prediction = self._prediction
        if prediction is None or prediction.series_probability is None:
            return False
        if prediction.is_of_volume:
            return bool(prediction.conflict)
        found = any(self.is_suspicious(index) for index in prediction.slices)
        return self.is_series_called != found

    def predicts(self, index: int, class_id: str) -> bool | None:
        """Whether the model calls a class on slice `index`; None without an answer there."""
        prediction = self._prediction
        answer = prediction.slices.get(index) if prediction is not None else None
        if prediction is None or answer is None or class_id not in answer.probabilities:
            return None
        return answer.predicts(class_id, prediction.positive, self.threshold, prediction.labelling)

    def is_suspicious(self, index: int) -> bool:
        """Whether the model's probability reaches its operating threshold on this slice."""
        prediction = self._prediction
        if prediction is None or index not in prediction.slices:
            return False
        return prediction.slices[index].probabilities[prediction.positive] >= self.threshold

    @property
    def class_shown(self) -> str:
        """The class whose probability is looked at along the series; "" without an answer.

        Of more than two classes the one that was chosen for the heat map, else the finding.
        """
        prediction = self._prediction
        if prediction is None:
            return ""
        chosen = self._display.heat_class
        answer = next(iter(prediction.slices.values()), None)
        many = answer is not None and len(answer.probabilities) > 2
        known = answer is not None and chosen in answer.probabilities
        return chosen if many and known else prediction.positive

    def stands_out(self, index: int) -> bool:
        """Whether a slice is one to look at for the class that is shown.

        For the finding: from the operating threshold on. For another class there is no measured
        threshold: where it is the likeliest.
        """
        prediction = self._prediction
        if prediction is None or self.class_shown == prediction.positive:
            return self.is_suspicious(index)
        answer = prediction.slices.get(index)
        if answer is None:
            return False
        return max(answer.probabilities, key=lambda k: answer.probabilities[k]) == self.class_shown

    def next_suspicious(self, direction: int = 1) -> int | None:
        """Index of the next run of slices that stand out in a direction: its first slice.

        Wraps around. None if there is no such slice other than the run looked at.
        """
        count, here = self.navigation.count(), self.navigation.index()
        for offset in range(1, count):
            index = (here + direction * offset) % count
            before = index - 1
            starts_run = self.stands_out(index) and not (before >= 0 and self.stands_out(before))
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

    @property
    def regions(self) -> dict[str, tuple[Region, ...]]:
        """Slice id → the regions drawn on it, derived from the journal."""
        return self._regions

    def remark(self, regions: dict[str, tuple[Region, ...]]) -> None:
        """Take the regions as the journal now has them."""
        if regions != self._regions:
            self._regions = regions
            self.regions_changed.emit()

    def regions_at(self, index: int) -> tuple[Region, ...]:
        """The regions drawn on slice `index`."""
        return self._regions.get(self.summary.slice_ids[index], ())
