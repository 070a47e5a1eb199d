"""Resumable states of a fit: safetensors and JSON, so that resuming never unpickles."""

from __future__ import annotations

import hashlib
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
from core.errors import NotDurableError, RunError
from core.retraining.manifest import file_digest

Tensors = dict[str, Tensor]

_TENSORS, _FACTS = "state.safetensors", "state.json"


def save(folder: Path, tensors: dict[str, Tensors], facts: dict[str, Any]) -> None:
    """Write a state so that it is there whole, or the one before it still is; that one stays, too.

    tensors: named groups of tensors. facts: JSON values beside them. Raises NotDurableError.
    """
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        durable.make_folder(temporary)
    except OSError as error:
        raise NotDurableError(folder, error.strerror or str(error)) from error
    flat = {
        f"{group}/{name}": tensor.detach().cpu().contiguous()
        for group, content in tensors.items()
        for name, tensor in content.items()
    }
    try:
        save_file(flat, temporary / _TENSORS)
        weights = file_digest(temporary / _TENSORS)
        content = {"facts": facts, "tensors": weights, "digest": _digest(facts, weights)}
        (temporary / _FACTS).write_text(json.dumps(content), "utf-8")
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise NotDurableError(folder, error.strerror or str(error)) from error
    except SafetensorError as error:  # how safetensors tells of a full disk
        shutil.rmtree(temporary, ignore_errors=True)
        raise NotDurableError(folder, str(error)) from error
    old = _before(folder)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    durable.publish_folder(temporary, folder)
    for left in folder.parent.glob(f".{folder.name}.{'[0-9a-f]' * 8}"):  # of a killed process
        shutil.rmtree(left, ignore_errors=True)


def load(folder: Path) -> tuple[dict[str, Tensors], dict[str, Any]] | None:
    """The last whole state, else the one before it, or None if there was none.

    Each is compared with its hashes. Raises RunError if what there is is damaged.
    """
    there = [place for place in (folder, _before(folder)) if place.exists()]
    for place in there:
        try:
            return _read(place)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            continue
    if there:
        raise RunError(folder, "its checkpoints are damaged", "Start the run anew.")
    return None


def _read(folder: Path) -> tuple[dict[str, Tensors], dict[str, Any]]:
    content = json.loads((folder / _FACTS).read_text("utf-8"))
    facts, weights = content["facts"], content["tensors"]
    if content["digest"] != _digest(facts, weights) or weights != file_digest(folder / _TENSORS):
        raise ValueError("a checkpoint is not as it was written")
    groups: dict[str, Tensors] = {}
    for name, tensor in load_file(folder / _TENSORS).items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = tensor
    return groups, facts


def _before(folder: Path) -> Path:
    """Where the state before the last one stays."""
    return folder.with_name(f".{folder.name}.old")


def _digest(facts: dict[str, Any], weights: str) -> str:
    text = json.dumps([facts, weights], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> Tensors:
    """The optimiser's moments as named tensors."""
    return {
        f"{index}.{name}": value
        for index, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
        if isinstance(value, Tensor)
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Put moments back that `optimiser_tensors` took, laid out in memory as their weights are.

    A fused step goes through weights and moments side by side, whatever their strides say.
    """
    content = optimiser.state_dict()
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, moment = name.partition(".")
        weight = weights[int(index)].detach()
        alike = value.shape == weight.shape
        laid = torch.empty_like(weight, dtype=value.dtype).copy_(value) if alike else value
        state.setdefault(int(index), {})[moment] = laid
    content["state"] = state
    optimiser.load_state_dict(content)
