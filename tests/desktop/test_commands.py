"""Every command of the menus does something, and nothing that it does is a defect."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QMenu, QMessageBox
from pytestqt.qtbot import QtBot

from core.imaging.opening import open_path
from core.labels.sets import load_label_set
from core.session import AnswerState, LoadState
from desktop import label_commands, language, model_commands
from desktop.command_names import Command
from desktop.command_table import SPECS
from desktop.jobs import Failure
from desktop.operations.exporting import answers_table
from tests.core.imaging.dicom.make import write_series
from tests.desktop.conftest import Bench
from tests.desktop.models import write_model
from tests.desktop.series import MemorySeries
from tests.desktop.test_window import opened

LEAVES = {Command.QUIT, Command.TOUR, Command.OPEN_SAMPLE}
"""Commands that end the window, start a program or make a sample; tried elsewhere."""


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[Failure]]:
    """Dialogs answer by themselves; uncaught exceptions are collected."""
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "")
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: ([], ""))
    target = str(tmp_path / "saved")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (target, ""))
    for module in (label_commands, model_commands):
        monkeypatch.setattr(module, "ask_text", lambda *_: "Dr. Example")
    monkeypatch.setattr(QMessageBox, "about", lambda *_: None)
    yes = QMessageBox.StandardButton.Yes
    monkeypatch.setattr(QMessageBox, "question", lambda *_, **__: yes)
    failures: list[Failure] = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: failures.append(error))  # type: ignore[arg-type]
    yield failures


def close_dialogs() -> None:
    for widget in QApplication.topLevelWidgets():
        if isinstance(widget, QDialog) and widget.isVisible():
            widget.reject()


@pytest.mark.parametrize("has_series", [False, True])
def test_every_command_can_be_given(
    qtbot: QtBot, bench: Bench, quiet: list[Failure], has_series: bool
) -> None:
    if has_series:
        reading = opened(qtbot, bench, MemorySeries("a"), MemorySeries("b"))
        qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    closer = QTimer()
    closer.timeout.connect(close_dialogs)
    closer.start(20)
    for spec in SPECS:
        if spec.command not in LEAVES:
            bench.app.window.actions_[spec.command].trigger()
            qtbot.wait(5)
    qtbot.waitUntil(lambda: bench.app.jobs.is_idle)
    closer.stop()
    assert quiet == []
    assert bench.app.window.isVisible()


Place = tuple[int, ...]
"""Where an item stands: which menu, which action in it, and in its submenu."""


def items(menu: QMenu, place: Place) -> Iterator[tuple[Place, QAction]]:
    """Every item of a menu and its submenus, filled as when a person opens them."""
    menu.aboutToShow.emit()
    for number, action in enumerate(menu.actions()):
        below = action.menu()
        if isinstance(below, QMenu):
            yield from items(below, (*place, number))
        elif not action.isSeparator():
            yield (*place, number), action


def all_items(bench: Bench) -> dict[Place, QAction]:
    """Every item of the menu bar."""
    tops = [action.menu() for action in bench.app.window.menuBar().actions()]
    return {
        place: action
        for number, menu in enumerate(tops)
        if isinstance(menu, QMenu)
        for place, action in items(menu, (number,))
    }


@pytest.mark.parametrize("has_series", [False, True])
def test_every_item_of_every_menu_can_be_tried(
    qtbot: QtBot, bench: Bench, quiet: list[Failure], has_series: bool
) -> None:
    if has_series:
        reading = opened(qtbot, bench, MemorySeries("a"), MemorySeries("b"))
        qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    app, window = bench.app, bench.app.window
    closer = QTimer()
    closer.timeout.connect(close_dialogs)
    closer.start(10)
    tried = 0
    for place in list(all_items(bench)):  # looks build the menus anew: found again each time
        action = all_items(bench).get(place)
        left = {window.actions_[command] for command in LEAVES}
        if action is None or action in left or not action.isEnabled():
            continue
        action.trigger()
        tried += 1
        qtbot.wait(2)
        blocked = QApplication.activeModalWidget()
        assert blocked is None, f"{place}: {blocked}"
    qtbot.waitUntil(lambda: app.jobs.is_idle)
    closer.stop()
    assert quiet == []
    assert tried > (100 if has_series else 35) and window.isVisible()
    app.settings.change_looks(language="en", theme="dark", industry=False)
    qtbot.waitUntil(lambda: language.current() == "en" and not language.is_industry())
    qtbot.wait(5)


def test_every_command_stands_in_a_menu_and_is_bound(bench: Bench) -> None:
    shown = {action for menu in bench.app.window.menus.values() for action in menu.actions()}
    for spec in SPECS:
        action = bench.app.window.actions_[spec.command]
        assert action in shown, spec.command
        assert action.receivers("2triggered(bool)") > 0, spec.command


def test_no_two_commands_share_a_key(bench: Bench) -> None:
    keys = [
        (key.toString(), spec.where)
        for spec in SPECS
        for key in bench.app.window.actions_[spec.command].shortcuts()
    ]
    assert len(keys) == len(set(keys))


def test_the_table_leaves_the_patient_out(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench)
    qtbot.waitUntil(lambda: reading.answer_state is AnswerState.DONE)
    bench.app.operations.labels.label(reading, "hemorrhage", 3)
    qtbot.waitUntil(lambda: reading.case.label_at(3) == "hemorrhage")
    text = answers_table(reading)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["slice"] for row in rows] == [str(number) for number in range(1, 13)]
    assert rows[3]["label"] == "hemorrhage" and rows[3]["flagged"] == "1"
    assert float(rows[3]["probability_hemorrhage"]) == pytest.approx(0.9)
    for private in ("DOE", "JANE", "patient-head", "1.2.head"):
        assert private not in text


def test_a_copied_picture_carries_no_text_of_the_patient(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench)
    seen: list[bool] = []
    stage = bench.app.window.stage
    original = stage.single.redraw
    stage.single.redraw = lambda: (seen.append(reading.case.display.annotations), original())[1]  # type: ignore[method-assign]
    bench.app.window.actions_[Command.COPY_PICTURE].trigger()
    assert seen[0] is False
    assert reading.case.display.annotations, "the texts are back afterwards"
    assert not QGuiApplication.clipboard().pixmap().isNull()


def test_promotion_and_rollback_change_who_is_asked(
    qtbot: QtBot, bench: Bench, tmp_path: Path
) -> None:
    write_model(tmp_path / "weights" / "second", name="second", content=b"other weights")
    reading = opened(qtbot, bench)
    retraining, asking = bench.app.operations.retraining, bench.app.operations.asking
    retraining.promote_known("second", "better")
    qtbot.waitUntil(
        lambda: asking.models.model is not None and asking.models.model.card.id == "second"
    )
    assert [item.action for item in retraining.promotions()] == ["promote"]
    qtbot.waitUntil(lambda: len(bench.engine.requests) == 2)
    retraining.roll_back("worse after all")
    qtbot.waitUntil(
        lambda: asking.models.model is not None and asking.models.model.card.id == "plain"
    )
    assert [item.action for item in retraining.promotions()] == ["promote", "rollback"]
    qtbot.waitUntil(lambda: reading.load_state is LoadState.LOADED and bench.app.jobs.is_idle)


def test_a_model_chosen_for_a_look_is_not_promoted(
    qtbot: QtBot, bench: Bench, tmp_path: Path
) -> None:
    write_model(tmp_path / "weights" / "second", name="second", content=b"other weights")
    bench.app.catalogue.changed.emit()
    opened(qtbot, bench)
    asking = bench.app.operations.asking
    asking.choose("second")
    assert asking.models.model is not None and asking.models.model.card.id == "second"
    active = bench.app.catalogue.active("hemorrhage")
    assert active is not None and active.card.id == "plain"
    asking.choose("plain")
    assert asking.models.model.card.id == "plain"


def test_another_task_has_its_own_classes_and_keys(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench)
    bench.app.label_commands._read_for("pneumonia")
    assert reading.case.label_set.id == "pneumonia"
    assert "pneumonia" in bench.app.window.findings.labels.buttons
    assert bench.app.operations.asking.models.model is None
    assert bench.app.settings.values.task == "pneumonia"


def test_a_tilt_is_corrected_as_a_series_of_its_own(
    qtbot: QtBot, bench: Bench, quiet: list[Failure], tmp_path: Path
) -> None:
    a = np.radians(-15)
    turn = (1.0, 0, 0, 0, float(np.cos(a)), float(np.sin(a)))
    write_series(tmp_path / "tilted", [3.0 * i for i in range(6)], orientation=turn)
    (series,) = open_path(tmp_path / "tilted").series
    tilted = opened(qtbot, bench, series)
    bench.app.window.actions_[Command.CORRECT_TILT].trigger()
    session = bench.app.session
    qtbot.waitUntil(
        lambda: (
            session.current is not tilted
            and session.current is not None
            and session.current.load_state is LoadState.LOADED
        )
    )
    straight = session.current
    assert straight is not None and len(list(session)) == 2
    assert not straight.series.summary.geometry.is_sheared
    assert {w.code for w in straight.series.summary.warnings} >= {"tilt-corrected"}
    bench.app.window.actions_[Command.CORRECT_TILT].trigger()  # is told that there is none
    qtbot.waitUntil(lambda: bench.app.jobs.is_idle)
    assert session.current is straight and quiet == []


def test_the_recipe_for_corrections_is_offered_first() -> None:
    from desktop.operations.planning import OFFERED_FIRST, make_plan

    plan = make_plan(load_label_set("hemorrhage"), (), None, [])
    assert plan.recipes[0].name == OFFERED_FIRST[0]
    assert len({choice.name for choice in plan.recipes}) == len(plan.recipes)
