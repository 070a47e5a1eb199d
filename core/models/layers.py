"""Grad-CAM and Grad-CAM++ at any layer of any network, vision transformers included.

A layer is named as torch names it ("trunk.layer3", "trunk.model.encoder.layers.10.ln_1"); the
one that is found by itself is where the network is cut: its last feature maps. The network is
borrowed: hooks are given back, gradients are not left on its weights.

Source: Selvaraju et al., *Grad-CAM*, ICCV 2017; Chattopadhay et al., *Grad-CAM++*, WACV 2018.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from core.models.architectures.classifier import Classifier
from core.models.explanation import weighted

Method = Literal["grad-cam", "grad-cam++"]
AUTOMATIC = "trunk"
"""The layer whose output is the network's last feature maps."""


def layer_names(model: Classifier, image: Tensor) -> list[str]:
    """Layers that give maps in space for this input, from the input to the output.

    The last is `AUTOMATIC`, which is explained unless another one is named.
    """
    found: list[str] = []
    shapes: dict[str, torch.Size] = {}

    def note(name: str) -> object:
        def hook(_module: nn.Module, _given: object, output: object) -> None:
            if isinstance(output, Tensor):
                shapes[name] = output.shape

        return hook

    hooks = [
        module.register_forward_hook(note(name))
        for name, module in model.named_modules()
        if name.startswith(AUTOMATIC)
    ]
    try:
        with torch.no_grad():
            grid = model.grid(model.maps(image)).ndim
    finally:
        for handle in hooks:
            handle.remove()
    for name, shape in shapes.items():
        if len(shape) == grid or (len(shape) == 3 and shape[1] > 1):
            found.append(name)
    return sorted(found, key=lambda name: name == AUTOMATIC)


def explain_layer(
    model: Classifier,
    image: Tensor,
    output: int,
    layer: str = AUTOMATIC,
    method: Method = "grad-cam",
) -> Tensor:
    """Evidence for one logit at one layer; negative parts are kept.

    image: normalised network input (n, channels, …). Returns float32 (n, [slices,] rows, cols).
    Raises KeyError if there is no such layer, ValueError if it gives no maps in space.
    """
    modules = dict(model.named_modules())
    if layer not in modules:
        raise KeyError(layer)
    with torch.enable_grad(), _kept(modules[layer]) as kept:
        # The input asks for gradients, so that networks whose weights are frozen have them too.
        logits = model(image.detach().clone().requires_grad_())
        if not kept:
            raise ValueError(f"{layer} is not on the way to the answer")
        maps = kept[-1]
        (gradient,) = torch.autograd.grad(logits[:, output].sum(), maps, allow_unused=True)
    if gradient is None:
        raise ValueError(f"{layer} does not reach the answer")
    with torch.no_grad():
        here = _in_space(model, maps, image.ndim)
        slopes = _in_space(model, gradient, image.ndim)
        if method == "grad-cam":
            return weighted(here, slopes)
        return _plus_plus(here, slopes)


@contextmanager
def _kept(module: nn.Module) -> Iterator[list[Tensor]]:
    """The outputs of a module while the block runs."""
    outputs: list[Tensor] = []

    def keep(_module: nn.Module, _given: object, output: object) -> None:
        if isinstance(output, Tensor):
            outputs.append(output)

    handle = module.register_forward_hook(keep)
    try:
        yield outputs
    finally:
        handle.remove()


def _in_space(model: Classifier, maps: Tensor, dimensions: int) -> Tensor:
    """(n, features, [slices,] rows, cols) of whatever layout a layer has."""
    if maps.ndim == dimensions:
        # Swin keeps channels last inside: its maps are square, their last axis is not a side.
        if maps.ndim == 4 and maps.shape[1] == maps.shape[2] != maps.shape[3]:
            return maps.permute(0, 3, 1, 2)
        return maps
    if maps.ndim == 3 and dimensions == 4:
        grid = model.grid(maps)
        if grid.ndim == 4:
            return grid
    raise ValueError("this layer gives no maps in space")


def _plus_plus(maps: Tensor, gradient: Tensor) -> Tensor:
    """Grad-CAM++: positive gradients, weighted so that each place of an object counts.

    The derivatives of exp(logit) need only the logit's first one: its powers.
    """
    places = tuple(range(2, maps.ndim))
    second, third = gradient.square(), gradient.pow(3)
    below = 2 * second + maps.sum(dim=places, keepdim=True) * third
    alpha = torch.where(gradient != 0, second / torch.where(below != 0, below, 1.0), 0.0)
    weights = (alpha * gradient.clamp_min(0)).sum(dim=places)
    found = torch.einsum("nfp,nf->np", maps.flatten(2), weights)
    return found.reshape(len(maps), *maps.shape[2:])
