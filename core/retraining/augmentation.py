"""How a batch of prepared slices is varied before the network sees it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from core.retraining.recipe import Augmentation


def augment(pixels: Tensor, how: Augmentation, random: torch.Generator) -> Tensor:
    """Vary a batch of grey levels.

    pixels: float32 (n, channels, size, size) in [0, 1]. Returns the same shape and range. All
    channels of a slice move together; background stays black.
    """
    n, channels = pixels.shape[:2]
    forget = _uniform(random, n, 1, 1, 1) < how.forget_neighbours
    middle = pixels[:, channels // 2 : channels // 2 + 1].expand_as(pixels)
    moved = _move(torch.where(forget, middle, pixels), how, random)
    contrast = 1 + how.contrast * _around_zero(random, n, 1, 1, 1)
    shift = how.brightness * _around_zero(random, n, 1, 1, 1) * (moved > 0.02)
    noise = torch.randn(moved.shape, generator=random)
    noise = noise * (how.noise * _uniform(random, n, 1, 1, 1))
    return (moved * contrast + shift + noise).clamp_(0, 1)


def _move(pixels: Tensor, how: Augmentation, random: torch.Generator) -> Tensor:
    n = pixels.shape[0]
    angle = math.radians(how.rotate_degrees) * _around_zero(random, n)
    scale = torch.exp(how.scale * _around_zero(random, n))
    mirror = torch.where((_uniform(random, n) < 0.5) & how.flip, -1.0, 1.0)
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0] = angle.cos() * scale * mirror
    matrix[:, 0, 1] = -angle.sin() * scale
    matrix[:, 1, 0] = angle.sin() * scale * mirror
    matrix[:, 1, 1] = angle.cos() * scale
    matrix[:, :, 2] = 2 * how.shift * _around_zero(random, n, 2)
    grid = functional.affine_grid(matrix, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, align_corners=False)


def _uniform(random: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=random)


def _around_zero(random: torch.Generator, *shape: int) -> Tensor:
    return 2 * torch.rand(shape, generator=random) - 1
