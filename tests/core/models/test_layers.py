"""Grad-CAM and its relatives at any layer; pytorch-grad-cam is the oracle."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from core.models.architectures.classifier import Classifier
from core.models.explanation import evidence
from core.models.layers import AUTOMATIC, explain_layer, layer_names
from core.models.occlusion import occlusion

SMALL: dict[str, dict[str, Any]] = {
    "timm:vit_tiny_patch16_224": {"image_size": 64},
    "resnet3d": {"widths": [4, 8, 8, 8]},
    "resnet-scratch": {"widths": [8, 8, 16, 16]},
}


def _network(family: str, outputs: int = 2) -> tuple[Classifier, torch.Tensor]:
    torch.manual_seed(3)
    volume = family == "resnet3d"
    model = Classifier(family, outputs, 1 if volume else 3, **SMALL.get(family, {})).eval()
    shape = (2, 1, 32, 32, 32) if volume else (2, 3, 64, 64)
    return model, torch.randn(shape)


@pytest.mark.parametrize(
    "family",
    ["plain-cnn", "resnet18-multiscale", "resnet3d", "torchvision:mobilenet_v3_small",
     "timm:vit_tiny_patch16_224"],
)  # fmt: skip
def test_the_window_s_map_is_grad_cam_at_the_layer_that_is_found(family: str) -> None:
    model, image = _network(family)
    with torch.no_grad():
        maps = model.maps(image)
    quick = evidence(model, maps, 1)
    slow = explain_layer(model, image, 1)
    torch.testing.assert_close(quick, slow, rtol=1e-4, atol=1e-7)
    assert quick.ndim == image.ndim - 1
    assert layer_names(model, image)[-1] == AUTOMATIC


def _by_library(
    model: Classifier, image: torch.Tensor, layer: str, kind: str = "GradCAM", output: int = 1
) -> np.ndarray:
    """The map of pytorch-grad-cam, without the rescaling of each picture that follows it."""
    pytest.importorskip("pytorch_grad_cam")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pytorch_grad_cam
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    def reshape(tokens: torch.Tensor) -> torch.Tensor:
        return model.grid(tokens) if tokens.ndim == 3 else tokens

    module = model.get_submodule(layer)
    with getattr(pytorch_grad_cam, kind)(model, [module], reshape_transform=reshape) as cam:
        outputs = cam.activations_and_grads(image)
        targets = [ClassifierOutputTarget(output)] * len(image)
        sum(one(given) for one, given in zip(targets, outputs, strict=True)).backward()
        activations = cam.activations_and_grads.activations[0].numpy()
        gradients = cam.activations_and_grads.gradients[0].numpy()
        found = cam.get_cam_image(image, module, targets, activations, gradients)
    return np.asarray(found)


@pytest.mark.parametrize("method", ["grad-cam", "grad-cam++"])
@pytest.mark.parametrize(
    ("family", "layer"),
    [("resnet-scratch", "trunk.blocks.5"), ("timm:vit_tiny_patch16_224", "trunk.model.blocks.10")],
)
def test_equals_pytorch_grad_cam(family: str, layer: str, method: str) -> None:
    model, image = _network(family)
    kind = {"grad-cam": "GradCAM", "grad-cam++": "GradCAMPlusPlus"}[method]
    # Its Grad-CAM++ adds 1e-6 to squared gradients; large ones make that nothing.
    with torch.no_grad():
        model.last.weight.mul_(1e5)
    expected = _by_library(model, image, layer, kind)
    found = explain_layer(model, image, 1, layer, method).numpy()  # type: ignore[arg-type]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    "family", ["efficientnet-lite0", "resnet3d", "timm:vit_tiny_patch16_224", "torchvision:swin_t"]
)
def test_the_window_s_map_equals_pytorch_grad_cam(family: str) -> None:
    model, image = _network(family)
    expected = _by_library(model, image, AUTOMATIC)
    with torch.no_grad():
        maps = model.maps(image)
    found = evidence(model, maps, 1).numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_the_network_is_given_back_as_it_was() -> None:
    model, image = _network("plain-cnn")
    model.requires_grad_(False)
    explain_layer(model, image, 0, "trunk.layers.2")
    assert all(not module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_layers_that_cannot_be_explained_are_told() -> None:
    model, image = _network("plain-cnn")
    with pytest.raises(KeyError):
        explain_layer(model, image, 0, "trunk.layer9")
    with pytest.raises(ValueError, match="space"):
        explain_layer(model, image, 0, "head")


def test_swin_layers_that_keep_channels_last() -> None:
    model, image = _network("torchvision:swin_t")
    found = explain_layer(model, image, 0, "trunk.model.features.5")
    assert found.shape == (2, 4, 4)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_occlusion_finds_what_the_answer_rests_on(dimensions: int) -> None:
    pixels = np.full((1, *(24,) * dimensions), 10, np.uint8)
    spot = (slice(None), *(slice(8, 12),) * dimensions)
    pixels[spot] = 200

    def ask(batch: np.ndarray) -> np.ndarray:
        return batch[(slice(None), *spot)].reshape(len(batch), -1).mean(axis=1).astype(float)

    found = occlusion(ask, pixels, window=8, stride=4)
    assert found.shape == (5,) * dimensions
    peak = np.argwhere(found == found.max())
    assert (1,) * dimensions in {tuple(place) for place in peak}
    assert found[(0,) * (dimensions - 1) + (-1,)] == 0
    with pytest.raises(ValueError, match="does not fit"):
        occlusion(ask, pixels, window=30, stride=4)
