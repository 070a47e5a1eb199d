"""Heat maps by a chosen method: the fast one that the window shows, and slower ones to compare."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from core.models.answers import HeatMap
from core.models.architectures.classifier import normalise
from core.models.calibration import calibrated
from core.models.layers import AUTOMATIC, Method, explain_layer
from core.models.loading import NetworkPredictor
from core.models.occlusion import occlusion
from core.models.preprocessing import Prepared

AnyMethod = Literal["closed-form", "grad-cam", "grad-cam++", "occlusion"]
"""closed-form: Grad-CAM at the last feature maps without a pass through the trunk (the window's).
grad-cam, grad-cam++: at any layer. occlusion: what covering a part of the input does."""
METHODS: tuple[str, ...] = get_args(AnyMethod)


def heat_map_by(
    predictor: NetworkPredictor,
    prepared: Prepared,
    method: AnyMethod = "closed-form",
    *,
    class_id: str | None = None,
    layer: str = AUTOMATIC,
) -> HeatMap:
    """What speaks for a class on one prepared slice, in the units of the calibrated logit.

    Of an ensemble, the mean of its members'. The map of occlusion covers the slice's area by
    the centres of its windows. Raises KeyError for an unknown layer.
    """
    shown = class_id or predictor.card.positive
    if method == "closed-form":
        return predictor.heat_map(prepared, shown)
    output, sign = predictor.card.output_of(shown)
    scale = np.float32(sign * predictor.card.calibration.slope)
    spec = predictor.card.preprocessing
    if method == "occlusion":
        window, stride = max(8, spec.size // 6), max(4, spec.size // 12)

        def ask(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
            said = [member.look(pixels).logits[:, output] for member in predictor.members]
            mean: NDArray[np.float64] = np.mean(said, axis=0)
            return mean

        values = occlusion(ask, prepared.pixels, window, stride) * scale
        top, left, height, width = prepared.box
        # Windows overlap: the grid's cells are as wide as a step, around the windows' centres.
        edge = (window - stride) / 2 / spec.size
        part = values.shape[0] * stride / spec.size
        box = (top + edge * height, left + edge * width, part * height, part * width)
        return HeatMap(values, box, shown)
    image = normalise(torch.from_numpy(prepared.pixels[None]), spec.mean, spec.std)
    chosen: Method = method
    maps = [
        explain_layer(member.model, image.to(predictor.device), output, layer, chosen)[0]
        for member in predictor.members
    ]
    found = torch.stack(maps).mean(dim=0).float().cpu().numpy() * scale
    return HeatMap(found, prepared.box, shown)


def probability_of(
    predictor: NetworkPredictor, pixels: NDArray[np.uint8], class_id: str
) -> NDArray[np.float64]:
    """Probability of a class for prepared inputs, each alone: (n,)."""
    place = predictor.card.classes.index(class_id)
    votes = [
        calibrated(predictor.card, member.look(pixels).logits)[:, place]
        for member in predictor.members
    ]
    mean: NDArray[np.float64] = np.mean(votes, axis=0)
    return mean
