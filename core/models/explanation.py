"""Why a model said what it said: Grad-CAM in closed form.

For logits that are linear in globally averaged feature maps, logit_c = Σ_k w_ck · mean(A_k) + b_c,
the gradient ∂logit_c/∂A_k is w_ck / (rows × cols) everywhere, so that Grad-CAM before its ReLU is
Σ_k w_ck A_k / (rows × cols): no backward pass, and the map's sum plus the bias *is* the logit.
Source: Selvaraju et al., *Grad-CAM*, ICCV 2017, section 3; Zhou et al., *CAM*, CVPR 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.models.architectures.classifier import Classifier


def contributions(model: Classifier, maps: Tensor, output: int) -> Tensor:
    """What each place adds to one logit.

    maps: (n, features, rows, cols) from `Classifier.maps`. output: index of the logit.
    Returns float32 (n, rows, cols); sum over places + bias = logit. Negative parts are kept.
    """
    weight = model.last.weight[output]
    places = maps.shape[-2] * maps.shape[-1]
    return torch.einsum("nfrc,f->nrc", maps, weight) / places
