"""Retraining from the window: what is new, start, follow, stop, resume; then compare and decide."""

from __future__ import annotations

from pathlib import Path

from core import places
from core.events import Signal
from core.models.catalogue import Catalogue
from core.retraining.protocol import RunFolder, start_training
from core.session import Session
from desktop.jobs import Job, Jobs, Task
from desktop.notices import Level, Notice, Tell
from desktop.run_watcher import RunView, RunWatcher, known_runs
from desktop.settings import SettingsStore


class Retraining:
    """Owner of the run that is watched; the run itself is owned by its folder."""

    run_changed = Signal(object)
    """The RunView of the run that is watched."""
    runs_changed = Signal()
    """A run was added."""

    def __init__(
        self,
        session: Session,
        catalogue: Catalogue,
        jobs: Jobs,
        settings: SettingsStore,
        tell: Tell,
    ) -> None:
        self._session = session
        self._catalogue = catalogue
        self._jobs = jobs
        self._settings = settings
        self._tell = tell
        self.watcher = RunWatcher(jobs)
        self.watcher.changed.connect(self.run_changed.emit)
        self.watcher.ended.connect(self._ended)

    # ---- runs

    def start(self) -> None:
        """Find again what an earlier window started."""
        runs = self.runs()
        if runs:
            at_work = next((run for run in runs if run.is_running), runs[0])
            self.watcher.watch(at_work.path)
            self.runs_changed.emit()

    def close(self) -> None:
        """Stop watching; a run goes on without the window."""
        self.watcher.close()

    def runs(self) -> list[RunFolder]:
        """All runs of this profile, newest first."""
        return known_runs(places.runs())

    def watch(self, path: Path) -> None:
        """Show another run."""
        self.watcher.watch(path)

    def stop(self, path: Path) -> None:
        """Ask a run to stop after the step at hand."""
        RunFolder(path).ask_stop()
        self._tell(
            Notice(Level.INFO, "The training stops after the step at hand; it can be resumed.")
        )

    def resume(self, path: Path) -> None:
        """Go on with a run from its last checkpoint."""

        def work(_task: Task) -> None:
            run = RunFolder(path)
            start_training(run.request, path, resume=True)

        self._jobs.submit(
            Job("training", "Resuming the training", work),
            on_done=lambda _: self.watcher.watch(path),
            on_failed=lambda failure: self._tell(Notice.of(failure)),
        )

    def _ended(self, view: RunView) -> None:
        self.run_changed.emit(view)
        if view.state == "failed":
            self._tell(Notice(Level.ERROR, view.failure or "The training failed."))
