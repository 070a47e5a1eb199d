"""Lineage in the window: from a model back to people, and from a label to the models it taught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import CoreError
from core.labels.schema import LabelEvent
from core.models.catalogue import Catalogue, CatalogueEntry, Promotion
from core.session import Reading
from desktop.jobs import Failure, Job, Jobs, Task
from desktop.language import say, say_count
from desktop.notices import Level, Notice, Tell
from desktop.operations.journal import LANE
from desktop.operations.labelling import LabelOperations

if TYPE_CHECKING:
    from core.retraining.lineage import Learnt, Lineage


@dataclass(frozen=True)
class Traced:
    """A model's chain, and who made it answer."""

    lineage: Lineage
    promotions: tuple[Promotion, ...]


class Tracing:
    """Recomputes chains, off the GUI thread: weights are hashed and tables are read."""

    def __init__(
        self, catalogue: Catalogue, jobs: Jobs, tell: Tell, labels: LabelOperations
    ) -> None:
        self._catalogue = catalogue
        self._jobs = jobs
        self._tell = tell
        self._labels = labels

    def trace(self, entry: CatalogueEntry, ready: Callable[[Traced], None]) -> None:
        """Recompute the chain of a model, and hand it over; a newer question replaces this one."""
        catalogue = self._catalogue

        def with_events(events: dict[int, LabelEvent] | None) -> None:
            def work(_task: Task) -> Traced:
                from core.retraining.lineage import trace

                promotions = tuple(p for p in catalogue.promotions() if p.model == entry.card.id)
                return Traced(trace(entry.folder, events), promotions)

            self._jobs.submit(
                Job("lineage", say("Tracing where the model comes from"), work),
                on_done=ready,
                on_failed=self._failed,
            )

        self._read_events(with_events)

    def learnt(self, reading: Reading, slice_id: str) -> None:
        """Tell which models of this computer learnt from what stands about a slice.

        From its label and from its regions in the label set read for.
        """
        labelling, catalogue = self._labels.labelling, self._catalogue
        if labelling is None:
            return
        case_id, number = reading.summary.case_id, reading.summary.slice_ids.index(slice_id) + 1
        label_set = reading.case.label_set.id

        def work(_task: Task) -> list[Learnt]:
            from core.retraining.lineage import learnt_from

            about = (case_id, label_set, slice_id)
            entries = [
                event.sequence
                for event in (*labelling.standing(), *labelling.marks())
                if (event.draft.case_id, event.draft.label_set, event.draft.slice_id) == about
            ]
            models = [entry.folder for entry in catalogue.list()]
            found = [item for entry in entries for item in learnt_from(entry, models=models)]
            return list({item.run: item for item in found}.values())

        self._jobs.submit(
            Job("learnt", "", work),
            on_done=lambda found: self._tell(_learnt_words(number, found)),
            on_failed=self._failed,
        )

    def _failed(self, failure: Failure) -> None:
        self._tell(Notice.of(failure))

    def _read_events(self, then: Callable[[dict[int, LabelEvent] | None], None]) -> None:
        """The journal's entries by number, its chain recomputed; None without a readable one.

        In the journal's own lane: one thread at a time reads and writes it.
        """
        labelling = self._labels.labelling

        def work(_task: Task) -> dict[int, LabelEvent] | None:
            if labelling is None:
                return None
            try:
                return {event.sequence: event for event in labelling.journal.events()}
            except CoreError:
                return None

        self._jobs.submit(Job(LANE, "", work, lane=LANE), on_done=then, on_failed=self._failed)


def _learnt_words(number: int, found: list[Learnt]) -> Notice:
    if not found:
        words = say("No model of this computer has learnt from the label of slice {number} yet.")
        return Notice(Level.INFO, words.format(number=number))
    words = say_count(
        len(found),
        "{count} model has learnt from the label of slice {number}: {models}.",
        "{count} models have learnt from the label of slice {number}: {models}.",
        number=number,
        models=", ".join(item.model for item in found),
    )
    lines = [
        say(
            "{model}: run {run}, training set {set}",
            model=item.model,
            run=item.run.name,
            set=item.dataset[:16],
        )
        for item in found
    ]
    return Notice(Level.INFO, words, "\n".join(lines))
