"""The review queue of the window: what to look at next in the open series, and how far one is.

The reasons are `core.labels.queue`'s; here the open series become its slices, and what a person
has looked at is kept for as long as the window is open. Answers that are hidden until the
reader commits are hidden from the queue as well.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer

from core import places
from core.errors import CoreError
from core.events import Signal
from core.labels.queue import QueueItem, QueueRules, SliceState, Why, margin, work_queue
from core.labels.schema import LabelSet
from core.models.answers import SeriesPrediction
from core.models.card import read_card
from core.retraining.protocol import RunFolder
from core.session import AnswerState, Reading, Session
from desktop.jobs import Job, Jobs, Task
from desktop.run_watcher import known_runs

if TYPE_CHECKING:
    from core.retraining.foretelling import Codes  # imported by the job that needs it

SeenKey = tuple[str, str, Why]

AUDIT_ONE_IN, LEAST_AUDIT = 9, 5
_SOON_MS = 100
"""A series that is opened, or a label, is on the screen by then; whoever asks before gets the queue
at once."""
"""One audit for so many suspects, but at least so many."""

REDRAW_MS = 120
"""Rest of a threshold that is dragged, after which the queue is made anew."""


@dataclass(frozen=True)
class QueueView:
    """The queue as the panel draws it.

    items: what is left to look at, in order. seen: how many were looked at or settled.
    current: the item that was gone to last, or None.
    """

    items: tuple[QueueItem, ...] = ()
    seen: int = 0
    current: QueueItem | None = None

    @property
    def total(self) -> int:
        """All items there have been: looked at and left."""
        return self.seen + len(self.items)


@dataclass
class _Progress:
    """What was looked at while one label set was read for; current: gone to last."""

    seen: dict[SeenKey, QueueItem] = field(default_factory=dict)
    current: QueueItem | None = None


class Reviewing:
    """Owner of the queue: made anew whenever answers or labels change, told once."""

    changed = Signal(object)
    """The new QueueView."""

    def __init__(self, session: Session, jobs: Jobs, seed: int = 0) -> None:
        self._session = session
        self._jobs = jobs
        self._seed = seed
        self._progress: defaultdict[str, _Progress] = defaultdict(_Progress)
        self._left_out: dict[str, float] = {}
        self._codes: Codes | None = None
        self._only: Why | None = None
        self._view = QueueView()
        self._known: dict[str, tuple[tuple[object, ...], list[QueueItem]]] = {}
        self._followed: Reading | None = None
        self._threshold: float | None = None
        self._later = QTimer(singleShot=True, interval=REDRAW_MS)
        self._later.timeout.connect(self.refresh)
        self._soon = QTimer(singleShot=True, interval=_SOON_MS)
        self._soon.timeout.connect(self.refresh)
        self._others = QTimer(singleShot=True, interval=0)  # once for a folder of a thousand series
        self._others.timeout.connect(self.read_left_out)
        for signal in self._signals():
            signal.connect(self.refresh_soon)
        session.current_changed.connect(self._follow)
        session.added.connect(self._other_slices)
        session.label_set_changed.connect(self._other_slices)

    def _signals(self):  # type: ignore[no-untyped-def]
        session = self._session
        return (session.added, session.removed, session.state_changed, session.label_set_changed)

    def close(self) -> None:
        """Stop listening."""
        self._later.stop()
        self._soon.stop()
        self._others.stop()
        self._follow(None)
        self._session.current_changed.disconnect(self._follow)
        for signal in self._signals():
            signal.disconnect(self.refresh_soon)
        self._session.added.disconnect(self._other_slices)
        self._session.label_set_changed.disconnect(self._other_slices)

    def _follow(self, reading: Reading | None) -> None:
        """Hear when the operating threshold of the series now looked at is moved."""
        if self._followed is not None:
            self._followed.case.display_changed.disconnect(self._display_changed)
        self._followed = reading
        if reading is not None:
            self._threshold = reading.case.threshold
            reading.case.display_changed.connect(self._display_changed)

    def _display_changed(self, _display: object) -> None:
        threshold = self._followed.case.threshold if self._followed is not None else None
        if threshold != self._threshold:  # dragged: judged anew once it rests
            self._threshold = threshold
            self._later.start()

    # ---- what is asked for

    @property
    def view(self) -> QueueView:
        """The queue of what is known now."""
        if self._soon.isActive():
            self.refresh()
        return self._view

    @property
    def _here(self) -> _Progress:
        """How far one is in what is read for now; the queue of another task waits."""
        return self._progress[self._session.label_set.id]

    @property
    def only(self) -> Why | None:
        """The one reason that is worked through, or None for all."""
        return self._only

    def choose(self, only: Why | None) -> None:
        """Work through one reason alone, or all."""
        self._only = only
        self.refresh()

    def step(self, direction: int = 1) -> QueueItem | None:
        """The item after (or before) the one gone to last; that one counts as looked at.

        None at either end.
        """
        here = self._here
        if direction < 0:
            earlier = [item for item in here.seen.values() if item is not here.current]
            if not earlier:
                return None
            here.current = earlier[-1]
            here.seen.pop(_key(here.current), None)
            here.seen[_key(here.current)] = here.current
        else:
            left = [item for item in self.view.items if item != here.current]
            if not left:
                return None
            self.go(left[0])
        self.refresh()
        return here.current

    def go(self, item: QueueItem) -> None:
        """Look at an item now; it is looked at from here on."""
        self._here.current = item
        self._here.seen[_key(item)] = item

    def begin_again(self) -> None:
        """Forget what was looked at, of what is read for now."""
        self._progress.pop(self._session.label_set.id, None)
        self.refresh()

    def read_left_out(self) -> None:
        """Read what cross-validated trainings left behind, for label-error suspects."""
        label_set = self._session.label_set
        opened = [reading.summary.slice_ids for reading in self._session]
        if not opened:
            return

        def work(_task: Task) -> dict[str, float]:
            from core.retraining.foretelling import Codes

            self._codes = self._codes or Codes()
            names = {self._codes.slice(name): name for ids in opened for name in ids}
            return left_out(label_set, names)

        def done(found: dict[str, float]) -> None:
            if found != self._left_out:  # of other facts each series would be judged anew
                self._left_out = found
                self.refresh_soon()

        self._jobs.submit(
            Job("left-out", "", work), on_done=done, on_failed=lambda _failure: None
        )  # without a whole record there are no suspects; the queue says nothing of them

    # ---- how it is made

    def refresh_soon(self, _what: object = None) -> None:
        """Make the queue anew after what else waits: it must not hold up the slice that is due."""
        if not self._soon.isActive():
            self._soon.start()

    def _other_slices(self, _what: object) -> None:
        """Other series are open, or another task is read for: trainings of before tell of them."""
        self._others.start()

    def refresh(self) -> None:
        """Make the queue of what is known now, and tell it if it is another one."""
        self._soon.stop()
        here = self._here
        items = tuple(
            item
            for item in self._drawn_up()
            if _key(item) not in here.seen and self._only in (None, item.why)
        )
        seen = sum(self._only in (None, item.why) for item in here.seen.values())
        view = QueueView(items, seen, here.current)
        if view != self._view:
            self._view = view
            self.changed.emit(view)

    def _drawn_up(self) -> list[QueueItem]:
        """The whole queue: a threshold is a model's or the reader's, so series are judged apart."""
        every = [item for reading in self._session for item in self._of(reading)]
        here = {reading.key for reading in self._session}
        self._known = {key: known for key, known in self._known.items() if key in here}
        suspects = [item for item in every if item.why is not Why.RANDOM_AUDIT]
        order = {why: place for place, why in enumerate(Why)}
        suspects.sort(key=lambda item: (order[item.why], -item.score))
        audit = [item for item in every if item.why is Why.RANDOM_AUDIT]
        audit.sort(key=lambda item: -item.score)
        return suspects + audit[: _audits(len(suspects))]

    def _of(self, reading: Reading) -> list[QueueItem]:
        """The items of one series, all its audits included; made anew where something changed.

        A label changes one series; to judge all others again would hold up the next key.
        """
        case, prediction = reading.case, shown(reading)
        threshold = case.threshold if prediction is not None else 0.5
        rests_on = (
            prediction, threshold, case.display.answers, case.labels, case.kept, case.label_set,
            self._left_out,
        )  # fmt: skip
        known = self._known.get(reading.key)
        if known is None or not _same(known[0], rests_on):
            rules = QueueRules(threshold=threshold, seed=self._seed, audit_share=1.0)
            known = (rests_on, work_queue(slice_states(reading, self._left_out), rules))
            self._known[reading.key] = known
        return known[1]


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Whether two lists of facts are the same objects, or equal where they are small values."""
    return all(
        a is b or (isinstance(a, float | bool | tuple) and a == b)
        for a, b in zip(one, other, strict=True)
    )


def _audits(suspects: int) -> int:
    """How many slices are drawn for audit beside so many suspects."""
    share = QueueRules().audit_share
    most = max(suspects // AUDIT_ONE_IN, LEAST_AUDIT)
    return most if not suspects else min(most, math.ceil(suspects * share / (1 - share)))


def _key(item: QueueItem) -> SeenKey:
    return item.case_id, item.slice_id, item.why


def shown(reading: Reading) -> SeriesPrediction | None:
    """What the model says of a series, if it has finished and the reader may see it."""
    case = reading.case
    if not case.display.answers or reading.answer_state is not AnswerState.DONE:
        return None
    return case.prediction


def slice_states(reading: Reading, left_out_of: dict[str, float]) -> list[SliceState]:
    """The slices of a series as the queue's rules take them.

    left_out_of: slice id → probability by a model that had not learnt from the patient.
    """
    case, summary = reading.case, reading.summary
    prediction = shown(reading)
    other = _other(case.kept, prediction) if prediction is not None else None
    known = {item.id: item.positive for item in case.label_set.classes}
    states = []
    for index, slice_id in enumerate(summary.slice_ids):
        label = case.label_at(index)
        states.append(
            SliceState(
                summary.case_id,
                slice_id,
                index,
                probability=_probability(prediction, index),
                label=label,
                finding=known.get(label) if label is not None else None,
                other=_margin(other, index),
                left_out=left_out_of.get(slice_id) if case.display.answers else None,
                series=prediction.series_probability if prediction is not None else None,
            )
        )
    return states


def _other(kept: tuple[SeriesPrediction, ...], now: SeriesPrediction) -> SeriesPrediction | None:
    """The newest finished answers of another model about the same series."""
    return next((item for item in reversed(kept) if item.model != now.model), None)


def _probability(prediction: SeriesPrediction | None, index: int) -> float | None:
    answer = prediction.slices.get(index) if prediction is not None else None
    if prediction is None or answer is None:
        return None
    return answer.probabilities.get(prediction.positive)


def _margin(prediction: SeriesPrediction | None, index: int) -> float | None:
    found = _probability(prediction, index)
    return None if found is None or prediction is None else margin(found, prediction.threshold)


def left_out(
    label_set: LabelSet,
    names: dict[str, str],
    runs: Callable[[], list[RunFolder]] = lambda: known_runs(places.runs()),
) -> dict[str, float]:
    """Slice id → probability of a finding by the fold that had not seen the patient.

    names: key of a training set's slice → slice id here. Of the newest finished run of the task.
    """
    for run in runs():
        try:
            card = read_card(run.path / "model")
            lines = json.loads((run.path / "out_of_fold.json").read_bytes())
        except (CoreError, OSError, ValueError):
            continue
        if card.task != label_set.id:
            continue
        positive = list(card.classes).index(card.positive)
        found = {
            names[line["key"]]: float(line["probabilities"][positive])
            for line in lines
            if line["key"] in names
        }
        if found:
            return found
    return {}
