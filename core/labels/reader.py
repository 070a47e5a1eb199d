"""Who labels, where nobody has signed in."""

from __future__ import annotations

import getpass
import os

READER_VARIABLE = "SLICELOOP_READER"
"""Environment variable that names the reader."""


def default_reader() -> str:
    """SLICELOOP_READER, or the name under which the person is signed in to the computer."""
    named = os.environ.get(READER_VARIABLE, "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in some containers
        return "reader"
