"""Asking a worker process for something from a job: its progress, its end, its sentence."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress

from core.workers import worker_command
from desktop.jobs import Task


def ask_child(task: Task, *words: str, told: str = "") -> tuple[int, list[str]]:
    """Run a worker to its end on the job's thread; returns its exit code and what it complained of.

    told: goes to its standard input, where nobody else can read it. Lines of two numbers that it
    prints are the job's progress; the process ends with the job. Raises CancelledError.
    """
    child = subprocess.Popen(
        worker_command(*words),
        stdin=subprocess.PIPE if told else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    task.when_cancelled(child.terminate)
    with child:
        assert child.stdout is not None and child.stderr is not None  # noqa: S101 - pipes
        if child.stdin is not None:
            with suppress(OSError):  # it ended already: its exit code tells
                child.stdin.write(told)
                child.stdin.close()
        for line in child.stdout:
            numbers = line.split()
            if len(numbers) == 2 and all(word.isdigit() for word in numbers):
                task.progress(int(numbers[0]), int(numbers[1]))
        complaints = child.stderr.read().strip().splitlines()
    task.check()
    return child.returncode, complaints
