"""Shared memory between the window and the engine: made by the one, looked at by the other."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory

from core.errors import NotEnoughMemoryError

_PLACE = "/dev/shm"  # noqa: S108 - the kernel's own place for it


def make_memory(size: int, model: str) -> SharedMemory:
    """A piece of shared memory. Raises NotEnoughMemoryError where the system has none left."""
    if sys.platform == "linux":  # where it is full, writing to it would end the process
        with suppress(OSError):
            there = os.statvfs(_PLACE)
            if there.f_bavail * there.f_frsize < size:
                raise NotEnoughMemoryError(model)
    try:
        return SharedMemory(create=True, size=max(1, size))
    except OSError:
        raise NotEnoughMemoryError(model) from None


def open_memory(name: str) -> SharedMemory:
    """What another process made and will give back. Raises FileNotFoundError.

    Before Python 3.13 whoever opens shared memory is taken for an owner of it (bpo-38119): where
    the other has just given it back, it is told at the end as lost. Only the maker is one here.
    """
    register = resource_tracker.register
    resource_tracker.register = lambda name, rtype: None
    try:
        return SharedMemory(name)
    finally:
        resource_tracker.register = register
