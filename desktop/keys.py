"""Keys that a person chose: what may be taken, and whose it is already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from PySide6.QtGui import QKeySequence

from desktop.actions import plain
from desktop.command_names import Command
from desktop.command_table import SPECS
from desktop.language import say

RESERVED = ("Tab", "Shift+Tab", "Ctrl+Tab", "Alt+F4")
"""Keys with which a person moves between the parts of a window, or leaves it."""

Keys = Mapping[str, Sequence[str]]
"""Name of a command → its keys in Qt's portable form, where they are not its own."""


def portable(keys: str) -> str:
    """One form for one key: "ctrl+o" and "Ctrl+O" are the same."""
    form = QKeySequence.SequenceFormat.PortableText
    return QKeySequence.fromString(keys, form).toString(form)


def keys_of(command: Command, own: Keys) -> tuple[str, ...]:
    """The keys now in force for a command."""
    default = next(spec.keys for spec in SPECS if spec.command is command)
    return tuple(portable(key) for key in own.get(command.name, default))


def objection(key: str, command: Command, own: Keys, label_keys: Iterable[str]) -> str:
    """Why a key cannot be given to a command, as a sentence; "" if it can.

    label_keys: keys of the classes of the label set in force.
    """
    wanted = portable(key)
    if not wanted:
        return say("This is no key.")
    if wanted in RESERVED:
        return say("{key} moves between the parts of the window and stays with it.", key=wanted)
    if wanted in {portable(item) for item in label_keys}:
        return say("{key} gives a label. Take another key.", key=wanted)
    for spec in SPECS:
        if spec.command is not command and wanted in keys_of(spec.command, own):
            return say(
                "{key} belongs to “{command}”. Change that one first, or take another key.",
                key=wanted,
                command=plain(say(spec.text)),
            )
    return ""


def with_keys(own: Keys, command: Command, keys: Sequence[str]) -> dict[str, list[str]]:
    """The person's keys after a command was given these; its own keys are not noted."""
    changed = {name: list(value) for name, value in own.items()}
    default = next(spec.keys for spec in SPECS if spec.command is command)
    if [portable(key) for key in keys] == [portable(key) for key in default]:
        changed.pop(command.name, None)
    else:
        changed[command.name] = [portable(key) for key in keys]
    return changed
