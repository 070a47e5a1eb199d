"""Starts the engine process, with as little imported as that needs.

Importing torch takes a new process longer than all the rest of a start: `sliceloop` starts the
engine as soon as the empty window is visible, and gives it to the client once there is one.
"""

from __future__ import annotations

import gc
import multiprocessing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess


@dataclass(frozen=True)
class EngineProcess:
    """A process that runs `core.models.engine.serve`, and our end of its channel."""

    process: BaseProcess
    channel: Connection


def start_engine() -> EngineProcess:
    """Start one; returns at once. It ends when its channel is closed, or with this process."""
    context = multiprocessing.get_context("spawn")
    own, other = context.Pipe()
    # A daemon is ended with its parent, whatever way that goes.
    process = context.Process(target=_serve, args=(other,), name="sliceloop-engine", daemon=True)
    process.start()
    other.close()
    return EngineProcess(process, own)


def _serve(channel: Connection) -> None:
    gc.disable()  # all that imports make stays: looking through it takes a tenth of their time
    from core.models.engine import serve

    serve(channel)
