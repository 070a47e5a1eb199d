"""Crash reports: what this program did when it ended unexpectedly, kept on this computer alone.

Nothing is sent. A report holds no patient: no message of an exception, no path, no value. It is
made by keep-lists, as everything that could leave is:

- an exception is its type and our own lines of code, `core/imaging/opening.py:57 open_path`;
- a fatal signal is its name and the same lines, out of what `faulthandler` dumped;
- a message of Qt keeps the words of a closed list, anything else becomes “…”;
- a worker that died is its name and its exit code.

`faulthandler` can only write into a file that is open already, and it writes whole paths of code.
Each process therefore has a file of its own in `crashes/raw`, which `collect` turns into a
report and deletes as soon as the process is gone.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import os
import platform
import re
import threading
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import IO, Any

from core import places
from core.crash_words import kept_words

_log = logging.getLogger(__name__)

KEPT = 20
"""Reports that are kept; older ones go."""

_NEW, _SEEN = ".new.txt", ".txt"

_SIGNALS = {
    "Segmentation fault": "SIGSEGV",
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Illegal instruction": "SIGILL",
    "Floating point exception": "SIGFPE",
    "Floating-point exception": "SIGFPE",
    "access violation": "access violation",
    "stack overflow": "stack overflow",
    "int divide by zero": "division by zero",
}
"""What faulthandler says → what a report says; the closed list of fatal errors."""

_FATAL = re.compile(r"(?:Fatal Python error|Windows fatal exception): (.*)")
_FRAME = re.compile(r'\s*File "(?P<file>.*)", line (?P<line>\d+) in (?P<name>[\w<>.]{1,80})\s*')
_THREAD = re.compile(r"(Current thread|Thread) 0x[0-9a-f]+.*\(most recent call first\):")
_NAME = re.compile(r"[A-Za-z_][\w.]{0,79}")

_ROOTS = ("core", "desktop")


class Phase(Enum):
    """How far a window had come."""

    STARTING = "starting"
    RUNNING = "running"


# ----------------------------------------------------------------- places in the program


def code_place(file: str, line: int | None, name: str) -> str:
    """A line of code without the path of this computer: `core/session.py:12 trim`.

    Of libraries the part below site-packages is told, of Python's own the file's name.
    """
    root = str(places.shipped()) + os.sep
    inside = file.removeprefix(root).replace("\\", "/") if file.startswith(root) else ""
    parts = re.split(r"[\\/]", file)
    if "site-packages" in parts[:-1]:
        where = "/".join(parts[parts.index("site-packages") + 1 :])
    elif inside or (len(parts) > 1 and parts[0] in _ROOTS):  # a bundle tells no root
        where = inside or "/".join(parts)
    else:
        where = parts[-1]
    where = where if re.fullmatch(r"[\w./<>+-]{1,160}", where) else "…"
    name = name if re.fullmatch(r"[\w<>.]{1,80}", name) else "…"
    return f"{where}:{line} {name}"


def places_of(error: BaseException) -> list[str]:
    """Where an exception came from, the outermost call first; see `code_place`."""
    frames = traceback.extract_tb(error.__traceback__)
    return [code_place(frame.filename, frame.lineno, frame.name) for frame in frames]


def type_of(error: BaseException) -> str:
    """The type of an exception, as a name of code."""
    name = type(error).__name__
    return name if _NAME.fullmatch(name) else "…"


def dump_without_paths(dump: str) -> tuple[str, list[str]]:
    """What faulthandler wrote, as (fatal error, lines); everything unknown is left out."""
    what, lines = "", []
    for line in dump.splitlines():
        fatal = _FATAL.match(line)
        frame = _FRAME.fullmatch(line)
        if fatal is not None and not what:
            found = (name for words, name in _SIGNALS.items() if fatal[1].startswith(words))
            what = next(found, "a fatal error")
        elif frame is not None:
            lines.append(f"  {code_place(frame['file'], int(frame['line']), frame['name'])}")
        elif (thread := _THREAD.match(line)) is not None:
            lines.append(thread[1])
    return what, lines


# ----------------------------------------------------------------- reports


@dataclass(frozen=True)
class Report:
    """One report on the disk. at: UTC. is_new: nobody has looked at it yet."""

    path: Path
    at: str
    headline: str
    text: str
    is_new: bool


def folder() -> Path:
    """Where the reports of this profile are."""
    made = places.state_folder() / "crashes"
    made.mkdir(exist_ok=True, mode=0o700)
    return made


def reports() -> list[Report]:
    """All reports, newest first."""
    found = []
    for path in sorted(folder().glob("*.txt"), reverse=True):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        headline = text.partition("\n")[0]
        at = f"{path.name[:10]} {path.name[11:19].replace('-', ':')}"
        found.append(Report(path, at, headline, text, path.name.endswith(_NEW)))
    return found


def mark_seen(report: Report) -> None:
    """Somebody has looked at it: it is not told again at the next start."""
    if report.is_new:
        with contextlib.suppress(OSError):
            report.path.rename(report.path.with_name(report.path.name.replace(_NEW, _SEEN)))


def delete(report: Report) -> None:
    """Delete a report, whether or not it was seen meanwhile."""
    for name in (report.path.name, report.path.name.replace(_NEW, _SEEN)):
        report.path.with_name(name).unlink(missing_ok=True)


@dataclass
class Trail:
    """What happened last in this process, by names of our own; told in its reports.

    process: "window", "engine", "trainer" … commands: names of the commands given last.
    facts: small facts by name, such as the version of Qt. messages: of Qt, made harmless.
    """

    process: str = "program"
    commands: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    is_kept: bool = True

    def command(self, name: str) -> None:
        """A command was given."""
        self.commands = [*self.commands, name][-12:]

    def message(self, text: str) -> None:
        """A message of Qt came by."""
        self.messages = [*self.messages, kept_words(text)][-12:]


trail = Trail()
"""Of this process."""


def write(headline: str, lines: Sequence[str] = (), process: str = "") -> Path | None:
    """Write a report of this process, or of one that it looks after; None if it could not be.

    headline and lines are words of ours: this is not the place where anything is made harmless.
    The same report twice in a row is written once.
    """
    if not trail.is_kept:
        return None
    about = process or trail.process
    facts = {"program": _version(), "process": about, **_system(), **trail.facts}
    body = [headline, "", *(f"{name}: {value}" for name, value in facts.items()), ""]
    body += [*lines, ""] if lines else []
    if not process or process == trail.process:
        if trail.commands:
            body += ["last commands: " + ", ".join(trail.commands)]
        body += [f"qt: {text}" for text in trail.messages]
    text = "\n".join(body).rstrip() + "\n"
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S-%f")
    try:
        known = reports()
        if known and known[0].text == text:
            return known[0].path
        path = folder() / f"{now}-{about}{_NEW}"
        path.write_text(text, encoding="utf-8")
        for report in known[KEPT - 1 :]:
            delete(report)
    except OSError as error:
        _log.warning("A crash report could not be written: %s", error.strerror)
        return None
    return path


def note_exception(error: BaseException) -> Path | None:
    """An exception that nobody foresaw: its type and its places, never its message."""
    lines = ["most recent call last:", *(f"  {place}" for place in places_of(error))]
    return write(f"{type_of(error)} in the {trail.process}", lines)


def note_death(process: str, exit_code: int | None) -> Path | None:
    """A process that this one looks after has ended by itself."""
    how = f"exit code {exit_code}"
    if exit_code is not None and exit_code < 0:
        how = f"signal {-exit_code}"
    return write(f"The {process} ended with {how}", process=process)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"Sliceloop {version('sliceloop')}"
    except PackageNotFoundError:
        return "Sliceloop, from its source"


def _system() -> dict[str, str]:
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "cpus": str(os.cpu_count()),
    }


# ----------------------------------------------------------------- a process and its file


class Watch:
    """From now on a fatal error of this process leaves a trace. End it when all went well."""

    def __init__(self, process: str) -> None:
        trail.process = process
        self._stream: IO[str] | None = None
        self._facts: dict[str, Any] = {
            "process": process,
            "pid": os.getpid(),
            "begun": datetime.now(UTC).timestamp(),
            "phase": Phase.STARTING.value,
        }
        self._raw = self._marker = Path()
        try:
            place = _raw_folder()
            self._raw = place / f"{process}-{os.getpid()}.dump"
            self._marker = place / f"{process}-{os.getpid()}.json"
            self._stream = self._raw.open("w", encoding="utf-8")
            self._mark()
        except OSError as error:
            _log.warning("Crashes cannot be noted: %s", error.strerror)
            return
        faulthandler.enable(self._stream, all_threads=True)

    def settle(self) -> None:
        """The start is over: what comes now is no crash of the start."""
        self._facts["phase"] = Phase.RUNNING.value
        with contextlib.suppress(OSError):
            self._mark()

    def end(self) -> None:
        """The process ends as it should."""
        if self._stream is None:
            return
        faulthandler.disable()
        self._stream.close()
        self._stream = None
        self._raw.unlink(missing_ok=True)
        self._marker.unlink(missing_ok=True)

    def _mark(self) -> None:
        self._marker.write_text(json.dumps(self._facts), encoding="utf-8")


@contextlib.contextmanager
def watched(process: str) -> Iterator[None]:
    """A worker at work: a fatal error leaves a trace, a defect a report, and goes on upwards."""
    if threading.current_thread() is not threading.main_thread() or faulthandler.is_enabled():
        yield  # called as a function: whoever started this process looks after it
        return
    watch = Watch(process)
    try:
        yield
    except Exception as error:
        note_exception(error)
        watch.end()
        raise
    else:
        watch.end()


def _raw_folder() -> Path:
    made = folder() / "raw"
    made.mkdir(exist_ok=True, mode=0o700)
    return made


@dataclass(frozen=True)
class Before:
    """What earlier processes of this profile left. start_crashed: a window died while starting."""

    start_crashed: bool = False
    crashed: int = 0


def collect() -> Before:
    """Turn what processes that are gone have left into reports, and delete it."""
    start_crashed, crashed = False, 0
    for marker in sorted(_raw_folder().glob("*.json")):
        try:
            facts = json.loads(marker.read_text(encoding="utf-8"))
            pid, begun = int(facts["pid"]), float(facts["begun"])
            process, phase = str(facts["process"]), Phase(facts["phase"])
        except (OSError, ValueError, KeyError, TypeError):
            facts, pid, begun, process, phase = {}, 0, 0.0, "program", Phase.RUNNING
        if pid == os.getpid() or _is_running(pid, begun):
            continue
        raw = marker.with_suffix(".dump")
        dump = ""
        with contextlib.suppress(OSError):
            dump = raw.read_text(encoding="utf-8", errors="replace")
        what, lines = dump_without_paths(dump)
        # A worker that is ended from outside, as when the window goes, has not crashed.
        if what or process == "window":
            crashed += 1
            start_crashed |= process == "window" and phase is Phase.STARTING
            headline = f"{what} in the {process}" if what else f"The {process} ended without a word"
            name = process if _NAME.fullmatch(process) else "program"
            write(headline, [f"while {phase.value}", *lines], name)
        raw.unlink(missing_ok=True)
        marker.unlink(missing_ok=True)
    return Before(start_crashed, crashed)


def _is_running(pid: int, begun: float) -> bool:
    """Whether the process that wrote a marker still runs, and is not another of that number."""
    import psutil

    try:
        process = psutil.Process(pid)
        return process.create_time() <= begun + 2 and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return False
