"""Predicting: our answers against the bare fastest engine and against eager torch.

*Bare* is OpenVINO in float32 with the same graph and nothing around it; *eager* is torch as it
comes, one input at a time. The first answer is timed from the question to the visible slice's
probability with its heat map, the model being loaded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from core.bench.models_made import best_of, check, made, series, shipped
from core.bench.timing import Figure
from core.models.predictor import Predictor, calibrated
from core.models.runtime import OpenVinoRuntime, seeded_input

ROUNDS = 12
_CASES = (
    ("shipped model, 2D at 192²", None, 192, 2, 1.15),
    ("ResNet-18, 2D at 512²", "resnet18", 512, 2, 1.15),
    ("3D ResNet at 128³", "resnet3d", 128, 3, 4.0),
)


def measure() -> dict[str, Any]:
    """All figures, for `sliceloop bench predict`."""
    figures, checks = [], []
    for name, family, size, dimensions, faster in _CASES:
        ours = shipped("auto") if family is None else made(family, size, dimensions, "auto")
        eager = shipped("torch") if family is None else made(family, size, dimensions, "torch")
        found, difference = _one(name, ours, eager, faster)
        figures += found
        checks.append(check(f"{name}: largest difference of a probability", difference, 1e-4))
    figures.append(_first_answer())
    return {
        "threads": torch.get_num_threads(),
        "figures": [figure.as_dict() for figure in figures],
        "checks": checks,
    }


def _one(name: str, ours: Predictor, eager: Predictor, faster: float) -> tuple[list[Figure], float]:
    card = ours.card
    pixels = seeded_input(card, 5)
    bare = OpenVinoRuntime(ours.model, card).bare
    taken = best_of(
        {
            "ours": lambda: ours.members[0].look(pixels),
            "bare": lambda: bare(pixels),
            "eager": lambda: eager.members[0].runtime(pixels),
        },
        ROUNDS,
    )
    several = seeded_input(card, 6, 4)
    both = [calibrated(card, p.members[0].look(several).logits) for p in (ours, eager)]
    figures = [
        Figure(
            f"{name}: an answer ({ours.runtime})",
            taken["ours"],
            "bare OpenVINO f32",
            taken["bare"],
            1.15,
            higher_is_better=False,
        ),
        Figure(
            f"{name}: an answer ({ours.runtime})",
            taken["ours"],
            "eager torch",
            taken["eager"],
            faster,
            higher_is_better=True,
        ),
    ]
    return figures, float(np.abs(both[0] - both[1]).max())


def _first_answer() -> Figure:
    predictor = shipped("auto")
    case = series(24)
    pixels = seeded_input(predictor.card, 5)
    runtime = predictor.members[0].runtime
    taken = best_of(
        {
            "first": lambda: next(iter(predictor.predict_volume(case, first=11, provisional=True))),
            "pass": lambda: runtime(pixels),
        },
        ROUNDS,
    )
    return Figure(
        "shipped model: the visible slice's answer and map",
        taken["first"],
        "one forward pass",
        taken["pass"],
        1.5,
        higher_is_better=False,
    )
