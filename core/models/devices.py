"""What a model can compute on here, asked with and without torch.

Importing torch takes a new process longer than all the rest of a start. A kept graph answers
without it (see `core.models.kept`), but only where no other device could be better.
"""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from core.errors import DeviceUnavailableError

if TYPE_CHECKING:
    import torch

_DRIVERS = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libamdhip64.so")
"""Libraries that come with a graphics card's driver, not with torch."""


def accelerator_possible() -> bool:
    """Whether torch might find a graphics card here; False only where it certainly would not.

    Does not import torch: looks whether it was built for cards, and whether a driver is there.
    """
    if sys.platform == "darwin":
        return True
    found = find_spec("torch")
    homes = [] if found is None else found.submodule_search_locations or []
    built = (Path(home).glob(f"lib/*torch_{kind}*") for home in homes for kind in ("cuda", "hip"))
    return any(any(libraries) for libraries in built) and any(map(_loads, _DRIVERS))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def thread_count() -> int:
    """Threads that share one input: as many as torch takes, told without it.

    OMP_NUM_THREADS where it is set, else the cores that this process may use, not their threads.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(psutil.cpu_count(logical=False) or 1, allowed or 1))


def best_device(wanted: str = "auto") -> torch.device:
    """The device to compute on: what was asked for, or CUDA, MPS, CPU, whichever is there.

    wanted: "auto", "cpu", "mps", "cuda" or one of several, "cuda:1".
    Raises DeviceUnavailableError for what this computer does not have.
    """
    import torch

    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.insert(0, "mps")
    if torch.cuda.is_available():
        there = ["cuda", *(f"cuda:{k}" for k in range(torch.cuda.device_count())), *there]
    if wanted == "auto":
        return torch.device(there[0])
    if wanted not in there:
        raise DeviceUnavailableError(wanted, ("auto", *there))
    return torch.device(wanted)
