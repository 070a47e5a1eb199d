"""The engine may be started before there is a client: once the empty window is visible."""

from __future__ import annotations

import queue
import subprocess
import sys

import psutil

from core.models.client import EngineClient
from core.models.engine_start import start_engine
from core.models.messages import EngineMessage, EngineReady
from tests.conftest import ROOT


def test_starting_one_imports_nothing_that_the_window_waits_for() -> None:
    code = (
        "import sys, core.models.engine_start;"
        "print([m for m in ('numpy', 'torch', 'pydantic', 'PySide6') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_client_takes_the_process_that_was_started_before() -> None:
    ready = start_engine()
    heard: queue.Queue[EngineMessage] = queue.Queue()
    client = EngineClient(heard.put, ready)
    try:
        client.start()
        assert client.pid == ready.process.pid
        assert isinstance(heard.get(timeout=240), EngineReady)
        client.start()
        assert client.pid == ready.process.pid, "it runs already"
    finally:
        client.close()


def test_a_process_that_nobody_came_to_need_is_ended() -> None:
    ready = start_engine()
    pid = ready.process.pid
    EngineClient(lambda _message: None, ready).close()
    assert pid is not None and not psutil.pid_exists(pid)
    assert ready.channel.closed
