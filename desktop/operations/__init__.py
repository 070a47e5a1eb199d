"""What the window's commands do. No widget in here; everything slow is a job."""

from __future__ import annotations

from dataclasses import dataclass

from core.session import AnswerState, Reading, Session
from core.settings import SettingsStore
from desktop.jobs import Jobs
from desktop.operations.applying import Applying
from desktop.operations.asking import Asking
from desktop.operations.exporting import Exporting
from desktop.operations.foretelling import Foretelling
from desktop.operations.labelling import LabelOperations
from desktop.operations.measuring import Measuring
from desktop.operations.opening import Opening
from desktop.operations.retraining import Retraining
from desktop.operations.reviewing import Reviewing
from desktop.operations.tracing import Tracing
from desktop.operations.undoing import Undoing


@dataclass(frozen=True)
class Operations:
    """All operations, and the objects that they act on."""

    session: Session
    jobs: Jobs
    settings: SettingsStore
    opening: Opening
    asking: Asking
    labels: LabelOperations
    exporting: Exporting
    retraining: Retraining
    reviewing: Reviewing
    undoing: Undoing
    measuring: Measuring
    applying: Applying
    foretelling: Foretelling
    tracing: Tracing

    def connect(self) -> None:
        """A loaded series is asked about, if the person wants that."""
        self.opening.loaded.connect(self._loaded)
        self.opening.slice_arrived.connect(self._slice_arrived)
        self.session.added.connect(self.reveal)
        self.labels.changed.connect(self.reveal)
        self.retraining.watcher.ended.connect(self._run_ended)

    def _run_ended(self, _view: object) -> None:
        self.reviewing.read_left_out()
        self.foretelling.refresh()

    def _slice_arrived(self, reading: Reading) -> None:
        if self.settings.values.ask_on_open and reading.answer_state is AnswerState.NONE:
            self.asking.glance(reading)

    def _loaded(self, reading: Reading) -> None:
        is_new = reading.answer_state is AnswerState.NONE or self.asking.has_glanced_at(reading)
        if self.settings.values.ask_on_open and is_new:
            self.asking.ask(reading)
        self.asking.forget_glance(reading)  # of one that was not asked about after all

    def read_first(self, wanted: bool) -> None:
        """Hide answers until the reader has committed to one, or show them at once."""
        self.settings.values.read_first = wanted
        self.settings.save()
        for reading in self.session:
            self.reveal(reading)

    def reveal(self, reading: Reading) -> None:
        """Show what the model says if the reader may see it: see `read_first`."""
        hidden = self.settings.values.read_first and reading.labelled == 0
        reading.case.show(answers=not hidden)
        self.reviewing.refresh_soon()

    def close_series(self, reading: Reading) -> None:
        """Close a series and forget what was asked about it. Its labels stay kept."""
        self.asking.forget(reading)
        self.opening.close_series(reading)

    def close(self) -> None:
        """End everything in the order in which nothing is lost: labels are written first."""
        self.opening.loaded.disconnect(self._loaded)
        self.opening.slice_arrived.disconnect(self._slice_arrived)
        self.session.added.disconnect(self.reveal)
        self.labels.changed.disconnect(self.reveal)
        self.retraining.watcher.ended.disconnect(self._run_ended)
        self.applying.close()
        self.reviewing.close()
        self.undoing.close()
        self.measuring.close()
        self.foretelling.close()
        self.jobs.close()
        self.asking.close()
        self.labels.close()
