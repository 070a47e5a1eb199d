"""Weights on a device, answering for prepared slices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from core.errors import DamagedModelError
from core.imaging.intensity import Quantity
from core.imaging.volume import Cancelled, Volume
from core.models import context
from core.models.answers import HeatMap, SlicePrediction
from core.models.architectures.classifier import Classifier, build, normalise
from core.models.card import Calibration, Card, Preprocessing, check_weights, read_card
from core.models.explanation import contributions
from core.models.preprocessing import Box, Prepared, prepare, prepare_slice

BATCH = 16
Probabilities = NDArray[np.float64]


class SliceSet(Protocol):
    """What `Predictor.predict_dataset` needs of a training set."""

    def quantity_of(self, row: int) -> Quantity:
        """What the values of one slice are."""

    def plane(self, row: int) -> NDArray[np.generic]:
        """Modality values of one slice."""

    def neighbours(self, row: int, reach: int) -> list[int]:
        """Rows of the slice's neighbours, itself in the middle."""


def best_device(wanted: str = "auto") -> torch.device:
    """The device to compute on: what was asked for, or CUDA, MPS, CPU, whichever is there."""
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


class Predictor:
    """A model that is ready to answer. Made by `load_predictor`."""

    def __init__(self, card: Card, model: Classifier, device: torch.device) -> None:
        self.card = card
        self.device = device
        self.model = model.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def run(self, pixels: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """Logits (n, outputs) and feature maps (n, features, rows, cols) of prepared pixels."""
        card = self.card
        return look(
            self.model,
            torch.from_numpy(pixels).to(self.device),
            card.preprocessing,
            card.flip_averaging,
        )

    def heat_map(self, prepared: Prepared) -> HeatMap:
        """What speaks for the positive class on one slice, taken alone."""
        _, maps = self.run(prepared.pixels[None])
        return self._heat(maps, [prepared.box])[0]

    def _heat(self, maps: Tensor, boxes: Iterable[Box]) -> list[HeatMap]:
        # The explanation is of the positive class; calibration scales it as it scales the logit.
        output = 0 if len(self.card.classes) == 2 else self.card.classes.index(self.card.positive)
        with torch.inference_mode():
            values = contributions(self.model, maps, output) * self.card.calibration.slope
        found = values.float().cpu().numpy()
        return [HeatMap(found[k], box, self.card.positive) for k, box in enumerate(boxes)]

    def predict_volume(
        self,
        volume: Volume,
        *,
        first: int | None = None,
        explain: bool = True,
        cancelled: Cancelled = lambda: False,
    ) -> Iterator[SlicePrediction]:
        """Answers for every slice, slice `first` before all others, then outwards from it.

        A slice is answered as soon as its context is computed: `first` after its own
        neighbours, which is the first batch.
        """
        spec, reach = self.card.preprocessing, len(self.card.context) // 2
        order = outwards(volume.slices, volume.slices // 2 if first is None else first)
        start = 2 * reach + 1
        batches = [order[:start], *(order[k : k + BATCH] for k in range(start, len(order), BATCH))]
        logits: dict[int, Probabilities] = {}
        heat: dict[int, HeatMap] = {}
        waiting = list(order)
        for batch in filter(None, batches):
            if cancelled():
                return
            prepared = [prepare_slice(volume, index, spec) for index in batch]
            found, maps = self.run(np.stack([item.pixels for item in prepared]))
            logits |= dict(zip(batch, found.cpu().double().numpy(), strict=True))
            if explain:
                boxes = [item.box for item in prepared]
                heat |= dict(zip(batch, self._heat(maps, boxes), strict=True))
            for index in list(waiting):
                near = context.around(index, volume.slices, reach)
                if all(other in logits for other in near):
                    waiting.remove(index)
                    yield self._answer(index, [logits[other] for other in near], heat.get(index))

    def _answer(
        self, index: int, logits: Sequence[Probabilities], heat: HeatMap | None
    ) -> SlicePrediction:
        mean = context.average(np.stack(logits), self.card.context)
        shares = calibrated(self.card, mean[None])[0]
        named = dict(zip(self.card.classes, (float(share) for share in shares), strict=True))
        return SlicePrediction(index, named, heat)

    def predict_dataset(
        self,
        dataset: SliceSet,
        rows: NDArray[np.int64],
        progress: Callable[[int, int], None] | None = None,
    ) -> Probabilities:
        """Probabilities (n, classes) for rows of a training set."""
        return calibrated(self.card, self.logits_of(dataset, rows, progress))

    def logits_of(
        self,
        dataset: SliceSet,
        rows: NDArray[np.int64],
        progress: Callable[[int, int], None] | None = None,
    ) -> Probabilities:
        """Uncalibrated logits (n, outputs), float64, for rows of a training set, in context."""

        def score(needed: NDArray[np.int64]) -> Probabilities:
            spec = self.card.preprocessing
            found = np.zeros((len(needed), self.card.architecture.outputs))
            for start in range(0, len(needed), BATCH):
                batch = needed[start : start + BATCH]
                pixels = np.stack([prepare_row(dataset, int(row), spec).pixels for row in batch])
                found[start : start + len(batch)] = self.run(pixels)[0].cpu().double().numpy()
                if progress:
                    progress(start + len(batch), len(needed))
            return found

        return context.score_in_context(rows, dataset.neighbours, self.card.context, score)


@torch.inference_mode()
def look(
    model: Classifier, pixels: Tensor, spec: Preprocessing, flip_averaging: bool
) -> tuple[Tensor, Tensor]:
    """Logits (n, outputs) and feature maps of 8-bit prepared pixels, as training scores them too.

    With `flip_averaging` both are means over the slice and its mirror image; the head being
    linear, logits and explanation still agree.
    """
    image = normalise(pixels, spec.mean, spec.std)
    maps = model.maps(image)
    if flip_averaging:
        maps = (maps + model.maps(image.flip(3)).flip(3)) / 2
    return model.classify(maps), maps


def prepare_row(dataset: SliceSet, row: int, spec: Preprocessing) -> Prepared:
    """Prepare one slice of a training set, exactly as `prepare_slice` does for a volume."""
    planes = [dataset.plane(k) for k in dataset.neighbours(row, spec.reach)]
    return prepare(planes, dataset.quantity_of(row), spec)


def outwards(count: int, first: int) -> list[int]:
    """Indices 0 … count − 1, beginning with `first`, then by distance from it."""
    return sorted(range(count), key=lambda index: (abs(index - first), index))


def calibrated(card: Card, logits: Probabilities) -> Probabilities:
    """Logits (n, outputs) → probabilities (n, classes) as the card calibrates them."""
    positive = card.classes.index(card.positive)
    return calibrated_by(card.calibration, logits, len(card.classes), positive)


def calibrated_by(
    calibration: Calibration, logits: Probabilities, classes: int, positive: int
) -> Probabilities:
    """Logits (n, outputs) → probabilities (n, classes), each row summing to 1."""
    if classes == 2:
        odds = calibration.slope * logits[:, 0] + calibration.intercept
        share = np.exp(-np.logaddexp(0.0, -odds))
        both = np.stack([1.0 - share, share], axis=1)
        return both if positive == 1 else both[:, ::-1]
    scaled = calibration.slope * logits[:, :classes]
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: Probabilities = weights / weights.sum(axis=1, keepdims=True)
    return shares


def load_predictor(folder: Path, device: str = "auto") -> Predictor:
    """Read card and weights of a model folder and make them ready.

    Raises DamagedModelError if the hash, the architecture, a shape or a number is not right.
    """
    card = read_card(folder)
    path = check_weights(folder, card)
    try:
        model = build(card.architecture, card.preprocessing.channels)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"its architecture cannot be built: {error}"
        raise DamagedModelError(folder, reason) from error
    fill(model, path)
    return Predictor(card, model, best_device(device))


def fill(model: Classifier, path: Path) -> None:
    """Load safetensors into a model. Raises DamagedModelError; runs no code from the file."""
    try:
        state = {
            name: tensor.float() if tensor.is_floating_point() else tensor
            for name, tensor in load_file(path).items()
        }
        if any(not torch.isfinite(t).all() for t in state.values() if t.is_floating_point()):
            raise DamagedModelError(path, "some of its numbers are not finite")
        model.load_state_dict(state)
    except (SafetensorError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedModelError(path, f"its weights do not fit: {reason}") from error


def reference_logits(predictor: Predictor, seed: int) -> tuple[float, ...]:
    """The model's logits on an input made from a seed: what `Reference` records."""
    spec = predictor.card.preprocessing
    noise = np.random.default_rng(seed).integers(
        0, 256, (1, spec.channels, spec.size, spec.size), dtype=np.uint8
    )
    logits, _ = predictor.run(noise)
    return tuple(round(float(value), 6) for value in logits[0].cpu())
