"""The guided tour: the whole loop on the built-in sample, with a guide banner and a Next button.

It runs in a profile of its own, which is gone afterwards; nothing of the person's is touched.
`desktop.shots` walks the same steps without a screen.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from PySide6.QtCore import QTimer

from core import places
from core.imaging.volume import Progress
from core.retraining.protocol import RunFolder, reap
from core.sample import SampleTruth, make_sample
from desktop.app import Application
from desktop.jobs import Job, Task, explain
from desktop.language import say
from desktop.logs import start_logging, tell_defects
from desktop.notices import Level, Notice
from desktop.pace import Pace
from desktop.panels.guide import Guide
from desktop.run_watcher import known_runs
from desktop.start import make_qt
from desktop.walk import Walk

POLL_MS = 100
RECIPE = "correction"
"""The recipe that retrains on the sample."""

PATIENTS = 18
"""Synthetic patients: enough that training, validation and test each have both classes."""


def prepare_sample(folder: Path, progress: Progress | None = None) -> SampleTruth:
    """Make the tour's sample; its truth stands in for the reader's."""
    return make_sample(folder, patients=PATIENTS, progress=progress)


@contextmanager
def own_profile() -> Iterator[Path]:
    """A profile folder of the tour's own; training that still runs in it is ended."""
    before = os.environ.get(places.HOME_VARIABLE)
    folder = Path(tempfile.mkdtemp(prefix="sliceloop-tour-"))
    os.environ[places.HOME_VARIABLE] = str(folder)

    def tidy_and_end(number: int, _frame: object) -> None:
        # An exception would be lost inside Qt's callbacks: tidy up here, then end as asked.
        end_training()
        shutil.rmtree(folder, ignore_errors=True)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    terminated = signal.signal(signal.SIGTERM, tidy_and_end)
    try:
        yield folder
    finally:
        signal.signal(signal.SIGTERM, terminated)
        end_training()
        if before is None:
            os.environ.pop(places.HOME_VARIABLE, None)
        else:
            os.environ[places.HOME_VARIABLE] = before
        shutil.rmtree(folder, ignore_errors=True)


def end_training() -> None:
    """End trainers of this profile: their folder is about to go."""
    for run in known_runs(places.runs()):
        pid = trainer_pid(run)
        if pid is not None:
            with suppress(psutil.Error):
                trainer = psutil.Process(pid)
                trainer.terminate()
                trainer.wait(10)
    reap()


def trainer_pid(run: RunFolder) -> int | None:
    """Process id of the trainer at work in a run folder."""
    if not run.is_running:
        return None
    import json

    note = json.loads((run.path / "trainer.json").read_text("utf-8"))
    return int(note["pid"])


class Tour:
    """Shows each step's words, and goes on when the person says so."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._walk: Walk | None = None
        self._pace: Pace | None = None
        self.guide = Guide(app.window)
        self.guide.next_wanted.connect(self._next)
        self.guide.end_wanted.connect(app.window.close)
        self.guide.show_step(
            0,
            0,
            say("The guided tour"),
            say("Sliceloop is making its sample of synthetic head CTs…"),
        )
        app.window.middle_column.insertWidget(0, self.guide)
        self._timer = QTimer(app.window)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._look)

    def begin(self, profile: Path) -> None:
        """Make the sample, then begin the first step."""

        def make(task: Task) -> SampleTruth:
            return prepare_sample(profile / "sample", task.progress)

        self._app.jobs.submit(
            Job("sample", say("Making the sample"), make),
            on_done=self._made,
            on_failed=lambda failure: self._app.window.tell(Notice.of(failure)),
        )

    def close(self) -> None:
        """Stop."""
        self._timer.stop()
        if self._walk is not None:
            self._walk.close()

    def _made(self, sample: SampleTruth) -> None:
        self._walk = Walk(self._app, sample.images, sample.reference, RECIPE)
        self._pace = Pace(self._walk.steps())
        self._next()
        self._timer.start()

    def _next(self) -> None:
        if self._pace is None:
            return
        self._app.window.banner.dismiss()
        step = self._pace.go_on()
        if step is None:
            self._app.window.close()
            return
        self.guide.show_step(self._pace.number, len(self._pace), step.title, step.text)

    def _look(self) -> None:
        if self._pace is None:
            return
        try:
            self.guide.allow(self._pace.look())
        except (LookupError, TimeoutError) as error:
            self._timer.stop()
            self._app.window.tell(
                Notice(
                    Level.ERROR,
                    say("The tour cannot go on: {error}. End it and start it again.", error=error),
                )
            )
        except Exception as error:  # noqa: BLE001 - told once, not ten times a second
            self._timer.stop()
            self._app.window.tell(Notice.of(explain(error)))


def show_tour() -> int:
    """Open the window on the tour and stay until it is closed. Returns the exit code."""
    with own_profile() as profile:
        start_logging()
        qt = make_qt()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        app = Application()
        tell_defects(app.tell_failure)
        tour = Tour(app)
        app.start()
        QTimer.singleShot(0, lambda: tour.begin(profile))
        try:
            return qt.exec()
        finally:
            tour.close()
            app.close()
