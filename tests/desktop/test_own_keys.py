"""Keys of one's own: kept, in force at once, and refused where they are taken."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from pytestqt.qtbot import QtBot

from desktop.command_names import Command
from desktop.command_table import SPECS
from desktop.dialogs.edit_keys import EditKeysDialog
from desktop.keys import keys_of, objection, with_keys
from tests.desktop.conftest import Bench
from tests.desktop.test_window import opened


def test_delivered_keys_are_each_of_one_command() -> None:
    given = [(key, spec.command) for spec in SPECS for key in keys_of(spec.command, {})]
    assert len({key for key, _ in given}) == len(given)
    for key, command in given:
        assert objection(key, command, {}, ("Ctrl+1", "Ctrl+2")) == ""


def test_a_taken_key_is_refused_with_its_owner() -> None:
    assert "Invert" in objection("I", Command.HEAT_MAP, {}, ())
    assert "gives a label" in objection("ctrl+1", Command.HEAT_MAP, {}, ("Ctrl+1",))
    assert objection("Tab", Command.HEAT_MAP, {}, ())
    assert objection("", Command.HEAT_MAP, {}, ())
    moved = with_keys({}, Command.INVERT, ["Ctrl+Alt+I"])
    assert objection("I", Command.HEAT_MAP, moved, ()) == ""
    assert with_keys(moved, Command.INVERT, ["I"]) == {}, "as delivered is not noted"


def test_the_dialog_gives_adds_takes_and_resets(qtbot: QtBot) -> None:
    dialog = EditKeysDialog({}, ("Ctrl+1",))
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.select(Command.HEAT_MAP)
    dialog.editor.setKeySequence(QKeySequence("I"))
    assert not dialog.give.isEnabled() and "Invert" in dialog.problem.text()
    dialog.editor.setFocus()
    dialog.editor.clear()
    qtbot.keyClick(dialog.editor, Qt.Key.Key_F12)
    assert dialog.give.isEnabled()
    dialog.give.click()
    assert dialog.keys == {"HEAT_MAP": ["F12"]}
    dialog.editor.setKeySequence(QKeySequence("F4"))
    dialog.add.click()
    assert dialog.keys == {"HEAT_MAP": ["F12", "F4"]}
    dialog.take.click()
    assert dialog.keys == {"HEAT_MAP": []}
    dialog.reset.click()
    assert dialog.keys == {}


def test_what_was_delivered_is_not_taken_back_from_another(qtbot: QtBot) -> None:
    own = with_keys(with_keys({}, Command.HEAT_MAP, ["F12"]), Command.INVERT, ["G"])
    dialog = EditKeysDialog(own, ())
    qtbot.addWidget(dialog)
    dialog.select(Command.HEAT_MAP)
    dialog.reset.click()
    assert dialog.keys == own and "Invert" in dialog.problem.text()


def test_a_command_or_key_is_found_by_its_letters(qtbot: QtBot) -> None:
    dialog = EditKeysDialog({}, ())
    qtbot.addWidget(dialog)
    dialog.search.setText("heat map: other")
    rows = range(dialog.table.rowCount())
    assert sum(not dialog.table.isRowHidden(row) for row in rows) == 1


def test_another_key_works_at_once_and_after_a_restart(qtbot: QtBot, bench: Bench) -> None:
    reading = opened(qtbot, bench)
    window = bench.app.window
    old = window.actions_
    bench.app.settings.change_looks(keys={"INVERT": ["F12"]})
    qtbot.waitUntil(lambda: window.actions_ is not old)
    window.stage.setFocus()
    qtbot.keyClick(window.stage.view, Qt.Key.Key_I)
    assert not reading.case.display.inverted
    qtbot.keyClick(window.stage.view, Qt.Key.Key_F12)
    assert reading.case.display.inverted
    assert type(bench.app.settings)().values.keys == {"INVERT": ["F12"]}
