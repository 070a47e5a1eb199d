"""“What would this change?”: after each correction, which answers a retraining would change.

The last layer is refitted in a process of its own (`core.retraining.foretelling_client`), a
moment after the last correction; the window never waits for it. Answers that are hidden until
the reader commits are hidden from the preview as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer

from core.errors import PreviewError
from core.events import Signal
from core.imaging.volume import SeriesSummary
from core.labels.schema import LabelEvent
from core.models import guard
from core.models.catalogue import Catalogue, CatalogueEntry
from core.retraining.sources import Sources
from core.sentences import sentence
from core.session import Reading, Session
from desktop.jobs import Failure, Job, Jobs, Task
from desktop.language import say, say_core, say_count
from desktop.notices import Level, Notice, Tell
from desktop.operations.children import ask_child
from desktop.operations.labelling import LabelOperations

if TYPE_CHECKING:
    # Imported by the first job that needs them: the window must not wait for them at its start.
    from core.retraining.foretelling import Codes, Missing
    from core.retraining.foretelling_client import ForetellingClient
    from core.retraining.foretold import Foretold
    from core.retraining.preview import Flip, Preview

DEBOUNCE_MS = 400
"""After the last correction; several labels in a row are asked about once."""


class WhatIf(Enum):
    """How far a preview is."""

    NO_MODEL = auto()
    UNSUITABLE = auto()
    """The active model answers for whole volumes: it has no features slice by slice."""
    NO_LABELS = auto()
    NO_FEATURES = auto()
    READY = auto()
    FAILED = auto()


@dataclass(frozen=True)
class FlipRow:
    """A slice whose answer would change, and where it can be looked at.

    before, after: probability of the finding, now and foretold. is_right: whether the answer would
    be as it is labelled; None without a label. path: to open it from, if it is not open.
    """

    slice_id: str
    index: int
    case_id: str
    before: float
    after: float
    is_right: bool | None
    path: Path | None = None


@dataclass(frozen=True)
class WhatIfView:
    """What the panel draws.

    missing: series whose features could be computed. computing: (done, of) while they are.
    problem: why there is no preview, in words. is_busy: a newer preview is on its way.
    """

    state: WhatIf = WhatIf.NO_LABELS
    preview: Preview | None = None
    flips: tuple[FlipRow, ...] = ()
    missing: int = 0
    computing: bool = False
    is_busy: bool = False
    record: Foretold | None = None
    problem: str = ""


_Unreadable = tuple[str, str]
"""(weights, case id) of a series that could not be read: not offered again in this session."""


@dataclass(frozen=True)
class _Open:
    """An open series, frozen for the job. is_hidden: its answers may not be seen yet."""

    summary: SeriesSummary
    is_hidden: bool


class Foretelling:
    """Owner of the preview: asked anew whenever labels, series or the active model change."""

    changed = Signal(object)
    """The new WhatIfView."""
    slice_wanted = Signal(str)
    """Id of a slice that is open now and was asked for."""

    def __init__(
        self,
        session: Session,
        catalogue: Catalogue,
        jobs: Jobs,
        tell: Tell,
        labels: LabelOperations,
    ) -> None:
        self._session = session
        self._catalogue = catalogue
        self._jobs = jobs
        self._tell = tell
        self._labels = labels
        self._client: ForetellingClient | None = None
        self._making = Lock()
        self._codes: Codes | None = None
        self._awaited = ""
        self._computing = 0
        self._unreadable: set[_Unreadable] = set()
        self.view = WhatIfView()
        self._timer = QTimer(jobs)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DEBOUNCE_MS)
        self._timer.timeout.connect(self.ask)
        self._heard = (
            (labels.changed, self.refresh),
            (session.removed, self.refresh),
            (session.label_set_changed, self.refresh),
            (session.added, self._added),
            (catalogue.changed, self.refresh),
        )
        for signal, slot in self._heard:
            signal.connect(slot)
        jobs.changed.connect(self._jobs_changed)

    def close(self) -> None:
        """Stop listening and end the process; called before the jobs end, who may wait for it."""
        for signal, slot in self._heard:
            signal.disconnect(slot)
        self._jobs.changed.disconnect(self._jobs_changed)
        self._timer.stop()
        with self._making:
            if self._client is not None:
                self._client.close()

    # ---- when

    def refresh(self, _what: object = None) -> None:
        """Something changed on which a preview depends: ask again in a moment."""
        self._timer.start()

    def _added(self, reading: Reading) -> None:
        self.refresh()
        if self._awaited and self._awaited in reading.summary.slice_ids:
            wanted, self._awaited = self._awaited, ""
            # Whoever opened the study shows its first series now; the wanted slice comes after.
            QTimer.singleShot(0, self._jobs, lambda: self.slice_wanted.emit(wanted))

    # ---- what is asked for

    def ask(self) -> None:
        """Make the preview of what stands now, in a process of its own."""
        labelling, label_set = self._labels.labelling, self._session.label_set
        if labelling is None:
            return
        catalogue, opened = self._catalogue, self._opened()
        unreadable = frozenset(self._unreadable)

        def work(_task: Task) -> WhatIfView:
            from core.retraining.foretold import record
            from core.retraining.preview import FeatureStore

            active = catalogue.active(label_set.id)
            standing = [e for e in labelling.standing() if e.draft.label_set == label_set.id]
            seen = WhatIfView(state=_obstacle(active, standing), record=record())
            if active is None or seen.state is not WhatIf.READY:
                return seen
            codes = self._known_codes()
            lacking = _missing(active, standing, opened, codes, unreadable)
            seen = replace(seen, missing=len(lacking))
            if FeatureStore(active.card.weights_sha256).head() is None:
                return replace(seen, state=WhatIf.NO_FEATURES)
            try:
                found = self._asked().ask(active.folder, codes.labels(standing, label_set))
            except PreviewError as error:
                return replace(seen, state=WhatIf.FAILED, problem=str(sentence(error)))
            if found is None:
                return replace(seen, state=WhatIf.NO_FEATURES)
            if labelling.is_blind:  # whether it would be right tells what others said
                found = replace(found, flips=tuple(replace(f, is_right=None) for f in found.flips))
            flips = _rows(found.flips, standing, opened, codes)
            return replace(seen, preview=found, flips=flips)

        self._show(replace(self.view, is_busy=True))
        self._jobs.submit(
            Job("what-if", "", work),
            on_done=self._told,
            on_failed=self._failed,
        )

    def compute(self) -> None:
        """Compute the features that are missing, in a process of their own."""
        labelling, label_set = self._labels.labelling, self._session.label_set
        if labelling is None or self.view.computing:
            return
        catalogue, opened = self._catalogue, self._opened()
        unreadable = frozenset(self._unreadable)

        def work(task: Task) -> tuple[set[_Unreadable], list[str]]:
            active = catalogue.active(label_set.id)
            if active is None:
                return set(), []
            standing = [e for e in labelling.standing() if e.draft.label_set == label_set.id]
            codes = self._known_codes()
            wanted = _missing(active, standing, opened, codes, unreadable)
            lines = "".join(json.dumps([str(one.path), one.case_id]) + "\n" for one in wanted)
            complaints = ask_child(task, "features", str(active.folder), told=lines)[1]
            left = _missing(active, standing, opened, codes, unreadable)
            return {(active.card.weights_sha256, one.case_id) for one in left}, complaints

        def done(result: tuple[set[_Unreadable], list[str]]) -> None:
            left, complaints = result
            self._unreadable |= left
            self._asked().features_changed()
            if left:
                self._tell(_not_computed(len(left), complaints))
            self.ask()

        self._computing = self._jobs.submit(
            Job("features", say("Computing features for the preview"), work),
            on_done=done,
            on_failed=lambda failure: self._tell(Notice.of(failure)),
        )
        self._jobs_changed()

    def _jobs_changed(self) -> None:
        """Whether features are computed is the jobs' to know: a person may cancel it there."""
        computing = any(one.id == self._computing for one in self._jobs.running())
        self._show(replace(self.view, computing=computing))

    def go(self, row: FlipRow) -> Path | None:
        """Look at a slice. Returns the path to open first where its series is not open."""
        if self._session.find_slice(row.slice_id) is not None:
            self.slice_wanted.emit(row.slice_id)
            return None
        self._awaited = row.slice_id
        return row.path

    # ---- inside

    def _asked(self) -> ForetellingClient:
        """The client; its process starts with the first question. Called from any thread."""
        from core.retraining.foretelling_client import ForetellingClient

        with self._making:
            if self._client is None:
                self._client = ForetellingClient()
            return self._client

    def _known_codes(self) -> Codes:
        from core.retraining.foretelling import Codes

        if self._codes is None:
            self._codes = Codes()
        return self._codes

    def _opened(self) -> tuple[_Open, ...]:
        return tuple(_Open(one.summary, not one.case.display.answers) for one in self._session)

    def _told(self, view: WhatIfView) -> None:
        self._show(replace(view, computing=self.view.computing))

    def _show(self, view: WhatIfView) -> None:
        if view != self.view:
            self.view = view
            self.changed.emit(view)

    def _failed(self, failure: Failure) -> None:
        words = str(failure.sentence)
        self._show(replace(self.view, state=WhatIf.FAILED, problem=words, is_busy=False))


def _obstacle(active: CatalogueEntry | None, standing: list[LabelEvent]) -> WhatIf:
    """Why there is no preview yet; READY if nothing is in its way."""
    if active is None:
        return WhatIf.NO_MODEL
    if active.card.preprocessing.dimensions != 2:
        return WhatIf.UNSUITABLE
    return WhatIf.READY if standing else WhatIf.NO_LABELS


def _missing(
    active: CatalogueEntry,
    standing: list[LabelEvent],
    opened: tuple[_Open, ...],
    codes: Codes,
    unreadable: frozenset[_Unreadable],
) -> list[Missing]:
    """Labelled and open series whose features could be computed."""
    from core.retraining.foretelling import missing

    wanted: dict[str, Path | None] = {event.draft.case_id: None for event in standing}
    wanted |= {
        one.summary.case_id: one.summary.path
        for one in opened
        if not guard.refusals(active.card, one.summary)
    }
    return [
        one
        for one in missing(active.card, wanted, codes)
        if one.path is not None and (active.card.weights_sha256, one.case_id) not in unreadable
    ]


def _rows(
    flips: tuple[Flip, ...],
    standing: list[LabelEvent],
    opened: tuple[_Open, ...],
    codes: Codes,
) -> tuple[FlipRow, ...]:
    """The flips of slices that are open or labelled here; others cannot be gone to."""
    hidden = {one.summary.case_id for one in opened if one.is_hidden}
    places: dict[str, tuple[str, int, str]] = {
        codes.slice(event.draft.slice_id): (
            event.draft.slice_id,
            event.draft.slice_index,
            event.draft.case_id,
        )
        for event in standing
    }
    places |= {
        codes.slice(slice_id): (slice_id, index, one.summary.case_id)
        for one in opened
        for index, slice_id in enumerate(one.summary.slice_ids)
    }
    sources, here = Sources(), {one.summary.case_id for one in opened}
    found = []
    for flip in flips:
        slice_id, index, case_id = places.get(flip.key, ("", 0, ""))
        if slice_id and case_id not in hidden:
            path = None if case_id in here else sources.find(case_id)
            row = FlipRow(slice_id, index, case_id, flip.before, flip.after, flip.is_right, path)
            found.append(row)
    return tuple(found)


def _not_computed(count: int, complaints: list[str]) -> Notice:
    words = say_count(
        count,
        "{count} series is not in the preview: it could not be read.",
        "{count} series are not in the preview: they could not be read.",
    )
    return Notice(Level.CAUTION, words, "\n".join(say_core(line) for line in complaints))
