"""Retraining from the window: what is new, start, follow, stop, resume; then compare and decide."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import places
from core.errors import RunError
from core.events import Signal
from core.models.catalogue import Catalogue, Promotion
from core.retraining.protocol import (
    RunFolder,
    TrainingRequest,
    start_training,
)
from core.session import Session
from desktop.jobs import Failure, Job, Jobs, Task
from desktop.language import say, say_core, say_count
from desktop.notices import Level, Notice, Tell
from desktop.operations.children import ask_child
from desktop.operations.labelling import LabelOperations
from desktop.run_watcher import RunView, RunWatcher, known_runs

if TYPE_CHECKING:
    # Building sets, judging and planning are imported when they are asked for.
    from core.retraining.collecting import Collected
    from core.retraining.promotion import Judgement
    from desktop.operations.planning import RetrainPlan


class Retraining:
    """Owner of the run that is watched and of the judgement that is decided on."""

    run_changed = Signal(object)
    """The RunView of the run that is watched."""
    runs_changed = Signal()
    """A run was added."""
    preparing_changed = Signal()
    """A training set is being made, or no longer."""
    judged = Signal(object)
    """A ComparisonView, ready to be decided on."""
    decided = Signal(object)
    """The Promotion that a person made."""

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
        self.judgement: Judgement | None = None
        self.is_preparing = False
        """Whether a training set is being made, after which a run begins."""
        self.watcher = RunWatcher(jobs)
        self.watcher.changed.connect(self.run_changed.emit)
        self.watcher.ended.connect(self._ended)

    # ---- runs

    def start(self) -> None:
        """Find again what an earlier window started."""
        runs = self.runs()
        if runs:
            at_work = next((run for run in runs if run.is_running), runs[0])
            self.watch(at_work.path)

    def close(self) -> None:
        """Stop watching; a run goes on without the window."""
        self.watcher.close()

    def runs(self) -> list[RunFolder]:
        """All runs of this profile, newest first."""
        return known_runs(places.runs())

    def watch(self, path: Path, pid: int | None = None) -> None:
        """Show a run. pid: of its trainer, if it was just started."""
        self.watcher.watch(path, pid)
        self.runs_changed.emit()

    def plan(self, ready: Callable[[RetrainPlan], None]) -> None:
        """Work out what a retraining would learn from, and hand it to `ready`."""
        labelling, label_set = self._labels.labelling, self._session.label_set
        active = self._catalogue.active(label_set.id)

        def work(_task: Task) -> RetrainPlan:
            from desktop.operations.planning import make_plan

            standing = labelling.standing() if labelling is not None else ()
            marks = labelling.marks() if labelling is not None else ()
            return make_plan(label_set, standing, active, self.runs(), marks)

        self._jobs.submit(
            Job("plan", say("Counting labels"), work),
            on_done=ready,
            on_failed=lambda failure: self._tell(Notice.of(failure)),
        )

    def begin(self, recipe: str, settings: dict[str, Any] | None = None) -> None:
        """Make a training set of all labels of the task, and train on it in a child process.

        settings: recipe fields to change, dotted names.

        The training starts from the active model. The set is de-identified, and each patient
        stays in the part to which he was once assigned.
        """
        labelling, label_set = self._labels.labelling, self._session.label_set
        active = self._catalogue.active(label_set.id)
        base = active.folder if active is not None else None
        run = places.runs() / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{Path(recipe).stem}"
        standing = labelling.standing() if labelling is not None else ()
        marks = labelling.marks() if labelling is not None else ()

        def work(task: Task) -> tuple[Collected, int]:
            from core.retraining.collecting import build_from_labels
            from desktop.operations.planning import new_set_folder

            data = new_set_folder(places.datasets())
            collected = build_from_labels(
                standing, label_set, data, marks=marks, progress=_or_stop(task)
            )
            task.check()
            request = TrainingRequest(
                recipe=recipe, data=data, base_model=base, settings=settings or {}
            )
            return collected, start_training(request, run)

        def done(made: tuple[Collected, int]) -> None:
            collected, pid = made
            if collected.left_out:
                self._tell(_left_out(collected))
            self.watch(run, pid)
            self._prepare(False)

        def failed(failure: Failure) -> None:
            self._prepare(False)
            self._tell(Notice.of(failure))

        def cancelled() -> None:
            self._prepare(False)
            words = say("Making the training set was stopped, and no training has begun.")
            self._tell(Notice(Level.INFO, words))

        self._prepare(True)
        self._jobs.submit(
            Job("training", say("Making the training set"), work),
            on_done=done,
            on_failed=failed,
            on_cancelled=cancelled,
        )

    def _prepare(self, is_preparing: bool) -> None:
        self.is_preparing = is_preparing
        self.preparing_changed.emit()

    def stop(self, path: Path) -> None:
        """Ask a run to stop after the step at hand."""

        def work(_task: Task) -> None:
            RunFolder(path).ask_stop()

        self._jobs.submit(
            Job("training", "", work),
            on_done=lambda _: self._tell(
                Notice(
                    Level.INFO, say("The training stops after the step at hand; it can be resumed.")
                )
            ),
            on_failed=lambda failure: self._tell(Notice.of(failure)),
        )

    def resume(self, path: Path) -> None:
        """Go on with a run from its last checkpoint."""

        def work(_task: Task) -> int:
            return start_training(RunFolder(path).request, path, resume=True)

        self._jobs.submit(
            Job("training", say("Resuming the training"), work),
            on_done=lambda pid: self.watch(path, pid),
            on_failed=lambda failure: self._tell(Notice.of(failure)),
        )

    def _ended(self, view: RunView) -> None:
        if view.state == "failed":
            self._tell(Notice(Level.ERROR, say_core(view.failure or "The training failed.")))
        elif view.state == "finished":
            self._tell(
                Notice(
                    Level.DONE,
                    say(
                        "The training has finished. Compare the new model with the active one "
                        "before it may answer."
                    ),
                    offers={say("Compare…"): lambda: self.compare(view.path)},
                )
            )

    # ---- comparison and decision

    def compare(self, run: Path) -> None:
        """Measure a finished run's model and the active one on the same test patients.

        The models are asked in a child process, which leaves their scores in the run's folder;
        figures and intervals are computed here from these scores.
        """
        catalogue = self._catalogue

        def work(task: Task) -> Judgement:
            from core.retraining.promotion import judge

            code, complaints = ask_child(task, "judge", str(run))
            if code != 0:
                told = complaints[-1] if complaints else "the models could not be asked"
                raise RunError(run, told, "Try again.")
            return judge(run, catalogue)

        self._jobs.submit(
            Job("compare", say("Comparing the models"), work),
            on_done=self._judged,
            on_failed=lambda failure: self._tell(Notice.of(failure)),
        )

    def _judged(self, judgement: Judgement) -> None:
        from core.retraining.changed_pictures import changed_pictures
        from desktop.operations.comparing import view_of

        self.judgement = judgement
        if judgement.comparison is None:
            self._tell(
                Notice(
                    Level.CAUTION,
                    say("No model is active for this task, so there is nothing to compare with."),
                    offers={
                        say("Make the new model active"): lambda: self.promote(
                            say("First model of this task")
                        )
                    },
                )
            )
            return
        pictures = changed_pictures(judgement)
        self.judged.emit(view_of(judgement.comparison, self._session, pictures))

    def promote(self, reason: str) -> None:
        """Publish the challenger and make it the active model."""
        judgement, by, catalogue = self.judgement, self._labels.reader, self._catalogue
        if judgement is None:
            return

        def decide() -> Promotion:
            from core.retraining.promotion import promote

            return promote(judgement, by, reason, catalogue)

        self._decide(say("Promoting the model"), decide)

    def promote_known(self, model: str, reason: str) -> None:
        """Make a model of the catalogue the active one."""
        by, catalogue = self._labels.reader, self._catalogue
        self._decide(say("Promoting the model"), lambda: catalogue.promote(model, by, reason))

    def roll_back(self, reason: str) -> None:
        """Make the model active again that was so before the last change."""
        by, catalogue, task = self._labels.reader, self._catalogue, self._session.label_set.id
        self._decide(say("Rolling back"), lambda: catalogue.rollback(task, by, reason))

    def promotions(self) -> tuple[Promotion, ...]:
        """Every change of the active model of the task in force, in order."""
        task = self._session.label_set.id
        return tuple(item for item in self._catalogue.promotions() if item.task == task)

    def _decide(self, title: str, act: Callable[[], Promotion]) -> None:
        """Hashing and copying weights takes a moment; `changed` is emitted on the GUI thread."""

        def work(_task: Task) -> Promotion:
            # The catalogue's listeners are widgets: they hear of it when the job is done.
            with self._catalogue.changed.blocked():
                return act()

        def done(promotion: Promotion) -> None:
            self._catalogue.changed.emit()
            words = (
                say("{model} answers now.", model=promotion.model)
                if promotion.action == "promote"
                else say("{model} answers again.", model=promotion.model)
            )
            if promotion.previous:
                before = say("Until now it was {model}.", model=promotion.previous)
                words = f"{words} {before}"
            self._tell(Notice(Level.DONE, words))
            self.decided.emit(promotion)

        self._jobs.submit(
            Job("decide", title, work),
            on_done=done,
            on_failed=lambda failure: self._tell(Notice.of(failure)),
        )


def _or_stop(task: Task) -> Callable[[int, int], None]:
    """Progress that ends the work where it is no longer wanted."""

    def tell(done: int, total: int) -> None:
        task.check()
        task.progress(done, total)

    return tell


def _left_out(collected: Collected) -> Notice:
    words = say_count(
        sum(item.labels for item in collected.left_out),
        "{count} label is not in the training set: {reason}",
        "{count} labels are not in the training set: {reason}",
        reason=say_core(collected.left_out[0].reason),
    )
    lines = [f"{item.labels}: {say_core(item.reason)}" for item in collected.left_out]
    return Notice(Level.CAUTION, words, "\n".join(lines))
