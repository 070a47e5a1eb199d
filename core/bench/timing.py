"""Timing things side by side: alternating, so that a busy machine disturbs all alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True)
class Figure:
    """One ratio.

    name: what is measured. seconds: ours. baseline_seconds: what it is compared with.
    goal: the ratio that is aimed at. higher_is_better: True for "times faster than".
    """

    name: str
    seconds: float
    baseline: str
    baseline_seconds: float
    goal: float
    higher_is_better: bool

    @property
    def ratio(self) -> float:
        """Times faster than the baseline, or times the baseline's time."""
        if self.higher_is_better:
            return self.baseline_seconds / self.seconds
        return self.seconds / self.baseline_seconds

    @property
    def is_met(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio >= self.goal if self.higher_is_better else self.ratio <= self.goal

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "name": self.name,
            "seconds": round(self.seconds, 5),
            "baseline": self.baseline,
            "baseline_seconds": round(self.baseline_seconds, 5),
            "ratio": round(self.ratio, 3),
            "goal": self.goal,
            "higher_is_better": self.higher_is_better,
            "met": self.is_met,
        }


def side_by_side(
    works: dict[str, Work], rounds: int, before: Work | None = None
) -> dict[str, float]:
    """Median seconds of each work, run in turn `rounds` times after one round to warm up.

    before: done before each work, outside of its time.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            gc.collect()
            if before is not None:
                before()
            begin = time.perf_counter()
            work()
            seconds = time.perf_counter() - begin
            if number:
                taken[name].append(seconds)
    return {name: statistics.median(values) for name, values in taken.items()}


def paired(work: Work, baseline: Work, pairs: int, budget: float = 20.0) -> tuple[float, float]:
    """Median seconds of the baseline, and median of work ÷ baseline over pairs run at once.

    For small differences: what slows a machine for seconds slows both halves of a pair. The
    first pair warms up; every other pair is run in the other order. budget: seconds after which
    no further pair begins, once there were three.
    """
    base, ratios = [], []
    until = time.perf_counter() + budget
    for number in range(pairs + 1):
        if number > 3 and time.perf_counter() > until:
            break
        gc.collect()
        taken = {}
        for each in (work, baseline) if number % 2 else (baseline, work):
            begin = time.perf_counter()
            each()
            taken[each] = time.perf_counter() - begin
        if number:
            base.append(taken[baseline])
            ratios.append(taken[work] / taken[baseline])
    return statistics.median(base), statistics.median(ratios)
