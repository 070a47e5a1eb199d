"""A whole application, wired as the product wires it, with series in memory and a plain engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from core.imaging.volume import Opened
from core.models.catalogue import Catalogue
from desktop import appearance
from desktop.app import Application
from desktop.main_window import USUAL
from desktop.operations import opening
from tests.desktop.models import write_model
from tests.desktop.series import MemorySeries, PlainEngine


@dataclass
class Bench:
    """The application under test and what stands in for disk and engine."""

    app: Application
    engine: PlainEngine
    on_disk: dict[Path, Opened]

    def add(self, *series: MemorySeries) -> Path:
        """Put series under a path that can be opened."""
        path = Path(f"/images/{len(self.on_disk)}")
        self.on_disk[path] = Opened(series)
        return path


@pytest.fixture
def bench(
    qtbot: QtBot, qapp: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    """A started application; closed afterwards."""
    on_disk: dict[Path, Opened] = {}
    monkeypatch.setattr(opening, "open_path", lambda path, **_: on_disk[path])
    shipped = tmp_path / "weights"
    write_model(shipped / "plain")
    engines: list[PlainEngine] = []

    def make_engine(post: object) -> PlainEngine:
        engines.append(PlainEngine(post))  # type: ignore[arg-type]
        return engines[0]

    appearance.apply(qapp)  # type: ignore[arg-type]
    app = Application(make_engine, Catalogue(shipped=shipped))
    qtbot.addWidget(app.window)
    app.window.resize(*USUAL)  # whatever the screen of the test platform leaves of it
    app.start()
    # The database is imported on the writer thread, which a busy machine makes wait.
    qtbot.waitUntil(lambda: app.operations.labels.saved.is_ready, timeout=60_000)
    yield Bench(app, engines[0], on_disk)
    app.close()
