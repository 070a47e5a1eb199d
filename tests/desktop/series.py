"""A series in memory and an engine without a process, for tests of the window."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.errors import CancelledError, CoreError
from core.imaging.geometry import Geometry
from core.imaging.intensity import CT_PRESETS, Quantity
from core.imaging.volume import ImageWarning, SeriesSummary, Skipped, Volume
from core.models.answers import HeatMap, ModelIdentity, SeriesPrediction, SlicePrediction
from core.models.messages import (
    EngineDied,
    EngineMessage,
    EngineReady,
    PredictionFinished,
    PredictionStarted,
    PredictRequest,
    SliceAnswered,
)


class MemorySeries:
    """A small CT-like series. Slice k holds the value k everywhere, so that it can be told."""

    def __init__(
        self,
        name: str = "head",
        slices: int = 12,
        *,
        failure: CoreError | None = None,
        warnings: tuple[ImageWarning, ...] = (),
    ) -> None:
        affine = np.diag([0.0, 0.0, 0.0, 1.0])
        affine[0, 2] = affine[1, 1] = 0.5
        affine[2, 0] = 5.0
        self.failure = failure
        self.read = 0
        self.summary = SeriesSummary(
            uid=f"1.2.{name}",
            case_id=f"case-{name}",
            modality="CT",
            description=f"Head {name}",
            geometry=Geometry((slices, 40, 32), affine),
            quantity=Quantity.HU,
            transfer_syntax="1.2.840.10008.1.2.1",
            slice_ids=tuple(f"1.2.{name}.{number}" for number in range(slices)),
            warnings=warnings,
            windows=CT_PRESETS[:1],
            patient_name="DOE^JANE",
            patient_id=f"patient-{name}",
        )

    def _volume(self, slices: int) -> Volume:
        _, rows, columns = self.summary.shape
        voxels = np.zeros((slices, rows, columns), np.int16)
        return Volume(self.summary, voxels, np.ones(slices), np.zeros(slices))

    def load(
        self,
        *,
        first: int | None = None,
        on_slice: Callable[[Volume, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        looks: Callable[[], int] | None = None,
    ) -> Volume:
        if self.failure is not None:
            raise self.failure
        count = self.summary.shape[0]
        volume = self._volume(count)
        start = count // 2 if first is None else first
        for index in sorted(range(count), key=lambda place: abs(place - start)):
            if cancelled is not None and cancelled():
                raise CancelledError("reading")
            volume.voxels[index] = index
            self.read += 1
            if on_slice is not None:
                on_slice(volume, index)
        return volume

    def read_slice(self, index: int) -> Volume:
        volume = self._volume(1)
        volume.voxels[0] = index
        return volume


class Paused(MemorySeries):
    """Gives the visible slice and its neighbours, and the rest when it may."""

    def __init__(self, name: str = "long") -> None:
        super().__init__(name, 60)
        self.looks: Callable[[], int] | None = None
        self.goes_on = threading.Event()

    def load(
        self,
        *,
        first: int | None = None,
        on_slice: Callable[[Volume, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        looks: Callable[[], int] | None = None,
    ) -> Volume:
        self.looks = looks
        given = 0

        def give(volume: Volume, index: int) -> None:
            nonlocal given
            if on_slice is not None:
                on_slice(volume, index)
            given += 1
            if given == 3:
                assert self.goes_on.wait(60)

        return super().load(first=first, on_slice=give, cancelled=cancelled)


class PlainEngine:
    """Answers at once and without a model: slice 3 and 4 are suspicious."""

    def __init__(self, post: Callable[[EngineMessage], None]) -> None:
        self.post = post
        self.requests: list[PredictRequest] = []
        self.glances: list[PredictRequest] = []
        self.looks: list[tuple[int, int]] = []
        self.is_started = False
        self.answers = True
        self.identity = ModelIdentity("plain", "1", "a" * 64)

    def start(self) -> None:
        self.is_started = True
        self.post(EngineReady("cpu", 0.1))

    def prepare(self, model: object) -> None:
        self.prepared = model

    def glance(self, request: PredictRequest, volume: Volume) -> None:
        self.glances.append(request)

    def look_at(self, request_id: int, index: int) -> None:
        self.looks.append((request_id, index))

    def predict(self, request: PredictRequest, volume: Volume) -> None:
        self.requests.append(request)
        prediction = SeriesPrediction(self.identity, "hemorrhage", 0.4)
        self.post(PredictionStarted(request.id, prediction))
        if not self.answers:
            return
        for index in range(volume.slices):
            chance = 0.9 if index in (3, 4) else 0.1
            heat = HeatMap(np.ones((4, 4), np.float32), (0.0, 0.0, 40.0, 32.0), "hemorrhage")
            answer = SlicePrediction(
                index, {"hemorrhage": chance, "no_hemorrhage": 1 - chance}, heat
            )
            self.post(SliceAnswered(request.id, self.identity, answer))
        self.post(PredictionFinished(request.id, 0.95, 0.2))

    def die(self) -> None:
        self.post(EngineDied("was ended by signal 9"))

    def cancel(self, request_id: int) -> None:
        pass

    def close(self) -> None:
        pass


SKIPPED = Skipped(Path("readme.txt"), "it is not an image")
