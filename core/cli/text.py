"""Text on its way to a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """A text in which nobody's words can steer the terminal."""
    return "".join(c if c.isprintable() else "�" for c in text)
