"""One network of a model at work: views, batches that fit into memory, and evidence."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import NotEnoughMemoryError
from core.models.card import Card

Choice = Literal["torch", "openvino", "auto"]
Precision = Literal["f32", "bf16"]

BATCH = 16
"""Inputs that are computed at once, to begin with; a cube of 128³ is as much as 128 slices."""
_OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "bad alloc")
_log = logging.getLogger(__name__)


class Look(NamedTuple):
    """What a network says of n inputs: logits (n, outputs), and evidence (n, …) if asked for."""

    logits: NDArray[np.float64]
    evidence: NDArray[np.float32] | None


class Runtime(Protocol):
    """Something that computes a network."""

    name: str
    """For people, such as "OpenVINO f32 on CPU"."""

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Any]:
        """uint8 (n, channels, …) → float32 logits (n, outputs), and last feature maps.

        The maps are the runtime's own kind of array, for `evidence`.
        """

    def evidence(self, maps: Any, output: int) -> NDArray[np.float32]:
        """Grad-CAM of one logit at the maps, (n, …); see `core.models.explanation`."""


class Member:
    """A network with what computes it. A model has one; an ensemble several.

    to_cpu: makes the runtime that takes over when a graphics card has no memory for a single
    input; None on the CPU.
    """

    def __init__(
        self, card: Card, runtime: Runtime, to_cpu: Callable[[], Runtime] | None = None
    ) -> None:
        self.card = card
        self.runtime = runtime
        self.to_cpu = to_cpu
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
                    found.append(self.runtime.evidence(maps, output))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._shrink(len(part))
                continue
            logits.append(values.astype(np.float64))
            done += len(part)
        return Look(np.concatenate(logits), np.concatenate(found) if found else None)

    def _shrink(self, tried: int) -> None:
        """Halve the batch; where a single input is too much for the device, go to the CPU."""
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()
        if tried > 1:
            self.batch = max(1, tried // 2)
            words = f"Memory ran out: {self.batch} at a time from now on."
        elif self.to_cpu is not None:
            self.runtime, self.to_cpu = self.to_cpu(), None
            words = "The memory of the graphics card ran out: the CPU answers from now on."
        else:
            raise NotEnoughMemoryError(self.card.id)
        self.notes.append(words)
        _log.info("%s", words)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch, OpenVINO or Python says that memory ran out."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    words = str(error).lower()
    return any(sign in words for sign in _OUT_OF_MEMORY)
