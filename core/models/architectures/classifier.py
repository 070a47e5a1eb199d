"""Trunk → global average pooling → linear head: the one shape of our 2D classifiers.

Because the head is linear on the pooled maps, Grad-CAM at the last stage has a closed form:
see `core.models.explanation`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

from core.models.architectures import efficientnet_lite, plain_cnn
from core.models.card import Architecture


class Trunk(Protocol):
    """What a family provides: feature maps, and its parts in order."""

    def __call__(self, image: Tensor) -> Tensor:
        """(n, channels, rows, cols) → (n, features, rows/k, cols/k)."""

    def stages(self) -> list[nn.Module]:
        """Parts from the input to the output."""


class Family(NamedTuple):
    """How to make a trunk, how many features it ends in, how to fill it (None: from nothing)."""

    trunk: Callable[[int], nn.Module]
    features: int
    pretrained: Callable[[nn.Module], None] | None


def _fill_lite0(trunk: nn.Module) -> None:
    efficientnet_lite.load_imagenet(cast(efficientnet_lite.EfficientNetLite0, trunk))


FAMILIES: dict[str, Family] = {
    "efficientnet-lite0": Family(
        efficientnet_lite.EfficientNetLite0, efficientnet_lite.FEATURES, _fill_lite0
    ),
    "plain-cnn": Family(plain_cnn.PlainCnn, plain_cnn.FEATURES, None),
}


class Classifier(nn.Module):
    """A trunk with a linear head on its pooled feature maps.

    Input: float32 (n, channels, size, size), normalised as the card says.
    Output: logits (n, outputs): one for two classes (of the positive one), else one a class;
    then one for each auxiliary target.
    """

    def __init__(self, family: str, outputs: int, channels: int = 3, dropout: float = 0.0) -> None:
        super().__init__()
        made = FAMILIES[family]
        self.family = family
        self.trunk = made.trunk(channels)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(made.features, outputs)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (n, outputs)."""
        return self.classify(self.maps(image))

    def maps(self, image: Tensor) -> Tensor:
        """The last feature maps (n, features, rows, cols)."""
        maps: Tensor = self.trunk(image)
        return maps

    def classify(self, maps: Tensor) -> Tensor:
        """Logits from feature maps."""
        logits: Tensor = self.head(self.dropout(maps.mean(dim=(2, 3))))
        return logits

    def stages(self) -> list[nn.Module]:
        """The trunk's parts from the input to the output; the head is not among them."""
        return cast(Trunk, self.trunk).stages()

    def load_pretrained(self) -> None:
        """Fill the trunk with its family's pretrained weights, where there are any."""
        fill = FAMILIES[self.family].pretrained
        if fill is not None:
            fill(self.trunk)

    def parameter_count(self) -> int:
        """Number of trainable numbers, frozen ones included."""
        return sum(parameter.numel() for parameter in self.parameters())


def build(architecture: Architecture, channels: int) -> Classifier:
    """The network that a card describes, with random weights.

    Raises KeyError if the family is unknown, ValueError if the parameter count disagrees.
    """
    model = Classifier(architecture.family, architecture.outputs, channels, **architecture.options)
    if model.parameter_count() != architecture.parameters:
        raise ValueError(
            f"{architecture.family} has {model.parameter_count()} parameters here, "
            f"the card says {architecture.parameters}"
        )
    return model


def normalise(pixels: Tensor, mean: float, std: float) -> Tensor:
    """8-bit prepared pixels (n, channels, size, size) → float32 network input, channels last."""
    image = (pixels.to(torch.float32) / 255.0 - mean) / std
    return image.contiguous(memory_format=torch.channels_last)
