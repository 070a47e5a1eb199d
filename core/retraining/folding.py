"""Cross-validation by patient: which rows each fold holds out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def grouped_folds(
    truth: NDArray[np.bool_], groups: Rows, folds: int, seed: int
) -> list[NDArray[np.bool_]]:
    """Masks of the rows that each fold holds out.

    Whole patients, those with a finding spread evenly; each row is held out exactly once.
    """
    random = np.random.default_rng(seed)
    held = [np.zeros(len(groups), bool) for _ in range(folds)]
    ill = np.unique(groups[truth])
    well = np.setdiff1d(np.unique(groups), ill)
    for kind, first in ((random.permutation(ill), 0), (random.permutation(well), len(ill))):
        for place, group in enumerate(kind):
            held[(first + place) % folds] |= groups == group
    return held
