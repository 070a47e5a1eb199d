"""The settings dialog: all settings, validated, each with a way back; and what they do."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QTableWidgetItem
from pytestqt.qtbot import QtBot

from core.reading.layout import Layout
from core.settings import Settings, SettingsStore, WindowPreset
from desktop.actions import Command
from desktop.dialogs.settings import SettingsDialog
from desktop.setting_rows import NOT_CHOSEN, ROWS, Editor
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries
from tests.desktop.test_window import opened


@pytest.fixture
def dialog(qtbot: QtBot) -> SettingsDialog:
    made = SettingsDialog(Settings(reader="Dr. Example"), ("Ctrl+1",))
    qtbot.addWidget(made)
    made.show()
    return made


def test_every_setting_is_chosen_somewhere_or_noted_by_the_program() -> None:
    shown = [row.field for row in ROWS]
    assert len(set(shown)) == len(shown)
    assert set(shown) | NOT_CHOSEN == set(Settings.model_fields)
    assert not set(shown) & NOT_CHOSEN
    assert all(row.label and row.hint for row in ROWS)


def test_choices_are_those_that_the_settings_allow() -> None:
    for row in ROWS:
        if row.editor is Editor.CHOICE and row.field != "industry":
            for value, _words in row.choices:
                Settings().changed({row.field: value})


def test_what_is_shown_is_what_is_kept(dialog: SettingsDialog, qtbot: QtBot) -> None:
    assert Settings(reader="Dr. Example").changed(dialog.chosen()) == dialog.values
    box = dialog.editors["smooth"].box  # type: ignore[attr-defined]
    dialog.area.ensureWidgetVisible(box)
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=box.rect().center() / 8)
    number = dialog.editors["memory_gb"].box  # type: ignore[attr-defined]
    number.setFocus()
    number.selectAll()
    qtbot.keyClicks(number, "1.5")
    combo = dialog.editors["theme"].box  # type: ignore[attr-defined]
    combo.setFocus()
    qtbot.keyClick(combo, Qt.Key.Key_Down)
    qtbot.mouseClick(dialog.keep, Qt.MouseButton.LeftButton)
    assert not dialog.isVisible()
    kept = dialog.values
    assert (kept.smooth, kept.memory_gb, kept.theme) == (False, 1.5, "light")
    assert kept.reader == "Dr. Example"


def test_one_setting_or_all_go_back_as_delivered(dialog: SettingsDialog, qtbot: QtBot) -> None:
    for name, value in (("memory_gb", 8.0), ("industry", True), ("device", "cpu")):
        dialog.editors[name].show_value(value)
        dialog._edited(name)
        assert dialog.resets[name].isEnabled()
    qtbot.mouseClick(dialog.resets["memory_gb"], Qt.MouseButton.LeftButton)
    assert dialog.editors["memory_gb"].value == 3.0
    assert not dialog.resets["memory_gb"].isEnabled()
    qtbot.mouseClick(dialog.everything, Qt.MouseButton.LeftButton)
    assert dialog.chosen() == {
        **{row.field: getattr(Settings(), row.field) for row in ROWS},
        "reader": "Dr. Example",
    }


def test_what_cannot_be_is_told_at_its_name(dialog: SettingsDialog, qtbot: QtBot) -> None:
    table = dialog.editors["window_presets"].table  # type: ignore[attr-defined]
    table.setItem(0, 2, QTableWidgetItem("0"))
    qtbot.mouseClick(dialog.keep, Qt.MouseButton.LeftButton)
    assert dialog.isVisible() and "Window presets" in dialog.problem.text()
    table.setItem(0, 2, QTableWidgetItem("90"))
    qtbot.mouseClick(dialog.keep, Qt.MouseButton.LeftButton)
    assert dialog.values.window_presets[0] == WindowPreset(name="Brain", center=40, width=90)


def test_a_setting_is_found_by_its_words(dialog: SettingsDialog, qtbot: QtBot) -> None:
    qtbot.keyClicks(dialog.search, "graphics card")
    shown = {name for name, (part, _) in dialog._parts.items() if not part.isHidden()}
    assert shown == {"software_rendering", "device"}


def test_numbers_keep_to_the_bounds_of_the_settings(dialog: SettingsDialog) -> None:
    for name in ("memory_gb", "threads", "cine_rate", "heat_opacity", "heat_cut", "queue_seed"):
        box = dialog.editors[name].box  # type: ignore[attr-defined]
        for end in (box.minimum(), box.maximum()):
            box.setValue(end)
            Settings().changed({name: dialog.editors[name].value})


def test_every_editor_tells_a_screen_reader_what_it_is(dialog: SettingsDialog) -> None:
    for row in ROWS:
        proxy = dialog.editors[row.field].focusProxy()
        assert proxy is not None and proxy.accessibleName(), row.field
    texts = [label.text() for label in dialog.findChildren(QLabel)]
    assert all(row.hint in texts for row in ROWS)
    assert all(button.text() for button in dialog.findChildren(QPushButton))


# ----------------------------------------------------------------- what they do


def test_a_series_is_first_shown_as_the_settings_say(qtbot: QtBot, bench: Bench) -> None:
    bench.app.settings.change(
        bench.app.settings.values.changed(
            {
                "first_layout": "planes",
                "annotations": False,
                "heat_colours": "cividis",
                "heat_opacity": 0.8,
                "first_window": "preset",
                "window_presets": [{"name": "Mine", "center": 55, "width": 110}],
                "cine_rate": 20,
            }
        )
    )
    qtbot.wait(1)
    reading = opened(qtbot, bench, MemorySeries("a"), MemorySeries("b"))
    display = reading.case.display
    assert display.layout is Layout.PLANES and not display.annotations
    assert (display.colour_map, display.opacity) == ("cividis", 0.8)
    assert (display.window.name, display.window.width) == ("Mine", 110)
    assert [window.name for window in bench.app.window.stage.presets()] == ["Mine"]
    assert bench.app.window.stage._cine.interval() == 50

    # Memory is given back when less is allowed, but for the series that is shown.
    other = next(item for item in bench.app.session if item is not reading)
    bench.app.operations.opening.show(other)
    qtbot.waitUntil(lambda: other.case.is_complete)
    assert reading.bytes_held > 0
    store = bench.app.settings
    store.values = Settings.model_construct(memory_gb=1e-9)  # less than the dialog allows
    store.changed.emit({"memory_gb"})
    assert reading.bytes_held == 0 and other.bytes_held > 0


def test_the_dialog_opens_from_the_menu_and_changes_the_window(
    qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choose(dialog: SettingsDialog) -> int:
        dialog.editors["heat_opacity"].box.setValue(0.7)  # type: ignore[attr-defined]
        dialog.editors["runtime"].show_value("torch")
        dialog.accept()
        return dialog.result()

    monkeypatch.setattr(SettingsDialog, "exec", choose)
    reading = opened(qtbot, bench)
    bench.app.window.actions_[Command.SETTINGS].trigger()
    assert reading.case.display.opacity == 0.7
    qtbot.waitUntil(lambda: SettingsStore().values.heat_opacity == 0.7)
    assert bench.app.operations.asking.runtime == "torch"
