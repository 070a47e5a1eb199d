"""What a model says, as small frozen values. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Labelling = Literal["one-of", "any-of"]
"""Whether classes exclude each other."""


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Evidence for one class on one slice, in slice pixel coordinates.

    values: (rows, cols) float32 at the network's own resolution: the class's contribution to
        its logit from each place (Grad-CAM at the last stage before pooling), negative parts
        kept. Not rescaled per slice: the same number means the same evidence everywhere.
    box: (top, left, height, width) of the area of the slice that the values cover, in pixels,
        float; it may reach over the slice's edges, where the crop was padded.
    class_id: the class explained.
    """

    values: NDArray[np.float32]
    box: tuple[float, float, float, float]
    class_id: str


@dataclass(frozen=True, eq=False)
class SlicePrediction:
    """A model's answer for one slice.

    probabilities: class id → probability, calibrated as the card says; they sum to 1 where
        classes exclude each other.
    spread: lowest and highest probability of the positive class that a member of an ensemble
        gave; None where one network answered.
    provisional: the slice was asked alone, so that something stands there at once; the answer
        in the context of its neighbours follows. The heat map is already the final one.
    strangeness: how far the slice looks from those that the model learnt from, above 1 unlike
        them; None where the card does not say how they look, and for most slices of a long series.
    of_volume: the probabilities are the volume's, not of this slice alone; the heat map is this
        slice's part of the volume's.
    """

    index: int
    probabilities: dict[str, float]
    heat_map: HeatMap | None = None
    spread: tuple[float, float] | None = None
    provisional: bool = False
    of_volume: bool = False
    strangeness: float | None = None

    def predicts(
        self, class_id: str, positive: str, threshold: float, labelling: Labelling = "one-of"
    ) -> bool:
        """Whether the model calls a class here: at the threshold, or the likeliest of the others.

        A heat map of a class that is not predicted shows what speaks for it all the same; it must
        be said that the model did not decide so. Raises KeyError for an unknown class.
        """
        called = self.probabilities[positive] >= threshold
        if class_id == positive:
            return called
        if labelling == "any-of":
            return self.probabilities[class_id] >= threshold
        rest = {name: p for name, p in self.probabilities.items() if name != positive}
        return not called and rest[class_id] == max(rest.values())


@dataclass(frozen=True)
class ModelIdentity:
    """Which weights answered: name, version, and the first thing that must match, the hash."""

    id: str
    version: str
    weights_sha256: str


@dataclass(frozen=True, eq=False)
class SeriesPrediction:
    """A model's answers for a whole series; slices fill in as they are computed.

    series_probability: probability of the positive class for the series as a whole, or None
        until all slices are there. conflict: a sentence where slices and series disagree, or "".
        cautions: what the input guard says about this series. notes: what was found while
        answering: memory that ran out, pictures unlike those that the model learnt from.
        labelling: whether classes exclude each other. series_threshold: the operating threshold
        of `series_probability`; None where it is that of the slices.
    """

    model: ModelIdentity
    positive: str
    threshold: float
    slices: dict[int, SlicePrediction] = field(default_factory=dict)
    series_probability: float | None = None
    conflict: str = ""
    cautions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    labelling: Labelling = "one-of"
    series_threshold: float | None = None

    @property
    def is_of_volume(self) -> bool:
        """Whether a model of volumes answered: every slice then says the same."""
        return any(answer.of_volume for answer in self.slices.values())
