"""Drawings that a file brings along, such as DICOM overlay planes, as they lie over its slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Drawing:
    """All that is drawn over one slice, one bit a pixel: whole series stay small.

    shape: (rows, columns). bits: rows * columns bits, most significant first, filled up to a byte.
    """

    shape: tuple[int, int]
    bits: NDArray[np.uint8]

    @classmethod
    def of(cls, masks: Sequence[Mask]) -> Drawing | None:
        """What several masks of one shape show together; None if that is nothing."""
        if not masks or not any(mask.any() for mask in masks):
            return None
        every = np.logical_or.reduce(list(masks))
        rows, columns = every.shape
        return cls((int(rows), int(columns)), np.packbits(every))

    def mask(self) -> Mask:
        """(rows, columns), True where something is drawn."""
        rows, columns = self.shape
        flat = np.unpackbits(self.bits, count=rows * columns)
        return flat.reshape(self.shape).view(np.bool_)
