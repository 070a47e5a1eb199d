"""Answers that were given already, by pixels and by what answered. Nothing here imports torch."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import numpy as np

from core.imaging.volume import Volume
from core.models.answers import SlicePrediction
from core.models.card import Card

SERIES_KEPT = 16
"""Series whose answers are kept, those asked about last."""

Answers = dict[int, SlicePrediction]
"""Slice index → its answer."""


class AnswerMemory:
    """Answers of the series asked about last; a partly answered series goes on where it stopped.

    The key is made of everything that an answer depends on: the voxels with their scale and
    place, the whole card (another calibration of the same weights answers otherwise), the class
    explained and what computes.
    """

    def __init__(self, kept: int = SERIES_KEPT) -> None:
        self._kept = kept
        self._answers: OrderedDict[str, Answers] = OrderedDict()

    def of(self, volume: Volume, card: Card, *how: object) -> Answers:
        """What is known of a volume, to be read and filled. how: whatever else decides."""
        key = key_of(volume, card, *how)
        known = self._answers.setdefault(key, {})
        self._answers.move_to_end(key)
        while len(self._answers) > self._kept:
            self._answers.popitem(last=False)
        return known


def key_of(volume: Volume, card: Card, *how: object) -> str:
    """SHA-256 hex over pixels, scale, place, card and whatever else decides."""
    # Not BLAKE2: processors have instructions for SHA, and a long series is 150 MB.
    digest = hashlib.sha256(np.ascontiguousarray(volume.voxels).data)
    for numbers in (volume.slope, volume.intercept, volume.geometry.affine):
        digest.update(np.ascontiguousarray(numbers).tobytes())
    facts = (volume.voxels.dtype.str, volume.voxels.shape, volume.summary.quantity.value, *how)
    digest.update(repr(facts).encode())
    digest.update(card.model_dump_json().encode())
    return digest.hexdigest()
