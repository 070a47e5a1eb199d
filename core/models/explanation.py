"""Why a model said what it said: Grad-CAM at the last feature maps, without the trunk.

For logits that are linear in globally averaged feature maps, logit_c = Σ_k w_ck · mean(A_k) + b_c,
the gradient ∂logit_c/∂A_k is w_ck / (rows × cols) everywhere, so that Grad-CAM before its ReLU is
Σ_k w_ck A_k / (rows × cols): no backward pass, and the map's sum plus the bias *is* the logit.
A hidden layer's gradient is as closed: its weights, where its units are on. Other heads (a norm,
a transformer's last block) need a gradient, which runs through the head alone.
Source: Selvaraju et al., *Grad-CAM*, ICCV 2017, section 3; Zhou et al., *CAM*, CVPR 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.models.architectures.classifier import Classifier
from core.models.architectures.heads import HiddenHead
from core.models.openvino_runtime import linear_evidence


def contributions(model: Classifier, maps: Tensor, output: int) -> Tensor:
    """What each place adds to one logit of a linear head.

    maps: (n, features, [slices,] rows, cols) from `Classifier.maps`. output: index of the logit.
    Returns float32 (n, [slices,] rows, cols); sum over places + bias = logit. Negative parts are
    kept.
    """
    weight = model.last.weight[output]
    flat = maps.flatten(2)
    return (weight @ flat).reshape(len(maps), *maps.shape[2:]) / flat.shape[2]


def evidence(model: Classifier, maps: Tensor, output: int) -> Tensor:
    """Grad-CAM at the last feature maps, for any of our networks; negative parts are kept.

    Returns float32 (n, [slices,] rows, cols). Where the head is linear it is `contributions`;
    else each channel of the maps is weighted by the mean of its gradient.
    """
    if model.is_linear:
        with torch.no_grad():
            if maps.device.type != "cpu" or maps.dtype != torch.float32:
                return contributions(model, maps, output)
            weight = model.last.weight[output].detach().numpy()
            return torch.from_numpy(linear_evidence(weight, maps.detach().numpy()))
    if model.pools_by_mean and isinstance(model.head, HiddenHead):
        with torch.no_grad():
            slope = model.head.gradient(model.pooled(maps), output) / maps[0, 0].numel()
            return summed(maps, slope)
    with torch.enable_grad():
        leaf = maps.detach().clone().requires_grad_()
        logits = model.classify(leaf)
        (gradient,) = torch.autograd.grad(logits[:, output].sum(), leaf)
    with torch.no_grad():
        return weighted(model.grid(leaf), model.grid(gradient))


def weighted(maps: Tensor, gradients: Tensor) -> Tensor:
    """Channels of maps (n, f, …), each times the mean of its gradient, summed: (n, …)."""
    return summed(maps, gradients.flatten(2).mean(dim=2))


def summed(maps: Tensor, weights: Tensor) -> Tensor:
    """Channels of maps (n, f, …), each times its weight (n, f), summed: (n, …)."""
    return torch.einsum("nfp,nf->np", maps.flatten(2), weights).reshape(len(maps), *maps.shape[2:])
