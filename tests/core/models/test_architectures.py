"""Every family: its published size, its shapes, built from card and recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from core.errors import DamagedModelError
from core.models.architectures.classifier import Classifier, build
from core.models.architectures.families import FAMILIES
from core.models.card import Architecture
from core.retraining.recipe import parse_recipe

SMALL: dict[str, dict[str, Any]] = {
    "torchvision:vit_b_32": {"image_size": 64},
    "timm:vit_tiny_patch16_224": {"image_size": 64},
}


@pytest.mark.parametrize(
    ("family", "outputs", "options", "count"),
    [
        ("resnet18", 2, {}, 11_177_538),
        ("resnet-scratch", 2, {}, 11_177_538),
        ("resnet34", 1000, {}, 21_797_672),
        ("resnet50", 1000, {}, 25_557_032),
        ("resnet101", 1000, {}, 44_549_160),
        ("efficientnet-b0", 1000, {}, 5_288_548),
        ("efficientnet-b1", 1000, {}, 7_794_184),
        ("efficientnet-lite0", 1000, {}, 4_652_008),
        # ResNet-18 and 512 → 32 → 512 with biases.
        ("resnet18-se", 2, {}, 11_177_538 + 512 * 32 + 32 + 32 * 512 + 512),
        ("resnet18-multiscale", 2, {}, 11_176_512 + 2 * 896 + 2),
        ("torchvision:swin_t", 1000, {}, 28_288_354),
        ("torchvision:mobilenet_v3_small", 1000, {}, 2_542_856),
        ("torchvision:convnext_tiny", 1000, {}, 28_589_128),
        ("timm:vit_tiny_patch16_224", 1000, {}, 5_717_416),
        # Stem, 4 stages of 16-32-64-128, Linear 128, Linear 1; see the test below.
        ("resnet3d", 1, {}, 2_095_057),
    ],
)
def test_parameter_counts(family: str, outputs: int, options: dict[str, Any], count: int) -> None:
    channels = FAMILIES[family].dimensions == 3 if family in FAMILIES else False
    with torch.device("meta"):
        model = Classifier(family, outputs, 1 if channels else 3, **options)
    assert model.parameter_count() == count


def test_the_resnets_take_512_by_512_by_3() -> None:
    with torch.device("meta"):
        image = torch.zeros(1, 3, 512, 512)
        model = Classifier("resnet18", 2).eval()
        assert model.maps(image).shape == (1, 512, 16, 16)
        assert model(image).shape == (1, 2)
        several = Classifier("resnet18-multiscale", 2).eval()
        assert several.maps(image).shape == (1, 896, 16, 16)


def test_the_3d_resnet_is_as_described() -> None:
    with torch.device("meta"):
        model = Classifier("resnet3d", 1, 1).eval()
        maps = model.maps(torch.zeros(1, 1, 128, 128, 128))
        assert maps.shape == (1, 128, 4, 4, 4)
        assert model.classify(maps).shape == (1, 1)
    stem = model.trunk.get_submodule("stem")
    assert isinstance(stem[0], torch.nn.Conv3d)  # type: ignore[index]
    assert stem[0].weight.shape == (16, 1, 7, 7, 7)  # type: ignore[index]
    assert model.head.get_submodule("hidden").weight.shape == (128, 128)
    assert model.head.get_submodule("dropout").p == 0.5
    assert model.last.weight.shape == (1, 128)
    assert [block.conv2.weight.shape[0] for block in model.trunk.get_submodule("blocks")] == [
        16, 16, 32, 32, 64, 64, 128, 128
    ]  # fmt: skip


def test_layers_are_pooled_as_three_global_means() -> None:
    torch.manual_seed(0)
    trunk = Classifier("resnet18-multiscale", 1).trunk.eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        second = trunk.early(image)
        third = trunk.layer3(second)
        parts = [second, third, trunk.layer4(third)]
        expected = torch.cat([part.mean(dim=(2, 3)) for part in parts], dim=1)
        torch.testing.assert_close(trunk(image).mean(dim=(2, 3)), expected)


@pytest.mark.parametrize(
    "family",
    [
        "resnet18",
        "efficientnet-b0",
        "torchvision:swin_t",
        "torchvision:vit_b_32",
        "torchvision:mobilenet_v3_small",
        "torchvision:densenet121",
        "torchvision:regnet_y_400mf",
        "torchvision:shufflenet_v2_x0_5",
        "torchvision:convnext_tiny",
    ],
)
def test_equals_the_library_it_comes_from(family: str) -> None:
    """Cut in three and put together again, a network says what it said."""
    import torchvision

    from core.models.architectures.pretrained import fill_trunk, translated

    name = family.removeprefix("torchvision:").replace("efficientnet-", "efficientnet_")
    options = SMALL.get(family, {})
    torch.manual_seed(0)
    theirs = torchvision.models.get_model(name, weights=None, **options).eval()
    ours = Classifier(family, 1000, **options).eval()
    found = translated(ours.trunk, theirs.state_dict())
    fill_trunk(ours.trunk, found.trunk, Path(name))
    ours.last.load_state_dict(found.head)
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours(image), theirs(image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["timm:resnet18", "timm:vit_tiny_patch16_224"])
def test_equals_timm(family: str) -> None:
    import timm

    from core.models.architectures.pretrained import fill_trunk, translated

    torch.manual_seed(0)
    options = SMALL.get(family, {})
    size = {"img_size": options["image_size"]} if options else {}
    theirs = timm.create_model(family.removeprefix("timm:"), pretrained=False, **size).eval()
    ours = Classifier(family, 1000, **options).eval()
    found = translated(ours.trunk, theirs.state_dict())
    fill_trunk(ours.trunk, found.trunk, Path(family))
    ours.last.load_state_dict(found.head)
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours(image), theirs(image), rtol=1e-4, atol=1e-5)


def test_other_numbers_of_channels_start_from_the_same_brightness(tmp_path: Path) -> None:
    state = Classifier("resnet18", 1).trunk.state_dict()
    save_file(state, tmp_path / "published.safetensors")
    five = Classifier("resnet18", 1, 5)
    five.load_pretrained(str(tmp_path / "published.safetensors"))
    weight = five.trunk.state_dict()["conv1.weight"]
    torch.testing.assert_close(weight.sum(dim=1), state["conv1.weight"].sum(dim=1))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file(Classifier("resnet34", 1).trunk.state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(DamagedModelError, match="not part of it"):
        Classifier("resnet18", 1).load_pretrained(str(tmp_path / "other.safetensors"))


@pytest.mark.parametrize(
    "family",
    ["torchvision:", "torchvision:squeezenet1_0", "torchvision:mnasnet0_5", "timm:nothing"],
)
def test_names_that_cannot_be_cut_are_told(family: str) -> None:
    with pytest.raises((KeyError, ValueError)):
        Classifier(family, 1)


@pytest.mark.parametrize("family", [*FAMILIES, *SMALL, "torchvision:swin_t"])
def test_each_family_is_built_from_a_recipe_and_from_a_card(family: str) -> None:
    options = SMALL.get(family, {})
    facts = {"title": "T", "network": {"family": family, "options": options}}
    network = parse_recipe("r", facts).network
    channels = 1 if family == "resnet3d" else 3
    with torch.device("meta"):
        made = Classifier(network.family, 4, channels, network.dropout, **network.options)
        card = Architecture(
            family=family, options=options, outputs=4, parameters=made.parameter_count()
        )
        assert build(card, channels).outputs == 4
        assert made.stages()
        with pytest.raises(TypeError):
            Classifier(family, 4, channels, something="else")
