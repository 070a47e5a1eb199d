"""The queue is made anew only for the series of which something has changed."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from desktop.operations import reviewing
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries
from tests.desktop.test_review import answered, settle


def test_a_label_has_its_own_series_judged_again_and_no_other(
    qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = answered(qtbot, bench, MemorySeries("first"), MemorySeries("second"))
    settle(qtbot, bench)
    judged: list[set[str]] = []
    work_queue = reviewing.work_queue

    def counted(states, rules):  # type: ignore[no-untyped-def]
        judged.append({state.case_id for state in states})
        return work_queue(states, rules)

    monkeypatch.setattr(reviewing, "work_queue", counted)
    bench.app.operations.reviewing.refresh()
    assert judged == []
    before = bench.app.operations.reviewing.view
    bench.app.operations.labels.label(reading, "no_hemorrhage", 3)
    qtbot.waitUntil(lambda: reading.case.label_at(3) == "no_hemorrhage")
    settle(qtbot, bench)
    assert judged and all(cases == {reading.summary.case_id} for cases in judged)
    assert bench.app.operations.reviewing.view != before
