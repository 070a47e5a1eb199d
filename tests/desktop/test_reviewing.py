"""The queue is made anew only for the series of which something has changed; a task has its own."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from core.labels.queue import Why
from core.session import AnswerState
from desktop.operations import reviewing
from tests.desktop.conftest import Bench
from tests.desktop.series import MemorySeries
from tests.desktop.test_review import answered, settle
from tests.desktop.test_window import opened


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


def test_what_changes_at_once_makes_the_queue_anew_once_and_whoever_asks_is_told_the_truth(
    qtbot: QtBot, bench: Bench
) -> None:
    reading = answered(qtbot, bench)
    bench.app.operations.labels.label(reading, "no_hemorrhage", 3)  # which the model contradicts
    settle(qtbot, bench)
    queue, session = bench.app.operations.reviewing, bench.app.session
    told: list[reviewing.QueueView] = []
    queue.changed.connect(told.append)
    session.mark(reading, answer=AnswerState.RUNNING)
    session.mark(reading, answer=AnswerState.NONE)
    assert told == []
    qtbot.waitUntil(lambda: len(told) == 1)
    without = queue.view
    session.mark(reading, answer=AnswerState.DONE)
    assert queue.view != without and len(told) == 2
    queue.changed.disconnect(told.append)


def test_what_trainings_left_behind_is_read_once_for_a_folder_of_many_series(
    qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counted(_label_set: object, names: dict[str, str]) -> dict[str, float]:
        asked.append(len(names))
        return {}

    monkeypatch.setattr(reviewing, "left_out", counted)
    path = bench.add(*(MemorySeries(f"s{number}", 2) for number in range(20)))
    bench.app.operations.opening.open_paths([path])
    qtbot.waitUntil(lambda: bool(asked) and bench.app.jobs.is_idle)
    assert asked == [40]


def test_each_task_has_its_own_progress_in_the_queue(qtbot: QtBot, bench: Bench) -> None:
    bench.engine.answers = False
    opened(qtbot, bench)
    queue, read_for = bench.app.operations.reviewing, bench.app.label_commands._read_for
    queue.refresh()
    total = queue.view.total
    assert {item.why for item in queue.view.items} == {Why.RANDOM_AUDIT}
    first = queue.step()
    read_for("hemorrhage-subtypes")
    queue.refresh()
    assert (queue.view.seen, queue.view.total, queue.view.current) == (0, total, None)
    queue.step()
    queue.step()
    queue.begin_again()
    read_for("hemorrhage")
    queue.refresh()
    assert (queue.view.seen, queue.view.total, queue.view.current) == (1, total, first)
