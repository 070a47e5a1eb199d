"""Who is tested on whom: patients, never slices, and once and for all.

A group (a patient, a part, whatever must not stand on two sides) is train, validation or test
for ever. The draw uses no random numbers and no secret, only the SHA-256 of the group's name:
the same table gives the same split on every computer. Groups with a finding and groups without
are drawn apart, so that each part has both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from core.retraining.manifest import SPLITS, Split

TEST_SHARE = 0.20
VALIDATION_SHARE = 0.15
"""Shares of groups; the rest trains."""

ALIASES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "holdout": "test",
}
"""Words that a split column may use."""


def name_digest(name: str) -> str:
    """SHA-256 hex of a group's name: the order in which groups are drawn and stored."""
    return hashlib.sha256(name.encode()).hexdigest()


def draw(
    groups: Mapping[str, bool], earlier: Mapping[str, Split] | None = None
) -> dict[str, Split]:
    """Assign each group to a part.

    groups: name → whether the group has a finding. earlier: assignments already made; they are
    kept whatever the shares become, and new groups fill what is then missing.
    """
    earlier = earlier or {}
    drawn: dict[str, Split] = {}
    for finding in (True, False):
        stratum = [name for name, has in groups.items() if has == finding]
        drawn |= _draw_stratum(stratum, {g: earlier[g] for g in stratum if g in earlier})
    return drawn


def draw_linked(
    groups: Mapping[str, bool],
    links: Iterable[tuple[str, str]],
    earlier: Mapping[str, Split] | None = None,
) -> dict[str, Split]:
    """As `draw`, but groups that are linked (they show the same thing) go to one part together.

    A group that was assigned earlier keeps its part even if a link says otherwise: test
    patients never move, and the leak check tells of it.
    """
    earlier = earlier or {}
    unit = _units(groups, links)
    has = dict.fromkeys(unit.values(), False)
    known: dict[str, Split] = {}
    for name, finding in groups.items():
        has[unit[name]] |= finding
        if name in earlier:
            # Where members were on several sides before, new ones join the most guarded.
            before = known.get(unit[name], "train")
            known[unit[name]] = max(before, earlier[name], key=SPLITS.index)
    drawn = draw(has, known)
    return {name: earlier.get(name, drawn[unit[name]]) for name in groups}


def _units(groups: Iterable[str], links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Group → the name that stands for it and all groups linked to it."""
    stands = {name: name for name in groups}

    def root(name: str) -> str:
        while stands[name] != name:
            name = stands[name]
        return name

    for one, two in links:
        first, second = sorted((root(one), root(two)), key=name_digest)
        stands[second] = first
    return {name: root(name) for name in stands}


def wanted(count: int) -> dict[Split, int]:
    """How many of `count` groups of one kind each part should have.

    With three or more, every part gets one; with two, training and test; one trains.
    """
    test = round(count * TEST_SHARE)
    validation = round(count * VALIDATION_SHARE)
    if count >= 3:
        test, validation = max(test, 1), max(validation, 1)
    elif count == 2:
        test, validation = 1, 0
    return {"train": count - test - validation, "validation": validation, "test": test}


def _draw_stratum(names: Iterable[str], earlier: Mapping[str, Split]) -> dict[str, Split]:
    names = list(names)
    drawn = dict(earlier)
    fresh = sorted((name for name in names if name not in drawn), key=name_digest)
    missing = wanted(len(names))
    for split in drawn.values():
        missing[split] -= 1
    waiting = iter(fresh)
    for split in ("test", "validation"):
        for _ in range(max(0, missing[split])):
            name = next(waiting, None)
            if name is not None:
                drawn[name] = split
    drawn.update(dict.fromkeys(waiting, SPLITS[0]))
    return drawn
