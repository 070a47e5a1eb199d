"""The engine is a process of its own: it answers, and is replaced when it dies."""

from __future__ import annotations

import os
import queue
import signal
from pathlib import Path

import pytest

from core.errors import DamagedModelError, UnsuitableInputError
from core.imaging.intensity import Quantity
from core.models.card import WEIGHTS_FILE
from core.models.client import EngineClient
from core.models.messages import (
    EngineDied,
    EngineMessage,
    EngineReady,
    PredictionFinished,
    PredictionStarted,
    PredictRequest,
    RequestFailed,
    SliceAnswered,
)
from core.models.predictor import load_predictor
from tests.core.models.making import head_like, make_model, volume

PATIENCE = 120.0
"""Seconds that a loaded machine may take to start a process and import torch."""


class _Heard:
    def __init__(self) -> None:
        self.queue: queue.Queue[EngineMessage] = queue.Queue()

    def until(self, kind: type) -> list[EngineMessage]:
        """Messages up to and including the first of a kind."""
        found = []
        while True:
            found.append(self.queue.get(timeout=PATIENCE))
            if isinstance(found[-1], kind):
                return found


def test_the_life_of_an_engine(tmp_path: Path) -> None:
    make_model(tmp_path / "m")
    heard = _Heard()
    client = EngineClient(heard.queue.put)
    case = volume(head_like(6))
    try:
        client.start()
        heard.until(EngineReady)

        # it answers as the predictor does, the visible slice first
        client.predict(PredictRequest(1, tmp_path / "m", first=4), case)
        told = heard.until(PredictionFinished)
        assert isinstance(told[0], PredictionStarted)
        answers = [item.answer for item in told if isinstance(item, SliceAnswered)]
        expected = list(load_predictor(tmp_path / "m", "cpu").predict_volume(case, first=4))
        assert [a.index for a in answers] == [a.index for a in expected]
        for one, other in zip(answers, expected, strict=True):
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)
        highest = max(a.probabilities["hemorrhage"] for a in answers)
        assert told[-1].series_probability == pytest.approx(highest)

        # the same pixels and weights again: from what it remembers, and no slice twice
        client.predict(PredictRequest(2, tmp_path / "m", first=0), case)
        again = [
            item for item in heard.until(PredictionFinished) if isinstance(item, SliceAnswered)
        ]
        assert sorted(item.answer.index for item in again) == list(range(6))

        # what the model was not made for is refused, and the engine lives on
        client.predict(
            PredictRequest(3, tmp_path / "m", first=0), volume(case.voxels, Quantity.SIGNAL)
        )
        refused = heard.until(RequestFailed)[-1]
        assert isinstance(refused.error, UnsuitableInputError)

        # killed: told, and started again by itself
        assert client.pid is not None
        os.kill(client.pid, signal.SIGKILL)
        assert "signal 9" in heard.until(EngineDied)[-1].how
        heard.until(EngineReady)
        client.predict(PredictRequest(4, tmp_path / "m", first=0), case)
        heard.until(PredictionFinished)

        # killed in the middle of a prediction: told, started again, and asked once more it answers
        long = volume(head_like(400))
        client.predict(PredictRequest(5, tmp_path / "m", first=0), long)
        heard.until(SliceAnswered)
        os.kill(client.pid, signal.SIGKILL)
        told = heard.until(EngineDied)
        assert not any(isinstance(item, PredictionFinished) for item in told)
        heard.until(EngineReady)
        client.predict(PredictRequest(6, tmp_path / "m", first=0), case)
        assert heard.until(PredictionFinished)[-1].request_id == 6

        # weights that were swapped are refused
        (tmp_path / "m" / WEIGHTS_FILE).write_bytes(b"")
        client.predict(PredictRequest(7, tmp_path / "m", first=0, device="cpu"), case)
        assert isinstance(heard.until(RequestFailed)[-1].error, DamagedModelError)
    finally:
        client.close()
    assert client.pid is None
