"""The network as it answers: 8-bit pixels in, logits and last feature maps out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from core.models.architectures.classifier import Classifier, normalise
from core.models.card import Preprocessing


class Deployed(nn.Module):
    """A classifier behind the card's normalisation, for exporting and for running alike."""

    def __init__(self, model: Classifier, spec: Preprocessing) -> None:
        super().__init__()
        self.model = model
        self.mean, self.std = spec.mean, spec.std

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (n, channels, …) → logits (n, outputs) and maps, of one pass."""
        maps = self.model.maps(normalise(pixels, self.mean, self.std))
        return self.model.classify(maps), maps


@contextmanager
def quietly() -> Iterator[None]:
    """Without gradients, and without what tracing says about shapes that are fixed here."""
    import warnings

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
