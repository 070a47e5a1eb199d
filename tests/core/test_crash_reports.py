"""Crash reports: made for every way to end, and nobody named in any of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import crash_reports, places
from core.crash_words import kept_words
from tests.conftest import ROOT
from tests.core.imaging.canaries import encoded

PLANTED = (
    "Müller^Zoë",
    "PAT-4711-0815",
    "1.2.826.4711.1",
    "/images/Zoë Müller CT/IM0001.dcm",
    "C:\\Users\\mueller\\CT",
    "ACC-998877",
)
"""A name, numbers, a UID and paths, as they stand in messages, values and files."""


@pytest.fixture(autouse=True)
def _trail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash_reports, "trail", crash_reports.Trail())


def planted_in(content: bytes) -> list[str]:
    """Identifiers found in UTF-8, UTF-16, Latin-1 or base64."""
    names = (*PLANTED, "Müller", "Zoë", "IM0001", "mueller")
    return [name for name in names if any(form in content for form in encoded(name))]


def everything(folder: Path) -> bytes:
    return b"\n".join(
        str(path.relative_to(folder)).encode() + b"\n" + path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    )


def start(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run some code in a process of this profile; it may die."""
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_an_exception_leaves_its_type_and_its_places_and_nothing_else() -> None:
    def fails(patient: str) -> None:
        raise ValueError(f"cannot read {patient}")

    for name in PLANTED:
        try:
            fails(name)
        except ValueError as error:
            assert crash_reports.note_exception(error) is not None
    found = crash_reports.reports()
    assert len(found) == 1, "the same defect is written once"
    assert found[0].headline == "ValueError in the program"
    assert "test_crash_reports.py" in found[0].text and " fails" in found[0].text
    assert planted_in(everything(places.state_folder())) == []


def test_a_type_that_is_made_of_a_name_is_not_told() -> None:
    error = type("Müller^Zoë", (Exception,), {})("x")
    crash_reports.note_exception(error)
    assert crash_reports.reports()[0].headline.startswith("… in the")


FATAL = """
import ctypes, sys
from pathlib import Path
from core import crash_reports
watch = crash_reports.Watch(sys.argv[1])
crash_reports.trail.message(sys.argv[3])
if sys.argv[2] == "settled":
    watch.settle()
patient = sys.argv[3]
def {name}():
    ctypes.string_at(0)
{name}()
"""


@pytest.mark.parametrize("process", ["window", "engine", "trainer"])
def test_a_fatal_signal_is_told_at_the_next_start(process: str, tmp_path: Path) -> None:
    # The code lies in a folder that names a patient, which faulthandler writes down.
    where = tmp_path / "Zoë Müller CT"
    where.mkdir()
    script = where / "reading.py"
    lead = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    script.write_text(lead + FATAL.format(name="reads"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), process, "settled", PLANTED[0]],
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    before = crash_reports.collect()
    assert before.crashed == 1 and not before.start_crashed
    (report,) = crash_reports.reports()
    assert report.headline == f"SIGSEGV in the {process}" and report.is_new
    assert "reading.py:" in report.text and " reads" in report.text
    assert planted_in(everything(places.state_folder())) == []
    assert list((crash_reports.folder() / "raw").iterdir()) == [], "the dump is gone"


@pytest.mark.parametrize(("phase", "crashed"), [("early", True), ("settled", False)])
def test_a_start_that_ended_in_a_crash_is_told_from_a_later_one(phase: str, crashed: bool) -> None:
    start(FATAL.format(name="f"), "window", phase, "x")
    assert crash_reports.collect().start_crashed is crashed
    assert crash_reports.collect() == crash_reports.Before(), "told once"


def test_a_window_that_was_killed_left_no_word() -> None:
    start(
        "import os, signal; from core import crash_reports; crash_reports.Watch('window').settle();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert crash_reports.collect().crashed == 1
    assert crash_reports.reports()[0].headline == "The window ended without a word"


def test_an_engine_that_went_with_its_window_has_not_crashed() -> None:
    start(
        "import os, signal; from core import crash_reports; crash_reports.Watch('engine');"
        "os.kill(os.getpid(), signal.SIGTERM)"
    )
    assert crash_reports.collect() == crash_reports.Before()
    assert crash_reports.reports() == []


def test_a_good_end_leaves_nothing() -> None:
    done = start(
        "from core import crash_reports; w = crash_reports.Watch('window'); w.settle(); w.end()"
    )
    assert done.returncode == 0, done.stderr
    assert crash_reports.collect() == crash_reports.Before()
    assert [path for path in crash_reports.folder().rglob("*") if path.is_file()] == []


def test_a_window_that_still_runs_is_left_alone(tmp_path: Path) -> None:
    code = (
        "from core import crash_reports; w = crash_reports.Watch('window');"
        "print('up', flush=True); input(); w.end()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "up"
        assert crash_reports.collect() == crash_reports.Before()
        other.communicate("\n")
    assert other.returncode == 0


def test_a_marker_of_a_number_that_another_process_has_now_is_old() -> None:
    marker = crash_reports.folder() / "raw" / "window-1.json"
    marker.parent.mkdir()
    facts = {"process": "window", "pid": os.getppid(), "begun": 1.0, "phase": "running"}
    marker.write_text(json.dumps(facts))
    assert crash_reports.collect().crashed == 1
    marker.write_text("{ not json")
    crash_reports.collect()
    assert not marker.exists()


def test_a_worker_that_died_is_told_by_name_and_code() -> None:
    crash_reports.note_death("engine", -11)
    crash_reports.note_death("trainer", 3)
    told = {report.headline for report in crash_reports.reports()}
    assert told == {"The engine ended with signal 11", "The trainer ended with exit code 3"}


def test_reports_are_few_and_are_seen_saved_and_deleted() -> None:
    for number in range(crash_reports.KEPT + 5):
        crash_reports.note_death("engine", number)
    found = crash_reports.reports()
    assert len(found) == crash_reports.KEPT
    assert "exit code 24" in found[0].headline
    crash_reports.mark_seen(found[0])
    again = crash_reports.reports()[0]
    assert not again.is_new and again.headline == found[0].headline
    crash_reports.delete(found[0])
    assert crash_reports.reports()[0].headline != found[0].headline


def test_whoever_wants_no_reports_gets_none() -> None:
    crash_reports.trail.is_kept = False
    assert crash_reports.note_death("engine", 1) is None
    assert crash_reports.reports() == []


def test_a_message_of_qt_keeps_words_of_qt() -> None:
    assert kept_words("QObject::startTimer: Timers cannot be started from another thread") == (
        "QObject::startTimer: Timers cannot be started from another thread"
    )
    told = kept_words('QFile::open: "/images/Zoë Müller CT/IM0001.dcm" cannot be opened, Zoë')
    assert told == "QFile::open: … cannot be opened, …"


@given(st.text(max_size=60), st.sampled_from(PLANTED))
def test_no_planted_identifier_passes_a_message(around: str, name: str) -> None:
    for text in (f"{around} {name} {around}", f"file “{name}” not found", f"{around}{name}"):
        assert planted_in(kept_words(text).encode()) == []


@given(st.text(max_size=200))
def test_no_dump_passes_what_is_no_line_of_code(text: str) -> None:
    what, lines = crash_reports.dump_without_paths(f"Fatal Python error: {text}\n{text}")
    assert what in {*crash_reports._SIGNALS.values(), "a fatal error"}
    assert all(line.startswith(("  ", "Thread", "Current thread")) for line in lines)


def test_places_of_code_name_no_folder_of_this_computer() -> None:
    shipped = places.shipped()
    own = str(shipped / "core" / "session.py")
    assert crash_reports.code_place(own, 3, "trim") == "core/session.py:3 trim"
    library = str(Path("/home/zoe/lib/python3/site-packages/torch/nn/f.py"))
    assert crash_reports.code_place(library, 1, "x") == "torch/nn/f.py:1 x"
    assert crash_reports.code_place("/home/zoe/a.py", 1, "<lambda>") == "a.py:1 <lambda>"
    assert crash_reports.code_place("/home/Zoë Müller.py", 1, "Zoë Müller") == "…:1 …"
