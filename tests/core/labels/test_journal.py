"""The journal: durable on return, one writer, in order, and honest when it cannot save."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import traceback
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from core.errors import (
    DamagedJournalError,
    JournalBusyError,
    NewerJournalError,
    NotDurableError,
)
from core.labels import backups
from core.labels.canonical import Origin, digest_of, from_body, sealed, to_body
from core.labels.journal import Journal
from core.labels.lock import WriterLock
from core.labels.schema import Action, Attention, LabelDraft, ModelOpinion, Region
from core.sentences import sentence
from tests.core.labels.support import OPINION, Clock, draft

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "labels.db"


def run_child(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


# ----------------------------------------------------------------- entries


def test_what_was_appended_is_found_again(store: Path | str) -> None:
    clock = Clock()
    with Journal(store, clock=clock) as journal:
        first = journal.append(draft(3, opinion=OPINION, reason="clot"), reader="kim")
        clock.move(minutes=1)
        second = journal.append(draft(4, None, action=Action.CLEAR), reader="lee", session="s")
        assert journal.events() == (first, second)
    with Journal(store) as journal:
        assert journal.events() == (first, second)
        assert journal.events(after=1) == (second,)
        assert journal.events("case-1") == (first, second)
        assert journal.events("other") == ()
    assert (first.sequence, second.sequence) == (1, 2)
    assert first.at == "2026-03-01T09:00:00.000Z"
    assert second.previous == first.digest
    assert (second.reader, second.session) == ("lee", "s")
    assert first.machine
    assert first.program.startswith("sliceloop")


def test_one_step_is_one_batch(store: Path | str) -> None:
    with Journal(store) as journal:
        journal.append(draft(0), reader="kim")
        step = journal.append_many([draft(index) for index in range(5)], reader="kim")
        assert [event.sequence for event in step] == [2, 3, 4, 5, 6]
        assert {event.batch for event in step} == {2}
        assert journal.append_many([], reader="kim") == ()
        assert journal.verify().entries == 6
        assert journal.verify().head == step[-1].digest == journal.head().head


def test_an_event_names_its_reader_and_its_case(store: Path | str) -> None:
    with Journal(store) as journal:
        with pytest.raises(ValueError, match="reader"):
            journal.append(draft(), reader=" ")
        for case_id in ("", "a\0b", "\ud800"):
            with pytest.raises(ValueError, match="case"):
                journal.append(draft(case_id=case_id), reader="kim")
        assert journal.events() == ()


words = st.text(max_size=20)
drafts = st.builds(
    LabelDraft,
    action=st.sampled_from(Action),
    case_id=words,
    patient_id=words,
    slice_id=words,
    slice_index=st.integers(0, 10_000),
    label_set=words,
    old=st.none() | words,
    new=st.none() | words,
    reason=words,
    opinion=st.none()
    | st.builds(ModelOpinion, words, words, words, st.floats(0, 1, allow_nan=False)),
    target=st.none() | st.integers(1),
    regions=st.lists(
        st.builds(
            Region,
            st.tuples(*[st.floats(0.1, 1e5)] * 4),
            st.sampled_from(Attention),
            words,
        ),
        max_size=3,
    ).map(tuple),
    note=words,
)


@given(drafts)
def test_an_event_survives_its_canonical_text(item: LabelDraft) -> None:
    event, body = sealed(
        item, Origin("kim", "s"), sequence=7, batch=7, at="2026-03-01T09:00:00.000Z", previous="0"
    )
    assert from_body(body.encode("ascii"), event.digest) == event
    assert to_body(event) == body
    assert digest_of(body.encode()) == event.digest


@given(drafts, drafts)
def test_different_events_have_different_texts(one: LabelDraft, other: LabelDraft) -> None:
    where: dict[str, Any] = {"sequence": 1, "batch": 1, "at": "t", "previous": "0"}
    bodies = [sealed(item, Origin("kim"), **where)[1] for item in (one, other)]
    assert (bodies[0] == bodies[1]) == (one == other)


def test_an_entry_of_the_first_schema_keeps_its_digest() -> None:
    # Written by schema 1 before regions and notes existed; the digest was computed then.
    body = (
        b'{"action":"label","at":"2026-03-01T09:00:00.000Z","batch":1,"case_id":"c","label_set":'
        b'"hemorrhage","machine":"m","new":"hemorrhage","old":null,"opinion":null,"patient_id":"p",'
        b'"previous":"00","program":"sliceloop","reader":"kim","reason":"","sequence":1,"session":'
        b'"","slice_id":"s","slice_index":0,"target":null}'
    )
    event = from_body(body, digest_of(body))
    assert to_body(event).encode() == body
    assert event.draft.regions == ()
    marked = replace(
        event,
        draft=replace(event.draft, regions=(Region((1, 2, 3, 4), Attention.LOOK_HERE),), note="n"),
    )
    assert from_body(to_body(marked).encode(), event.digest) == marked


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 1), (0, 0, 1, -1), (0, 0, float("nan"), 1), (0, 0, float("inf"), 1)]
)
def test_a_region_has_an_area(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="region"):
        Region(box, Attention.LOOK_HERE)


# ----------------------------------------------------------------- the clock


@pytest.mark.parametrize("jump", [{"days": -1}, {"days": 3653}, {"hours": -1}])
def test_order_does_not_depend_on_the_clock(store: Path | str, jump: dict[str, float]) -> None:
    clock = Clock()
    with Journal(store, clock=clock) as journal:
        before = journal.append(draft(0), reader="kim")
        clock.move(**jump)
        after = journal.append(draft(1), reader="kim")
        assert journal.events() == (before, after)
    with Journal(store, clock=clock) as journal:
        assert [event.sequence for event in journal.events()] == [1, 2]
        assert not isinstance(store, Path) or len(backups.found(store)) == 1


# ----------------------------------------------------------------- one writer


def test_a_second_writer_is_told_who_holds_the_journal(path: Path) -> None:
    with Journal(path, clock=Clock()) as first:
        written = first.append(draft(), reader="kim")
        with pytest.raises(JournalBusyError) as caught:
            Journal(path)
        assert f"process {os.getpid()} on " in caught.value.holder
        assert "since 2026-03-01 09:00" in caught.value.holder
        with Journal(path, read_only=True) as reader:
            assert reader.events() == (written,)
            later = first.append(draft(1), reader="kim")
            assert reader.events(after=1) == (later,)
            assert reader.verify().entries == 2
    with Journal(path) as second:
        second.append(draft(2), reader="lee")


def test_another_process_is_told_and_can_read(path: Path) -> None:
    code = (
        "import sys; from core.labels.journal import Journal\n"
        "from core.errors import JournalBusyError\n"
        "try: Journal(sys.argv[1])\n"
        "except JournalBusyError as error: print(error.holder)\n"
        "with Journal(sys.argv[1], read_only=True) as j: print(len(j.events()))"
    )
    with Journal(path) as journal:
        journal.append(draft(), reader="kim")
        done = run_child(code, str(path))
    assert done.returncode == 0, done.stderr
    holder, count = done.stdout.split("\n")[:2]
    assert str(os.getpid()) in holder
    assert count == "1"


def test_the_lock_of_a_dead_process_is_taken_over(path: Path) -> None:
    code = (
        "import os, sys; from core.labels.journal import Journal\n"
        "from tests.core.labels.support import draft\n"
        "journal = Journal(sys.argv[1]); journal.append(draft(), reader='kim')\n"
        "os._exit(9)"
    )
    assert run_child(code, str(path)).returncode == 9
    assert json.loads(WriterLock(path).path.read_text())["pid"]
    with Journal(path) as journal:
        assert len(journal.events()) == 1


def test_on_a_share_a_record_of_another_machine_is_believed(path: Path) -> None:
    path.parent.mkdir()
    lock = WriterLock(path, on_share=lambda folder: True)
    lock.path.write_text('{"host": "reading-room-2", "pid": 7, "since": "2026-03-01T09:00:00"}')
    with pytest.raises(JournalBusyError) as caught:
        lock.acquire(Clock()())
    assert "reading-room-2" in caught.value.holder
    assert "remove labels.db.lock" in caught.value.holder
    local = WriterLock(path, on_share=lambda folder: False)
    local.acquire(Clock()())
    local.release()
    lock.acquire(Clock()())
    lock.release()


def test_reading_never_makes_a_journal(path: Path) -> None:
    with pytest.raises(DamagedJournalError):
        Journal(path, read_only=True)
    assert not path.exists()


def test_a_reader_cannot_append(path: Path) -> None:
    Journal(path).close()
    with Journal(path, read_only=True) as journal, pytest.raises(NotDurableError):
        journal.append(draft(), reader="kim")


def test_two_writers_that_pass_the_lock_by_lose_nothing(path: Path, tmp_path: Path) -> None:
    # As on a share whose locks do not work: the same file, another lock file.
    alias = tmp_path / "alias.db"
    with Journal(path) as one:
        os.link(path, alias)
        with Journal(alias) as two:

            def write(journal: Journal, reader: str) -> None:
                for index in range(40):
                    journal.append(draft(index), reader=reader)

            threads = [
                threading.Thread(target=write, args=work) for work in ((one, "kim"), (two, "lee"))
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert one.verify().entries == 80
            readers = [event.reader for event in two.events()]
            assert (readers.count("kim"), readers.count("lee")) == (40, 40)


def test_threads_take_turns(store: Path | str) -> None:
    with Journal(store) as journal:
        threads = [
            threading.Thread(
                target=lambda: [journal.append(draft(i), reader="kim") for i in range(10)]
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert journal.verify().entries == 40


# ----------------------------------------------------------------- what cannot be saved


def test_a_full_disk_is_said_and_nothing_is_acknowledged(path: Path) -> None:
    with Journal(path) as journal:
        kept = journal.append(draft(), reader="kim")
        with journal._transaction() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(NotDurableError) as caught:
            journal.append_many([draft(i, reason="x" * 500) for i in range(50)], reader="kim")
        assert "full" in str(sentence(caught.value))
        assert journal.events() == (kept,)
        with journal._transaction() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 100000")
        journal.append(draft(1), reader="kim")
        assert journal.verify().entries == 2


def test_an_error_carries_no_patient_into_a_log(path: Path) -> None:
    with Journal(path) as journal:
        with journal._transaction() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
        with pytest.raises(NotDurableError) as caught:
            journal.append_many(
                [draft(i, patient_id="CANARY", reason="CANARY" * 200) for i in range(50)],
                reader="kim",
            )
    told = "".join(traceback.format_exception(caught.value))
    assert "INSERT" in told
    assert "CANARY" not in told


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE is POSIX")
def test_at_every_level_of_a_filling_disk_earlier_labels_stay(path: Path) -> None:
    # A limit on file size stops the write at any byte that we choose, as a full disk does.
    code = """
import resource, signal, sys
from core.errors import NotDurableError
from core.labels.journal import Journal
from tests.core.labels.support import draft
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, refused = sys.argv[1], 0
with Journal(path) as journal:
    kept = journal.append(draft(), reader="kim")
for level in range(40):
    with Journal(path) as journal:
        before = journal.events()
        resource.setrlimit(resource.RLIMIT_FSIZE, (level * 1000, resource.RLIM_INFINITY))
        try:
            journal.append_many([draft(i, reason="y" * 90) for i in range(20)], reader="kim")
        except NotDurableError:
            refused += 1
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            assert journal.events() == before, level
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            assert len(journal.events()) == len(before) + 20, level
        journal.append(draft(1), reader="kim")
        journal.verify()
print(refused)
"""
    done = run_child(code, str(path))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 10


@pytest.mark.skipif(sys.platform != "linux", reason="a mount of its own needs Linux")
def test_a_read_only_mount_is_said(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or os.getuid() != 0:
        pytest.skip("needs root for a mount that only this test sees")
    code = (
        "import sys; from core.labels.journal import Journal\n"
        "from core.errors import CoreError; from core.sentences import sentence\n"
        "from tests.core.labels.support import draft\n"
        "path, step = sys.argv[1:]\n"
        "if step == 'make': Journal(path).append(draft(), reader='kim')\n"
        "else:\n"
        "    try: Journal(path)\n"
        "    except CoreError as error: print(type(error).__name__, sentence(error))\n"
        "    with Journal(path, read_only=True) as j: print(len(j.events()))\n"
    )
    folder = tmp_path / "mount"
    folder.mkdir()
    script = (
        'mount -t tmpfs -o size=4m none "$1" && "$2" -c "$3" "$1/labels.db" make '
        '&& mount -o remount,ro "$1" && "$2" -c "$3" "$1/labels.db" read'
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", str(folder), sys.executable, code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"mounts are not allowed here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    refusal, count = done.stdout.strip().split("\n")
    assert refusal.startswith("NotDurableError")
    assert count == "1"


def test_a_folder_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotDurableError):
        Journal(tmp_path / "file" / "labels.db")


def test_a_journal_that_was_moved_away_takes_no_more_labels(path: Path) -> None:
    with Journal(path) as journal:
        journal.append(draft(), reader="kim")
        path.rename(path.with_name("elsewhere.db"))
        with pytest.raises(NotDurableError, match="moved"):
            journal.append(draft(1), reader="kim")
        path.write_bytes(b"")
        with pytest.raises(NotDurableError, match="replaced"):
            journal.append(draft(1), reader="kim")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_label_is_flushed_before_it_is_acknowledged(path: Path) -> None:
    code = (
        "import os, sys; from core.labels.journal import Journal\n"
        "from tests.core.labels.support import draft\n"
        "with Journal(sys.argv[1]) as journal:\n"
        "    journal.append(draft(), reader='kim'); os.write(1, b'BEGIN')\n"
        "    journal.append(draft(1), reader='kim'); os.write(1, b'ACKNOWLEDGED')\n"
    )
    calls = "openat,write,pwrite64,fsync,fdatasync,unlink"
    done = subprocess.run(
        ["strace", "-f", "-y", "-e", f"trace={calls}", sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    if "BEGIN" not in done.stderr:
        pytest.skip("strace is not allowed to trace here")
    trace = done.stderr.split("BEGIN", 1)[1].split("ACKNOWLEDGED", 1)[0].splitlines()

    def last(*parts: str) -> int:
        return max(i for i, line in enumerate(trace) if all(part in line for part in parts))

    undo_log, file, folder = f"<{path}-journal", f"<{path}>", f"<{path.parent}>"
    steps = [
        last("pwrite64", undo_log),
        last("sync(", undo_log),
        last("pwrite64", file),
        last("sync(", file),
        last("unlink", "labels.db-journal"),
        last("sync(", folder),
    ]
    assert steps == sorted(steps)


# ----------------------------------------------------------------- schemas and backups


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    Journal(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE facts SET value = '99' WHERE name = 'schema'")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(NewerJournalError) as caught:
        Journal(path)
    assert "schema 99" in str(sentence(caught.value))
    assert path.read_bytes() == before


def add_table(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE extra (x INTEGER)"))


def fails_half_way(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE half (x INTEGER)"))
    raise RuntimeError("power cut")


def test_a_migration_is_whole_or_not_at_all_and_has_a_backup(path: Path) -> None:
    with Journal(path) as journal:
        kept = journal.append(draft(), reader="kim")
    with pytest.raises(RuntimeError):
        Journal(path, migrations=(add_table, fails_half_way))
    with Journal(path) as journal:
        assert journal.events() == (kept,)
    assert backups.found(path)
    with Journal(path, migrations=(add_table,)) as journal:
        assert journal.events() == (kept,)
        more = journal.append(draft(1), reader="kim")
    with pytest.raises(NewerJournalError):
        Journal(path)
    with Journal(path, migrations=(add_table,)) as journal:
        assert journal.events() == (kept, more)


def test_backups_roll(path: Path) -> None:
    clock = Clock()
    for count in range(backups.KEPT + 4):
        with Journal(path, clock=clock) as journal:
            journal.append(draft(count), reader="kim")
        clock.move(days=-1)
    names = [file.name for file in backups.found(path)]
    assert len(names) == backups.KEPT
    assert names[0].startswith(f"labels-{backups.KEPT + 3:012d}-")
    with Journal(backups.found(path)[0], read_only=True) as journal:
        assert len(journal.events()) == backups.KEPT + 3


@pytest.mark.skipif(os.name == "nt", reason="POSIX file modes")
def test_only_the_owner_can_read_the_journal(path: Path) -> None:
    with Journal(path) as journal:
        journal.append(draft(), reader="kim")
    Journal(path).close()
    for file in (path, *backups.found(path)):
        assert file.stat().st_mode & 0o077 == 0
