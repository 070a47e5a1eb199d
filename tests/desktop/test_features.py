"""The table of docs/reading-room.md names tests that are there, and the one that was missing."""

from __future__ import annotations

import re
from pathlib import Path

from pytestqt.qtbot import QtBot

from tests.conftest import ROOT
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries
from tests.desktop.test_window import opened

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_test_that_the_table_names_is_there() -> None:
    table = (ROOT / "docs" / "reading-room.md").read_text(encoding="utf-8")
    named = NAMED.findall(table)
    assert len(named) > 60
    source: dict[str, str] = {}
    gone = []
    for file, name in named:
        path = ROOT / file
        text = source.setdefault(file, path.read_text(encoding="utf-8") if path.exists() else "")
        if f"def {name}(" not in text:
            gone.append(f"{file}::{name}")
    assert gone == []


def test_what_was_opened_is_offered_again_and_can_be_forgotten(
    qtbot: QtBot, bench: Bench, tmp_path: Path
) -> None:
    opened(qtbot, bench, MemorySeries("a"))
    there = tmp_path / "study"
    there.mkdir()
    bench.app.settings.remember(there)
    bench.app.operations.opening.recent_changed.emit()
    menu = bench.app.commands._recent_menu
    assert str(there) in [action.text() for action in menu.actions()]
    asked: list[list[Path]] = []
    bench.app.operations.opening.open_paths = asked.append  # type: ignore[method-assign, assignment]
    next(action for action in menu.actions() if action.text() == str(there)).trigger()
    assert asked == [[there]]
    menu.actions()[-1].trigger()  # Clear this list
    assert bench.app.settings.values.recent == [] and not menu.isEnabled()
