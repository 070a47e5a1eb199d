"""Model cards: what weights are, what they were made from, and what they may be used on.

Weights never travel without their card; it lies beside them as `card.json`. Nothing here
imports torch.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core import durable
from core.errors import DamagedModelError
from core.imaging.intensity import Quantity
from core.models.answers import Labelling, ModelIdentity

CARD_FILE = "card.json"
WEIGHTS_FILE = "model.safetensors"
_HEX = set("0123456789abcdef")


class _Frozen(BaseModel):
    # Built when the first card is read: the window imports this before it reads any.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Preprocessing(_Frozen):
    """How a slice becomes the network's input; read by `core.models.preprocessing` alone."""

    size: int = Field(192, ge=16, le=1024)
    """Rows and columns of the network's input, pixels."""
    window_center: float = 40.0
    """Centre of the window applied to Hounsfield units, HU (LINEAR_EXACT)."""
    window_width: float = Field(120.0, gt=0)
    """Width of that window, HU."""
    crop: Literal["foreground", "whole"] = "foreground"
    """`foreground`: the square around the largest bright object; `whole`: the whole picture."""
    reach: int = Field(1, ge=0, le=4)
    """Neighbouring slices on each side that enter as channels; ends repeat the slice itself."""
    mean: float | tuple[float, ...] = 0.5
    """Subtracted from grey levels in [0, 1]; one number, or one a channel."""
    std: float | tuple[float, ...] = 0.5
    """Then divided by; one number, or one a channel."""
    dimensions: Literal[2, 3] = 2
    """2: a slice with its neighbours; 3: the volume as a cube of `size` in each direction."""
    depth: bool = False
    """Volumes that are shape masks: how deep a voxel lies below the surface, instead of its grey
    level, so that thickness survives resampling."""

    @model_validator(mode="after")
    def _one_a_channel(self) -> Preprocessing:
        if self.depth and self.dimensions != 3:
            raise ValueError("depth is of volumes")
        for values in (self.mean, self.std):
            if isinstance(values, tuple) and len(values) != self.channels:
                raise ValueError(f"mean and std need one number, or {self.channels}")
        divisors = self.std if isinstance(self.std, tuple) else (self.std,)
        if min(divisors) <= 0:
            raise ValueError("std must be above zero")
        return self

    @property
    def channels(self) -> int:
        """Input channels: one a slice, never fewer than the three of a pretrained trunk."""
        return 1 if self.dimensions == 3 else max(3, 2 * self.reach + 1)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(channels, size, size), or (1, size, size, size) of a volume."""
        return (self.channels, *(self.size,) * self.dimensions)


class Architecture(_Frozen):
    """Which network the weights fill."""

    family: str
    options: dict[str, Any] = Field(default_factory=dict)
    outputs: int = Field(ge=1)
    """Logits: one (of the positive class) or two for a two-class task, else one a class; then one
    an auxiliary target."""
    parameters: int = Field(ge=1)


class Calibration(_Frozen):
    """Platt scaling of the logits: p = sigmoid(slope × logit + intercept); softmax uses slope.

    Two logits of two classes count as one: that of the positive class less the other's.
    """

    slope: float = Field(1.0, gt=0)
    intercept: float = 0.0
    how: str = "none"
    """What it was fitted on, in words."""


class Pictures(_Frozen):
    """What a training set's prepared pictures look like; see `core.models.familiarity`."""

    center: tuple[float, ...]
    """Mean of each figure."""
    scale: tuple[float, ...]
    """Standard deviation of each figure."""
    inverse: tuple[tuple[float, ...], ...]
    """Inverse of the figures' correlations."""
    limit: float = Field(gt=0)
    """Distance up to which a picture looks familiar."""

    @model_validator(mode="after")
    def _square(self) -> Pictures:
        sizes = {len(self.center), len(self.scale), len(self.inverse), *map(len, self.inverse)}
        if len(sizes) != 1 or min(self.scale) <= 0:
            raise ValueError("center, scale and inverse need as many figures, all scales above 0")
        return self


class Accepts(_Frozen):
    """What the model was made for; `core.models.guard` refuses or flags everything else."""

    quantities: tuple[Quantity, ...]
    modalities: tuple[str, ...] = ()
    """DICOM modalities, empty for any."""
    axial_only: bool = False
    max_tilt_degrees: float | None = None
    plane_distance_mm: tuple[float, float] | None = None
    """Distance between slices that the training data covers."""
    pixel_spacing_mm: tuple[float, float] | None = None
    """Distance between pixels that the training data covers."""
    slices: tuple[int, int] | None = None
    """Fewest and most slices of a series in the training data."""
    pictures: Pictures | None = None
    """What the pictures of the training data look like."""


class Metric(_Frozen):
    """A figure with its uncertainty and how it was measured."""

    name: str
    value: float
    ci95: tuple[float, float]
    n: int
    groups: int
    how: str


class TrainingData(_Frozen):
    """What the weights learnt from."""

    name: str
    licence: str = ""
    citation: str = ""
    dataset_id: str = ""
    split_hash: str = ""
    patients: int = 0
    slices: int = 0
    positives: int = 0


class Reference(_Frozen):
    """A recorded answer on an input that is made from a seed, to prove that weights still work."""

    seed: int
    logits: tuple[float, ...]


class SeriesRule(_Frozen):
    """How the answers of slices become one of their series."""

    how: Literal["max", "top-k", "learned"] = "max"
    """`max`: the highest slice; `top-k`: the mean of the k highest; `learned`: a logistic rule
    on the logits of the highest slice and of the mean of the k highest."""
    k: int = Field(3, ge=1)
    """Slices that `top-k` and `learned` average; all, where there are fewer."""
    weights: tuple[float, float] = (1.0, 0.0)
    """Under `learned`: of the highest slice's logit, and of the top-k mean's."""
    intercept: float = 0.0
    """Under `learned`."""
    threshold: float | None = Field(None, gt=0, lt=1)
    """Under `learned`: operating threshold of the series' probability; the card's if None."""
    fitted_on: str = ""
    """On what the rule was chosen or fitted, and what that gained, in words."""


class Agreement(_Frozen):
    """That a faster number format answers as float32 does, on this model's validation cases."""

    precision: Literal["bf16"]
    cases: int = Field(ge=1)
    decisions_changed: int = Field(ge=0)
    largest_difference: float = Field(ge=0, le=1)
    """Of a probability."""
    how: str
    """On which cases, in words."""

    @property
    def passes(self) -> bool:
        """No decision changed, and no probability by more than 0.01."""
        return self.decisions_changed == 0 and self.largest_difference <= 0.01


class OperatingPoint(_Frozen):
    """What the model does at its threshold, measured where `how` says."""

    sensitivity: float
    specificity: float
    how: str


class CurvePoint(_Frozen):
    """What the model does at one threshold, measured where the operating point was."""

    threshold: float = Field(ge=0, le=1)
    sensitivity: float = Field(ge=0, le=1)
    specificity: float = Field(ge=0, le=1)


class Card(_Frozen):
    """Everything that must be known to use one model's weights, and to distrust them."""

    format: Literal[1] = 1
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,80}$")
    version: str
    title: str
    task: str
    """Label set that the classes belong to; one model is active for each task."""
    created: str
    architecture: Architecture
    preprocessing: Preprocessing
    classes: tuple[str, ...] = Field(min_length=2)
    positive: str
    """The class that stands for a finding."""
    auxiliary: tuple[str, ...] = ()
    """Further targets that the network was trained on and whose answers are not shown."""
    labelling: Labelling = "one-of"
    """`one-of`: classes exclude each other and probabilities sum to 1; `any-of`: each class is
    there or not by itself (one logit a class), and each has a probability of its own."""
    members: tuple[str, ...] = ()
    """SHA-256 of the weights of further members of an ensemble, model-2.safetensors and so on.
    They vote softly: their probabilities are averaged, and the spread is told."""
    flip_averaging: bool = False
    """Whether a slice and its mirror image are both asked, and their logits averaged."""
    context: tuple[float, ...] = (1.0,)
    """Weights of the logits of the slices around one, itself in the middle; see
    `core.models.context`. One weight: each slice is answered alone."""
    calibration: Calibration = Calibration()
    threshold: float = Field(gt=0, lt=1)
    """Operating threshold on the calibrated probability of `positive`."""
    operating_point: OperatingPoint | None = None
    operating_curve: tuple[CurvePoint, ...] = ()
    """Sensitivity and specificity by threshold, rising, measured where `operating_point` was;
    empty on cards made before it was recorded."""
    series_rule: SeriesRule = SeriesRule()
    """How slices become an answer of the series."""
    agreements: tuple[Agreement, ...] = ()
    """Faster number formats that were checked; one that does not pass is never used."""
    accepts: Accepts
    data: TrainingData
    recipe: dict[str, Any]
    """The whole recipe, as it was run."""
    metrics: tuple[Metric, ...] = ()
    limits: tuple[str, ...] = ()
    parent: str | None = None
    """Id of the model whose weights this one started from."""
    reference: Reference | None = None
    weights_sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")

    @model_validator(mode="after")
    def _positive_is_a_class(self) -> Card:
        if self.positive not in self.classes:
            raise ValueError(f"positive class {self.positive!r} is not among the classes")
        if len(self.context) % 2 == 0 or min(self.context) < 0 or sum(self.context) <= 0:
            raise ValueError("context needs an odd number of weights, none negative, not all zero")
        allowed = {len(self.classes)}
        if len(self.classes) == 2 and self.labelling == "one-of":
            allowed.add(1)
        if self.heads not in allowed:
            raise ValueError("outputs do not match classes and auxiliary targets")
        if any(len(digest) != 64 or set(digest) - _HEX for digest in self.members):
            raise ValueError("members are SHA-256 sums of their weights")
        return self

    @property
    def heads(self) -> int:
        """Logits that answer the task; the rest are of auxiliary targets."""
        return self.architecture.outputs - len(self.auxiliary)

    @property
    def positive_output(self) -> int:
        """Index of the positive class's logit."""
        return 0 if self.heads == 1 else self.classes.index(self.positive)

    def output_of(self, class_id: str) -> tuple[int, float]:
        """Which logit speaks for a class, and its sign: −1 where it speaks for the other one.

        Raises ValueError if it is not a class of this model.
        """
        place = self.classes.index(class_id)
        if self.heads == 1:
            return 0, 1.0 if class_id == self.positive else -1.0
        return place, 1.0

    @property
    def series_threshold(self) -> float | None:
        """Operating threshold of a series' probability, where it is not that of the slices."""
        return self.series_rule.threshold if self.series_rule.how == "learned" else None

    @property
    def weight_files(self) -> tuple[tuple[str, str], ...]:
        """(name, SHA-256) of every weight file, the first member's first."""
        rest = ((member_file(k), digest) for k, digest in enumerate(self.members, start=2))
        return ((WEIGHTS_FILE, self.weights_sha256), *rest)

    @property
    def identity(self) -> ModelIdentity:
        """Name, version and hash: what a prediction is signed with."""
        digest = self.weights_sha256
        if self.members:
            digest = hashlib.sha256("".join((digest, *self.members)).encode()).hexdigest()
        return ModelIdentity(self.id, self.version, digest)


def member_file(number: int) -> str:
    """Name of the weight file of a member, counted from 1."""
    return WEIGHTS_FILE if number == 1 else f"model-{number}.safetensors"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_card(folder: Path) -> Card:
    """The card in a model folder. Raises DamagedModelError with what is wrong with it."""
    path = folder / CARD_FILE
    try:
        found = path.stat()
        return _read(path, found.st_ino, found.st_size, found.st_mtime_ns)
    except FileNotFoundError:
        raise DamagedModelError(folder, f"it has no {CARD_FILE}") from None
    except OSError as error:
        raise DamagedModelError(path, error.strerror or "unreadable") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the card"
        raise DamagedModelError(path, f"{place}: {first['msg']}") from error


@functools.lru_cache(maxsize=32)
def _read(path: Path, inode: int, size: int, changed: int) -> Card:
    """A card is asked for before every answer; its file is written whole, never in place."""
    return Card.model_validate_json(path.read_bytes())


def write_card(folder: Path, card: Card) -> None:
    """Write the card beside its weights, durably."""
    durable.write_json(folder / CARD_FILE, json.loads(card.model_dump_json()))


def check_weights(folder: Path, card: Card) -> Path:
    """The (first) weights file, after all hashes have been compared with the card.

    Raises DamagedModelError if a file is absent or is not what the card describes.
    """
    for name, digest in card.weight_files:
        path = folder / name
        if not path.is_file():
            raise DamagedModelError(folder, f"it has no {name}")
        if sha256_of(path) != digest:
            raise DamagedModelError(path, "the weights are not those that the card describes")
    return folder / WEIGHTS_FILE
