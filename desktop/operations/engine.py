"""The engine as the window's operations know it."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from core.imaging.volume import Volume
from core.models.messages import PredictRequest, PrepareModel


class EngineState(Enum):
    """How the engine process is."""

    STARTING = auto()
    READY = auto()
    RESTARTING = auto()


class Engine(Protocol):
    """The client of the engine process, as far as it is used here."""

    def start(self) -> None:
        """Start the process and warm it."""

    def prepare(self, model: PrepareModel) -> None:
        """Load a model that will be asked soon."""

    def predict(self, request: PredictRequest, volume: Volume) -> None:
        """Ask about a volume; a newer request wins."""

    def glance(self, request: PredictRequest, volume: Volume) -> None:
        """Ask about the visible slice of a volume that is still being read."""

    def look_at(self, request_id: int, index: int) -> None:
        """Have another slice of a request's series answered next."""

    def cancel(self, request_id: int) -> None:
        """Stop working on a request."""

    def close(self) -> None:
        """End the process."""
