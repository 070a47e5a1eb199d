"""Labels in child processes, kills them at random points, and tells what they had acknowledged.

Run as `python -m tests.core.labels.kennel JOURNAL KILLS SEED`; prints one JSON object. A process
of its own, because it forks: the test process holds threads and libraries that must not be.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from typing import Any

from core.labels.history import History
from core.labels.journal import Journal
from core.labels.labelling import Labelling
from core.labels.schema import LabelEvent
from tests.core.labels.support import CLASSES, HEMORRHAGE, SERIES

WHOLE = "whole series"
PATIENCE_SECONDS = 60
LIVES_SECONDS = 0.05
"""At most, after its first acknowledged label: time for a dozen more."""
KILLS_A_JOURNAL = 25
"""A journal of many entries takes longer to open, and most kills would be there."""


def label_for_ever(place: str, acknowledge: int, seed: int) -> None:
    """Label, undo and redo; write each entry's number and digest once it is said to be safe."""
    chance = random.Random(seed)
    with Journal(place) as journal:
        labelling = Labelling(journal, "kim")
        while True:
            events: tuple[LabelEvent, ...]
            match chance.randrange(5):
                case 0:
                    events = labelling.label_series(
                        SERIES, chance.choice(CLASSES), label_set=HEMORRHAGE, reason=WHOLE
                    )
                case 1:
                    events = labelling.undo(SERIES.case_id)
                case 2:
                    events = labelling.redo(SERIES.case_id)
                case _:
                    events = labelling.label(
                        SERIES,
                        chance.randrange(len(SERIES.slice_ids)),
                        chance.choice(CLASSES),
                        label_set=HEMORRHAGE,
                    )
            said = "".join(f"{event.sequence} {event.digest}\n" for event in events)
            os.write(acknowledge, said.encode())


def one_kill(place: str, chance: random.Random) -> list[str]:
    """Start a child, kill it some milliseconds later; returns what it had acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        label_for_ever(place, writing, chance.randrange(1 << 30))
        os._exit(1)
    os.close(writing)
    heard = b""
    if chance.random() < 0.2:  # while it opens the journal, or just after
        deadline = time.monotonic() + chance.uniform(0, 0.3)
    else:  # in the middle of labelling, however slow the machine is
        select.select([reading], [], [], PATIENCE_SECONDS)
        deadline = time.monotonic() + chance.uniform(0, LIVES_SECONDS)
    while (left := deadline - time.monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            heard += os.read(reading, 65536)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reading, 65536):
        heard += more
    os.close(reading)
    return heard.decode().splitlines()


def torn_steps(events: tuple[LabelEvent, ...]) -> list[int]:
    """Steps of which a part is missing: a step is there whole, or not at all."""
    steps: dict[int, list[LabelEvent]] = {}
    for event in events:
        steps.setdefault(event.batch, []).append(event)
    batch_of = {event.sequence: event.batch for event in events}
    history, torn = History(), []
    for batch, step in steps.items():
        for event in step:
            history.apply(event)
        draft = step[0].draft
        if draft.reason == WHOLE:
            given = history.current(SERIES.case_id, HEMORRHAGE.id)
            is_whole = set(given.values()) == {draft.new}
            is_whole &= len(given) == len(SERIES.slice_ids)
        elif draft.target is not None:
            is_whole = len(step) == len(steps[batch_of[draft.target]])
        else:
            is_whole = len(step) == 1
        if not is_whole:
            torn.append(batch)
    return torn


def kill_and_look(place: str, kills: int, chance: random.Random) -> dict[str, Any]:
    """Kill again and again over one journal; what was acknowledged, and what is there."""
    acknowledged: list[str] = []
    lost: set[str] = set()
    events: tuple[LabelEvent, ...] = ()
    for _ in range(kills):
        acknowledged += one_kill(place, chance)
        with Journal(place) as journal:  # recomputes the chain
            events = journal.events()
        lost |= set(acknowledged) - {f"{event.sequence} {event.digest}" for event in events}
    return {
        "kills": kills,
        "acknowledged": len(acknowledged),
        "entries": len(events),
        "lost": sorted(lost),
        "torn": torn_steps(events),
    }


def main() -> None:
    """Kill and look; in files a new journal every `KILLS_A_JOURNAL`, in a server the same."""
    place, kills, chance = sys.argv[1], int(sys.argv[2]), random.Random(int(sys.argv[3]))
    total: dict[str, Any] = {}
    for done in range(0, kills, KILLS_A_JOURNAL):
        # A file by a stem of its own: that is what names the folder of its backups.
        here = place if "://" in place else f"{place.removesuffix('.db')}-{done}.db"
        known = total.get("entries", 0) if here == place else 0
        found = kill_and_look(here, min(KILLS_A_JOURNAL, kills - done), chance)
        found["entries"] -= known  # of a server: those of earlier rounds are there as well
        total = {name: total.get(name, type(value)()) + value for name, value in found.items()}
    sys.stdout.write(json.dumps(total))


if __name__ == "__main__":
    main()
