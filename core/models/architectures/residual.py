"""Residual networks of our own, for slices and for volumes, trained from nothing.

The 3D ResNet is for volumes of 128³: a 7³ stem of 16 filters, four stages of 16, 32, 64 and 128
channels with two blocks each. Its 2D sibling has the widths of a ResNet-18, and as many numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

WIDTHS_2D = (64, 128, 256, 512)
WIDTHS_3D = (16, 32, 64, 128)

_CONV: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_NORM: dict[int, type[nn.BatchNorm2d] | type[nn.BatchNorm3d]] = {
    2: nn.BatchNorm2d,
    3: nn.BatchNorm3d,
}
_POOL: dict[int, type[nn.MaxPool2d] | type[nn.MaxPool3d]] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}


class _Block(nn.Module):
    """Two 3-wide convolutions around which the input is added."""

    def __init__(self, dimensions: int, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        conv, norm = _CONV[dimensions], _NORM[dimensions]
        self.conv1 = conv(inside, outside, 3, stride=stride, padding=1, bias=False)
        self.bn1 = norm(outside)
        self.conv2 = conv(outside, outside, 3, padding=1, bias=False)
        self.bn2 = norm(outside)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(
                conv(inside, outside, 1, stride=stride, bias=False), norm(outside)
            )

    def forward(self, maps: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv1(maps)))
        return functional.relu(self.bn2(self.conv2(out)) + self.shortcut(maps))


class ResidualNetwork(nn.Module):
    """Stem (7 wide, stride 2, norm, ReLU, max pooling), then stages of two blocks.

    dimensions: 2 for (n, c, rows, cols), 3 for (n, c, slices, rows, cols). widths: channels of
    the stages; the first is the stem's. stem: width of its convolution, odd; stem_stride, and
    stem_pool: whether it pools, which small inputs may not bear. Output: (n, widths[-1], …/32),
    or …/16 and …/8 where the stem halves less.
    """

    def __init__(
        self,
        dimensions: int,
        in_channels: int,
        widths: Sequence[int],
        *,
        stem: int = 7,
        stem_stride: int = 2,
        stem_pool: bool = True,
    ) -> None:
        super().__init__()
        conv, norm, pool = _CONV[dimensions], _NORM[dimensions], _POOL[dimensions]
        self.stem = nn.Sequential(
            conv(in_channels, widths[0], stem, stride=stem_stride, padding=stem // 2, bias=False),
            norm(widths[0]),
            nn.ReLU(inplace=True),
            pool(3, stride=2, padding=1) if stem_pool else nn.Identity(),
        )
        blocks, inside = [], widths[0]
        for place, outside in enumerate(widths):
            blocks.append(_Block(dimensions, inside, outside, 1 if place == 0 else 2))
            blocks.append(_Block(dimensions, outside, outside, 1))
            inside = outside
        self.blocks = nn.ModuleList(blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> Tensor:
        """Feature maps of the last block."""
        out = cast(Tensor, self.stem(image))
        for block in self.blocks:
            out = block(out)
        return out

    def stages(self) -> list[nn.Module]:
        """Stem, then each block, for freezing and learning rates."""
        return [self.stem, *self.blocks]
