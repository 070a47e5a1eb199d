"""The one entry point: the window, the demo, and the way to the command line.

Nothing heavy is imported before it is known what was asked for.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from core import workers

DONE, NOT_DONE, WRONG_USAGE = 0, 1, 2

NO_PLUGINS = ("PYDANTIC_DISABLE_PLUGINS", "__all__")
"""Keeps pydantic, here and in processes of our own, from looking through all that is installed for
plug-ins to itself: nothing of ours has any, and a window stands the sooner."""

_NO_SCREEN = (
    "sliceloop: There is no screen here (neither DISPLAY nor WAYLAND_DISPLAY is set). "
    "Start it on a desktop, or use one of the commands that sliceloop --help lists.\n"
)


def main() -> int:
    """What the console script `sliceloop` runs. Returns the exit code."""
    multiprocessing.freeze_support()
    try:
        return run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("sliceloop: Stopped by the person at the keyboard.\n")
        return NOT_DONE
    except Exception as error:  # noqa: BLE001 - the last line before a traceback would be shown
        return _tell_defect(error)


def run(words: Sequence[str]) -> int:
    """Do what the words of a command line ask for."""
    os.environ.setdefault(*NO_PLUGINS)
    if words and words[0] == workers.FLAG:
        return workers.run_worker(words[1:])
    rest, problem = _take_profile(list(words))
    if problem:
        sys.stderr.write(f"sliceloop: {problem}\n")
        return WRONG_USAGE
    safe = rest[:1] == ["--safe"]
    rest = rest[1:] if safe else rest
    if safe or not rest or _names_a_path(rest[0]):
        return show([Path(word) for word in rest], safe=safe)
    if rest[0] == "--version":
        from core.labels.journal import program

        sys.stdout.write(f"{program()}\n")
        return DONE
    if rest == ["--selftest"]:
        from desktop.system_libraries import ensure

        ensure()
        from desktop.selftest import main as selftest

        return selftest()
    return _command_or_path(rest)


def _command_or_path(words: list[str]) -> int:
    """Run a command; a word that is no command but an existing file or folder is opened."""
    from core.cli.main import COMMANDS, guarded
    from desktop.command_line import command_line

    first = words[0]
    if not first.startswith("-") and first not in (*COMMANDS, "demo") and Path(first).exists():
        return show([Path(word) for word in words])
    return guarded(command_line(), words)


def has_screen() -> bool:
    """Whether a window can be shown to somebody."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show(paths: list[Path], *, safe: bool = False) -> int:
    """Open the window on some paths and stay until it is closed. safe: ask first how to start."""
    for path in paths:
        if not path.exists():
            from core.errors import NothingToOpenError
            from core.sentences import sentence

            sys.stderr.write(f"sliceloop: {sentence(NothingToOpenError(path))}\n")
            return NOT_DONE
    if not has_screen():
        sys.stderr.write(_NO_SCREEN)
        return NOT_DONE
    from desktop.system_libraries import ensure

    ensure()
    gc.disable()  # until the window stands: what imports make stays
    from desktop.qt_import import import_qt

    import_qt()
    from desktop.start import open_window

    return open_window(paths, safe=safe)


def _names_a_path(word: str) -> bool:
    """Whether a word can only be meant as a path, so that the command line is not imported."""
    return not word.startswith("-") and (os.sep in word or "/" in word or "." in word)


def _take_profile(words: list[str]) -> tuple[list[str], str]:
    """Take --profile DIR (or --profile=DIR) off the front. Returns the rest and what is wrong."""
    from core.places import HOME_VARIABLE

    if not words or not words[0].startswith("--profile"):
        return words, ""
    if words[0].startswith("--profile="):
        folder, rest = words[0].split("=", 1)[1], words[1:]
    elif len(words) > 1:
        folder, rest = words[1], words[2:]
    else:
        return words, "--profile needs a folder."
    if not folder:
        return words, "--profile needs a folder."
    os.environ[HOME_VARIABLE] = str(Path(folder).expanduser().resolve())
    return rest, ""


def _tell_defect(error: Exception) -> int:
    """An unforeseen error in one sentence; its place in our code goes into a report."""
    from core.errors import CoreError
    from core.sentences import sentence

    if isinstance(error, CoreError):
        sys.stderr.write(f"sliceloop: {sentence(error)}\n")
        return NOT_DONE
    from core import crash_reports

    crash_reports.trail.process = "command line"
    report = crash_reports.note_exception(error)
    where = f" Its place in the program is written down in {report}." if report else ""
    kind = crash_reports.type_of(error)
    sys.stderr.write(
        f"sliceloop: Something went wrong inside Sliceloop ({kind}).{where} Please report it.\n"
    )
    return NOT_DONE


if __name__ == "__main__":
    sys.exit(main())
