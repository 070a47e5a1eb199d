"""The log file of the window: our own words only, so that nothing about a patient gets in."""

from __future__ import annotations

import logging
import sys
import types
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

from core import places
from desktop.jobs import Failure, explain

_OURS = ("core", "desktop")
_SIZE = 500_000
_KEPT = 3


def log_file() -> Path:
    """Where the log of this profile is."""
    return places.state_folder() / "sliceloop.log"


def start_logging() -> None:
    """Write our own records to the profile's log file; other libraries' are left out.

    Libraries quote values and file names in their messages, and those may name a patient.
    """
    try:
        handler = RotatingFileHandler(log_file(), maxBytes=_SIZE, backupCount=_KEPT, delay=True)
    except OSError:
        return  # no log is better than no window
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.setLevel(logging.WARNING)
    for name in _OURS:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        # Nothing reaches standard error: a traceback is of no use to a reader of images.
        logger.propagate = False


def tell_defects(tell: Callable[[Failure], None]) -> None:
    """From now on an exception that nobody caught becomes a sentence; the window lives on."""

    def hook(
        kind: type[BaseException], error: BaseException, _trace: types.TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.exit(1)
        tell(explain(error))

    sys.excepthook = hook
