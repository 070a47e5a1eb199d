"""A run is followed by its files alone: by this window, or by one that was started later."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from core import durable
from core.retraining.protocol import RunFolder, TrainingRequest
from desktop.run_watcher import RunView, RunWatcher, follow, known_runs


def epoch(number: int, **facts: object) -> dict[str, object]:
    return {"event": "epoch", "epoch": number, "of": 8, "train_loss": 0.5, **facts}


@given(st.lists(st.integers(1, 8), max_size=20))
def test_epochs_stay_in_order_whatever_is_repeated(numbers: list[int]) -> None:
    view = RunView(Path("run"), "running")
    for number in numbers:
        view = follow(view, epoch(number))
    seen = [item.number for item in view.epochs]
    assert seen == sorted(set(seen))
    assert view.done == (numbers[-1] if numbers else 0)


def test_another_fold_begins_its_own_curves() -> None:
    view = RunView(Path("run"), "running")
    for event in (epoch(1, fold=0), epoch(2, fold=0), epoch(1, fold=1)):
        view = follow(view, event)
    assert (view.stage, view.done) == ("fold 2", 1)
    view = follow(view, {"event": "step", "epoch": 0, "step": 5, "of": 10, "fold": "final"})
    assert (view.stage, view.done, view.part) == ("final fit", 0, 0.5)


def test_unknown_events_change_nothing() -> None:
    view = RunView(Path("run"), "running")
    assert follow(view, {"event": "something of a newer version"}) == view


def make_run(folder: Path) -> RunFolder:
    run = RunFolder(folder)
    run.create(TrainingRequest(recipe="head-ct-hemorrhage", data=folder / "data"))
    return run


def test_the_life_of_a_run_is_told_once_each(qtbot: QtBot, tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs" / "one")
    watcher = RunWatcher()
    changes: list[RunView] = []
    ends: list[RunView] = []
    watcher.changed.connect(changes.append)
    watcher.ended.connect(ends.append)
    watcher.watch(run.path, pid=os.getpid())
    # A trainer that was just started writes nothing for seconds: it is shown at once.
    assert changes and changes[-1] == watcher.view
    assert watcher.view is not None and watcher.view.state == "new" and watcher.view.of > 0
    run.take()
    run.append("started", recipe="x")
    run.append("epoch", epoch=1, of=2, train_loss=0.4, validation_auroc=0.8, seconds_left=3.0)
    watcher.poll()
    assert changes[-1].state == "running"
    assert changes[-1].epochs[0].validation_auroc == pytest.approx(0.8)
    told = len(changes)
    watcher.poll()
    assert len(changes) == told
    run.append("stopped")
    run.leave()
    watcher.poll()
    assert [view.state for view in ends] == ["stopped"]
    watcher.close()


def test_a_run_that_ended_long_ago_is_no_news(qtbot: QtBot, tmp_path: Path) -> None:
    run = make_run(tmp_path / "one")
    run.append("started", recipe="x")
    run.append("stopped")
    watcher = RunWatcher()
    ends: list[RunView] = []
    watcher.ended.connect(ends.append)
    watcher.watch(run.path)
    assert watcher.view is not None and watcher.view.state == "stopped"
    assert ends == []
    watcher.close()


def test_a_trainer_that_dies_before_it_begins_is_a_failure(qtbot: QtBot, tmp_path: Path) -> None:
    run = make_run(tmp_path / "one")
    watcher = RunWatcher()
    ends: list[RunView] = []
    watcher.ended.connect(ends.append)
    nobody = max(psutil.pids()) + 100_000
    watcher.watch(run.path, pid=os.getpid())
    assert watcher.view is not None and watcher.view.state == "new"
    watcher.watch(run.path, pid=nobody)
    assert [view.state for view in ends] == ["failed"]
    assert "trainer.log" in ends[0].failure
    watcher.close()


def test_a_resumed_run_is_followed_although_its_files_still_say_stopped(
    qtbot: QtBot, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "one")
    run.append("epoch", epoch=1, of=2, train_loss=0.4)
    run.append("stopped")
    watcher = RunWatcher()
    ends: list[RunView] = []
    watcher.ended.connect(ends.append)
    watcher.watch(run.path, pid=os.getpid())  # started, and nothing written yet
    assert watcher.view is not None and watcher.view.state == "new"
    assert watcher._timer.isActive() and ends == []
    run.take()
    watcher.poll()
    assert watcher.view.state == "running"
    run.finish({})
    run.leave()
    watcher.poll()
    assert [view.state for view in ends] == ["finished"]
    watcher.close()


def test_earlier_runs_are_found_again_newest_first(tmp_path: Path) -> None:
    for name in ("20260101-a", "20260102-b"):
        make_run(tmp_path / name)
    (tmp_path / "not-a-run").mkdir()
    durable.write_bytes(tmp_path / "broken" / "request.json", b"{")
    assert [run.path.name for run in known_runs(tmp_path)] == ["20260102-b", "20260101-a"]
    assert known_runs(tmp_path / "nothing") == []
