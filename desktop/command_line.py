"""The command line as `sliceloop` gives it: core's commands, and the guided tour."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from desktop.launch import has_screen

_HELP = """Read a study, see the model's answer and why, correct it, retrain, promote.

sliceloop [PATH…] opens the window. Before any command or path, --profile DIR keeps settings,
labels and models in DIR. sliceloop --selftest tries everything once and prints a table.

Not for diagnostic use.
"""


def _demo(
    shots: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Walk the loop without a screen; write numbered PNGs and summary.json into DIR.",
        ),
    ] = None,
) -> int:
    """The guided tour on the built-in sample, in a profile of its own."""
    folder = shots
    if folder is None and not has_screen():
        folder = Path("shots")
        sys.stderr.write(
            "sliceloop: There is no screen here, so the tour is walked without one; "
            f"pictures and summary.json go to {folder.resolve()}.\n"
        )
    from desktop.system_libraries import ensure

    if folder is None:
        ensure()
        from desktop.tour import show_tour

        return show_tour()
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    ensure()
    from desktop.shots import take_shots

    return take_shots(folder)


def command_line() -> typer.Typer:
    """The whole command line, the demo included."""
    from core.cli.main import application

    root = application()
    root.info.help = _HELP
    root.command("demo")(_demo)
    return root
