"""The process in which codecs run: it takes tasks, fills a shared slot, and may die.

Started by `core.imaging.decoding` only. It reads length-prefixed pickles (of our own making)
from standard input and answers with short JSON; pixels travel through the shared slot. A codec
that crashes, hangs or asks for too much memory ends this process and nothing else.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import mmap
import os
import pickle
import struct
import sys
import time
from collections.abc import Sequence
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from core.workers import SLIGHT, let_the_window_go_first

ADDRESS_SPACE = 3 << 29
"""Bytes of address space that a decoder may use beyond what one frame needs: 1.5 GB."""


_AHEAD = ("core.imaging.dicom.frame_task", "core.imaging.picture_codecs", "imagecodecs")
"""What most tasks import; the first one need not wait for it where the process came up before."""
PREFIX = "<IQQQ"
"""What goes before a request: lengths of the slot's name and of the task, the slot's size, and
where in it the result belongs."""


class Task(Protocol):
    """One picture to decode. Frozen and picklable."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape that the result must have."""

    @property
    def dtype(self) -> str:
        """Type that the result must have, in numpy's short form."""

    def run(self) -> NDArray[np.generic]:
        """Decode. Raises ValueError with a clause that a person can read, or anything."""


def size_of(task: Task) -> int:
    """Bytes of the result."""
    count = np.dtype(task.dtype).itemsize
    for length in task.shape:
        count *= length
    return count


def main(_words: Sequence[str] = ()) -> int:
    """Serve until standard input ends; returns the exit code."""
    let_the_window_go_first(SLIGHT, SLIGHT)
    requests = os.fdopen(0, "rb", buffering=1 << 16)
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)  # what a codec prints must not look like an answer
    os.dup2(quiet, 2)
    slot: mmap.mmap | None = None
    _answer(replies, {})  # up: from here on the clock runs
    for name in _AHEAD:
        with contextlib.suppress(ImportError):  # the task that needs it will say so
            importlib.import_module(name)
    while True:
        prefix = requests.read(struct.calcsize(PREFIX))
        if len(prefix) < struct.calcsize(PREFIX):
            return 0
        name_length, length, slot_size, offset = struct.unpack(PREFIX, prefix)
        name = requests.read(name_length).decode()
        request = requests.read(length)
        try:
            task = pickle.loads(request)  # noqa: S301 - written by our parent
            _limit_memory(slot_size + size_of(task) * 4)  # before the slot is mapped: it counts
            if slot is None or len(slot) != slot_size:
                if slot is not None:
                    slot.close()
                    slot = None
                slot = open_slot(name, slot_size)
        except Exception as error:  # noqa: BLE001 - whatever it is, the picture is not to blame
            _answer(replies, {"lost": f"could not take up its work ({type(error).__name__})"})
            return 0
        _answer(replies, _serve(task, slot, offset) | {"spent": f"{time.process_time():.3f}"})


def _serve(task: Task, slot: mmap.mmap, offset: int) -> dict[str, str]:
    try:
        array = task.run()
        if array.shape != tuple(task.shape) or array.dtype != np.dtype(task.dtype):
            return {"reason": "its picture is not the one that its header describes"}
        target = np.frombuffer(slot, array.dtype, array.size, offset).reshape(array.shape)
        target[...] = array
    except MemoryError:
        return {"died": "ran out of its memory limit"}
    except ValueError as error:
        return {"reason": _clause(error)}
    except Exception:  # noqa: BLE001 - codecs raise classes of their own
        return {"reason": "its compressed data are damaged"}
    return {}


def _clause(error: ValueError) -> str:
    text = str(error)
    # Our own clauses begin with "it" or "the"; a codec's wording helps nobody.
    ours = text.startswith(("its ", "it ", "the "))
    return text[:200] if ours else "its compressed data are damaged"


def _answer(replies: BinaryIO, answer: dict[str, str]) -> None:
    text = json.dumps(answer).encode()
    replies.write(struct.pack("<I", len(text)) + text)


def open_slot(name: str, size: int) -> mmap.mmap:
    """Map the shared slot: an inherited file handle, or on Windows a named mapping."""
    if sys.platform == "win32":
        return mmap.mmap(-1, size, tagname=name)
    return mmap.mmap(int(name), size)


def _limit_memory(extra: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(ValueError, OSError):
        limit = ADDRESS_SPACE + extra
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
