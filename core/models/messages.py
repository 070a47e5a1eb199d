"""What the window and the engine process say to each other. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.errors import CoreError
from core.imaging.volume import SeriesSummary
from core.models.answers import ModelIdentity, SeriesPrediction, SlicePrediction


@dataclass(frozen=True)
class PredictRequest:
    """Ask a model about a volume.

    id: chosen by the asker; answers carry it. first: slice to answer first. device: "auto",
    "cpu", "cuda" or "mps". class_id: what heat maps speak for; the positive class if None.
    runtime: "auto" takes what was measured to be faster. A newer request ends an older one at
    its next batch.
    """

    id: int
    model_folder: Path
    first: int
    explain: bool = True
    device: str = "auto"
    class_id: str | None = None
    runtime: Literal["torch", "openvino", "auto"] = "auto"


@dataclass(frozen=True)
class PrepareModel:
    """Load a model that will be asked soon.

    Nothing comes back; what is wrong with it, the first question tells.
    """

    model_folder: Path
    device: str = "auto"
    runtime: Literal["torch", "openvino", "auto"] = "auto"


@dataclass(frozen=True)
class SharedVoxels:
    """Voxels of a volume in shared memory, and what is needed to make a Volume of them."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    slope: tuple[float, ...]
    intercept: tuple[float, ...]
    summary: SeriesSummary


@dataclass(frozen=True)
class Work:
    """A request with its pixels."""

    request: PredictRequest
    voxels: SharedVoxels


@dataclass(frozen=True)
class Cancel:
    """Stop working on a request."""

    request_id: int


@dataclass(frozen=True)
class LookAt:
    """The reader went on to another slice of the series of a request: it is answered next."""

    request_id: int
    index: int


@dataclass(frozen=True)
class SlicesAhead:
    """The visible slice with the neighbours that the model reads, sent before all others.

    A long series takes a while to be read, to be copied and to be recognised; its visible slice is
    answered meanwhile. voxels: these slices alone, of which the first is slice `low`; their
    summary is that of the whole series. is_glance: the series is still being read, and what is
    under way goes on after this; else the whole series follows at once.
    """

    request: PredictRequest
    voxels: SharedVoxels
    low: int
    is_glance: bool = False


@dataclass(frozen=True)
class EngineReady:
    """The engine has imported its libraries."""

    device: str
    seconds: float


@dataclass(frozen=True, eq=False)
class PredictionStarted:
    """The model is loaded and accepts the series; `prediction` is empty yet."""

    request_id: int
    prediction: SeriesPrediction


@dataclass(frozen=True, eq=False)
class SliceAnswered:
    """One slice's answer."""

    request_id: int
    model: ModelIdentity
    answer: SlicePrediction


@dataclass(frozen=True)
class PredictionFinished:
    """All slices are answered.

    conflict: a sentence where slices and series contradict each other, or "". notes: what
    was found while answering, sentences.
    """

    request_id: int
    series_probability: float
    seconds: float
    conflict: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RequestFailed:
    """The request could not be done, and the engine lives on."""

    request_id: int
    error: CoreError


@dataclass(frozen=True)
class EngineDied:
    """The engine process ended by itself; the client starts another."""

    how: str


EngineMessage = (
    EngineReady
    | PredictionStarted
    | SliceAnswered
    | PredictionFinished
    | RequestFailed
    | EngineDied
)
