"""The label journal of the window: how it is opened, and what is known of the way to the disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.errors import CoreError, JournalBusyError, NotDurableError
from desktop.language import say
from desktop.notices import Level, Notice

LANE = "journal"
"""One thread at a time reads and writes the journal."""


@dataclass(frozen=True)
class Saved:
    """What is known of the last labels' way to the disk.

    pending: how many the journal has not yet acknowledged. failed: the last one never was.
    is_ready: whether the journal is open; can_write: and whether this window may write it.
    is_blind: what others said is hidden, and each label says for good that it was given so.
    """

    pending: int = 0
    failed: bool = False
    is_ready: bool = False
    can_write: bool = False
    is_blind: bool = False


def opened_journal(make: Any = None) -> tuple[Any, CoreError | None]:
    """The journal, to read only where it cannot be written, and why it cannot.

    make: opens it; default: `core.labels.journal.Journal`. Called off the GUI thread.
    """
    if make is None:  # here, off the GUI thread: it brings the database along
        from core.labels.journal import Journal

        make = Journal
    try:
        return make(), None
    except (JournalBusyError, NotDurableError) as error:
        return make(read_only=True), error


def read_only() -> Notice:
    """Why a label cannot be given in this window."""
    words = say(
        "Labels cannot be given now: another Sliceloop has this journal open. "
        "Close it and start this one again."
    )
    return Notice(Level.CAUTION, words)
