"""How a window's process imports Qt first: nothing here is Qt's until `import_qt` is called."""

from __future__ import annotations

import builtins


def import_qt() -> None:
    """Import Qt, and go on importing as Python does.

    PySide6 puts a function of its own in the place of `__import__`, which reads the source of each
    module imported from then on and looks for the line that would rename Qt's methods
    (`from __feature__ import snake_case`). No module here has it, and some five hundred sources
    would be read before the window stands.
    """
    plain = builtins.__import__
    from PySide6 import QtWidgets  # noqa: F401

    builtins.__import__ = plain
