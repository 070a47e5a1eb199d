"""Where a journal lives, and what it asks of the database there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import DBAPIError

from core import places
from core.errors import CoreError
from core.labels.sqlite_store import SqliteStore

STORE_VARIABLE = "SLICELOOP_STORE"
"""Environment variable that names another store than the file in the data folder."""


class Store(Protocol):
    """What a journal needs of the database that it lives in."""

    path: Path
    read_only: bool
    engine: Engine

    def options(self, *, writes: bool) -> dict[str, Any]:
        """Execution options of a transaction: how it locks and what it sees."""

    def before_create(self, connection: Connection) -> None:
        """Called in the transaction that makes or migrates the tables."""

    def before_append(self, connection: Connection) -> None:
        """Called in the transaction that is about to append; may refuse by NotDurableError."""

    def empty(self) -> CoreError | None:
        """What is wrong with a database without tables; None if they may be made there."""

    def damage(self, connection: Connection) -> str | None:
        """What the database's own check finds wrong, or None."""

    def rows(self, connection: Connection, after: int, case_id: str | None) -> list[Row[Any]]:
        """(sequence, case_id, body, digest) of entries in order; text as bytes."""

    def backup(self, sequence: int, digest: str, now: datetime) -> None:
        """Keep a copy, if the journal grew since the last one."""

    def witnesses(self) -> Iterator[tuple[str, int, str]]:
        """(name, sequence, digest) of what is known from elsewhere about earlier ends."""

    def translated(self, error: DBAPIError, *, writing: bool) -> CoreError:
        """A driver's error as one of ours."""

    def close(self) -> None:
        """Let go of the database."""


def default_place() -> Path | str:
    """The store named by SLICELOOP_STORE, or the file in the person's data folder."""
    named = os.environ.get(STORE_VARIABLE, "").strip()
    if "://" in named:
        return named
    return Path(named) if named else places.journal_file()


def open_store(place: Path | str, *, read_only: bool, now: datetime, schema: int) -> Store:
    """The store at a file's path, or at a URL such as postgresql+psycopg://host/name.

    schema: of a journal that has to be made.
    """
    if isinstance(place, str) and "://" in place:
        from core.labels.postgres_store import PostgresStore

        return PostgresStore(place, read_only=read_only)
    return SqliteStore(Path(place), read_only=read_only, now=now, schema=schema)
