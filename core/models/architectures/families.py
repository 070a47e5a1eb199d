"""Families of networks by name: what a card or a recipe may ask for.

plain-cnn, resnet-scratch: trained from nothing. resnet18, resnet34, resnet50, resnet101:
torchvision's. resnet18-se: with a squeeze-and-excitation block after layer4.
resnet18-multiscale: layer2, layer3 and layer4 pooled into the head. efficientnet-lite0,
efficientnet-b0, efficientnet-b1. resnet3d: volumes. resnet-scratch and resnet3d take the options
widths, stem, stem_stride and stem_pool. torchvision:NAME and timm:NAME: any network of
these libraries that ends in maps, pooling and a linear layer, ViT and Swin included (option
image_size where the network's size is fixed when it is made).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from core.models.architectures import efficientnet_lite, named, plain_cnn, residual, resnet
from core.models.architectures.heads import Activation


class Trunk(Protocol):
    """What a family provides: feature maps, and its parts in order."""

    out_features: int
    """Numbers that the head reads."""

    def __call__(self, image: Tensor) -> Tensor:
        """(n, channels, rows, cols) → (n, features, rows/k, cols/k); slices too in 3D."""

    def stages(self) -> list[nn.Module]:
        """Parts from the input to the output."""


class Standard(NamedTuple):
    """The head that a family has unless its options say otherwise."""

    hidden_features: int = 0
    hidden_activation: Activation = "relu"
    dropout: float = 0.0


class Family(NamedTuple):
    """How to make a trunk, from channels and options, and what its head is."""

    make: Callable[..., nn.Module]
    dimensions: int = 2
    head: Standard = Standard()
    torchvision_name: str = ""
    """Whose published weights the trunk can take."""


def _resnet(name: str, channels: int) -> nn.Module:
    trunk = resnet.ResNet(name, channels)
    return _with_features(trunk, resnet.FEATURES[name])


def _squeeze(name: str, channels: int, reduction: int = resnet.SE_REDUCTION) -> nn.Module:
    trunk = resnet.SqueezeResNet(name, channels, reduction)
    return _with_features(trunk, resnet.FEATURES[name])


def _multi_scale(channels: int) -> nn.Module:
    return _with_features(resnet.MultiScaleResNet(channels), resnet.MULTI_SCALE_FEATURES)


def _residual(dimensions: int, usual: tuple[int, ...], channels: int, **options: Any) -> nn.Module:
    widths = tuple(int(width) for width in options.pop("widths", usual))
    stem = int(options.pop("stem", 7))
    stride, pool = int(options.pop("stem_stride", 2)), bool(options.pop("stem_pool", True))
    if options:
        raise TypeError(f"unknown options: {', '.join(options)}")
    if not widths or min(widths) < 1:
        raise ValueError("widths must be positive numbers")
    if stem < 1 or stem % 2 == 0 or stride < 1:
        raise ValueError("stem must be odd, and its stride positive")
    trunk = residual.ResidualNetwork(
        dimensions, channels, widths, stem=stem, stem_stride=stride, stem_pool=pool
    )
    return _with_features(trunk, widths[-1])


def _lite0(channels: int) -> nn.Module:
    return _with_features(efficientnet_lite.EfficientNetLite0(channels), efficientnet_lite.FEATURES)


def _plain(channels: int) -> nn.Module:
    return _with_features(plain_cnn.PlainCnn(channels), plain_cnn.FEATURES)


def _with_features(trunk: nn.Module, features: int) -> nn.Module:
    trunk.out_features = features  # type: ignore[assignment]
    return trunk


FAMILIES: dict[str, Family] = {
    "efficientnet-lite0": Family(_lite0),
    "plain-cnn": Family(_plain),
    "resnet-scratch": Family(partial(_residual, 2, residual.WIDTHS_2D)),
    **{name: Family(partial(_resnet, name), torchvision_name=name) for name in resnet.FEATURES},
    "resnet18-se": Family(partial(_squeeze, "resnet18"), torchvision_name="resnet18"),
    "resnet18-multiscale": Family(_multi_scale, torchvision_name="resnet18"),
    **{
        f"efficientnet-{size}": Family(
            partial(named.torchvision_trunk, f"efficientnet_{size}"),
            torchvision_name=f"efficientnet_{size}",
        )
        for size in ("b0", "b1")
    },
    "resnet3d": Family(
        partial(_residual, 3, residual.WIDTHS_3D), 3, Standard(128, "none", dropout=0.5)
    ),
}


def find_family(name: str) -> Family:
    """The family of a name. Raises KeyError if there is none."""
    library, _, rest = name.partition(":")
    if library == "torchvision" and rest:
        return Family(partial(named.torchvision_trunk, rest), torchvision_name=rest)
    if library == "timm" and rest:
        return Family(partial(named.timm_trunk, rest))
    return FAMILIES[name]


def make_trunk(name: str, channels: int, options: dict[str, Any]) -> tuple[nn.Module, Standard]:
    """A trunk with random weights, and the standard head of its family.

    Raises KeyError for an unknown family, TypeError or ValueError for options it does not take.
    """
    family = find_family(name)
    return family.make(channels, **options), family.head
