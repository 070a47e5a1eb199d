"""Where the journals of these tests lie: files, or databases of a PostgreSQL that they start.

`SLICELOOP_TEST_STORE=postgresql pytest tests/core/labels/test_labelling.py …` runs the laws of
labelling against PostgreSQL; the slow test of `test_postgres` does that for all of them.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from core.labels.store import STORE_VARIABLE
from tests.core.labels.postgres import Server, running

ON_POSTGRES = os.environ.get("SLICELOOP_TEST_STORE") == "postgresql"


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server | None]:
    """A server for the whole run, where one is asked for."""
    if not ON_POSTGRES:
        yield None
        return
    with running() as server:
        yield server


@pytest.fixture
def stores(tmp_path: Path, shared_server: Server | None) -> Iterator[Iterator[Path | str]]:
    """Fresh places for journals, one an example."""
    if shared_server is not None:
        yield (shared_server.another() for _ in itertools.count())
        return
    with TemporaryDirectory(dir=tmp_path) as folder:
        yield (Path(folder) / f"{number}.db" for number in itertools.count())


@pytest.fixture
def store(stores: Iterator[Path | str]) -> Path | str:
    """A fresh place for one journal."""
    return next(stores)


@pytest.fixture(autouse=True)
def _profile_store(shared_server: Server | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands, too, find the shared store, and each test a fresh one."""
    if shared_server is not None:
        monkeypatch.setenv(STORE_VARIABLE, shared_server.another())
