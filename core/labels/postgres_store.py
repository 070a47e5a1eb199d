"""The journal in a PostgreSQL database: the shared store of a reading room.

Several workstations write one chain: each append locks the row that names the end of the chain,
so that entries follow each other whoever wrote them. The tables live in a schema of their own,
`sliceloop`. Durability is the server's: a commit that returns is flushed, which is asked for
in each session, and a server that is set not to flush is refused. Backups are the server's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, create_engine, event, func, select
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from core import durable, places
from core.errors import (
    CoreError,
    DamagedJournalError,
    NoLabelsError,
    NotDurableError,
    StoreUnreachableError,
)
from core.labels.tables import ENTRIES, HEAD, TRIGGERS

SCHEMA = "sliceloop"

_CREATION_LOCK = 0x511CE100
"""Any number that nobody else uses for an advisory lock in this database."""

_CONNECT_SECONDS = 10


def witness_file() -> Path:
    """Where this computer notes the ends of the shared chains that it has seen."""
    return places.data_folder() / "shared-stores.json"


def _noted() -> dict[str, tuple[int, str]]:
    try:
        content = json.loads(witness_file().read_bytes())
        return {str(place): (int(end[0]), str(end[1])) for place, end in content.items()}
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return {}  # nothing is known, as on a new computer


class PostgresStore:
    """One PostgreSQL database, open for writing beside others, or for reading."""

    def __init__(self, url: str, *, read_only: bool) -> None:
        self.read_only = read_only
        self.path = Path("SLICELOOP_STORE")
        try:
            self.engine = create_engine(
                url,
                pool_size=1,  # Journal lends it to one thread at a time
                max_overflow=0,
                pool_pre_ping=True,  # a server that was restarted is found again
                hide_parameters=True,  # an error's text may end in a log
                connect_args={"connect_timeout": _CONNECT_SECONDS},
            )
        except (ArgumentError, NoSuchModuleError) as error:  # their texts may hold a password
            raise StoreUnreachableError(self.path, "its address is no database URL") from error
        except ModuleNotFoundError as error:
            reason = f"the driver {error.name} is not installed"
            raise StoreUnreachableError(self.path, reason) from error
        if self.engine.dialect.name != "postgresql":
            raise StoreUnreachableError(self.path, "only PostgreSQL can be a shared store")
        url_parts = self.engine.url
        self.path = Path(f"{url_parts.host or 'local'}:{url_parts.port or 5432}") / (
            url_parts.database or ""
        )
        event.listen(self.engine, "do_connect", self._connect)

    def _connect(
        self,
        dialect: Dialect,
        _record: ConnectionPoolEntry,
        arguments: list[Any],
        named: dict[str, Any],
    ) -> DBAPIConnection:
        """Connect, and set up the session before anything else runs in it."""
        connection: Any = dialect.connect(*arguments, **named)
        cursor = connection.cursor()
        if not self.read_only:
            # IF NOT EXISTS asks for the right to create even where the schema exists.
            there = cursor.execute(f"SELECT to_regnamespace('{SCHEMA}')").fetchone()[0]
            if there is None:
                cursor.execute(f"SELECT pg_advisory_xact_lock({_CREATION_LOCK})")
                cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            if cursor.execute("SHOW fsync").fetchone()[0] != "on":
                connection.close()
                raise NotDurableError(self.path, "the database server is set not to flush (fsync)")
            cursor.execute("SET synchronous_commit TO on")
        cursor.execute(f"SET search_path TO {SCHEMA}")
        connection.commit()
        return connection  # type: ignore[no-any-return]

    # ---- what the journal asks of a store

    def options(self, *, writes: bool) -> dict[str, Any]:
        """Writers see the end of the chain as it is once they hold it; readers one moment."""
        if writes:
            return {"isolation_level": "READ COMMITTED", "postgresql_readonly": False}
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

    def before_create(self, connection: Connection) -> None:
        """One instance at a time makes or migrates the tables."""
        connection.execute(select(func.pg_advisory_xact_lock(_CREATION_LOCK)))

    def before_append(self, connection: Connection) -> None:
        """Hold the end of the chain until this transaction has ended."""
        connection.execute(select(HEAD.c.sequence).with_for_update())

    def empty(self) -> CoreError | None:
        """A database in which nobody has labelled yet: the first who writes makes the tables."""
        return NoLabelsError(self.path) if self.read_only else None

    def damage(self, connection: Connection) -> str | None:
        """Whether the server still refuses changes of entries."""
        found = connection.exec_driver_sql(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'entries'::regclass AND tgenabled = 'O'"
        ).scalars()
        if missing := TRIGGERS - set(found):
            return f"what refuses changes was removed: {', '.join(sorted(missing))}"
        return None

    def rows(self, connection: Connection, after: int, case_id: str | None) -> list[Row[Any]]:
        """(sequence, case_id, body, digest) in order; text as bytes."""
        text = [func.convert_to(column, "UTF8") for column in ENTRIES.c[1:]]
        statement = select(ENTRIES.c.sequence, *text).where(ENTRIES.c.sequence > after)
        if case_id is not None:
            statement = statement.where(ENTRIES.c.case_id == case_id)
        return list(connection.execute(statement.order_by(ENTRIES.c.sequence)))

    def backup(self, sequence: int, digest: str, now: datetime) -> None:
        """Note on this computer how far the chain was. Backups proper are the server's."""
        noted = _noted()
        if noted.get(str(self.path)) != (sequence, digest):
            durable.write_json(witness_file(), {**noted, str(self.path): [sequence, digest]})

    def witnesses(self) -> Iterator[tuple[str, int, str]]:
        """How far the chain was when this computer last wrote to it.

        A server that was put back to an older state would otherwise lose labels silently.
        """
        noted = _noted().get(str(self.path))
        if noted is not None:
            yield f"note of this computer in {witness_file().name}", *noted

    def translated(self, error: DBAPIError, *, writing: bool) -> CoreError:
        """A driver's error as one of ours; never with a password in it."""
        code = str(getattr(error.orig, "sqlstate", "") or "")
        reason = (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
        if code == "P0001":  # raised by our own triggers
            return DamagedJournalError(self.path, reason)
        if writing and not error.connection_invalidated and code:
            return NotDurableError(self.path, reason)
        return StoreUnreachableError(self.path, reason)

    def close(self) -> None:
        """Close the connection."""
        self.engine.dispose()
