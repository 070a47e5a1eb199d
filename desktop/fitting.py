"""Windows and dialogs in their usual size, or in what the screen leaves of it."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QWidget

TITLE_BAR = 36
"""Logical pixels that the desktop's frame around a window is given."""


def fit(window: QWidget, width: int, height: int) -> None:
    """Give a window a size, but none larger than its screen: at 200 % a laptop's is small.

    A dialog's screen is that of the window which it belongs to.
    """
    room = (window.parentWidget() or window).screen().availableSize()
    window.resize(QSize(width, height).boundedTo(room - QSize(0, TITLE_BAR)))


def grow(window: QWidget) -> None:
    """Make a window as high as its wrapped words need at its width, within the screen."""
    layout = window.layout()
    needed = layout.totalHeightForWidth(window.width()) if layout is not None else 0
    if needed > window.height():
        fit(window, window.width(), needed)
