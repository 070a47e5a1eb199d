"""Weights from elsewhere for a trunk: bundled, torchvision's own, or a file of the person's.

Nothing in a file is trusted but its tensors: names and shapes must fit, or it is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import torch
from torch import Tensor, nn

from core.errors import DamagedModelError, PretrainedUnavailableError
from core.models.architectures import efficientnet_lite
from core.models.architectures.families import find_family
from core.models.state_files import read_state, without_prefix
from core.models.torchvision_library import torchvision

_HEADS = ("fc", "_fc", "head", "head.fc", "heads.head", "classifier")
"""Names of last layers in state dicts of torchvision, timm and their relatives."""


class Translated(NamedTuple):
    """A foreign state dict under our names: of the trunk, and of its last linear layer."""

    trunk: dict[str, Tensor]
    head: dict[str, Tensor]


def fill_pretrained(family: str, trunk: nn.Module, file: str = "") -> None:
    """Fill a trunk from `file`, or with its family's published weights if that is "".

    Raises PretrainedUnavailableError, DamagedModelError.
    """
    if file:
        path = Path(file)
        state = read_state(path)
    elif family == "efficientnet-lite0":
        path = efficientnet_lite.imagenet_file()
        state = read_state(path)
    else:
        name = find_family(family).torchvision_name
        if not name:
            return
        path, state = Path(name), _published(name)
    fill_trunk(trunk, translated(trunk, state).trunk, path)


def _published(name: str) -> dict[str, Tensor]:
    """Torchvision's default weights, from its cache or its server."""
    try:
        weights = torchvision().models.get_model_weights(name).DEFAULT
        state: dict[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except (URLError, OSError, RuntimeError, ValueError, AttributeError) as error:
        raise PretrainedUnavailableError(name, type(error).__name__) from error
    return state


def translated(trunk: nn.Module, state: dict[str, Tensor]) -> Translated:
    """A state dict of torchvision, timm or our own with names that fit a trunk of ours."""
    state = without_prefix(state)
    wanted = trunk.state_dict()
    own_head = str(getattr(trunk, "original_head", ""))
    heads = [own_head] if own_head else list(_HEADS)
    found = Translated({}, {})
    for name, tensor in state.items():
        owner, _, last = name.rpartition(".")
        plain = name.removeprefix("trunk.")
        if plain in wanted or f"model.{plain}" in wanted:
            key = plain if plain in wanted else f"model.{plain}"
            found.trunk[key] = _for_channels(tensor, wanted[key])
        elif owner in heads and last in ("weight", "bias"):
            found.head[last] = tensor
        else:
            found.trunk[plain] = tensor  # told as unexpected when the trunk is filled
    return found


def _for_channels(tensor: Tensor, wanted: Tensor) -> Tensor:
    """A stem's weights for another number of channels: the mean over its own, as bright."""
    if (
        tensor.ndim == wanted.ndim >= 4
        and tensor.shape[0] == wanted.shape[0]
        and tensor.shape[2:] == wanted.shape[2:]
        and tensor.shape[1] == 3 != wanted.shape[1]
    ):
        mean = tensor.mean(dim=1, keepdim=True) * (3 / wanted.shape[1])
        return mean.expand_as(wanted).clone()
    return tensor


def fill_trunk(trunk: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Load tensors into a trunk. Raises DamagedModelError unless names and shapes all fit.

    Counters of batch norms may be absent: old files have none, and nothing reads them. So may
    the squeeze-and-excitation block, which published ResNets do not have.
    """
    wanted = trunk.state_dict()
    for name, tensor in state.items():
        if name in wanted and tensor.shape != wanted[name].shape:
            raise DamagedModelError(
                path,
                f"its weights do not fit: {name} is {tuple(tensor.shape)}, "
                f"not {tuple(wanted[name].shape)}",
            )
    missing = [
        name
        for name in wanted
        if name not in state
        and not name.endswith("num_batches_tracked")
        and not name.startswith("se.")
    ]
    unexpected = [name for name in state if name not in wanted]
    if missing or unexpected:
        word = f"{missing[0]} is absent" if missing else f"{unexpected[0]} is not part of it"
        raise DamagedModelError(path, f"its weights do not fit this network: {word}")
    with torch.no_grad():
        trunk.load_state_dict(state, strict=False)
