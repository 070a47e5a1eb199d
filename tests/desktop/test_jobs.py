"""The laws of the job runner: order, replacement, cancellation, sentences."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pytestqt.qtbot import QtBot

from core.errors import NothingToOpenError
from core.workers import LOW
from desktop.jobs import Failure, Job, Jobs, Mailbox, Task
from tests.conftest import AllowLogs


@pytest.fixture
def jobs(qtbot: QtBot) -> Iterator[Jobs]:
    runner = Jobs()
    yield runner
    runner.close()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities on Linux alone")
def test_drawing_goes_before_jobs_and_what_they_start(qtbot: QtBot, jobs: Jobs) -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def work(_task: Task) -> tuple[int, int]:
        with ThreadPoolExecutor(1) as pool:
            return niceness(), pool.submit(niceness).result()

    before, found = niceness(), list[tuple[int, int]]()
    jobs.submit(Job("own", "", work), on_done=found.append)
    jobs.submit(Job("in a lane", "", work, lane="lane"), on_done=found.append)
    qtbot.waitUntil(lambda: jobs.is_idle)
    assert found == [(max(LOW, before),) * 2] * 2
    assert niceness() == before, "this thread draws"


def test_results_arrive_on_the_gui_thread_in_order(qtbot: QtBot, jobs: Jobs) -> None:
    heard: list[tuple[str, object, bool]] = []
    here = threading.current_thread()

    def hear(kind: str) -> object:
        return lambda value: heard.append((kind, value, threading.current_thread() is here))

    def work(task: Task) -> str:
        assert threading.current_thread() is not here
        for number in range(5):
            task.post(number)
        return "done"

    jobs.submit(Job("count", "", work), on_done=hear("done"), on_partial=hear("part"))  # type: ignore[arg-type]
    qtbot.waitUntil(lambda: jobs.is_idle)
    assert heard == [*(("part", n, True) for n in range(5)), ("done", "done", True)]


def test_a_newer_job_replaces_an_older_one_of_its_key(qtbot: QtBot, jobs: Jobs) -> None:
    release, started = threading.Event(), threading.Event()
    heard: list[str] = []

    def old(task: Task) -> str:
        started.set()
        release.wait(10)
        task.post("late part of the old one")
        task.check()
        return "old"

    jobs.submit(Job("load", "", old), on_done=heard.append, on_partial=heard.append)
    assert started.wait(10)
    jobs.submit(Job("load", "", lambda _: "new"), on_done=heard.append)
    qtbot.waitUntil(lambda: "new" in heard)
    release.set()
    qtbot.waitUntil(lambda: jobs.is_idle)
    assert heard == ["new"]


def test_jobs_of_another_key_are_left_alone(qtbot: QtBot, jobs: Jobs) -> None:
    heard: list[str] = []
    jobs.submit(Job("a", "", lambda _: "a"), on_done=heard.append)
    jobs.submit(Job("b", "", lambda _: "b"), on_done=heard.append)
    qtbot.waitUntil(lambda: jobs.is_idle)
    assert sorted(heard) == ["a", "b"]


def test_a_lane_keeps_its_order_and_is_never_replaced(qtbot: QtBot, jobs: Jobs) -> None:
    heard: list[int] = []
    for number in range(20):
        jobs.submit(
            Job("journal", "", lambda _, n=number: n, lane="journal"),  # type: ignore[misc]
            on_done=heard.append,
        )
    jobs.cancel_key("journal")
    qtbot.waitUntil(lambda: len(heard) == 20)
    assert heard == list(range(20))


def test_closing_finishes_a_lane(qtbot: QtBot) -> None:
    runner = Jobs()
    written: list[int] = []
    for number in range(20):
        runner.submit(
            Job("journal", "", lambda _, n=number: written.append(n), lane="journal")  # type: ignore[misc]
        )
    runner.close()
    assert written == list(range(20))
    assert runner.submit(Job("late", "", lambda _: written.append(99))) == 0


def test_an_error_with_facts_becomes_its_sentence(
    qtbot: QtBot, jobs: Jobs, tmp_path: object
) -> None:
    from pathlib import Path

    failures: list[Failure] = []

    def work(_task: Task) -> None:
        raise NothingToOpenError(Path("gone"))

    jobs.submit(Job("open", "", work), on_failed=failures.append)
    qtbot.waitUntil(lambda: bool(failures))
    assert "does not exist" in str(failures[0].sentence)


def test_a_defect_becomes_a_sentence_without_its_message(
    qtbot: QtBot, jobs: Jobs, allow_logs: AllowLogs, caplog: pytest.LogCaptureFixture
) -> None:
    allow_logs("Unforeseen error")
    failures: list[Failure] = []

    def work(_task: Task) -> None:
        raise RuntimeError("DOE^JANE is the patient")

    jobs.submit(Job("open", "", work), on_failed=failures.append)
    qtbot.waitUntil(lambda: bool(failures))
    told = str(failures[0].sentence) + failures[0].details + caplog.text
    assert "RuntimeError" in told
    assert "JANE" not in told


def test_progress_is_shown_and_cancel_ends_it(qtbot: QtBot, jobs: Jobs) -> None:
    def work(task: Task) -> None:
        task.progress(1, 2)
        while not task.cancelled():
            threading.Event().wait(0.005)
        task.check()

    number = jobs.submit(Job("slow", "Reading", work))
    qtbot.waitUntil(lambda: bool(jobs.running()) and jobs.running()[0].done == 1)
    jobs.cancel(number)
    assert jobs.running() == []
    qtbot.waitUntil(lambda: jobs.is_idle)


def test_a_mailbox_hands_over_until_it_is_closed(qtbot: QtBot, jobs: Jobs) -> None:
    heard: list[int] = []
    box = Mailbox(heard.append, jobs)
    sender = threading.Thread(target=lambda: [box.post(n) for n in range(10)])
    sender.start()
    sender.join()
    assert heard == []
    qtbot.waitUntil(lambda: len(heard) == 10)
    assert heard == list(range(10))
    box.post(10)
    box.close()
    qtbot.wait(20)
    assert heard == list(range(10))
