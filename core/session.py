"""The reading session: which series are open, which one is read, what the model did for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.case import Case
from core.events import Signal
from core.imaging.intensity import (
    CT_PRESETS,
    Quantity,
    Window,
    WindowFunction,
    apply_window,
    automatic_window,
)
from core.imaging.volume import Series, SeriesSummary, Skipped, Volume
from core.labels.schema import LabelSet

DEFAULT_VOXEL_BUDGET = 3 * 1024**3
"""Bytes of voxels that stay in memory; the series read longest ago are let go first."""


class AnswerState(Enum):
    """Where the model's answer for a series stands."""

    NONE = "none"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    """The model was not made for this series."""
    FAILED = "failed"


class LoadState(Enum):
    """Where the voxels of a series are."""

    HEADERS = "headers"
    LOADING = "loading"
    LOADED = "loaded"
    FAILED = "failed"


@dataclass(eq=False)
class Reading:
    """One open series and how far it has come.

    note: what a person should know of the state: the reason of a failure or refusal.
    labelled: number of slices with a label, known also before the series is looked at.
    is_stale: whether the answers are of a model that is no longer the active one.
    window_is_chosen: False until an automatic window could be computed from the voxels.
    namesake: which of the open series of one name it is, from 1, in the order of opening.
    """

    series: Series
    case: Case
    load_state: LoadState = LoadState.HEADERS
    answer_state: AnswerState = AnswerState.NONE
    note: str = ""
    labelled: int = 0
    is_stale: bool = False
    window_is_chosen: bool = field(default=True)
    namesake: int = 1

    @property
    def summary(self) -> SeriesSummary:
        """What the headers say."""
        return self.series.summary

    @property
    def name(self) -> str:
        """What the file calls the series, else its file; "" where neither says anything."""
        summary = self.summary
        return summary.description or summary.study_description or summary.path.name

    @property
    def key(self) -> str:
        """Tells readings apart, also from one start to the next; see `series_key`."""
        return series_key(self.series)

    @property
    def bytes_held(self) -> int:
        """Memory that the voxels take now."""
        return int(self.case.volume.voxels.nbytes) if self.case.volume is not None else 0


class Session:
    """The open series in the order in which they were found, and the current one.

    Changed on one thread only.
    """

    added = Signal(object)
    """A Reading that was appended."""
    removed = Signal(object)
    """A Reading that was closed."""
    current_changed = Signal(object)
    """The Reading now looked at, or None."""
    state_changed = Signal(object)
    """A Reading whose load state, answer state, note or label count changed."""

    label_set_changed = Signal(object)
    """The LabelSet now in force."""

    def __init__(self, label_set: LabelSet) -> None:
        self._label_set = label_set
        self._readings: list[Reading] = []
        self._by_key: dict[str, Reading] = {}
        self._by_name: dict[str, list[Reading]] = defaultdict(list)
        self._recency: list[Reading] = []
        self._current: Reading | None = None

    def __iter__(self) -> Iterator[Reading]:
        return iter(tuple(self._readings))

    def __len__(self) -> int:
        return len(self._readings)

    @property
    def current(self) -> Reading | None:
        """The series now looked at."""
        return self._current

    def find_slice(self, slice_id: str) -> tuple[Reading, int] | None:
        """Where a slice is open: the reading and the index in it; None if it is not."""
        for reading in self._readings:
            if slice_id in reading.summary.slice_ids:
                return reading, reading.summary.slice_ids.index(slice_id)
        return None

    @property
    def label_set(self) -> LabelSet:
        """The classes among which the reader chooses; its id is the task that models answer."""
        return self._label_set

    def use(self, label_set: LabelSet) -> None:
        """Read for another task: answers of the task before are put away, labels stay kept."""
        if label_set == self._label_set:
            return
        self._label_set = label_set
        for reading in self._readings:
            reading.case.label_set = label_set
            reading.case.relabel({})
            reading.case.expect(None)
            self.mark(reading, answer=AnswerState.NONE, note="", labelled=0, stale=False)
        self.label_set_changed.emit(label_set)

    def add(self, series: Series) -> Reading:
        """Open a series; one that is open already is returned as it is."""
        known = self._by_key.get(series_key(series))
        if known is not None:
            return known
        window = initial_window(series.summary)
        case = Case(series.summary, self._label_set, window or Window(0.5, 1.0, "Automatic"))
        reading = Reading(series, case, window_is_chosen=window is not None)
        namesakes = self._by_name[reading.name]
        reading.namesake = max((known.namesake for known in namesakes), default=0) + 1
        namesakes.append(reading)
        self._by_key[reading.key] = reading
        self._readings.append(reading)
        self.added.emit(reading)
        return reading

    def close(self, reading: Reading) -> None:
        """Close a series; its neighbour becomes current."""
        place = self._readings.index(reading)
        self._readings.remove(reading)
        del self._by_key[reading.key]
        self._by_name[reading.name].remove(reading)
        if reading in self._recency:
            self._recency.remove(reading)
        if reading is self._current:
            after = self._readings[min(place, len(self._readings) - 1)] if self._readings else None
            self.show(after)
        self.removed.emit(reading)

    def show(self, reading: Reading | None) -> None:
        """Make a series the current one."""
        if reading is self._current:
            return
        self._current = reading
        if reading is not None:
            if reading in self._recency:
                self._recency.remove(reading)
            self._recency.append(reading)
        self.current_changed.emit(reading)

    def neighbour(self, step: int) -> Reading | None:
        """The series `step` places after the current one; None past the ends."""
        if self._current is None:
            return self._readings[0] if self._readings else None
        place = self._readings.index(self._current) + step
        return self._readings[place] if 0 <= place < len(self._readings) else None

    def mark(
        self,
        reading: Reading,
        *,
        load: LoadState | None = None,
        answer: AnswerState | None = None,
        note: str | None = None,
        labelled: int | None = None,
        stale: bool | None = None,
    ) -> None:
        """Change what is known about a series, and say so once if anything differs."""
        before = _state(reading)
        reading.load_state = load or reading.load_state
        reading.answer_state = answer or reading.answer_state
        reading.note = reading.note if note is None else note
        reading.labelled = reading.labelled if labelled is None else labelled
        reading.is_stale = reading.is_stale if stale is None else stale
        if before != _state(reading):
            self.state_changed.emit(reading)

    def trim(self, budget: int = DEFAULT_VOXEL_BUDGET) -> list[Reading]:
        """Let the voxels go that were looked at longest ago, until `budget` bytes suffice.

        The current series is never let go. Returns the readings that lost their voxels.
        """
        held = sum(reading.bytes_held for reading in self._readings)
        let_go = []
        for reading in tuple(self._recency):
            if held <= budget:
                break
            if reading is self._current or reading.load_state is not LoadState.LOADED:
                continue
            held -= reading.bytes_held
            reading.case.release()
            let_go.append(reading)
            self.mark(reading, load=LoadState.HEADERS)
        return let_go


def _state(reading: Reading) -> tuple[object, ...]:
    return (
        reading.load_state,
        reading.answer_state,
        reading.note,
        reading.labelled,
        reading.is_stale,
    )


def series_key(series: Series) -> str:
    """Tells series apart: one DICOM series may have been split into several stacks."""
    return f"{series.summary.uid}/{series.summary.slice_ids[0]}"


@dataclass(frozen=True)
class Found:
    """What opening a path brought: readings new or known, and files left out."""

    path: Path
    readings: tuple[Reading, ...]
    skipped: tuple[Skipped, ...] = ()


def initial_window(summary: SeriesSummary) -> Window | None:
    """The window with which a series is first shown; None means: take the automatic one.

    The header's first window, else the first CT preset for Hounsfield units, else the full
    range of 8-bit pictures.
    """
    if summary.quantity in (Quantity.GREY, Quantity.COLOUR):
        return Window(127.5, 255.0, "Full range", WindowFunction.LINEAR_EXACT)
    if summary.windows:
        return summary.windows[0]
    return CT_PRESETS[0] if summary.quantity is Quantity.HU else None


def thumbnail(volume: Volume, window: Window | None, size: int = 160) -> NDArray[np.uint8]:
    """A small picture of a volume's only (or middle) slice.

    Returns (rows, columns, 3) uint8, the longer side at most `size`; averaged, not dropped.
    """
    index = volume.slices // 2
    values = np.asarray(volume.voxels[index])
    if not volume.is_colour:
        grey = values.astype(np.float32) * volume.slope[index] + volume.intercept[index]
        shown = apply_window(grey, window or automatic_window(grey)) * 255.0
        values = np.repeat(shown[..., None], 3, axis=2)
    rows, columns = values.shape[:2]
    step = max(1, -(-max(rows, columns) // size))
    trimmed = values[: rows - rows % step or rows, : columns - columns % step or columns]
    if step > 1 and trimmed.shape[0] >= step and trimmed.shape[1] >= step:
        blocks = trimmed.astype(np.float32).reshape(
            trimmed.shape[0] // step, step, trimmed.shape[1] // step, step, 3
        )
        trimmed = blocks.mean(axis=(1, 3))
    else:
        trimmed = trimmed[::step, ::step]
    return np.ascontiguousarray(np.clip(trimmed, 0, 255).astype(np.uint8))
