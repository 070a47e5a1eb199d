"""The same journal on PostgreSQL: the same laws, several writers, an honest failure."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import (
    DamagedJournalError,
    NewerJournalError,
    NoLabelsError,
    NotDurableError,
    StoreUnreachableError,
)
from core.labels.history import current
from core.labels.journal import Journal
from core.labels.labelling import Labelling
from core.labels.postgres_store import witness_file
from core.labels.store import STORE_VARIABLE, default_place
from core.sentences import sentence
from tests.core.labels.postgres import Server, running
from tests.core.labels.support import CLASSES, HEMORRHAGE, OPINION, SERIES, Clock, Series, draft
from tests.core.labels.test_journal import add_table, fails_half_way
from tests.core.labels.test_kill import kill


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    return server.url()


def test_the_store_is_chosen_by_the_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE_VARIABLE, url)
    assert default_place() == url
    with Journal() as journal:
        event = journal.append(draft(reason="조 \0 \ud800 ‘’"), reader="김")
        assert "password" not in str(journal.path)
    with Journal(read_only=True) as journal:
        assert journal.events() == (event,)


def test_what_was_appended_is_found_again(url: str) -> None:
    with Journal(url, clock=Clock()) as journal:
        first = journal.append(draft(3, opinion=OPINION, reason="clot"), reader="kim")
        step = journal.append_many([draft(n, case_id="case-2") for n in range(5)], reader="lee")
        assert journal.events() == (first, *step)
        assert journal.events("case-2") == step
        assert journal.events(after=4) == step[3:]
    with Journal(url) as journal:
        assert journal.verify().entries == 6
        assert journal.events() == (first, *step)
        assert {event.batch for event in step} == {2}


def test_before_the_first_label(url: str) -> None:
    with pytest.raises(NoLabelsError):
        Journal(url, read_only=True)
    Journal(url).close()
    with Journal(url, read_only=True) as journal:
        assert journal.events() == ()
        with pytest.raises(NotDurableError):
            journal.append(draft(), reader="kim")


def test_several_workstations_write_one_chain(url: str) -> None:
    # The tables, too, are made by whoever comes first.
    problems: list[BaseException] = []

    def write(reader: str) -> None:
        try:
            with Journal(url) as journal:
                labelling = Labelling(journal, reader)
                for index in range(20):
                    labelling.label(
                        SERIES, index % 6, CLASSES[(index // 6) % 2], label_set=HEMORRHAGE
                    )
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            problems.append(error)

    threads = [threading.Thread(target=write, args=(f"reader {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with Journal(url, read_only=True) as journal:
        assert journal.verify().entries == 80
        readers = [event.reader for event in journal.events()]
    assert sorted(readers.count(f"reader {n}") for n in range(4)) == [20] * 4


def test_a_colleagues_label_is_seen(url: str) -> None:
    with Journal(url) as here, Journal(url) as there:
        kim, lee = Labelling(here, "kim"), Labelling(there, "lee")
        lee.label(SERIES, 0, "hemorrhage", label_set=HEMORRHAGE)
        (event,) = kim.refresh()
        assert event.reader == "lee"
        assert not kim.can_undo(SERIES.case_id)
        lee.label(SERIES, 1, "hemorrhage", label_set=HEMORRHAGE)
        kim.label(SERIES, 2, "hemorrhage", label_set=HEMORRHAGE)
        assert len(kim.current(SERIES.case_id, HEMORRHAGE.id)) == 3


@pytest.fixture
def growing(url: str) -> Iterator[Journal]:
    with Journal(url) as journal:
        yield journal


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sequence=st.lists(
        st.tuples(st.sampled_from(["label", "undo", "redo", "sign in"]), st.integers(0, 3)),
        max_size=15,
    )
)
def test_replay_gives_the_state_on_screen(
    growing: Journal, sequence: list[tuple[str, int]]
) -> None:
    series = Series(case_id=f"case after {growing.head().entries}")
    labelling = Labelling(growing, "kim")
    for action, number in sequence:
        match action:
            case "label":
                labelling.label(series, number, CLASSES[number % 2], label_set=HEMORRHAGE)
            case "sign in":
                labelling.sign_in(("kim", "lee")[number % 2])
            case _:
                getattr(labelling, action)(series.case_id)
    shown = {
        (series.case_id, HEMORRHAGE.id, key): value
        for key, value in labelling.current(series.case_id, HEMORRHAGE.id).items()
    }
    assert current(growing.events(series.case_id)) == shown


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = 'x'",
        "DELETE FROM entries",
        "TRUNCATE entries",
        "INSERT INTO entries VALUES (9, 'c', 'b', 'd')",
        "INSERT INTO entries VALUES (1, 'c', 'b', 'd') ON CONFLICT (sequence) "
        "DO UPDATE SET body = 'x'",
    ],
)
def test_the_database_itself_refuses_changes(server: Server, url: str, statement: str) -> None:
    import psycopg

    with Journal(url) as journal:
        kept = journal.append_many([draft(n) for n in range(3)], reader="kim")
        with server.connect(url) as connection:
            connection.execute("SET search_path TO sliceloop")
            with pytest.raises(psycopg.errors.RaiseException, match="only appended"):
                connection.execute(statement)
        assert journal.events() == kept
        assert journal.verify().entries == 3


@pytest.mark.parametrize(
    ("statement", "sequence"),
    [
        ("UPDATE entries SET body = replace(body, 'kim', 'lee') WHERE sequence = 2", 2),
        ("DELETE FROM entries WHERE sequence = 2", 2),
        ("DELETE FROM entries WHERE sequence = 3", 2),
        ("UPDATE entries SET case_id = 'x' WHERE sequence = 1", 1),
    ],
)
def test_a_change_or_gap_is_found_and_named(
    server: Server, url: str, statement: str, sequence: int
) -> None:
    with Journal(url) as journal:
        journal.append_many([draft(n) for n in range(3)], reader="kim")
    with server.connect(url) as connection:
        connection.execute("SET search_path TO sliceloop")
        connection.execute("ALTER TABLE entries DISABLE TRIGGER USER")
        connection.execute(statement)
        connection.execute("ALTER TABLE entries ENABLE TRIGGER USER")
    with pytest.raises(DamagedJournalError) as caught:
        Journal(url, read_only=True)
    assert caught.value.sequence == sequence


def test_disabled_refusals_are_noticed(server: Server, url: str) -> None:
    Journal(url).close()
    with server.connect(url) as connection:
        connection.execute("ALTER TABLE sliceloop.entries DISABLE TRIGGER entries_never_go")
    with pytest.raises(DamagedJournalError, match="entries_never_go"):
        Journal(url)


def test_a_newer_schema_is_refused(server: Server, url: str) -> None:
    Journal(url).close()
    with server.connect(url) as connection:
        connection.execute("UPDATE sliceloop.facts SET value = '99' WHERE name = 'schema'")
    with pytest.raises(NewerJournalError):
        Journal(url)


def test_a_broken_connection_is_mended_and_nothing_is_said_twice(server: Server, url: str) -> None:
    with Journal(url) as journal:
        first = journal.append(draft(), reader="kim")
        with server.connect(url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        second = journal.append(draft(1), reader="kim")
        assert journal.events() == (first, second)


def test_entries_that_arrived_although_the_answer_was_lost_are_acknowledged(
    server: Server, url: str
) -> None:
    with Journal(url) as journal:
        kept = journal.append(draft(), reader="kim")
        assert journal._arrived([kept])
        assert not journal._arrived([])
        with server.connect(url) as connection:
            # The server ends the session as soon as the entry is committed.
            connection.execute(
                "CREATE FUNCTION sliceloop.hang_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
            )
            connection.execute(
                "CREATE CONSTRAINT TRIGGER hang_up AFTER INSERT ON sliceloop.entries "
                "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sliceloop.hang_up()"
            )
        with pytest.raises(StoreUnreachableError):  # it hung up before the commit
            journal.append(draft(1), reader="kim")
        assert journal.events() == (kept,)


def test_an_absent_server_is_said_without_the_password() -> None:
    with pytest.raises(StoreUnreachableError) as caught:
        Journal("postgresql+psycopg://kim:s3cret@127.0.0.1:1/labels")
    told = str(sentence(caught.value))
    assert "s3cret" not in told
    assert "127.0.0.1:1" in told
    assert "\n" not in told


@pytest.mark.parametrize(
    "place", ["mysql://u:s3cret@h/x", "sqlite:///x.db", "nonsense://s3cret", "postgresql+no://h/x"]
)
def test_a_store_that_is_none_is_said(place: str) -> None:
    with pytest.raises(StoreUnreachableError) as caught:
        Journal(place)
    assert "s3cret" not in str(sentence(caught.value))


def test_a_store_that_was_put_back_to_an_older_state_is_noticed(server: Server, url: str) -> None:
    with Journal(url) as journal:
        journal.append_many([draft(n) for n in range(3)], reader="kim")
    Journal(url).close()  # notes how far the chain is
    with server.connect(url) as connection:
        connection.execute("SET search_path TO sliceloop")
        second = connection.execute("SELECT digest FROM entries WHERE sequence = 2").fetchone()[0]
        connection.execute("ALTER TABLE entries DISABLE TRIGGER USER")
        connection.execute("DELETE FROM entries WHERE sequence = 3")
        connection.execute("ALTER TABLE entries ENABLE TRIGGER USER")
        connection.execute("UPDATE head SET sequence = 2, digest = %s", (second,))
    with pytest.raises(DamagedJournalError, match="knows later entries"):
        Journal(url)
    witness_file().unlink()  # somebody has looked into it and accepts the loss
    with Journal(url) as journal:
        assert journal.verify().entries == 2


def test_a_migration_is_whole_or_not_at_all(url: str) -> None:
    with Journal(url) as journal:
        kept = journal.append(draft(), reader="kim")
    with pytest.raises(RuntimeError):
        Journal(url, migrations=(add_table, fails_half_way))
    with Journal(url, migrations=(add_table,)) as journal:
        assert journal.events() == (kept,)
    with pytest.raises(NewerJournalError):
        Journal(url)


@pytest.mark.slow
def test_a_crash_of_the_server_loses_no_acknowledged_label(server: Server, url: str) -> None:
    with Journal(url) as journal:
        labelling = Labelling(journal, "kim")
        for index in range(4):
            labelling.label(SERIES, index, "hemorrhage", label_set=HEMORRHAGE)
        before = journal.events()
        server.crash()
        labelling.label(SERIES, 4, "hemorrhage", label_set=HEMORRHAGE)
        assert journal.events()[:4] == before
        assert journal.verify().entries == 5


@pytest.mark.slow
def test_sigkill_of_a_workstation_loses_no_acknowledged_label(url: str) -> None:
    kill(url, times=60, seed=5)


LAWS = ("test_history.py", "test_labelling.py", "test_labelling_command.py", "test_journal.py")
"""Suites whose laws hold on any store."""

OF_FILES = (
    "not moved and not could_not_be_saved and not second_writer and not another_process and not "
    "dead_process and not share and not reading_never and not reader_cannot and not pass_the_lock "
    "and not full_disk and not carries_no_patient and not filling_disk and not read_only and not "
    "folder_in_the_way and not flushed and not newer_schema and not migration and not backups "
    "and not owner and not keeps_its_journal and not thousand"
)
"""What is about a file, its lock, its disk or its backups is not asked of a server, nor a thousand
databases."""


@pytest.mark.slow
def test_the_laws_of_labelling_hold_on_a_shared_store() -> None:
    folder = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "slow or not slow",
         "--timeout=0",
         "-k", OF_FILES, *(str(folder / name) for name in LAWS)],
        cwd=folder.parents[2], capture_output=True, text=True, check=False,
        env={**os.environ, "SLICELOOP_TEST_STORE": "postgresql"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert "passed" in done.stdout
