"""The journal in one SQLite file: how it is opened, locked, flushed and backed up.

Rollback journal, never WAL: SQLite 3.7.0–3.51.2 can corrupt a WAL database that two
connections write, and WAL does not work on network shares. `synchronous=EXTRA` is FULL and,
besides, flushes the folder after the rollback journal is removed: without that, a power cut
right after a commit can bring the rollback journal back, and undo what was acknowledged.
(https://www.sqlite.org/pragma.html#pragma_synchronous)

One writer is granted by `WriterLock`, not by SQLite's EXCLUSIVE locking mode: that would shut
out readers, too, and the command line must be able to list labels while the window is open.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    LargeBinary,
    Row,
    cast,
    create_engine,
    event,
    select,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from core import durable
from core.errors import (
    CoreError,
    DamagedJournalError,
    JournalBusyError,
    NotDurableError,
)
from core.labels import backups
from core.labels.lock import WriterLock
from core.labels.tables import ENTRIES, TRIGGERS, create

BUSY_SECONDS = 10.0
"""How long a commit waits for readers of the file, and a reader for a commit."""

_WRITES = "journal_writes"

_CANNOT_BE_READ = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT", "SQLITE_SCHEMA")


class SqliteStore:
    """One SQLite file, open for one writer or for reading."""

    def __init__(self, path: Path, *, read_only: bool, now: datetime, schema: int) -> None:
        self.path = path
        self.read_only = read_only
        self._lock: WriterLock | None = None
        if read_only and not path.exists():
            raise DamagedJournalError(path, "there is no such file")
        if not read_only:
            try:
                durable.make_folder(path.parent, 0o700)
                self._lock = WriterLock(path)
                self._lock.acquire(now)
                if not path.exists():
                    self._make(schema)
            except OSError as error:
                self.close()
                raise NotDurableError(path, error.strerror or str(error)) from error
            except DBAPIError as error:
                self.close()
                raise self.translated(error, writing=True) from error
        self.engine = _engine(self._connect)
        self._identity = self._stat()

    def _make(self, schema: int) -> None:
        """Make an empty journal beside, flush it, and give it its name.

        So there is never a file of that name that is not a whole journal: an empty one is
        damage, not a beginning.
        """
        beside = self.path.with_name(f".{self.path.name}.new")
        try:
            backups.remove(beside)
            # Made here rather than by SQLite, so that nobody else can ever read it.
            os.close(os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            engine = _engine(lambda: sqlite3.connect(beside, isolation_level=None))
            try:
                with engine.begin() as connection:
                    create(connection, schema)
            finally:
                engine.dispose()
            handle = os.open(beside, os.O_RDWR)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            beside.replace(self.path)
            durable.fsync_folder(self.path.parent)
        finally:
            with contextlib.suppress(OSError):
                backups.remove(beside)

    def _connect(self) -> sqlite3.Connection:
        # A reader opens for writing, too, where it may: a rollback journal left by a killed
        # writer must be rolled back before anything can be read. query_only forbids the rest.
        mode = "rw" if os.access(self.path, os.W_OK) else "ro"
        connection = sqlite3.connect(
            f"{self.path.resolve().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,  # transactions are begun by _begin, in the mode that it says
            check_same_thread=False,
        )
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        if self.read_only:
            connection.execute("PRAGMA query_only=ON")
        else:
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("PRAGMA synchronous=EXTRA")
            connection.execute("PRAGMA fullfsync=ON")  # macOS: fsync alone does not reach the disk
        return connection

    def _stat(self) -> tuple[int, int]:
        found = self.path.stat()
        return (found.st_dev, found.st_ino)

    # ---- what the journal asks of a store

    def options(self, *, writes: bool) -> dict[str, Any]:
        """Whether a transaction takes the write lock at once."""
        return {_WRITES: writes}

    def before_create(self, connection: Connection) -> None:
        """Nothing: the transaction holds the write lock already."""

    def empty(self) -> CoreError | None:
        """An empty file is what is left of a journal: a new one is never empty."""
        return DamagedJournalError(self.path, "it is empty")

    def before_append(self, connection: Connection) -> None:
        """Refuse to write into a file that is no longer under its name.

        SQLite would go on writing into the deleted file, and every label would vanish with it.
        """
        try:
            same = self._stat() == self._identity
        except OSError:
            same = False
        if not same:
            raise NotDurableError(
                self.path, "the journal's file was moved, replaced or deleted while it was open"
            )

    def damage(self, connection: Connection) -> str | None:
        """What SQLite's own check finds wrong with the file, or None."""
        first = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if first != "ok":
            return f"SQLite reports “{str(first).strip().splitlines()[-1]}”"
        found = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'entries'"
        ).scalars()
        if missing := TRIGGERS - set(found):
            return f"what refuses changes was removed: {', '.join(sorted(missing))}"
        return None

    def rows(self, connection: Connection, after: int, case_id: str | None) -> list[Row[Any]]:
        """(sequence, case_id, body, digest) in order; text as bytes, whatever stands there.

        They are read whole before the first is looked at: a reader must not keep the writer
        waiting.
        """
        text = [cast(column, LargeBinary) for column in ENTRIES.c[1:]]
        statement = select(ENTRIES.c.sequence, *text).where(ENTRIES.c.sequence > after)
        if case_id is not None:
            statement = statement.where(ENTRIES.c.case_id == case_id)
        return list(connection.execute(statement.order_by(ENTRIES.c.sequence)))

    def backup(self, sequence: int, digest: str, now: datetime) -> None:
        """Keep a copy beside the journal, if it grew since the last one."""
        with self.engine.connect() as connection:
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)  # noqa: S101 - narrows a driver type
            backups.keep(source, self.path, sequence, digest, now)

    def witnesses(self) -> Iterator[tuple[str, int, str]]:
        """(name, sequence, digest) of the last entry of each backup."""
        for name, sequence, digest in backups.heads(self.path):
            yield f"backup {name}", sequence, digest

    def translated(self, error: DBAPIError, *, writing: bool) -> CoreError:
        """A driver's error as one of ours."""
        original = error.orig
        code = str(getattr(original, "sqlite_errorname", ""))
        if code.startswith(_CANNOT_BE_READ):
            return DamagedJournalError(self.path, str(original))
        if code.startswith("SQLITE_BUSY") and not writing:
            return JournalBusyError(self.path, "another process that is writing")
        if writing:
            return NotDurableError(self.path, str(original))
        return DamagedJournalError(self.path, f"it cannot be read: {original}")

    def close(self) -> None:
        """Close the file and let others write."""
        if hasattr(self, "engine"):
            self.engine.dispose()
        if self._lock is not None:
            self._lock.release()


def _engine(connect: Callable[[], sqlite3.Connection]) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=StaticPool,  # one connection, which Journal lends to one thread at a time
        hide_parameters=True,  # an error's text may end in a log: no patient's number in it
    )
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    # IMMEDIATE takes the write lock before the head is read, so that what is appended to is
    # still the end of the chain when it is committed.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
