"""The closed form is Grad-CAM, and its map adds up to the logit."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from core.models.architectures.classifier import Classifier
from core.models.architectures.heads import Activation, HiddenHead
from core.models.explanation import contributions, evidence, weighted


@pytest.mark.parametrize("family", ["plain-cnn", "efficientnet-lite0"])
@pytest.mark.parametrize("output", [0, 2])
def test_equals_grad_cam_by_automatic_differentiation(family: str, output: int) -> None:
    torch.manual_seed(1)
    model = Classifier(family, 3).eval()
    image = torch.randn(2, 3, 64, 64)
    maps = model.maps(image)
    maps.retain_grad()
    model.classify(maps)[:, output].sum().backward()
    assert maps.grad is not None
    weights = maps.grad.mean(dim=(2, 3), keepdim=True)
    expected = (weights * maps).sum(dim=1)
    found = contributions(model, maps, output)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("activation", get_args(Activation))
def test_a_hidden_layer_s_closed_form_is_its_gradient(activation: Activation) -> None:
    torch.manual_seed(3)
    model = Classifier("resnet3d", 2, 1, widths=[4] * 4).eval()
    model.head = HiddenHead(4, 16, 2, activation=activation)
    model.eval()
    assert not model.is_linear
    maps = model.maps(torch.randn(2, 1, 32, 32, 32)).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model.classify(maps)[:, 1].sum(), maps)
    expected = weighted(maps, gradient).detach()
    assert expected.abs().max() > 0
    torch.testing.assert_close(evidence(model, maps, 1), expected, rtol=1e-5, atol=1e-8)


def test_the_map_and_the_bias_add_up_to_the_logit() -> None:
    torch.manual_seed(2)
    model = Classifier("plain-cnn", 2).eval()
    with torch.inference_mode():
        maps = model.maps(torch.randn(3, 3, 48, 48))
        total = contributions(model, maps, 1).sum(dim=(1, 2)) + model.head.bias[1]
        torch.testing.assert_close(total, model.classify(maps)[:, 1])


def test_lite0_has_the_published_size_and_loads_its_weights() -> None:
    model = Classifier("efficientnet-lite0", 1000)
    # The published file's 4,694,048 numbers are these and the norms' 42,016 running statistics.
    assert model.parameter_count() == 4_652_008
    model.load_pretrained()
    norm = model.trunk.state_dict()["_bn0.running_var"]
    assert not torch.equal(norm, torch.ones_like(norm))
