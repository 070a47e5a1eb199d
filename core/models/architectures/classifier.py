"""Trunk → pooling → head: the one shape of all our classifiers, of slices and of volumes.

The trunk's last feature maps are an output of the network: the heat map needs a gradient through
pooling and head only, and where these are a mean and a linear layer it has a closed form; see
`core.models.explanation`.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from core.models.architectures.families import Trunk, make_trunk
from core.models.architectures.heads import Activation, HiddenHead, last_linear
from core.models.card import Architecture


class _OwnPool(Protocol):
    """A trunk that is followed by more than a mean."""

    def pool(self, maps: Tensor) -> Tensor:
        """(n, out_features) of the trunk's maps."""

    def grid(self, maps: Tensor) -> Tensor:
        """The maps in space."""


class Classifier(nn.Module):
    """A trunk with a head on its pooled feature maps.

    Input: float32 (n, channels, size, size), or (n, channels, size, size, size) of a volume,
    normalised as the card says.
    Output: logits (n, outputs): one for two classes (of the positive one) or one a class; then
    one for each auxiliary target.

    hidden_features: width of a hidden layer in the head; 0 for a linear head. The other options
    are the family's own; see `core.models.architectures.families`.
    """

    def __init__(
        self,
        family: str,
        outputs: int,
        channels: int = 3,
        dropout: float = 0.0,
        *,
        hidden_features: int | None = None,
        hidden_activation: Activation | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.family = family
        self.trunk, standard = make_trunk(family, channels, options)
        features = cast(Trunk, self.trunk).out_features
        hidden = standard.hidden_features if hidden_features is None else hidden_features
        self.dropout = nn.Dropout(dropout if not hidden else 0.0)
        if hidden:
            activation = hidden_activation or standard.hidden_activation
            share = dropout or standard.dropout
            self.head: nn.Module = HiddenHead(features, hidden, outputs, share, activation)
        else:
            self.head = nn.Linear(features, outputs)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (n, outputs)."""
        return self.classify(self.maps(image))

    def maps(self, image: Tensor) -> Tensor:
        """The last feature maps: (n, features, rows, cols), with slices before rows in 3D.

        A vision transformer gives its tokens (n, places, features) before the last block.
        """
        maps: Tensor = self.trunk(image)
        return maps

    def classify(self, maps: Tensor) -> Tensor:
        """Logits from feature maps."""
        logits: Tensor = self.head(self.dropout(self.pooled(maps)))
        return logits

    def grid(self, maps: Tensor) -> Tensor:
        """Feature maps in space, (n, features, [slices,] rows, cols)."""
        if hasattr(self.trunk, "grid"):
            return cast(_OwnPool, self.trunk).grid(maps)
        return maps

    def pooled(self, maps: Tensor) -> Tensor:
        """What the head reads of feature maps, (n, features)."""
        if hasattr(self.trunk, "pool"):
            return cast(_OwnPool, self.trunk).pool(maps)
        return maps.flatten(2).mean(dim=2)

    @property
    def is_linear(self) -> bool:
        """Whether logits are linear in the mean of the maps, so that their sum is the logit."""
        return self.pools_by_mean and isinstance(self.head, nn.Linear)

    @property
    def pools_by_mean(self) -> bool:
        """Whether the head reads each feature map's mean."""
        return not hasattr(self.trunk, "pool")

    @property
    def last(self) -> nn.Linear:
        """The layer that gives the logits."""
        return last_linear(self.head)

    @property
    def outputs(self) -> int:
        """Number of logits."""
        return self.last.out_features

    def stages(self) -> list[nn.Module]:
        """The trunk's parts from the input to the output; the head is not among them."""
        return cast(Trunk, self.trunk).stages()

    def load_pretrained(self, file: str = "") -> None:
        """Fill the trunk with its family's pretrained weights, or with those of a file.

        A family that is trained from nothing stays as it is. Raises PretrainedUnavailableError
        if its weights are neither at hand nor to be had, DamagedModelError for a bad file.
        """
        from core.models.architectures.pretrained import fill_pretrained

        fill_pretrained(self.family, self.trunk, file)

    def parameter_count(self) -> int:
        """Number of trainable numbers, frozen ones included."""
        return sum(parameter.numel() for parameter in self.parameters())


def build(architecture: Architecture, channels: int) -> Classifier:
    """The network that a card describes, with random weights.

    Raises KeyError if the family is unknown, TypeError or ValueError if its options are not
    right or the parameter count disagrees.
    """
    model = Classifier(architecture.family, architecture.outputs, channels, **architecture.options)
    if model.parameter_count() != architecture.parameters:
        raise ValueError(
            f"{architecture.family} has {model.parameter_count()} parameters here, "
            f"the card says {architecture.parameters}"
        )
    return model


Level = float | tuple[float, ...]
"""One number, or one a channel."""


def normalise(pixels: Tensor, mean: Level, std: Level) -> Tensor:
    """8-bit prepared pixels → float32 network input of the same shape, channels last in memory."""
    image = (pixels.to(torch.float32) / 255.0 - _level(mean, pixels)) / _level(std, pixels)
    return image.contiguous(memory_format=memory_format(pixels.ndim))


def _level(value: Level, pixels: Tensor) -> float | Tensor:
    if isinstance(value, tuple):
        shape = (1, len(value), *[1] * (pixels.ndim - 2))
        return torch.tensor(value, dtype=torch.float32, device=pixels.device).reshape(shape)
    return value


def memory_format(dimensions: int) -> torch.memory_format:
    """Channels last, for a tensor of four or five dimensions."""
    return torch.channels_last_3d if dimensions == 5 else torch.channels_last
