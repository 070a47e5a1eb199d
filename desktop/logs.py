"""The log file of the window: our own words only, so that nothing about a patient gets in."""

from __future__ import annotations

import logging
import re
import sys
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

from core import places
from desktop.jobs import Failure, explain

_OURS = ("core", "desktop")
_SIZE = 500_000
_KEPT = 3

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
"""Levels that a record can have, least first; CRITICAL counts as ERROR."""

_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ (\w+) ([\w.]+): (.*)")

_handler: RotatingFileHandler | None = None


def log_file() -> Path:
    """Where the log of this profile is."""
    return places.state_folder() / "sliceloop.log"


def start_logging() -> None:
    """Write our own records to the profile's log file; other libraries' are left out.

    Libraries quote values and file names in their messages, and those may name a patient.
    """
    global _handler  # noqa: PLW0603 - a process has one log
    try:
        handler = RotatingFileHandler(
            log_file(), maxBytes=_SIZE, backupCount=_KEPT, delay=True, encoding="utf-8"
        )
    except OSError:
        return  # no log is better than no window
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.setLevel(logging.WARNING)
    for name in _OURS:
        logger = logging.getLogger(name)
        if _handler is not None:
            logger.removeHandler(_handler)
        logger.addHandler(handler)
        # Nothing reaches standard error: a traceback is of no use to a reader of images.
        logger.propagate = False
    _handler = handler


def keep_from(level: str) -> None:
    """Keep records of this level and above, one of `LEVELS`; nothing without a log."""
    if _handler is None:
        return
    _handler.setLevel(level)
    for name in _OURS:
        logging.getLogger(name).setLevel(min(logging.WARNING, logging.getLevelName(level)))


def tell_defects(tell: Callable[[Failure], None]) -> None:
    """From now on an exception that nobody caught becomes a sentence; the window lives on."""

    def hook(
        kind: type[BaseException], error: BaseException, _trace: types.TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.exit(1)
        tell(explain(error))

    sys.excepthook = hook


# ----------------------------------------------------------------- reading it again


@dataclass(frozen=True)
class Record:
    """One record of the log. at: local time, to the second. text: may have several lines."""

    at: str
    level: str
    source: str
    text: str


def read_records(file: Path | None = None) -> list[Record]:
    """The log's records, oldest first, those of rotated files included."""
    file = file or log_file()
    files = [file.with_name(f"{file.name}.{number}") for number in range(_KEPT, 0, -1)]
    lines: list[str] = []
    for part in (*files, file):
        try:
            lines += part.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
    return parse_records(lines)


def parse_records(lines: Iterable[str]) -> list[Record]:
    """Records from lines; a line without a head belongs to the record before it."""
    made: list[Record] = []
    for line in lines:
        head = _LINE.match(line)
        if head is not None:
            level = "ERROR" if head[2] == "CRITICAL" else head[2]
            made.append(Record(head[1], level, head[3], head[4]))
        elif made:
            last = made[-1]
            made[-1] = Record(last.at, last.level, last.source, f"{last.text}\n{line}")
        elif line.strip():
            made.append(Record("", "ERROR", "", line))
    return made


def at_least(records: Iterable[Record], level: str, words: str = "") -> list[Record]:
    """Records of a level and above that hold some words, whatever their case."""
    least = LEVELS.index(level)
    wanted = words.casefold()
    return [
        record
        for record in records
        if (LEVELS.index(record.level) if record.level in LEVELS else len(LEVELS)) >= least
        and wanted in f"{record.source} {record.text}".casefold()
    ]


def delete_log() -> None:
    """Empty the log, rotated files included; the window goes on writing into a new one."""
    if _handler is not None:
        _handler.close()
    file = log_file()
    for part in (file, *(file.with_name(f"{file.name}.{n}") for n in range(1, _KEPT + 1))):
        part.unlink(missing_ok=True)
