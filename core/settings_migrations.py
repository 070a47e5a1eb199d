"""From settings of older versions to those of this one, a step a version.

A step takes the plain content of the file of one version and returns that of the next. The file
of before is kept beside the new one by `core.settings.SettingsStore`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

VERSION = 2
"""Of the settings that this program writes."""

Content = dict[str, Any]


_NEW_IN_2 = {"MANUAL": "F1", "KEYS": "Shift+F1"}
"""Keys that version 2 delivers anew: F1 opens the manual, the key sheet has moved."""


def _from_1(content: Content) -> Content:
    """A key that a person gave to a command stays there, though another now has it as delivered.

    That other command is left without keys, as if the person had taken them from it.
    """
    own = content.get("keys")
    if not isinstance(own, dict):
        return content
    keys = dict(own)
    for command, key in _NEW_IN_2.items():
        taken = any(name != command and key in given for name, given in own.items())
        if taken and command not in own:
            keys[command] = []
    return {**content, "keys": keys}


STEPS: dict[int, Callable[[Content], Content]] = {1: _from_1}
"""Version → the step from it to the next."""


def migrated(content: Content) -> Content:
    """The content of a settings file as this version has it.

    A newer version's file is read as far as its fields are known. Raises TypeError or ValueError
    for what is no settings file.
    """
    version = content.get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError("the version is no number")
    content = dict(content)
    while version < VERSION:
        content = STEPS[version](content)
        version += 1
    return {**content, "version": VERSION}
