"""Whatever is changed in the file is found and named, and what can be saved is saved."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import CoreError, DamagedJournalError, NewerJournalError
from core.labels import backups
from core.labels.journal import Journal
from core.labels.schema import LabelEvent
from core.sentences import sentence
from tests.core.labels.support import OPINION, Clock, draft

ENTRIES = 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed journal of eight entries, without backups."""
    path = tmp_path / "labels.db"
    with Journal(path) as journal:
        step = [draft(n, opinion=OPINION, reason=f"because {n}") for n in range(ENTRIES)]
        journal.append_many(step, reader="kim")
    return path


def tamper(path: Path, *statements: str) -> None:
    """Change the file behind the journal's back, its own refusals removed first."""
    with closing(sqlite3.connect(path)) as connection:
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()


def everything(path: Path) -> tuple[LabelEvent, ...]:
    with Journal(path, read_only=True) as journal:
        return journal.events()


@pytest.mark.parametrize(
    ("statement", "sequence"),
    [
        ("UPDATE entries SET body = replace(body, 'kim', 'lee') WHERE sequence = 3", 3),
        ("UPDATE entries SET digest = lower(hex(zeroblob(32))) WHERE sequence = 4", 4),
        ("UPDATE entries SET case_id = 'case-9' WHERE sequence = 2", 2),
        ("UPDATE entries SET sequence = 99 WHERE sequence = 8", 8),
        ("DELETE FROM entries WHERE sequence = 5", 5),
        ("DELETE FROM entries WHERE sequence = 1", 1),
        ("DELETE FROM entries WHERE sequence = 8", 7),
        ("DELETE FROM entries", 0),
        ("UPDATE head SET sequence = 7", 8),
        ("DELETE FROM head", 8),
        ("UPDATE entries SET body = x'00ff' WHERE sequence = 6", 6),
        ("UPDATE entries SET body = '' WHERE sequence = 6", 6),
        ("UPDATE entries SET digest = x'ff' WHERE sequence = 6", 6),
        ("UPDATE facts SET value = 'ff' WHERE name = 'journal'", 1),
        (
            "INSERT INTO entries SELECT 9, case_id, body, digest FROM entries WHERE sequence = 8",
            9,
        ),
    ],
)
def test_a_change_or_gap_is_found_and_named(path: Path, statement: str, sequence: int) -> None:
    tamper(path, statement)
    with pytest.raises(DamagedJournalError) as caught:
        Journal(path, read_only=True)
    assert caught.value.sequence == sequence
    told = str(sentence(caught.value))
    assert f"entry {sequence}" in told
    assert str(path) in told
    with pytest.raises(DamagedJournalError):
        Journal(path)


def test_swapped_entries_are_found(path: Path) -> None:
    tamper(
        path,
        "UPDATE entries SET sequence = 100 WHERE sequence = 2",
        "UPDATE entries SET sequence = 2 WHERE sequence = 3",
        "UPDATE entries SET sequence = 3 WHERE sequence = 100",
    )
    with pytest.raises(DamagedJournalError) as caught:
        everything(path)
    assert caught.value.sequence == 2


def test_a_change_while_the_journal_is_open_is_found(path: Path) -> None:
    with Journal(path) as journal:
        tamper(path, "UPDATE entries SET body = replace(body, 'kim', 'lee') WHERE sequence = 3")
        with pytest.raises(DamagedJournalError, match="sequence=3"):
            journal.verify()
        with pytest.raises(DamagedJournalError, match="sequence=3"):
            journal.events()


def test_nothing_is_appended_to_a_damaged_end(path: Path) -> None:
    with Journal(path) as journal:
        tamper(path, "DELETE FROM entries WHERE sequence = 8")
        with pytest.raises(DamagedJournalError):
            journal.append(draft(), reader="kim")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = 'x'",
        "DELETE FROM entries",
        "DELETE FROM entries WHERE sequence = 8",
        "INSERT OR REPLACE INTO entries SELECT * FROM entries WHERE sequence = 3",
        "REPLACE INTO entries VALUES (8, 'c', 'b', 'd')",
        "INSERT INTO entries VALUES (12, 'c', 'b', 'd')",
        "INSERT INTO entries VALUES (0, 'c', 'b', 'd')",
    ],
)
def test_the_database_itself_refuses_changes(path: Path, statement: str) -> None:
    before = everything(path)
    with closing(sqlite3.connect(path)) as connection:
        with pytest.raises(sqlite3.IntegrityError, match=r"never|only"):
            connection.execute(statement)
        connection.commit()
    assert everything(path) == before


def test_a_removed_refusal_is_noticed(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER entries_never_go")
        connection.commit()
    with pytest.raises(DamagedJournalError, match="entries_never_go"):
        Journal(path)


def test_a_cleverly_cut_tail_is_betrayed_by_the_backups(path: Path) -> None:
    Journal(path).close()  # makes a backup
    seventh = everything(path)[6]
    tamper(
        path,
        "DELETE FROM entries WHERE sequence = 8",
        f"UPDATE head SET sequence = 7, digest = '{seventh.digest}'",
    )
    with pytest.raises(DamagedJournalError, match="knows later entries") as caught:
        Journal(path)
    assert caught.value.sequence == 8


def test_a_journal_that_vanished_is_not_replaced_by_an_empty_one(path: Path) -> None:
    before = everything(path)
    Journal(path).close()
    path.unlink()
    with pytest.raises(DamagedJournalError, match="knows later entries"):
        Journal(path)
    backups.restore(path, Clock()())
    assert everything(path) == before


@pytest.mark.parametrize("content", [b"", b"not a database at all", b"\0" * 4096])
def test_a_file_that_is_no_journal_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.db"
    path.write_bytes(content)
    with pytest.raises(DamagedJournalError) as caught:
        Journal(path, read_only=True)
    assert "\n" not in str(sentence(caught.value))
    with pytest.raises(DamagedJournalError):
        Journal(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (x)")
        connection.commit()
    with pytest.raises(DamagedJournalError, match="not a label journal"):
        Journal(path)


def flip_bytes(path: Path, flips: int, seed: int) -> None:
    """Law: after a flipped byte the journal says so, or every entry is what it was."""
    good, before = path.read_bytes(), everything(path)
    chance = random.Random(seed)
    found = 0
    for _ in range(flips):
        place = chance.randrange(len(good))
        bad = bytearray(good)
        bad[place] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(bad))
        try:
            with Journal(path, read_only=True) as journal:
                assert journal.events() == before, f"byte {place}"
        except (DamagedJournalError, NewerJournalError) as error:
            assert "\n" not in str(sentence(error))
            found += 1
    assert found > flips / 10


def test_a_flipped_byte_is_found_or_harmless(path: Path) -> None:
    flip_bytes(path, 150, seed=7)


@pytest.mark.slow
def test_a_thousand_flipped_bytes(path: Path) -> None:
    flip_bytes(path, 1000, seed=8)


def test_a_truncated_file_is_found(path: Path) -> None:
    good = path.read_bytes()
    for length in range(0, len(good), 1500):
        path.write_bytes(good[:length])
        with pytest.raises(DamagedJournalError):
            Journal(path, read_only=True)


# ----------------------------------------------------------------- the way back


def test_restore_brings_back_the_backup_and_what_followed_it(path: Path) -> None:
    with Journal(path) as journal:  # the backup holds eight entries
        for index in range(4):
            journal.append(draft(index), reader="lee")
    before = everything(path)
    tamper(path, "UPDATE entries SET body = replace(body, 'lee', 'kim') WHERE sequence = 11")
    bad = path.read_bytes()
    done = backups.restore(path, Clock()())
    assert (done.entries, done.salvaged) == (10, 2)
    assert done.set_aside is not None
    assert done.set_aside.read_bytes() == bad
    assert everything(path) == before[:10]
    with Journal(path) as journal:
        assert journal.append(draft(), reader="kim").sequence == 11


def test_restore_passes_over_a_damaged_backup(path: Path) -> None:
    clock = Clock()
    for index in range(2):
        with Journal(path, clock=clock) as journal:
            journal.append(draft(index), reader="lee")
    newest, older = backups.found(path)
    newest.write_bytes(newest.read_bytes()[:5000])
    path.write_bytes(b"gone")
    done = backups.restore(path, clock())
    assert done.source == older
    assert done.entries == 8
    assert len(everything(path)) == 8


def test_restore_without_a_whole_backup_changes_nothing(path: Path) -> None:
    path.write_bytes(b"gone")
    with pytest.raises(DamagedJournalError, match="none of its backups"):
        backups.restore(path, Clock()())
    assert path.read_bytes() == b"gone"


def test_restore_waits_for_the_writer_to_leave(path: Path) -> None:
    with Journal(path), pytest.raises(CoreError, match="JournalBusyError"):
        backups.restore(path, Clock()())


def test_restoring_twice_keeps_both_damaged_files(path: Path) -> None:
    Journal(path).close()
    aside = []
    for content in (b"first", b"second"):
        path.write_bytes(content)
        done = backups.restore(path, Clock()())
        assert done.set_aside is not None
        aside.append(done.set_aside.read_bytes())
    assert aside == [b"first", b"second"]


def test_a_rollback_journal_is_not_applied_to_what_was_restored(path: Path) -> None:
    with Journal(path) as journal:
        journal.append(draft(1), reader="lee")
    before = everything(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE big AS SELECT hex(randomblob(20000)) FROM entries")
        hot = path.with_name("labels.db-journal").read_bytes()
        torn = path.read_bytes()  # half a transaction, as a power cut leaves it
        connection.execute("ROLLBACK")
    path.write_bytes(torn)
    path.with_name("labels.db-journal").write_bytes(hot)
    done = backups.restore(path, Clock()())
    assert (done.entries, done.salvaged) == (9, 1)
    assert everything(path) == before
    assert not path.with_name("labels.db-journal").exists()


def test_entries_of_another_journal_are_not_taken_over(path: Path, tmp_path: Path) -> None:
    Journal(path).close()
    other = tmp_path / "other.db"
    with Journal(other) as journal:
        for index in range(12):
            journal.append(draft(index), reader="eve")
    shutil.copy(other, path)
    with pytest.raises(DamagedJournalError):
        Journal(path)
    assert backups.restore(path, Clock()()).salvaged == 0
