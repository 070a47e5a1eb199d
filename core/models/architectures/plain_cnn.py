"""A plain convolutional network, trained from nothing: the baseline that others must beat."""

from __future__ import annotations

from torch import Tensor, nn

FEATURES = 128


def _layer(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
    )


class PlainCnn(nn.Module):
    """Four layers of convolution, norm, ReLU and pooling: (n, c, rows, cols) → (n, 128, /16)."""

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [_layer(in_channels, 16), _layer(16, 32), _layer(32, 64), _layer(64, FEATURES)]
        )

    def forward(self, image: Tensor) -> Tensor:
        """Feature maps of the last layer."""
        for layer in self.layers:
            image = layer(image)
        return image

    def stages(self) -> list[nn.Module]:
        """The layers from the input to the output, for freezing and learning rates."""
        return list(self.layers)
