"""Explaining: what heat maps cost, against inference alone and against pytorch-grad-cam."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from core.bench.models_made import best_of, check, made, series, shipped
from core.bench.timing import Figure, paired
from core.models.architectures.classifier import normalise
from core.models.explanation import evidence
from core.models.loading import NetworkPredictor
from core.models.reference import seeded_input

ROUNDS = 9
_PAIRS = 41
_SLICES = 12


def measure() -> dict[str, Any]:
    """All figures, for `sliceloop bench explain`."""
    predictor = shipped("auto")
    case = series(_SLICES)
    cube = made("resnet3d", 128, 3, "auto")
    figures = [
        _cost("shipped model: a series with heat maps", predictor, case),
        _cost("3D ResNet at 128³: a volume with heat maps", cube, case),
    ]
    checks, note = [], ""
    if find_spec("pytorch_grad_cam") is None:
        note = "pytorch-grad-cam is not installed: its figures are left out"
    else:
        for name, ours in (
            ("shipped model", predictor),
            ("ResNet-18 at 512²", made("resnet18", 512, 2, "auto")),
        ):
            figure, difference = _against_library(name, ours)
            figures.append(figure)
            checks.append(check(f"{name}: relative difference to its map", difference, 1e-5))
    return {
        "threads": torch.get_num_threads(),
        "figures": [figure.as_dict() for figure in figures],
        "checks": checks,
        "note": note,
    }


def _cost(name: str, predictor: NetworkPredictor, case: Any) -> Figure:
    baseline, ratio = paired(
        lambda: list(predictor.predict_volume(case, explain=True)),
        lambda: list(predictor.predict_volume(case, explain=False)),
        _PAIRS,
    )
    return Figure(
        name, baseline * ratio, "without heat maps", baseline, 1.03, higher_is_better=False
    )


def _against_library(name: str, ours: NetworkPredictor) -> tuple[Figure, float]:
    """One slice, from prepared pixels to probability and map; and how far the maps differ."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    spec = ours.card.preprocessing
    pixels = seeded_input(ours.card, 5)
    image = normalise(torch.from_numpy(pixels), spec.mean, spec.std)
    output = ours.card.positive_output
    targets = [ClassifierOutputTarget(output)]
    with torch.enable_grad(), GradCAM(ours.model, [ours.model.trunk]) as library:
        library(image, targets)
        theirs = library.get_cam_image(
            image,
            ours.model.trunk,
            targets,
            library.activations_and_grads.activations[0],
            library.activations_and_grads.gradients[0].numpy(),
        )[0]
        taken = best_of(
            {
                "ours": lambda: ours.members[0].look(pixels, output),
                "theirs": lambda: library(image, targets),
            },
            ROUNDS,
        )
    with torch.no_grad():
        mine = evidence(ours.model, ours.model.maps(image), output)[0].numpy()
    scale = float(np.abs(theirs).max())
    difference = float(np.abs(mine - theirs).max()) / scale
    figure = Figure(
        f"{name}: a slice's answer and map",
        taken["ours"],
        "pytorch-grad-cam",
        taken["theirs"],
        3.0,
        higher_is_better=True,
    )
    return figure, difference
