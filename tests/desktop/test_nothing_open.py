"""What the window says and greys where no series is open, as on its first day."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from desktop import model_commands
from desktop.command_names import Command, Menu
from desktop.notices import Level, Notice
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries
from tests.desktop.test_window import opened, press


def by_text(menu: QMenu, text: str) -> QAction:
    """The item of a menu whose words begin so."""
    return next(item for item in menu.actions() if item.text().replace("&", "").startswith(text))


def test_what_is_about_a_series_is_grey_until_one_is_open(qtbot: QtBot, bench: Bench) -> None:
    menus = bench.app.window.menus
    items = [
        by_text(menus[Menu.LABEL], "Label: Hemorrhage"),
        by_text(menus[Menu.LABEL], "Label the whole series"),
        by_text(menus[Menu.VIEW], "Side by side with"),
    ]
    assert not any(item.isEnabled() for item in items)
    opened(qtbot, bench, MemorySeries("a"))
    assert all(item.isEnabled() for item in items)


def test_an_empty_queue_says_how_it_is_filled(qtbot: QtBot, bench: Bench) -> None:
    bench.app.window.actions_[Command.NEXT_REVIEW].trigger()
    notice = bench.app.window.banner.notice
    assert notice is not None and "open series and ask the model" in notice.text


def test_nobody_is_asked_why_where_there_is_nothing_to_go_back_to(
    qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(model_commands, "ask_text", lambda *words: asked.append(words))
    bench.app.window.actions_[Command.ROLL_BACK].trigger()
    notice = bench.app.window.banner.notice
    assert notice is not None and notice.level is Level.INFO and not asked
    assert notice.text.startswith("No other model was active before")


def test_escape_closes_a_message(qtbot: QtBot, bench: Bench) -> None:
    window = bench.app.window
    window.tell(Notice(Level.ERROR, "This file cannot be read.", "details"))
    press(qtbot, bench, Qt.Key.Key_Escape)
    assert window.banner.notice is None and not window.banner.isVisible()
