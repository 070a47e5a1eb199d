"""Steps that are walked one after the other: begun, waited for, timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step of the loop.

    begin: what is pressed. is_done: whether the next step may begin. shot: name of the picture
    taken then, or "". patience: seconds after which it counts as failed.
    """

    name: str
    title: str
    text: str
    begin: Callable[[], None]
    is_done: Callable[[], bool]
    shot: str = ""
    patience: float = 240.0


class Pace:
    """Walks the steps: begins one, asks whether it is done, tells how long it took."""

    def __init__(self, steps: list[Step]) -> None:
        self._steps = steps
        self._place = -1
        self._began = 0.0
        self.seconds: dict[str, float] = {}

    @property
    def step(self) -> Step | None:
        """The step at hand; None before the first and after the last."""
        return self._steps[self._place] if 0 <= self._place < len(self._steps) else None

    @property
    def number(self) -> int:
        """1 for the first step."""
        return self._place + 1

    def __len__(self) -> int:
        return len(self._steps)

    def go_on(self) -> Step | None:
        """Begin the next step; None when there is none."""
        self._place += 1
        step = self.step
        if step is not None:
            self._began = time.monotonic()
            step.begin()
        return step

    def look(self) -> bool:
        """Whether the step at hand is done. Raises TimeoutError past its patience."""
        step = self.step
        if step is None:
            return True
        spent = time.monotonic() - self._began
        if step.is_done():
            self.seconds.setdefault(step.name, round(spent, 2))
            return True
        if spent > step.patience:
            raise TimeoutError(f"the step “{step.title}” was not done after {spent:.0f} s")
        return False
