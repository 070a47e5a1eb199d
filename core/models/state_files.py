"""State dicts from files that others wrote: safetensors, or `.pth` without running its code."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from core.errors import DamagedModelError

LARGEST_FILE = 4 * 1024**3
"""Bytes. The largest networks that are reasonable here have a tenth of it."""

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "weights")
"""Keys under which trainers keep the weights beside optimisers and epochs."""
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
"""Put before each name by data parallelism, compilation or a training framework."""


def read_state(path: Path) -> dict[str, Tensor]:
    """Names and tensors of a weight file; float tensors as float32.

    `.pth`, `.pt` and `.bin` are read with `weights_only=True`: a pickle that would call
    anything but torch's own tensor builders is refused before it runs.
    Raises DamagedModelError if the file is absent, too large, cut off, holds something else, or
    numbers that are not finite.
    """
    if not path.is_file():
        raise DamagedModelError(path, "there is no such file")
    if path.stat().st_size > LARGEST_FILE:
        raise DamagedModelError(path, "it is larger than any weights this program can use")
    found = _safetensors(path) if path.suffix.lower() == ".safetensors" else _torch(path)
    state = {}
    for name, tensor in found.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise DamagedModelError(path, "some of its numbers are not finite")
        state[name] = tensor.float() if tensor.is_floating_point() else tensor
    return state


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: the length of a JSON table, and the table."""
    try:
        with path.open("rb") as stream:
            start = stream.read(9)
    except OSError:
        return False
    return len(start) == 9 and start[8:] == b"{"


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedModelError(path, f"its weights cannot be read: {reason}") from error


def _torch(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            # What torch thinks of a pickle's version is no news to a person: it loads, or not.
            warnings.simplefilter("ignore")
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DamagedModelError(
            path, "it holds more than tensors; reading it would run code, so it was not read"
        ) from error
    except (RuntimeError, OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedModelError(path, f"its weights cannot be read: {reason}") from error
    return _unwrapped(content, path)


def _unwrapped(content: Any, path: Path) -> dict[str, Tensor]:
    """The mapping of names to tensors inside what a trainer saved."""
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping):
        raise DamagedModelError(path, "it holds no table of names and tensors")
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not state:
        raise DamagedModelError(path, "it holds no table of names and tensors")
    return state


def without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names without what data parallelism, compilation or a framework put before all of them."""
    for _ in range(3):
        shared = next((p for p in _PREFIXES if all(name.startswith(p) for name in state)), None)
        if shared is None:
            return state
        state = {name.removeprefix(shared): tensor for name, tensor in state.items()}
    return state
