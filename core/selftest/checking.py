"""Checks in an order, each with what it needs; what failed, and why, in one line each."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from core.errors import CoreError
from core.sentences import sentence

Verdict = Literal["passed", "failed", "not run"]


class CheckFailedError(Exception):
    """Something is not as it must be. Its text says what, for a person."""


@dataclass(frozen=True)
class Check:
    """One thing that is tried.

    run: does it and returns what was found, in a few words; anything it raises is a failure.
    needs: names of checks without which this one cannot be tried.
    """

    name: str
    run: Callable[[], str]
    needs: Collection[str] = ()


@dataclass(frozen=True)
class Outcome:
    """How a check went. told: what was found, or why it failed or was not run."""

    name: str
    verdict: Verdict
    seconds: float
    told: str


def run_checks(
    checks: Collection[Check], tell: Callable[[Outcome], None] = lambda _: None
) -> tuple[Outcome, ...]:
    """Run all checks in order; `tell` hears of each as it ends."""
    found: dict[str, Outcome] = {}
    for check in checks:
        lacking = [name for name in check.needs if found[name].verdict != "passed"]
        if lacking:
            outcome = Outcome(check.name, "not run", 0.0, f"needs “{lacking[0]}”")
        else:
            outcome = _run(check)
        found[check.name] = outcome
        tell(outcome)
    return tuple(found.values())


def _run(check: Check) -> Outcome:
    began = time.monotonic()
    verdict: Verdict = "failed"
    try:
        told = check.run()
        verdict = "passed"
    except CheckFailedError as error:
        told = str(error)
    except CoreError as error:
        told = str(sentence(error))
    except Exception as error:  # noqa: BLE001 - any defect is a failure of the installation
        told = f"{type(error).__name__}: {error}".splitlines()[0]
    return Outcome(check.name, verdict, time.monotonic() - began, told)


def require(condition: bool, otherwise: str) -> None:
    """Raise CheckFailedError with these words unless the condition holds."""
    if not condition:
        raise CheckFailedError(otherwise)
