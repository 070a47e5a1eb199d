"""What the window tells a person, as values; the banner draws them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from core.sentences import Sentence
from desktop.jobs import Failure
from desktop.language import say_sentence


class Level(Enum):
    """How much a notice matters; the banner's colour."""

    INFO = "info"
    DONE = "done"
    CAUTION = "caution"
    ERROR = "error"


@dataclass(frozen=True)
class Notice:
    """Something to tell the person.

    offers: buttons, text → what happens; each closes the notice.
    """

    level: Level
    text: str
    details: str = ""
    offers: dict[str, Callable[[], None]] = field(default_factory=dict)

    @classmethod
    def of(cls, failure: Failure | Sentence) -> Notice:
        """A failure as a notice."""
        if isinstance(failure, Sentence):
            return cls(Level.ERROR, say_sentence(failure))
        return cls(Level.ERROR, say_sentence(failure.sentence), failure.details)


Tell = Callable[[Notice], None]
"""Where operations say what happened."""
