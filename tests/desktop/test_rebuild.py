"""Another language, theme or profile builds the window's inside again; what a reader has arranged
stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.case import Case
from core.models.answers import ModelIdentity, SeriesPrediction
from core.reading.layout import Layout, Tool
from core.session import AnswerState, LoadState
from desktop import appearance, language
from desktop.command_names import Command
from desktop.viewer.stage import Stage
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries
from tests.desktop.test_window import opened

LOOKS = ({"language": "ko"}, {"theme": "light"}, {"industry": True})


def wear(qtbot: QtBot, bench: Bench, **looks: Any) -> Stage:
    """Change the looks and wait until the inside is a new one."""
    before = bench.app.window.stage
    bench.app.settings.change_looks(**looks)
    qtbot.waitUntil(lambda: bench.app.window.stage is not before)
    return bench.app.window.stage


@pytest.fixture(autouse=True)
def plain_looks(qapp: QApplication) -> Iterator[None]:
    """Language and theme are the process's: the next test begins with the plain ones."""
    yield
    language.use("en", industry=False)
    appearance.apply(qapp)


@pytest.mark.parametrize("looks", LOOKS, ids=lambda looks: next(iter(looks)))
def test_two_series_stay_side_by_side(qtbot: QtBot, bench: Bench, looks: dict[str, Any]) -> None:
    left = opened(qtbot, bench, MemorySeries("a"), MemorySeries("b"))
    right = next(item for item in bench.app.session if item is not left)
    bench.app.window.actions_[Command.BESIDE].trigger()
    qtbot.waitUntil(lambda: right.load_state is LoadState.LOADED)
    stage = wear(qtbot, bench, **looks)
    assert left.case.display.layout is Layout.BESIDE
    assert [view.case for view in stage.beside.views] == [left.case, right.case]
    assert stage.beside.isVisible() and not stage.single.isVisible()
    assert bench.app.window.actions_[Command.BESIDE].isChecked()
    left.case.navigation.go(3)
    assert right.case.navigation.index() == 3, "still in step"
    stage.leave_beside()
    assert left.case.display.layout is Layout.SINGLE


def test_two_models_stay_side_by_side(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    assert reading.case.prediction is not None
    other = SeriesPrediction(
        ModelIdentity("other", "2", "f" * 64),
        reading.case.prediction.positive,
        0.5,
        slices=dict(reading.case.prediction.slices),
    )
    bench.app.window.stage.show_model_beside(other)
    stage = wear(qtbot, bench, theme="light")
    beside = stage.companion
    assert isinstance(beside, Case) and beside.prediction is other
    assert beside.summary is reading.summary
    assert not stage.beside.views[1].stale


def test_planes_tool_and_camera_stay(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench)
    stage = bench.app.window.stage
    stage.toggle_planes(Layout.GRID)
    side = stage.planes.every[2]
    side.viewpoint.look(replace(side.viewpoint.camera, zoom=2.5))
    stage.planes.toggle_alone(side)
    stage.tool = Tool.LENGTH
    stage.viewpoint.look(stage.viewpoint.camera.rotated(1))
    kept = (stage.viewpoint.camera, side.viewpoint.camera)
    stage = wear(qtbot, bench, language="ko")
    assert reading.case.display.layout is Layout.GRID and stage.planes.isVisible()
    side = stage.planes.every[2]
    assert stage.planes.alone is side and stage.planes.active is side
    assert (stage.viewpoint.camera, side.viewpoint.camera) == kept
    assert stage.tool is Tool.LENGTH and all(view.tool is Tool.LENGTH for view in stage.views)
    assert bench.app.window.actions_[Command.TOOL_LENGTH].isChecked()


def test_only_what_is_looked_at_is_made(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench)
    stage = bench.app.window.stage
    assert stage.views == (stage.single,)
    stage.tool = Tool.PAN
    bench.app.window.actions_[Command.THREE_PANELS].trigger()
    assert len(stage.views) == 4
    for view in stage.three.views:
        assert view.case is reading.case and view.tool is Tool.PAN
        assert view.language == language.current()
    qtbot.waitUntil(lambda: stage.three.original.image is not None)
    assert stage.view is stage.three.original


def test_a_panel_that_was_hidden_at_the_end_is_as_wide_as_before(
    qtbot: QtBot, bench: Bench
) -> None:
    window, values = bench.app.window, bench.app.settings.values
    window.columns.setSizes([300, 700, 400])
    window.keep_session()
    kept = list(values.splitter)
    window.actions_[Command.STUDIES_PANEL].trigger()
    qtbot.waitUntil(lambda: not window.columns.sizes()[0])
    window.keep_session()
    assert list(values.splitter) == kept and all(kept)
