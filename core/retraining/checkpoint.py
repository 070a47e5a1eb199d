"""Resumable states of a fit: safetensors and JSON, so that resuming never unpickles."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core import durable
from core.errors import RunError

Tensors = dict[str, Tensor]


def save(folder: Path, tensors: dict[str, Tensors], facts: dict[str, Any]) -> None:
    """Write a state so that it is there whole, or the one before it still is.

    tensors: named groups of tensors. facts: JSON values beside them.
    """
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    temporary.mkdir(parents=True)
    flat = {
        f"{group}/{name}": tensor.detach().cpu().contiguous()
        for group, content in tensors.items()
        for name, tensor in content.items()
    }
    save_file(flat, temporary / "state.safetensors")
    (temporary / "state.json").write_text(json.dumps(facts), "utf-8")
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    durable.publish_folder(temporary, folder)
    shutil.rmtree(old, ignore_errors=True)


def load(folder: Path) -> tuple[dict[str, Tensors], dict[str, Any]] | None:
    """The last whole state, or None if there is none. Raises RunError if it is damaged."""
    if not folder.exists():
        old = folder.with_name(f".{folder.name}.old")
        if not old.exists():
            return None
        folder = old  # the process ended between the two renames
    try:
        facts: dict[str, Any] = json.loads((folder / "state.json").read_text("utf-8"))
        groups: dict[str, Tensors] = {}
        for name, tensor in load_file(folder / "state.safetensors").items():
            group, _, rest = name.partition("/")
            groups.setdefault(group, {})[rest] = tensor
    except (OSError, ValueError, SafetensorError) as error:
        raise RunError(folder, "its checkpoint is damaged", "Start the run anew.") from error
    return groups, facts


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> Tensors:
    """The optimiser's moments as named tensors."""
    return {
        f"{index}.{name}": value
        for index, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
        if isinstance(value, Tensor)
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Put moments back that `optimiser_tensors` took."""
    content = optimiser.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, moment = name.partition(".")
        state.setdefault(int(index), {})[moment] = value
    content["state"] = state
    optimiser.load_state_dict(content)
