"""Rolling copies of a SQLite journal beside it, and the way back from damage.

A copy is made whenever the journal is opened and has grown since the last one; the newest ten
stay. Their names begin with the sequence number of their last entry: order never depends on
the clock. Each copy also testifies: if the journal no longer holds the entry with which a copy
ends, entries were taken away.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core import durable
from core.errors import DamagedJournalError, NotDurableError
from core.labels.canonical import digest_of, from_body, genesis
from core.labels.lock import WriterLock

KEPT = 10

_SUFFIXES = ("", "-journal")

_NAME = re.compile(r".+-(\d{12})-\d{8}T\d{6}Z\.db")


@dataclass(frozen=True)
class Restored:
    """What `restore` did.

    source: the backup used. entries: how many the journal holds now; of them `salvaged` came
    from the damaged file, after the end of the backup. set_aside: where the damaged file is,
    or None if it was gone.
    """

    source: Path
    entries: int
    salvaged: int
    set_aside: Path | None


def folder_of(journal: Path) -> Path:
    """Where the backups of a journal lie."""
    return journal.with_name(f"{journal.stem}-backups")


def found(journal: Path) -> list[Path]:
    """Backups of a journal, the newest first."""
    folder = folder_of(journal)
    files = [file for file in folder.glob("*.db") if _NAME.fullmatch(file.name)]
    return sorted(files, key=lambda file: file.name, reverse=True)


def keep(
    source: sqlite3.Connection, journal: Path, sequence: int, digest: str, now: datetime
) -> Path | None:
    """Copy an open journal whose last entry is `sequence`; None if the last copy has it all.

    Raises NotDurableError; the older copies stay.
    """
    existing = found(journal)
    if sequence == 0 or (existing and _head(existing[0]) == (sequence, digest)):
        return None
    folder = folder_of(journal)
    name = f"{journal.stem}-{sequence:012d}-{now:%Y%m%dT%H%M%S}Z.db"
    temporary = folder / f".{name}.part"
    try:
        durable.make_folder(folder, 0o700)
        for left in folder.glob(".*.part*"):  # by a process that was killed
            left.unlink(missing_ok=True)
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT, 0o600))
        with closing(sqlite3.connect(temporary)) as target:
            source.backup(target)
        handle = os.open(temporary, os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        temporary.replace(folder / name)
        durable.fsync_folder(folder)
        for old in found(journal)[KEPT:]:
            old.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise NotDurableError(folder / name, f"no backup could be made ({error})") from error
    return folder / name


def heads(journal: Path) -> Iterator[tuple[str, int, str]]:
    """(file name, sequence, digest) of the last entry of each backup that can be read."""
    for file in found(journal):
        head = _head(file)
        if head is not None:
            yield (file.name, *head)


def restore(journal: Path, now: datetime) -> Restored:
    """Put the best backup in the place of a damaged journal, which is set aside, not deleted.

    Entries of the damaged file that continue the backup's chain without a flaw are taken over,
    up to the first that does not.

    Raises JournalBusyError if somebody has the journal open, DamagedJournalError if no backup
    is whole, NotDurableError if nothing can be written.
    """
    lock = WriterLock(journal)
    lock.acquire(now)
    temporary = journal.with_name(f".{journal.name}.restoring")
    try:
        source = next((file for file in found(journal) if _is_whole(file)), None)
        if source is None:
            raise DamagedJournalError(journal, "and none of its backups is whole")
        remove(temporary)
        durable.write_bytes(temporary, source.read_bytes())
        salvaged = _salvage(journal, temporary)
        set_aside = _free_name(journal, now) if journal.exists() else None
        if set_aside is not None:
            # Copied, not moved: at no moment is there no journal, or one that is new and empty.
            durable.write_bytes(set_aside, journal.read_bytes())
            set_aside.chmod(0o600)
        hot = journal.with_name(f"{journal.name}-journal")
        if hot.exists():
            # SQLite would roll it back into the file that takes the damaged one's place.
            hot.replace(hot.with_name(f"{(set_aside or journal).name}-journal-damaged"))
            durable.fsync_folder(journal.parent)
        temporary.chmod(0o600)
        temporary.replace(journal)
        durable.fsync_folder(journal.parent)
    except (OSError, sqlite3.Error) as error:
        raise NotDurableError(journal, str(error)) from error
    finally:
        with contextlib.suppress(OSError):
            remove(temporary)
        lock.release()
    head = _head(journal)
    return Restored(source, head[0] if head else 0, salvaged, set_aside)


def remove(database: Path) -> None:
    """Delete a SQLite file that may be there, with the rollback journal that a crash left.

    The journal first: alone, it would be rolled back into the next file of that name.
    """
    for suffix in reversed(_SUFFIXES):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def _free_name(journal: Path, now: datetime) -> Path:
    stem = f"{journal.stem}-damaged-{now:%Y%m%dT%H%M%S}Z"
    names = (f"{stem}{f'-{n}' if n else ''}{journal.suffix}" for n in itertools.count())
    return next(path for path in map(journal.with_name, names) if not path.exists())


def _head(file: Path) -> tuple[int, str] | None:
    try:
        with closing(_reading(file)) as connection:
            row = connection.execute("SELECT sequence, digest FROM head WHERE id = 1").fetchone()
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    return (row[0], row[1]) if row and isinstance(row[0], int) else None


def _is_whole(file: Path) -> bool:
    try:
        with closing(_reading(file)) as connection:
            if connection.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
                return False
            journal = connection.execute("SELECT value FROM facts WHERE name = 'journal'")
            last = (0, genesis(str(journal.fetchone()[0])))
            for sequence, _, _, digest in _continuation(connection, last):
                last = (sequence, digest)
            return last == _head(file)
    except (sqlite3.Error, TypeError, UnicodeDecodeError):
        return False


def _salvage(damaged: Path, into: Path) -> int:
    """Append what the damaged file holds beyond the end of a backup; returns how many."""
    head = _head(into)
    if head is None or not damaged.exists():
        return 0
    rescued: list[tuple[int, str, str, str]] = []
    # Read from a copy: a rollback journal that a killed writer left is rolled back in reading.
    scratch = damaged.with_name(f".{damaged.name}.salvage")
    try:
        remove(scratch)
        for suffix in _SUFFIXES:
            part = damaged.with_name(damaged.name + suffix)
            if part.exists():
                durable.write_bytes(scratch.with_name(scratch.name + suffix), part.read_bytes())
        with closing(sqlite3.connect(scratch)) as connection:
            # A flaw in the text of one trigger or index must not hide the entries.
            connection.execute("PRAGMA writable_schema=ON")
            rescued.extend(_continuation(connection, head))
    except (sqlite3.Error, UnicodeDecodeError):
        pass  # what was read up to the flaw counts
    finally:
        remove(scratch)
    if rescued:
        with closing(sqlite3.connect(into, isolation_level=None)) as target:
            target.execute("PRAGMA synchronous=EXTRA")
            target.execute("BEGIN IMMEDIATE")
            target.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", rescued)
            target.execute("UPDATE head SET sequence = ?, digest = ?", (*rescued[-1][::3],))
            target.execute("COMMIT")
    return len(rescued)


def _continuation(
    connection: sqlite3.Connection, after: tuple[int, str]
) -> Iterator[tuple[int, str, str, str]]:
    """Rows that follow `after` (sequence, digest) in the chain, up to the first flaw."""
    sequence, previous = after
    rows = connection.execute(
        "SELECT sequence, CAST(case_id AS BLOB), CAST(body AS BLOB), CAST(digest AS BLOB) "
        "FROM entries WHERE sequence > ? ORDER BY sequence",
        (sequence,),
    )
    for number, case_id, body, digest in rows:
        try:
            event = from_body(body, digest.decode())
            case = case_id.decode()
        except (ValueError, AttributeError):
            return
        if (
            number != sequence + 1
            or event.sequence != number
            or event.previous != previous
            or event.draft.case_id != case
            or digest_of(body) != event.digest
        ):
            return
        sequence, previous = number, event.digest
        yield number, case, body.decode(), event.digest


def _reading(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
