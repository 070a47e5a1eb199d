"""How a batch of prepared slices or volumes is varied before the network sees it.

Whole batches are moved by one `grid_sample`; torchvision's transforms draw one variation for a
batch, or go through it slice by slice, which on a processor costs more than the network saves.
Everything is drawn for the whole batch first, so that processes that share it vary alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from core.retraining.recipe import Augmentation

_BACKGROUND = 0.02
"""Grey level, of 1, up to which a pixel is background, which brightness leaves black."""


@dataclass(frozen=True, eq=False)
class Variation:
    """What happens to each of n slices or volumes.

    matrix: (n, 2, 3), or (n, 3, 4) of volumes, output to input coordinates in [-1, 1]. contrast,
    shift, noise: (n, 1, 1, 1[, 1]), factor, grey levels of 1, and standard deviation of 1. grain:
    the noise itself, of unit deviation, shaped as the batch. forget: (n, 1, 1, 1[, 1]), whether
    neighbours are left out.
    """

    matrix: Tensor
    contrast: Tensor
    shift: Tensor
    noise: Tensor
    grain: Tensor
    forget: Tensor

    def __getitem__(self, chosen: slice) -> Variation:
        return Variation(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def draw(shape: tuple[int, ...], how: Augmentation, random: torch.Generator) -> Variation:
    """Variations for a batch of this shape, (n, channels, [slices,] rows, columns)."""
    n, ones = shape[0], (1,) * (len(shape) - 1)
    angle = math.radians(how.rotate_degrees) * _around_zero(random, n)
    scale = torch.exp(how.scale * _around_zero(random, n))
    mirror = torch.where((_uniform(random, n) < 0.5) & how.flip, -1.0, 1.0)
    upset = torch.where((_uniform(random, n) < 0.5) & how.flip_vertical, -1.0, 1.0)
    shear = torch.tan(math.radians(how.shear_degrees) * _around_zero(random, n))
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0] = angle.cos() * scale * mirror
    matrix[:, 0, 1] = (shear * angle.cos() - angle.sin()) * scale * upset
    matrix[:, 1, 0] = angle.sin() * scale * mirror
    matrix[:, 1, 1] = (shear * angle.sin() + angle.cos()) * scale * upset
    matrix[:, :, 2] = 2 * how.shift * _around_zero(random, n, 2)
    if len(shape) == 5:
        matrix = _in_space(matrix, scale, how, random)
    return Variation(
        matrix=matrix,
        contrast=1 + how.contrast * _around_zero(random, n, *ones),
        shift=how.brightness * _around_zero(random, n, *ones),
        noise=how.noise * _uniform(random, n, *ones),
        grain=torch.randn(shape, generator=random) if how.noise else torch.zeros(n, *ones),
        forget=_uniform(random, n, *ones) < how.forget_neighbours,
    )


def _in_space(plane: Tensor, scale: Tensor, how: Augmentation, random: torch.Generator) -> Tensor:
    """What is drawn for the planes of volumes, (n, 2, 3), with tilts and a third axis: (n, 3, 4).

    Coordinates are (column, row, slice), as grid_sample takes them.
    """
    n = len(plane)
    upset = torch.where((_uniform(random, n) < 0.5) & how.flip_slices, -1.0, 1.0)
    matrix = torch.zeros(n, 3, 4)
    matrix[:, :2, :2] = plane[:, :, :2]
    matrix[:, 2, 2] = scale * upset
    tilt = math.radians(how.tilt_degrees) * _around_zero(random, n, 2)
    across, down = torch.eye(3).repeat(n, 1, 1), torch.eye(3).repeat(n, 1, 1)
    for turn, angle, (one, two) in ((across, tilt[:, 0], (1, 2)), (down, tilt[:, 1], (0, 2))):
        turn[:, one, one] = turn[:, two, two] = angle.cos()
        turn[:, two, one] = angle.sin()
        turn[:, one, two] = -angle.sin()
    matrix[:, :, :3] = across @ down @ matrix[:, :, :3]
    matrix[:, :2, 3] = plane[:, :, 2]
    matrix[:, 2, 3] = 2 * how.shift * _around_zero(random, n)
    return matrix


def vary(pixels: Tensor, how: Variation) -> Tensor:
    """Vary a batch of grey levels.

    pixels: float32 (n, channels, [slices,] rows, columns) in [0, 1]. Returns the same shape and
    range. All channels of a slice move together; background stays black.
    """
    if pixels.shape[1] > 1:
        middle = pixels.shape[1] // 2
        alone = pixels[:, middle : middle + 1].expand_as(pixels)
        pixels = torch.where(how.forget, alone, pixels)
    moved = move(pixels, how)
    shift = how.shift * (moved > _BACKGROUND)
    return (moved * how.contrast + shift + how.grain * how.noise).clamp_(0, 1)


def move(pixels: Tensor, how: Variation) -> Tensor:
    """Only what a variation does to places: what lies on a slice moves along with it.

    pixels: float32 (n, anything, [slices,] rows, columns). Returns the same shape, 0 outside.
    """
    grid = functional.affine_grid(how.matrix, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, align_corners=False)


def mixing(n: int, alpha: float, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """With whom each of n slices is mixed, int64 (n,), and its own share, float32 (n,).

    alpha: both parameters of the beta distribution. The larger share is the slice's own.
    """
    order = torch.randperm(n, generator=random)
    # A beta variable as a ratio of two gamma ones: torch draws gammas from a generator.
    one, two = torch._standard_gamma(torch.full((2, n), alpha), generator=random)
    share = one / (one + two).clamp_min(1e-12)
    return order, torch.maximum(share, 1 - share)


def _uniform(random: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=random)


def _around_zero(random: torch.Generator, *shape: int) -> Tensor:
    return 2 * torch.rand(shape, generator=random) - 1
