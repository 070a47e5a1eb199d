"""Every command that stands in a document, and how it is tested.

A block is fenced as ```sh. A comment right above it may say how it is tested:

    <!-- test: slow -->                     it runs, with `pytest -m slow`
    <!-- test: arguments only: WHY -->      it needs hours or data: its words are checked

Without a comment it runs in the default suite. Commands in a line of text are patterns more than
commands (`sliceloop info PATH [--json]`): their words are checked.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer.main

from desktop.command_line import command_line

ROOT = Path(__file__).resolve().parent.parent.parent

_FENCE = re.compile(r"```(\w*)\s*")
_MARK = re.compile(r"<!-- test: (slow|arguments only)(?:: (.+))? -->")
_INLINE = re.compile(r"`((?:uv |sliceloop(?=[ `])|python -m|bash |pytest |torchrun )[^`]*)`")
_BEGINS = re.compile(r"(uv|sliceloop|pip|python3?|bash|pytest|torchrun|ruff|mypy|git) ")
_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_-]*…?")


@dataclass(frozen=True)
class Stated:
    """One command as a document states it. how: "run", "slow", "arguments only" or "inline"."""

    file: Path
    line: int
    text: str
    how: str
    why: str = ""

    @property
    def place(self) -> str:
        """For a person who looks for it."""
        return f"{self.file.relative_to(ROOT).as_posix()}:{self.line}"

    @property
    def words(self) -> list[str]:
        """Its words, without `uv run` and without what is said of it."""
        words = shlex.split(self.text, comments=True)
        return words[2:] if words[:2] == ["uv", "run"] else words


@dataclass(frozen=True)
class Block:
    """A fenced block: its commands run one after the other in one folder."""

    file: Path
    line: int
    how: str
    commands: tuple[Stated, ...]

    @property
    def place(self) -> str:
        """Name of the test."""
        return f"{self.file.relative_to(ROOT).as_posix()}:{self.line}"


def documents() -> list[Path]:
    """Every document of the project."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks() -> list[Block]:
    """Every block of commands in every document."""
    return [block for file in documents() for block in _blocks_of(file)]


def _blocks_of(file: Path) -> Iterator[Block]:
    lines = file.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        fence = _FENCE.fullmatch(lines[number].strip())
        number += 1
        if fence is None:
            continue
        start = number
        while not lines[number].strip().startswith("```"):
            number += 1
        body = lines[start:number]
        number += 1
        if fence[1] not in ("sh", "console", "bash"):
            loose = [line for line in body if _BEGINS.match(line)]
            assert fence[1] or not loose, (
                f"{file.name}:{start}: fence these commands as sh: {loose}"
            )
            continue
        above = _MARK.fullmatch(lines[start - 2].strip()) if start >= 2 else None
        how, why = (above[1], above[2] or "") if above else ("run", "")
        assert how != "arguments only" or why, f"{file.name}:{start}: say why it does not run"
        yield Block(file, start, how, tuple(_commands(file, start, body, how, why)))


def _commands(file: Path, start: int, body: list[str], how: str, why: str) -> Iterator[Stated]:
    text, at = "", 0
    for offset, line in enumerate(body, start=1):
        bare = line.strip().removeprefix("$ ")
        if not bare or bare.startswith("#"):
            continue
        at = at if text else start + offset
        text += bare
        if text.endswith("\\"):
            text = text[:-1] + " "
            continue
        for part in text.split(" && "):
            yield Stated(file, at, part.strip(), how, why)
        text = ""


def in_lines() -> list[Stated]:
    """Commands in the lines of text of every document."""
    found = []
    for file in documents():
        is_block = False
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if line.strip().startswith("```"):
                is_block = not is_block
            elif not is_block:
                found += [
                    Stated(file, number, match[1].replace("\\|", "|"), "inline")
                    for match in _INLINE.finditer(line)
                ]
    return found


# ----------------------------------------------------------------- whether its words are right


def problem(stated: Stated) -> str:
    """What is wrong with a command's words; "" if it could be typed like that."""
    is_pattern = stated.how in ("inline", "arguments only")
    text = re.sub(r"[\[\]]", " ", stated.text) if is_pattern else stated.text
    words = Stated(stated.file, stated.line, text, stated.how).words
    first, rest = words[0], words[1:]
    if first == "sliceloop":
        return _sliceloop_problem(rest, is_pattern=stated.how == "inline")
    if first in ("python", "python3"):
        return _python_problem(rest)
    if first == "torchrun":
        return _module_problem(rest[rest.index("-m") + 1]) if "-m" in rest else "no module"
    if first in ("pytest", "bash"):
        paths = [word for word in rest if "/" in word and not word.startswith("-")]
        gone = [word for word in paths if not (ROOT / word.partition("::")[0]).exists()]
        return f"there is no {gone[0]}" if gone else ""
    return "" if first in ("pip", "uv", "ruff", "mypy", "lint-imports", "typos") else "unknown"


def _module_problem(name: str) -> str:
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        found = None
    return "" if found is not None else f"there is no module {name}"


def _python_problem(words: list[str]) -> str:
    if words[:1] == ["-m"]:
        return _module_problem(words[1])
    gone = words and not words[0].startswith("-") and not (ROOT / words[0]).exists()
    return f"there is no {words[0]}" if gone else ""


@functools.cache
def _commands_of_sliceloop() -> Any:
    return typer.main.get_command(command_line())


def _sliceloop_problem(words: list[str], *, is_pattern: bool) -> str:
    node: Any = _commands_of_sliceloop()
    if not words or words[0] in ("--selftest", "--version", "--safe", "--worker", "--help"):
        return ""
    if words[0] == "--profile":
        return "" if len(words) > 1 else "--profile needs a folder"
    if _PLACEHOLDER.fullmatch(words[0]):
        return ""
    while getattr(node, "commands", None) is not None:
        if not words:
            return "" if is_pattern else "it names a group of commands, and none of them"
        if words[0] not in node.commands:
            return f"there is no command {words[0]}"
        node, words = node.commands[words[0]], words[1:]
    return _arguments_problem(node, words, is_pattern=is_pattern)


def _arguments_problem(command: Any, words: list[str], *, is_pattern: bool) -> str:
    options = {
        name: item
        for item in command.params
        if item.param_type_name == "option"
        for name in (*item.opts, *item.secondary_opts)
    }
    given: set[str] = set()
    free = 0
    left = list(words)
    while left:
        word = left.pop(0)
        if word in ("…", "..."):
            is_pattern = True
        elif word.startswith("-"):
            name, _, value = word.partition("=")
            if name not in options:
                return f"{command.name} has no option {name}"
            given.add(options[name].name)
            if not options[name].is_flag:
                value = value or (left.pop(0) if left else "")
                if told := _value_problem(options[name], name, value, is_pattern=is_pattern):
                    return told
        else:
            free += 1
    return _number_problem(command, free, given, is_pattern=is_pattern)


def _value_problem(option: Any, name: str, value: str, *, is_pattern: bool) -> str:
    if not value:
        return "" if is_pattern else f"{name} has no value"
    known = _choices(option)
    if not known or _PLACEHOLDER.fullmatch(value):
        return ""
    wrong = [item for item in value.split("|") if item not in known]
    return f"{name} cannot be {wrong[0]}" if wrong else ""


def _choices(option: Any) -> set[str]:
    """What an option may be, if that is a closed list: of its annotation, or of click's type."""
    kind = getattr(getattr(option, "type_descriptor", None), "annotation", None)
    if get_origin(kind) is Literal:
        return {str(item) for item in get_args(kind)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {str(item.value) for item in kind}
    return {str(item) for item in getattr(getattr(option, "type", None), "choices", ())}


def _number_problem(command: Any, free: int, given: set[str], *, is_pattern: bool) -> str:
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    needed = [item.name for item in arguments if item.required]
    lacking = [
        item.opts[0]
        for item in command.params
        if item.param_type_name == "option" and item.required and item.name not in given
    ]
    if free > len(arguments) and all(item.nargs != -1 for item in arguments):
        return f"{command.name} takes {len(arguments)} arguments, not {free}"
    if is_pattern:
        return ""
    if free < len(needed):
        return f"{command.name} needs {needed[free]}"
    return f"{command.name} needs {lacking[0]}" if lacking else ""
