"""Full looks for garbage wait until nobody reads, or until too much has piled up."""

from __future__ import annotations

import gc
import weakref

import pytest
from pytestqt.qtbot import QtBot

from core.labels.sets import load_label_set
from core.session import Session
from desktop import garbage
from desktop.garbage import QuietCollector
from tests.desktop.series import MemorySeries


class _Cycle:
    def __init__(self) -> None:
        self.me = self


def piled_up() -> weakref.ref[_Cycle]:
    """Something that only a full look finds."""
    cycle = _Cycle()
    gc.collect(1)  # in the oldest generation, once it has outlived this
    return weakref.ref(cycle)


@pytest.fixture
def collector(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(garbage, "_DUE", 0)
    session = Session(load_label_set("hemorrhage"))
    session.show(session.add(MemorySeries("1")))
    before = gc.get_threshold()
    made = QuietCollector(session)
    made._timer.stop()
    yield made, session
    made.close()
    assert gc.get_threshold() == before
    gc.unfreeze()


def test_nothing_is_looked_for_while_somebody_reads(collector, monkeypatch) -> None:
    quiet, session = collector
    looks: list[int] = []
    monkeypatch.setattr(garbage.gc, "collect", lambda: looks.append(1))
    session.current.case.navigation.step(1)
    quiet.look()
    assert not looks
    monkeypatch.setattr(garbage, "QUIET_SECONDS", 0.0)
    quiet.look()
    assert looks == [1]


def test_too_much_is_looked_for_although_somebody_reads(collector, monkeypatch) -> None:
    quiet, session = collector
    looks: list[int] = []
    monkeypatch.setattr(garbage.gc, "collect", lambda: looks.append(1))
    monkeypatch.setattr(garbage, "_TOO_MANY", 0)
    session.current.case.navigation.step(1)
    quiet.look()
    assert looks == [1]


def test_python_makes_no_full_look_by_itself(collector) -> None:
    found = piled_up()
    for _ in range(200):
        [[] for _ in range(2000)]
    quiet, _ = collector
    assert found() is not None
    quiet._moved -= 10
    quiet.look()
    assert found() is None
