"""Asking the model: the real engine may die in the middle of it, and nobody ever waits for it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.imaging.volume import Opened, Volume
from core.models.answers import HeatMap, SeriesPrediction, SlicePrediction
from core.models.catalogue import Catalogue
from core.models.client import EngineClient
from core.models.messages import (
    EngineDied,
    EngineMessage,
    EngineReady,
    PredictionFinished,
    PredictionStarted,
    PredictRequest,
    SliceAnswered,
)
from core.session import AnswerState, LoadState, Reading
from desktop.app import Application
from desktop.command_names import Command
from desktop.operations import opening
from tests.core.models.making import make_model
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries, Paused
from tests.desktop.test_window import opened, press

PATIENCE_MS = 120_000
"""A loaded machine may take long to start a process and import torch."""


class StruckEngine(EngineClient):
    """The real engine, killed when its fourth answer arrives: in the middle of a prediction.

    The pipe holds a few dozen answers, the series has six hundred slices.
    """

    def __init__(self, post: Callable[[EngineMessage], None]) -> None:
        self.answers = 0
        self.told: list[EngineMessage] = []
        super().__init__(self._strike(post))

    def _strike(self, post: Callable[[EngineMessage], None]) -> Callable[[EngineMessage], None]:
        def heard(message: EngineMessage) -> None:
            if isinstance(message, SliceAnswered):
                self.answers += 1
                if self.answers == 4 and self.pid is not None:
                    os.kill(self.pid, signal.SIGKILL)
            else:
                self.told.append(message)
            post(message)

        return heard


@pytest.fixture
def struck(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Application, StruckEngine]]:
    """The application with a real model and a real engine that will be killed."""
    make_model(tmp_path / "weights" / "small")
    series = MemorySeries("long", slices=600)
    monkeypatch.setattr(opening, "open_path", lambda _path, **_: Opened((series,)))
    engines: list[StruckEngine] = []

    def make_engine(post: Callable[[EngineMessage], None]) -> StruckEngine:
        engines.append(StruckEngine(post))
        return engines[0]

    app = Application(make_engine, Catalogue(shipped=tmp_path / "weights"))
    qtbot.addWidget(app.window)
    app.start()
    yield app, engines[0]
    app.close()


def test_an_engine_killed_in_mid_prediction_leaves_the_window_alive_and_is_restarted(
    qtbot: QtBot, struck: tuple[Application, StruckEngine]
) -> None:
    app, engine = struck
    app.operations.opening.open_paths([Path("/images/long")], remember=False)
    said: list[str] = []
    app.operations.asking.engine_changed.connect(said.append)

    def has_died() -> bool:
        return any(isinstance(message, EngineDied) for message in engine.told)

    qtbot.waitUntil(has_died, timeout=PATIENCE_MS)
    assert not any(isinstance(message, PredictionFinished) for message in engine.told)
    reading = app.session.current
    assert reading is not None
    qtbot.waitUntil(lambda: app.window.banner.notice is not None)
    notice = app.window.banner.notice
    assert notice is not None and "model process" in notice.text
    assert app.window.isVisible()
    qtbot.keyClick(app.window.stage.view, Qt.Key.Key_Home)  # it reads on meanwhile
    assert reading.case.navigation.index() == 0
    # Started again by itself, asked again by itself.
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE, timeout=PATIENCE_MS)
    assert reading.case.prediction is not None
    assert len(reading.case.prediction.slices) == 600
    ready = [message for message in engine.told if isinstance(message, EngineReady)]
    assert len(ready) == 2
    assert any("again" in words for words in said)
    assert "ready" in said[-1]


def test_scrolling_never_waits_for_a_model_that_is_at_work(qtbot: QtBot, bench: Bench) -> None:
    stuck, asked = threading.Event(), threading.Event()

    def predict(_request: PredictRequest, _volume: Volume) -> None:
        asked.set()
        stuck.wait(60)

    bench.engine.predict = predict  # type: ignore[method-assign]
    try:
        reading = opened(qtbot, bench, MemorySeries("long", slices=40))
        qtbot.waitUntil(asked.is_set)
        view = bench.app.window.stage.view
        press(qtbot, bench, Qt.Key.Key_Home)
        for index in range(1, 40):
            press(qtbot, bench, Qt.Key.Key_Down)
            view.redraw()  # what the next turn of the event loop does
            assert reading.case.navigation.index() == index
            assert view.image is not None and view.furniture.centre == ""
        assert not stuck.is_set()
        assert reading.answer_state is AnswerState.QUEUED
    finally:
        stuck.set()


def lay_heat_map(qtbot: QtBot, bench: Bench) -> None:
    """As a reader does: once the window offers it."""
    action = bench.app.window.actions_[Command.HEAT_MAP]
    qtbot.waitUntil(action.isEnabled)
    action.trigger()


def test_the_engine_hears_where_the_reader_goes_in_a_series_that_it_answers(
    qtbot: QtBot, bench: Bench
) -> None:
    engine = bench.engine
    engine.answers = False
    reading = opened(qtbot, bench, MemorySeries("long", slices=40))
    qtbot.waitUntil(lambda: len(engine.requests) == 1)
    asked = engine.requests[0]
    press(qtbot, bench, Qt.Key.Key_End)
    qtbot.waitUntil(lambda: engine.looks == [(asked.id, 39)])

    answer = SlicePrediction(0, {"hemorrhage": 0.1, "no_hemorrhage": 0.9})
    engine.post(SliceAnswered(asked.id, engine.identity, answer))
    qtbot.waitUntil(lambda: bool(reading.case.prediction and reading.case.prediction.slices))
    press(qtbot, bench, Qt.Key.Key_Home)  # is answered
    press(qtbot, bench, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: engine.looks[1:] == [(asked.id, 1)])

    engine.post(PredictionFinished(asked.id, 0.1, 0.2))
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    press(qtbot, bench, Qt.Key.Key_Down)
    engine.answers = True
    opened(qtbot, bench, MemorySeries("other", slices=5))
    reading.case.navigation.go(30)  # nobody looks at it any more
    qtbot.waitUntil(lambda: bench.app.jobs.is_idle)
    assert len(engine.looks) == 2


def test_scrolling_through_a_predicted_series_asks_nobody(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench, MemorySeries("long", slices=40))
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    lay_heat_map(qtbot, bench)
    assert len(bench.engine.requests) == 1
    bench.engine.predict = None  # type: ignore[method-assign,assignment] # would be a defect
    view = bench.app.window.stage.view
    press(qtbot, bench, Qt.Key.Key_Home)
    for index in range(1, 40):
        press(qtbot, bench, Qt.Key.Key_Down)
        view.redraw()
        assert reading.case.navigation.index() == index
        assert view.shows_heat
        assert any("Model:" in line.text for line in view.furniture.top_right)
    qtbot.waitUntil(lambda: bench.app.jobs.is_idle)
    assert len(bench.engine.requests) == 1


def test_what_the_engine_notes_and_what_is_not_predicted_stands_on_the_image(
    qtbot: QtBot, bench: Bench
) -> None:
    def predict(request: PredictRequest, volume: Volume) -> None:
        PlainAnswers(bench).give(request, volume)

    bench.engine.predict = predict  # type: ignore[method-assign]
    reading = opened(qtbot, bench)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    stage = bench.app.window.stage
    lay_heat_map(qtbot, bench)
    reading.case.navigation.go(3)
    stage.view.redraw()
    shown = stage.view.banners.messages
    assert "Slices are 9 mm apart." in shown
    assert "Memory ran out: 2 at a time from now on." in shown
    assert "Slices and series disagree: look." in shown
    assert "Slices and series disagree: look." in bench.app.window.findings._series.text()
    said = [line.text for line in stage.view.furniture.top_right]
    assert not any("not predicted" in line for line in said)
    reading.case.navigation.go(5)
    stage.view.redraw()
    said = [line.text for line in stage.view.furniture.top_right]
    assert "Heat map: Hemorrhage is not predicted on this slice" in said


class PlainAnswers:
    """What an engine says that has something to note."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def give(self, request: PredictRequest, volume: Volume) -> None:
        engine = self._bench.engine
        prediction = SeriesPrediction(
            engine.identity, "hemorrhage", 0.4, cautions=("Slices are 9 mm apart.",)
        )
        engine.post(PredictionStarted(request.id, prediction))
        for index in range(volume.slices):
            share = 0.9 if index == 3 else 0.1
            heat = HeatMap(np.ones((4, 4), np.float32), (0.0, 0.0, 40.0, 32.0), "hemorrhage")
            said = {"hemorrhage": share, "no_hemorrhage": 1 - share}
            answer = SlicePrediction(index, said, heat)
            engine.post(SliceAnswered(request.id, engine.identity, answer))
        notes = ("Memory ran out: 2 at a time from now on.",)
        conflict = "Slices and series disagree: look."
        engine.post(PredictionFinished(request.id, 0.2, 0.1, conflict, notes))


def test_the_evidence_for_any_class_can_be_had(
    qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = bench.app.operations.asking.models.model
    assert entry is not None
    classes = ("no_hemorrhage", "hemorrhage", "other")
    card = entry.card.model_copy(update={"classes": classes})
    several = type(entry)(entry.folder, card, entry.origin, is_active=True)
    monkeypatch.setattr(type(bench.app.operations.asking.models), "model", several)

    def predict(request: PredictRequest, volume: Volume) -> None:
        bench.engine.requests.append(request)
        engine, shown = bench.engine, request.class_id or "hemorrhage"
        prediction = SeriesPrediction(engine.identity, "hemorrhage", 0.4)
        engine.post(PredictionStarted(request.id, prediction))
        for index in range(volume.slices):
            heat = HeatMap(np.ones((4, 4), np.float32), (0.0, 0.0, 40.0, 32.0), shown)
            said = dict(zip(classes, (0.2, 0.5, 0.3), strict=True))
            answer = SlicePrediction(index, said, heat)
            engine.post(SliceAnswered(request.id, engine.identity, answer))
        engine.post(PredictionFinished(request.id, 0.5, 0.1))

    bench.engine.predict = predict  # type: ignore[method-assign]
    reading = opened(qtbot, bench)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    reading.case.show(heat_map=True, heat_class="other")
    qtbot.waitUntil(lambda: len(bench.engine.requests) == 2)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    assert [request.class_id for request in bench.engine.requests] == [None, "other"]
    assert reading.case.prediction is not None
    assert {a.heat_map.class_id for a in reading.case.prediction.slices.values() if a.heat_map} == {
        "other"
    }
    reading.case.show(opacity=0.5)  # nothing to ask about
    reading.case.show(heat_class="")
    qtbot.waitUntil(lambda: len(bench.engine.requests) == 3)
    assert bench.engine.requests[-1].class_id is None


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> Iterator[Paused]:
    """A series that counts as long."""
    monkeypatch.setattr("core.models.ahead._FROM", 0)
    series = Paused()
    yield series
    series.goes_on.set()


def glanced(qtbot: QtBot, bench: Bench, series: Paused) -> Reading:
    """Begin to read a series and wait until its visible slice was asked about."""
    before, session = len(bench.engine.glances), bench.app.session
    bench.app.operations.opening.open_paths([bench.add(series)])
    qtbot.waitUntil(lambda: len(bench.engine.glances) > before)
    reading = session.current
    assert reading is not None and reading.series is series
    assert reading.load_state is LoadState.LOADING
    return reading


def tell_of_a_glance(qtbot: QtBot, bench: Bench, reading: Reading) -> SlicePrediction:
    """Have the engine say what it says of the visible slice alone."""
    engine, asked = bench.engine, bench.engine.glances[-1]
    answer = SlicePrediction(
        asked.first, {"hemorrhage": 0.7, "no_hemorrhage": 0.3}, None, provisional=True
    )
    engine.post(PredictionStarted(asked.id, SeriesPrediction(engine.identity, "hemorrhage", 0.4)))
    engine.post(SliceAnswered(asked.id, engine.identity, answer))
    qtbot.waitUntil(lambda: bool(reading.case.prediction and reading.case.prediction.slices))
    return answer


def test_the_visible_slice_is_answered_while_its_series_is_read(
    qtbot: QtBot, bench: Bench, paused: Paused
) -> None:
    reading = glanced(qtbot, bench, paused)
    answer = tell_of_a_glance(qtbot, bench, reading)
    assert reading.case.prediction is not None
    assert reading.case.prediction.slices == {reading.case.navigation.index(): answer}
    assert reading.answer_state is AnswerState.QUEUED, "the rest is still to be asked"

    bench.engine.answers = False
    paused.goes_on.set()
    qtbot.waitUntil(lambda: len(bench.engine.requests) == 1)
    assert bench.engine.requests == bench.engine.glances, "the same question goes on"
    assert reading.answer_state is AnswerState.RUNNING


@pytest.mark.parametrize("how", ["another is looked at", "closed", "the engine died"])
def test_a_glance_at_what_is_not_read_on_is_forgotten(
    qtbot: QtBot, bench: Bench, paused: Paused, how: str
) -> None:
    reading = glanced(qtbot, bench, paused)
    tell_of_a_glance(qtbot, bench, reading)
    bench.engine.answers = False
    if how == "another is looked at":
        bench.app.operations.opening.show(bench.app.session.add(MemorySeries("other", 3)))
    elif how == "closed":
        bench.app.operations.close_series(reading)
    else:
        bench.engine.post(EngineDied("was ended by signal 9"))
        qtbot.waitUntil(lambda: reading.case.prediction is None)
    paused.goes_on.set()
    qtbot.waitUntil(lambda: bench.app.jobs.is_idle)
    if how == "the engine died":  # the new one is asked anew
        assert bench.engine.glances[0].id not in {item.id for item in bench.engine.requests}
        assert bench.engine.requests == bench.engine.glances[1:]
        return
    asked = {item.id for item in bench.engine.requests}
    assert bench.engine.glances[0].id not in asked
    if how != "closed":
        assert reading.case.prediction is None
        assert reading.answer_state is AnswerState.NONE


def test_no_glance_where_the_model_is_asked_by_hand(
    qtbot: QtBot, bench: Bench, paused: Paused
) -> None:
    bench.app.settings.values.ask_on_open = False
    paused.goes_on.set()
    bench.app.operations.opening.open_paths([bench.add(paused)])
    qtbot.waitUntil(lambda: bench.app.jobs.is_idle and len(bench.app.session) == 1)
    assert bench.engine.glances == [] == bench.engine.requests


def test_nothing_stays_in_the_queue_of_a_task_that_was_left(
    qtbot: QtBot, bench: Bench, paused: Paused
) -> None:
    bench.engine.answers = False
    for number, name in enumerate(("one", "two"), 1):
        bench.app.operations.opening.open_paths([bench.add(MemorySeries(name, 3))])
        qtbot.waitUntil(lambda: len(bench.engine.requests) == number)  # noqa: B023
    readings = list(bench.app.session)
    glance = glanced(qtbot, bench, paused)
    tell_of_a_glance(qtbot, bench, glance)
    states = [reading.answer_state for reading in (*readings, glance)]
    assert states == [AnswerState.QUEUED, AnswerState.RUNNING, AnswerState.QUEUED]
    bench.app.label_commands._read_for("pneumonia")
    assert {reading.answer_state for reading in bench.app.session} == {AnswerState.NONE}
    assert bench.app.jobs.running() == [] or "Reading" in bench.app.jobs.running()[0].title


def test_a_glance_whose_series_is_not_asked_about_stands_in_nobodys_way(
    qtbot: QtBot, bench: Bench, paused: Paused
) -> None:
    first = glanced(qtbot, bench, paused)
    tell_of_a_glance(qtbot, bench, first)
    bench.app.settings.values.ask_on_open = False
    paused.goes_on.set()
    qtbot.waitUntil(lambda: first.load_state is LoadState.LOADED and bench.app.jobs.is_idle)
    assert first.answer_state is AnswerState.NONE and first.case.prediction is None
    bench.app.settings.values.ask_on_open = True
    bench.app.operations.opening.open_paths([bench.add(MemorySeries("next", 5))])
    qtbot.waitUntil(lambda: len(bench.engine.glances) == 2)
    qtbot.waitUntil(lambda: bench.app.jobs.is_idle)
