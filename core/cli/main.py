"""The command line: one typer application, one module a command group.

Exit codes: 0 done, 1 could not be done (one sentence on standard error), 2 wrong usage.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import typer

from core.errors import CoreError
from core.sentences import sentence

COMMANDS = {
    "info": "core.cli.info",
    "predict": "core.cli.predict",
    "dataset": "core.cli.dataset",
    "train": "core.cli.train",
    "evaluate": "core.cli.evaluate",
    "explain-score": "core.cli.explain_score",
    "compare": "core.cli.compare",
    "models": "core.cli.models",
    "labels": "core.cli.labels",
    "deidentify": "core.cli.deidentify",
    "profile": "core.cli.profile",
    "bench": "core.cli.bench",
}
"""Command or group → its module, which exports `command` (a function: one command with
arguments of its own) or `app` (a typer.Typer: a group of commands)."""


# Newer releases of typer carry click inside and no longer depend on it: ask typer for the class.
_WrongUsage: type[Any] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def application() -> typer.Typer:
    """The whole command line."""
    root = typer.Typer(
        name="sliceloop",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Read, correct, retrain, promote. Not for diagnostic use.",
    )
    for name, module in COMMANDS.items():
        provider = importlib.import_module(module)
        if hasattr(provider, "command"):
            root.command(name)(provider.command)
        else:
            root.add_typer(provider.app, name=name)
    return root


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code and writes its sentence, never a traceback."""
    return guarded(application(), arguments)


def guarded(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run a typer application under the exit-code contract."""
    try:
        result = app(list(arguments), prog_name="sliceloop", standalone_mode=False)
    except CoreError as error:
        sys.stderr.write(f"sliceloop: {sentence(error)}\n")
        return 1
    except _WrongUsage as error:
        error.show()
        return int(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.stderr.write("sliceloop: Stopped by the person at the keyboard.\n")
        return 1
    return result if isinstance(result, int) else 0
