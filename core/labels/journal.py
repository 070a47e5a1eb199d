"""The label journal: append-only, hash-chained, durable before anyone is told.

An entry is never changed and never deleted; undo is another entry. Each names the SHA-256 of
the one before, so `verify` finds a change or a gap and says where. The order is the sequence
number's alone: a clock that is set back changes nothing but what `at` says.

Threads: a journal may be used from any thread; calls wait for each other, and `append` waits
for the disk. A window appends from one writer thread and reads current labels from
`core.labels.history.Labelling`, which never waits for the disk.
"""

from __future__ import annotations

import importlib.metadata
import platform
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from core.errors import (
    DamagedJournalError,
    NewerJournalError,
    NoLabelsError,
    NotDurableError,
    StoreUnreachableError,
)
from core.labels import tables
from core.labels.canonical import Origin, digest_of, follows, from_body, genesis, sealed
from core.labels.schema import LabelDraft, LabelEvent
from core.labels.store import default_place, open_store
from core.labels.tables import ENTRIES, HEAD

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The computer's clock, in UTC."""
    return datetime.now(UTC)


def program() -> str:
    """Name and version of this program, as entries state it."""
    try:
        return f"sliceloop {importlib.metadata.version('sliceloop')}"
    except importlib.metadata.PackageNotFoundError:
        return "sliceloop"


@dataclass(frozen=True)
class Verified:
    """A journal that holds: how many entries, and the digest that stands for all of them."""

    entries: int
    head: str


class Journal:
    """The label journal at `place`, for one writer, or for reading.

    place: a file's path, or the URL of a PostgreSQL database; default: `default_place()`.
    clock: what entries state as `at`.

    A backup that cannot be made does not keep anybody from labelling: see `backup_problem`.

    Raises on opening: JournalBusyError if another instance writes this file (it can still be
    opened with read_only), DamagedJournalError if the chain does not hold (see
    core.labels.backups.restore), NewerJournalError, NotDurableError.
    """

    def __init__(
        self,
        place: Path | str | None = None,
        *,
        read_only: bool = False,
        clock: Clock = utc_now,
        migrations: Sequence[tables.Migration] = tables.MIGRATIONS,
    ) -> None:
        self._clock = clock
        self._turn = threading.RLock()
        self._machine = platform.node()
        self._program = program()
        self._store = open_store(
            default_place() if place is None else place,
            read_only=read_only,
            now=clock(),
            schema=tables.known_schema(migrations),
        )
        try:
            self._prepare(migrations)
            found = self._check()
            self.backup_problem: NotDurableError | None = None
            if not read_only:
                try:
                    self._store.backup(found.entries, found.head, clock())
                except NotDurableError as error:
                    self.backup_problem = error
        except BaseException:
            self._store.close()
            raise

    @property
    def path(self) -> Path:
        """Where the journal is, for messages."""
        return self._store.path

    @property
    def is_read_only(self) -> bool:
        """Whether this instance cannot append."""
        return self._store.read_only

    def append(self, draft: LabelDraft, *, reader: str, session: str = "") -> LabelEvent:
        """Add one entry. It is on the disk when this returns.

        Raises NotDurableError if it could not be made durable: then nothing was added.
        """
        return self.append_many([draft], reader=reader, session=session)[0]

    def append_many(
        self, drafts: Sequence[LabelDraft], *, reader: str, session: str = ""
    ) -> tuple[LabelEvent, ...]:
        """Add the entries of one step in one transaction: all of them, or none.

        reader: who; not empty. Returns the entries, on the disk. Raises NotDurableError, or
        StoreUnreachableError if a shared store could not be asked whether they arrived.
        """
        if not reader.strip():
            raise ValueError("a label event names its reader")
        if any(not _is_storable(draft.case_id) for draft in drafts):
            raise ValueError("a label event names its case")
        if self.is_read_only:
            raise NotDurableError(self.path, "it is open for reading only")
        if not drafts:
            return ()
        origin = Origin(reader, session, self._machine, self._program)
        with self._turn:
            events: list[LabelEvent] = []
            try:
                self._append(drafts, origin, events)
            except StoreUnreachableError:
                # The connection broke, perhaps just after the server had committed: look.
                if not self._arrived(events):
                    raise
        return tuple(events)

    def _append(
        self, drafts: Sequence[LabelDraft], origin: Origin, events: list[LabelEvent]
    ) -> None:
        with self._transaction(writes=True) as connection:
            self._store.before_append(connection)
            sequence, previous = self._head(connection)
            at = _utc_text(self._clock())
            batch = sequence + 1
            rows: list[dict[str, Any]] = []
            for number, draft in enumerate(drafts, start=batch):
                event, body = sealed(
                    draft, origin, sequence=number, batch=batch, at=at, previous=previous
                )
                previous = event.digest
                events.append(event)
                rows.append(
                    {
                        "sequence": number,
                        "case_id": draft.case_id,
                        "body": body,
                        "digest": event.digest,
                    }
                )
            connection.execute(insert(ENTRIES), rows)
            connection.execute(
                update(HEAD).values(sequence=events[-1].sequence, digest=events[-1].digest)
            )

    def _arrived(self, events: Sequence[LabelEvent]) -> bool:
        """Whether these entries are in the store. Raises StoreUnreachableError."""
        if not events:
            return False
        with self._transaction(writes=True) as connection:
            self._store.before_append(connection)  # waits for a commit that is under way
            found = connection.execute(
                select(ENTRIES.c.digest).where(ENTRIES.c.sequence == events[-1].sequence)
            ).scalar()
        return bool(found == events[-1].digest)

    def events(self, case_id: str | None = None, after: int = 0) -> tuple[LabelEvent, ...]:
        """Entries in order: of one case or of all, from the one after sequence `after`.

        Each is checked against its own digest. Raises DamagedJournalError.
        """
        with self._turn, self._transaction() as connection:
            rows = self._store.rows(connection, after, case_id)
        return tuple(_checked(self.path, row) for row in rows)

    def verify(self) -> Verified:
        """Recompute the whole chain, and compare it with what the backups testify.

        Raises DamagedJournalError, which names the first entry that does not hold.
        """
        with self._turn:
            return self._check()

    def head(self) -> Verified:
        """The number of entries and the digest of the last, without recomputing."""
        with self._turn, self._transaction() as connection:
            return Verified(*self._head(connection))

    def close(self) -> None:
        """Let go of the journal; other instances may write it then. May be called twice."""
        with self._turn:
            self._store.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ---- inside

    @contextmanager
    def _transaction(self, *, writes: bool = False) -> Iterator[Connection]:
        try:
            with self._store.engine.connect() as connection:
                connection.execution_options(**self._store.options(writes=writes))
                with connection.begin():
                    yield connection
        except DBAPIError as error:
            raise self._store.translated(error, writing=writes) from error
        except (SQLAlchemyError, UnicodeDecodeError) as error:
            # SQLite quotes damaged text in its messages; its driver cannot decode it.
            raise DamagedJournalError(self.path, "its tables cannot be read") from error

    def _prepare(self, migrations: Sequence[tables.Migration]) -> None:
        """Create or migrate the tables, and learn the journal's id."""
        known = tables.known_schema(migrations)
        with self._transaction() as connection:
            empty = tables.is_empty(connection)
            if not empty:
                facts = self._facts(connection)
        if empty:
            if problem := self._store.empty():
                raise problem
            with self._transaction(writes=True) as connection:
                self._store.before_create(connection)
                if tables.is_empty(connection):
                    tables.create(connection, known)
                facts = self._facts(connection)
        self._id = facts["journal"]
        schema = int(facts["schema"])
        if schema > known:
            raise NewerJournalError(self.path, schema, known)
        if schema < known and not self.is_read_only:
            before = self._check()
            self._store.backup(before.entries, before.head, self._clock())
            with self._transaction(writes=True) as connection:
                self._store.before_create(connection)
                schema = int(self._facts(connection)["schema"])
                tables.migrate(connection, schema, migrations)

    def _facts(self, connection: Connection) -> dict[str, str]:
        try:
            return tables.facts(connection)
        except ValueError as error:
            raise DamagedJournalError(self.path, str(error)) from error

    def _head(self, connection: Connection) -> tuple[int, str]:
        row = connection.execute(select(HEAD.c.sequence, HEAD.c.digest)).first()
        last = connection.execute(
            select(ENTRIES.c.sequence, ENTRIES.c.digest)
            .order_by(ENTRIES.c.sequence.desc())
            .limit(1)
        ).first()
        end = (0, genesis(self._id)) if last is None else (last.sequence, last.digest)
        if row is None or (row.sequence, row.digest) != end:
            raise DamagedJournalError(
                self.path, "its last entries are missing or were added by other means", end[0]
            )
        return end

    def _check(self) -> Verified:
        # Asked first: an end noted while the chain is being read would be beyond it.
        witnesses = list(self._store.witnesses())
        with self._transaction() as connection:
            if damage := self._store.damage(connection):
                raise DamagedJournalError(self.path, damage)
            if self._facts(connection)["journal"] != self._id:
                raise DamagedJournalError(self.path, "it has become another journal")
            rows = self._store.rows(connection, 0, None)
            chain = [genesis(self._id)]
            for expected, row in enumerate(rows, start=1):
                if row[0] != expected:
                    raise DamagedJournalError(self.path, "this entry is missing", expected)
                chain.append(self._link(row, chain[-1]))
            sequence, digest = self._head(connection)
        self._hear(witnesses, chain)
        return Verified(sequence, digest)

    def _link(self, row: Any, previous: str) -> str:
        """The digest of a row that follows `previous`. Raises DamagedJournalError."""
        sequence, case_id, body, digest = row
        try:
            stated = str(digest.decode("ascii"))
            if digest_of(body) == stated and follows(body, sequence, case_id.decode(), previous):
                return stated
        except (ValueError, TypeError, AttributeError):
            pass  # what is wrong is said below
        event = _checked(self.path, row)
        if event.previous != previous:
            raise DamagedJournalError(self.path, "it does not follow the entry before it", sequence)
        return event.digest

    def _hear(self, witnesses: Iterable[tuple[str, int, str]], chain: Sequence[str]) -> None:
        for name, sequence, digest in witnesses:
            if sequence >= len(chain):
                raise DamagedJournalError(self.path, f"the {name} knows later entries", len(chain))
            if chain[sequence] != digest:
                raise DamagedJournalError(
                    self.path, f"the {name} knows another entry here", sequence
                )


def new_session() -> str:
    """A random name for one start of the program by one reader."""
    return secrets.token_hex(8)


def _is_storable(text: str) -> bool:
    # PostgreSQL cannot hold NUL, and no database a lone surrogate.
    return bool(text) and "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _utc_text(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("the clock must know its time zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _checked(path: Path, row: Any) -> LabelEvent:
    """The event of a row. Raises DamagedJournalError if the row is not what was written."""
    sequence, case_id, body, digest = row
    try:
        if digest_of(body) != digest.decode("ascii"):
            raise DamagedJournalError(path, "its content does not match its digest", sequence)
        event = from_body(body, digest.decode("ascii"))
        if (event.sequence, event.draft.case_id) != (sequence, case_id.decode()):
            raise DamagedJournalError(path, "its number or its case was changed", sequence)
    except (ValueError, TypeError, AttributeError) as error:
        raise DamagedJournalError(path, "it cannot be read", sequence) from error
    return event


def existing_events() -> tuple[LabelEvent, ...] | None:
    """All entries of the default journal, its chain checked; None where there is none yet.

    Raises what opening it to read raises.
    """
    place = default_place()
    if isinstance(place, Path) and not place.exists():
        return None
    try:
        with Journal(place, read_only=True) as journal:
            return journal.events()
    except NoLabelsError:
        return None
