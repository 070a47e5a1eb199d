"""Windows and dialogs are never larger than the screen."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QWidget
from pytestqt.qtbot import QtBot

from core.settings import SettingsStore
from desktop import appearance
from desktop.dialogs.keys import KeysDialog
from desktop.dialogs.retrain import RetrainDialog
from desktop.fitting import TITLE_BAR, fit
from desktop.main_window import MainWindow
from desktop.operations.planning import RecipeChoice, RetrainPlan
from tests.desktop.conftest import Bench


def test_a_large_dialog_leaves_room_for_its_frame(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = QDialog(parent)
    room = parent.screen().availableSize()
    fit(dialog, 9_000, 9_000)
    assert dialog.width() == room.width() and dialog.height() == room.height() - TITLE_BAR
    fit(dialog, 300, 200)
    assert (dialog.width(), dialog.height()) == (300, 200)


@pytest.mark.usefixtures("profile")
def test_the_first_window_and_a_dialog_are_within_the_screen(qtbot: QtBot, bench: Bench) -> None:
    window = MainWindow(SettingsStore())
    qtbot.addWidget(window)
    room = window.screen().availableSize()
    assert window.height() <= room.height()
    assert window.width() <= max(room.width(), window.minimumWidth())
    dialog = KeysDialog(bench.app.window.actions_, [], bench.app.window)
    assert dialog.width() <= room.width() and dialog.height() <= room.height()


def test_a_recipe_that_says_much_is_read_to_its_end(qtbot: QtBot, qapp: QApplication) -> None:
    appearance.apply(qapp)
    recipes = (
        RecipeChoice("short", "Short", "Learns."),
        RecipeChoice("long", "Long", "It learns from whatever was labelled. " * 14),
    )
    plan = RetrainPlan("Test", 1, 1, 1, 1, 1, 0, "Test model", recipes, "Label more slices. " * 8)
    dialog = RetrainDialog(plan, "long")
    qtbot.addWidget(dialog)
    dialog.show()
    for name in ("long", "short", "long"):
        dialog.recipes.setCurrentIndex(dialog.recipes.findData(name))
        for label in dialog.findChildren(QLabel):
            needed = label.heightForWidth(label.width())
            qtbot.waitUntil(lambda label=label, needed=needed: label.height() >= needed)
