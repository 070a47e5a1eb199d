"""ResNets of torchvision as trunks, plain and in two variants.

The layers keep torchvision's names (``conv1``, ``bn1``, ``layer1`` … ``layer4``), so that its
published weights, and state dicts that others trained with it, load without a table.

Source: He et al., *Deep Residual Learning*, CVPR 2016; Hu et al., *Squeeze-and-Excitation
Networks*, CVPR 2018.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.torchvision_library import torchvision

FEATURES = {"resnet18": 512, "resnet34": 512, "resnet50": 2048, "resnet101": 2048}
"""Channels after layer4."""
MULTI_SCALE_FEATURES = 128 + 256 + 512
"""Channels of layer2, layer3 and layer4 of a ResNet-18."""
SE_REDUCTION = 16


class ResNet(nn.Module):
    """Trunk of a torchvision ResNet: (n, c, rows, cols) → (n, features, rows/32, cols/32)."""

    def __init__(self, name: str, in_channels: int = 3) -> None:
        super().__init__()
        made = torchvision().models.get_model(name, weights=None)
        self.conv1: nn.Conv2d = made.conv1
        if in_channels != 3:
            self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.bn1: nn.Module = made.bn1
        self.relu: nn.Module = made.relu
        self.maxpool: nn.Module = made.maxpool
        self.layer1: nn.Sequential = made.layer1
        self.layer2: nn.Sequential = made.layer2
        self.layer3: nn.Sequential = made.layer3
        self.layer4: nn.Sequential = made.layer4

    def early(self, image: Tensor) -> Tensor:
        """Up to layer2: (n, channels, rows/8, cols/8)."""
        out = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        return cast(Tensor, self.layer2(self.layer1(out)))

    def forward(self, image: Tensor) -> Tensor:
        """Feature maps of layer4."""
        return cast(Tensor, self.layer4(self.layer3(self.early(image))))

    def stages(self) -> list[nn.Module]:
        """Stem, then each residual block, for freezing and learning rates."""
        blocks = [*self.layer1, *self.layer2, *self.layer3, *self.layer4]
        return [nn.ModuleList([self.conv1, self.bn1]), *blocks]


class SqueezeExcitation(nn.Module):
    """Scales channels by what their means say: (n, f, …) → the same shape."""

    def __init__(self, features: int, reduction: int = SE_REDUCTION) -> None:
        super().__init__()
        self.fc1 = nn.Linear(features, features // reduction)
        self.fc2 = nn.Linear(features // reduction, features)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps, each channel times its gate in (0, 1)."""
        gate = torch.sigmoid(self.fc2(functional.relu(self.fc1(maps.flatten(2).mean(2)))))
        return maps * gate.reshape(*gate.shape, *[1] * (maps.ndim - 2))


class SqueezeResNet(ResNet):
    """A ResNet with one squeeze-and-excitation block after layer4."""

    def __init__(self, name: str, in_channels: int = 3, reduction: int = SE_REDUCTION) -> None:
        super().__init__(name, in_channels)
        self.se = SqueezeExcitation(FEATURES[name], reduction)

    def forward(self, image: Tensor) -> Tensor:
        """Feature maps after the gates."""
        return cast(Tensor, self.se(super().forward(image)))

    def stages(self) -> list[nn.Module]:
        """Those of the ResNet, then the block."""
        return [*super().stages(), self.se]


class MultiScaleResNet(ResNet):
    """A ResNet-18 whose layer2, layer3 and layer4 are all pooled into the head.

    The finer maps are averaged down to layer4's grid, so that all 896 stand on one grid: their
    means are the layers' global means (sides are multiples of 32), and a heat map of the head
    holds the evidence of all three layers.
    """

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__("resnet18", in_channels)

    def forward(self, image: Tensor) -> Tensor:
        """(n, 128 + 256 + 512, rows/32, cols/32)."""
        second = self.early(image)
        third = self.layer3(second)
        fourth = self.layer4(third)
        return torch.cat([_onto(second, fourth), _onto(third, fourth), fourth], dim=1)


def _onto(maps: Tensor, coarse: Tensor) -> Tensor:
    rows, cols = maps.shape[-2] // coarse.shape[-2], maps.shape[-1] // coarse.shape[-1]
    if maps.shape[-2:] == (rows * coarse.shape[-2], cols * coarse.shape[-1]):
        return functional.avg_pool2d(maps, (rows, cols))
    return functional.adaptive_avg_pool2d(maps, (coarse.shape[-2], coarse.shape[-1]))
