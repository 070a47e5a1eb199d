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

from core.labels.history import History
from core.labels.journal import Journal
from core.labels.labelling import Labelling
from core.labels.schema import LabelEvent
from tests.core.labels.support import CLASSES, HEMORRHAGE, SERIES

WHOLE = "whole series"
PATIENCE_SECONDS = 60


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
        deadline = time.monotonic() + chance.uniform(0, 0.1)
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
            is_whole = set(history.current(SERIES.case_id).values()) == {draft.new}
            is_whole &= len(history.current(SERIES.case_id)) == len(SERIES.slice_ids)
        elif draft.target is not None:
            is_whole = len(step) == len(steps[batch_of[draft.target]])
        else:
            is_whole = len(step) == 1
        if not is_whole:
            torn.append(batch)
    return torn


def main() -> None:
    """Kill and look, again and again."""
    place, kills, chance = sys.argv[1], int(sys.argv[2]), random.Random(int(sys.argv[3]))
    acknowledged: list[str] = []
    lost: set[str] = set()
    events: tuple[LabelEvent, ...] = ()
    for _ in range(kills):
        acknowledged += one_kill(place, chance)
        with Journal(place) as journal:  # recomputes the chain
            events = journal.events()
        lost |= set(acknowledged) - {f"{event.sequence} {event.digest}" for event in events}
    result = {
        "kills": kills,
        "acknowledged": len(acknowledged),
        "entries": len(events),
        "lost": sorted(lost),
        "torn": torn_steps(events),
    }
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
