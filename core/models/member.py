"""One network of a model at work: views, batches that fit into memory, and evidence."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import NotEnoughMemoryError
from core.models.architectures.classifier import Classifier
from core.models.card import Card
from core.models.explanation import evidence
from core.models.runtime import Choice, Precision, Runtime, TorchRuntime, make_runtime

BATCH = 16
"""Inputs that are computed at once, to begin with; a cube of 128³ is as much as 128 slices."""
_OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "bad alloc")
_log = logging.getLogger(__name__)


class Look(NamedTuple):
    """What a network says of n inputs: logits (n, outputs), and evidence (n, …) if asked for."""

    logits: NDArray[np.float64]
    evidence: NDArray[np.float32] | None


class Member:
    """A network with what computes it. A model has one; an ensemble several."""

    def __init__(
        self,
        card: Card,
        model: Classifier,
        device: torch.device,
        choice: Choice = "torch",
        precision: Precision = "f32",
    ) -> None:
        self.card = card
        self.model = model
        self.runtime: Runtime = make_runtime(model, card, device, choice, precision)
        self._on_cpu = device.type == "cpu"
        self.batch = BATCH if card.preprocessing.dimensions == 2 else 1
        self.notes: list[str] = []
        """What was done because memory ran out, sentences."""

    def look(self, pixels: NDArray[np.uint8], output: int | None = None) -> Look:
        """Logits of n inputs, and what speaks for one of them, both averaged over the views.

        pixels: uint8 (n, channels, …). output: logit that is explained; None for no evidence.
        Raises NotEnoughMemoryError if even a single input does not fit.
        """
        first = self._view(pixels, output)
        if not self.card.flip_averaging:
            return first
        mirrored = self._view(np.ascontiguousarray(pixels[..., ::-1]), output)
        logits = (first.logits + mirrored.logits) / 2
        if first.evidence is None or mirrored.evidence is None:
            return Look(logits, None)
        both = (first.evidence + mirrored.evidence[..., ::-1]) * np.float32(0.5)
        return Look(logits, both.astype(np.float32, copy=False))

    def _view(self, pixels: NDArray[np.uint8], output: int | None) -> Look:
        done, logits, found = 0, [], []
        while done < len(pixels):
            part = pixels[done : done + self.batch]
            try:
                values, maps = self.runtime(part)
                if output is not None:
                    found.append(self._evidence(maps, output))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._shrink(len(part))
                continue
            logits.append(values.astype(np.float64))
            done += len(part)
        return Look(np.concatenate(logits), np.concatenate(found) if found else None)

    def _evidence(self, maps: Tensor, output: int) -> NDArray[np.float32]:
        found: NDArray[np.float32] = evidence(self.model, maps, output).float().cpu().numpy()
        return found

    def _shrink(self, tried: int) -> None:
        """Halve the batch; where a single input is too much for the device, go to the CPU."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if tried > 1:
            self.batch = max(1, tried // 2)
            words = f"Memory ran out: {self.batch} at a time from now on."
        elif not self._on_cpu:
            self._on_cpu = True
            self.runtime = TorchRuntime(self.model, self.card, torch.device("cpu"))
            words = "The memory of the graphics card ran out: the CPU answers from now on."
        else:
            raise NotEnoughMemoryError(self.card.id)
        self.notes.append(words)
        _log.info("%s", words)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch, OpenVINO or Python says that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    words = str(error).lower()
    return any(sign in words for sign in _OUT_OF_MEMORY)
