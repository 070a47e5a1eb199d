"""The engine is a process of its own: it answers, and is replaced when it dies."""

from __future__ import annotations

import os
import queue
import signal
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.errors import DamagedModelError, NotEnoughMemoryError, UnsuitableInputError
from core.imaging.geometry import Geometry
from core.imaging.intensity import Quantity
from core.models.answers import SlicePrediction
from core.models.card import WEIGHTS_FILE, Calibration, read_card, write_card
from core.models.client import EngineClient
from core.models.loading import load_predictor
from core.models.messages import (
    EngineDied,
    EngineMessage,
    EngineReady,
    PredictionFinished,
    PredictionStarted,
    PredictRequest,
    PrepareModel,
    RequestFailed,
    SliceAnswered,
)
from core.models.remembered import AnswerMemory, key_of
from tests.core.models.making import head_like, make_model, volume

PATIENCE = 240.0
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
        client.prepare(PrepareModel(tmp_path / "none"))  # what is not there is told when asked
        client.prepare(PrepareModel(tmp_path / "m"))

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

        # another calibration of the same weights is another answer
        card = read_card(tmp_path / "m")
        moved = card.model_copy(update={"calibration": Calibration(slope=1.0, intercept=3.0)})
        write_card(tmp_path / "m", moved)
        client.predict(PredictRequest(4, tmp_path / "m", first=4), case)
        told = heard.until(PredictionFinished)
        assert told[-1].series_probability > highest
        write_card(tmp_path / "m", card)

        _a_glance_interrupts_nothing(client, heard, tmp_path / "m")
        _the_visible_slice_comes_ahead(client, heard, tmp_path / "m")

        # killed in the middle of it: told, started again, and asked once more it answers
        assert client.pid is not None
        os.kill(client.pid, signal.SIGKILL)
        told = heard.until(EngineDied)
        assert "signal 9" in told[-1].how
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


def _the_visible_slice_comes_ahead(client: EngineClient, heard: _Heard, folder: Path) -> None:
    """Of a long series, before the rest has been copied."""
    long = volume(head_like(160, size=128))
    client.predict(PredictRequest(5, folder, first=90), long)
    told = heard.until(SliceAnswered)
    assert [type(item) for item in told] == [PredictionStarted, SliceAnswered]
    assert told[-1].answer.provisional
    ahead = told[-1].answer
    told = heard.until(SliceAnswered)
    assert [type(item) for item in told] == [SliceAnswered]
    answer = told[-1].answer
    assert (ahead.index, answer.index, answer.provisional) == (90, 90, False)
    assert ahead.probabilities == pytest.approx(answer.probabilities, abs=1e-6)
    np.testing.assert_allclose(ahead.heat_map.values, answer.heat_map.values, atol=1e-6)


def _a_glance_interrupts_nothing(client: EngineClient, heard: _Heard, folder: Path) -> None:
    """The visible slice of a series that is still being read, while another one is answered."""
    under_way, whole = volume(head_like(200, size=128)), volume(head_like(170, size=128))
    begun = volume(np.zeros_like(whole.voxels))
    begun.voxels[49:52] = whole.voxels[49:52]
    client.predict(PredictRequest(20, folder, first=0), under_way)
    heard.until(SliceAnswered)
    asked = PredictRequest(21, folder, first=50)
    client.glance(asked, begun)
    told = heard.until(PredictionFinished)
    assert told[-1].request_id == 20, "it was not given up"
    while sum(item.request_id == 21 for item in told) < 2:  # a quick engine was done before
        told += heard.until(SliceAnswered)
    seen = [item for item in told if item.request_id == 21]
    assert [type(item) for item in seen] == [PredictionStarted, SliceAnswered]
    glance = seen[-1].answer
    assert (glance.index, glance.provisional) == (50, True)

    client.predict(asked, whole)  # all of it is there: the same question goes on
    told = heard.until(PredictionFinished)
    assert not any(isinstance(item, PredictionStarted) for item in told), "it has begun already"
    final = next(item.answer for item in told if isinstance(item, SliceAnswered))
    assert (final.index, final.provisional) == (50, False)
    assert glance.probabilities == pytest.approx(final.probabilities, abs=1e-6)
    np.testing.assert_allclose(glance.heat_map.values, final.heat_map.values, atol=1e-6)


def test_a_slice_that_is_gone_on_to_is_answered_before_those_between(tmp_path: Path) -> None:
    make_model(tmp_path / "m")
    heard, begun, goes_on = _Heard(), threading.Event(), threading.Event()

    def post(message: EngineMessage) -> None:
        heard.queue.put(message)
        if isinstance(message, SliceAnswered):  # the pipe fills, and the engine waits
            begun.set()
            goes_on.wait(PATIENCE)

    client = EngineClient(post)
    try:
        client.predict(PredictRequest(1, tmp_path / "m", first=0), volume(head_like(900)))
        assert begun.wait(PATIENCE)
        client.look_at(9, 400)  # of a question that nobody asked
        client.look_at(1, 899)
        goes_on.set()
        told = heard.until(PredictionFinished)
    finally:
        goes_on.set()
        client.close()
    order = [item.answer.index for item in told if isinstance(item, SliceAnswered)]
    assert sorted(set(order)) == list(range(900))
    assert order.index(899) < order.index(600)
    assert order[order.index(899) : order.index(899) + 3] == [899, 898, 897]


def test_full_shared_memory_is_told_and_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing to shared memory that the system cannot give ends a process by SIGBUS."""
    heard: list[object] = []
    client = EngineClient(heard.append)
    monkeypatch.setattr(client, "start", lambda: None)
    nothing = SimpleNamespace(f_bavail=0, f_frsize=4096)
    monkeypatch.setattr("core.models.shared.os.statvfs", lambda _: nothing)
    monkeypatch.setattr("core.models.shared.sys.platform", "linux")
    client.predict(PredictRequest(7, tmp_path / "m", first=0), volume(head_like(6)))
    (failed,) = heard
    assert isinstance(failed, RequestFailed)
    assert failed.request_id == 7
    assert isinstance(failed.error, NotEnoughMemoryError)


def test_answers_are_remembered_by_all_that_decides(tmp_path: Path) -> None:
    card = make_model(tmp_path / "m")
    case = volume(head_like(3))
    first = key_of(case, card, "hemorrhage", True)
    assert key_of(volume(case.voxels.copy()), card, "hemorrhage", True) == first
    moved = np.eye(4)
    moved[2, 3] = 7
    others = {
        key_of(volume(case.voxels + np.int16(1)), card, "hemorrhage", True),
        key_of(volume(case.voxels, intercept=1.0), card, "hemorrhage", True),
        key_of(volume(case.voxels, Quantity.GREY), card, "hemorrhage", True),
        key_of(volume(case.voxels, geometry=Geometry(case.geometry.shape, moved)), card,
               "hemorrhage", True),
        key_of(case, card.model_copy(update={"threshold": 0.4}), "hemorrhage", True),
        key_of(case, card, "no_hemorrhage", True),
        key_of(case, card, "hemorrhage", False),
    }  # fmt: skip
    assert len(others | {first}) == 8
    memory = AnswerMemory(kept=2)
    memory.of(case, card, 1)[0] = SlicePrediction(0, {})
    memory.of(case, card, 2)
    assert list(memory.of(case, card, 1)) == [0]
    memory.of(case, card, 3)
    assert not memory.of(case, card, 2)
    assert not memory.of(case, card, 1)
