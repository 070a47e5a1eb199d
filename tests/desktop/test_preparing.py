"""While a training set is made: the panel says so, and stopping it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from core.errors import NoLabelsError
from desktop.notices import Level
from tests.desktop.conftest import Bench


def state_of(bench: Bench) -> str:
    return bench.app.window.training.state_words


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_a_set_that_is_being_made_is_told_and_so_is_its_end(
    qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    goes_on = threading.Event()

    def build(*_: object, progress: Callable[[int, int], None], **__: object) -> Any:
        goes_on.wait(60)
        progress(1, 2)
        raise NoLabelsError(Path("labels.db"))

    monkeypatch.setattr("core.retraining.collecting.build_from_labels", build)
    jobs, before = bench.app.jobs, state_of(bench)
    bench.app.model_commands.begin("quick-head")
    assert "is being made" in state_of(bench)
    if how == "cancelled":
        (work,) = jobs.running()
        jobs.cancel(work.id)
        assert state_of(bench) == before
    goes_on.set()
    qtbot.waitUntil(lambda: jobs.is_idle)
    assert state_of(bench) == before
    notice = bench.app.window.banner.notice
    assert notice is not None
    if how == "cancelled":
        assert notice.level is Level.INFO and "no training has begun" in notice.text
    else:
        assert notice.level is not Level.INFO
