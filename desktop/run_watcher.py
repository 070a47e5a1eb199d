"""Follows a training run by its files, and finds runs that an earlier window started."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from core.errors import CoreError
from core.retraining.protocol import Event, RunFolder, State, reap

POLL_MS = 400


@dataclass(frozen=True)
class Epoch:
    """One finished epoch as the curves show it; None where nothing was measured."""

    number: int
    train_loss: float | None
    validation_loss: float | None
    validation_auroc: float | None


@dataclass(frozen=True)
class RunView:
    """What a run's files say now.

    of: epochs that are planned. part: share of the epoch at hand that is done. stage: which of
    several fits, such as "fold 2", or "". preparing: (done, of) slices before the first epoch.
    """

    path: Path
    state: State
    epochs: tuple[Epoch, ...] = ()
    of: int = 0
    part: float = 0.0
    stage: str = ""
    preparing: tuple[int, int] | None = None
    seconds_left: float | None = None
    failure: str = ""

    @property
    def name(self) -> str:
        """The run's folder name."""
        return self.path.name

    @property
    def done(self) -> int:
        """Epochs that have ended."""
        return self.epochs[-1].number if self.epochs else 0


def _number(event: Event, name: str) -> float | None:
    value = event.get(name)
    return float(value) if isinstance(value, int | float) else None


def _stage(event: Event) -> str:
    fold = event.get("fold")
    if fold is None:
        return ""
    return f"fold {fold + 1}" if isinstance(fold, int) else "final fit"


def follow(view: RunView, event: Event) -> RunView:
    """A run's view after one more event of its file."""
    kind, stage = event.get("event"), _stage(event)
    if kind == "started":
        return replace(view, failure="", part=0.0)
    if kind == "preparing":
        return replace(view, preparing=(int(event.get("done", 0)), int(event.get("of", 0))))
    if kind in ("step", "epoch") and stage != view.stage:
        view = replace(view, stage=stage, epochs=())
    if kind == "step":
        part = int(event.get("step", 0)) / max(int(event.get("of", 1)), 1)
        return replace(view, preparing=None, part=min(part, 1.0))
    if kind == "epoch":
        epoch = Epoch(
            int(event.get("epoch", view.done + 1)),
            _number(event, "train_loss"),
            _number(event, "validation_loss"),
            _number(event, "validation_auroc"),
        )
        # A resumed run repeats epochs after its checkpoint: the later one counts.
        kept = tuple(item for item in view.epochs if item.number < epoch.number)
        return replace(
            view,
            epochs=(*kept, epoch),
            of=int(event.get("of", view.of) or view.of),
            part=0.0,
            preparing=None,
            seconds_left=_number(event, "seconds_left"),
        )
    if kind == "failed":
        return replace(view, failure=str(event.get("sentence", "The training failed.")))
    return view


def planned_epochs(folder: RunFolder) -> int:
    """Epochs that the run's recipe lays out; 0 if the recipe is gone."""
    from core.retraining.recipe import load_recipe

    try:
        request = folder.request
        return load_recipe(request.recipe, request.settings).stopping.epochs
    except CoreError:
        return 0


class RunWatcher(QObject):
    """Looks at one run folder a few times a second and tells what is new."""

    changed = Signal(object)
    """A RunView."""
    ended = Signal(object)
    """A RunView whose run stopped, failed or finished while it was watched."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.poll)
        self._folder: RunFolder | None = None
        self._seen = 0
        self._pid: int | None = None
        self._is_first_look = True
        self.view: RunView | None = None

    def watch(self, path: Path, pid: int | None = None) -> None:
        """Follow the run in a folder from its first event on.

        pid: of the trainer that was just started, so that its early death is noticed.
        """
        self._folder = RunFolder(path)
        self._pid = pid
        self._is_first_look = True
        self._seen = 0
        self.view = RunView(path, "new", of=planned_epochs(self._folder))
        self._timer.start()
        self.poll()

    def close(self) -> None:
        """Stop looking; the run goes on."""
        self._timer.stop()
        self._folder = None

    def poll(self) -> None:
        """Read what was appended since the last look."""
        if self._folder is None or self.view is None:
            return
        reap()
        events = self._folder.events(self._seen)
        before = self.view
        view = before
        was_started = self._pid is not None
        for event in events:
            view = follow(view, event)
        self._seen += len(events)
        view = self._judged(replace(view, state=self._folder.state))
        self.view = view
        if view != before or self._is_first_look:
            self.changed.emit(view)
        # A run that had ended before it was looked at is no news.
        is_old = self._is_first_look and not was_started
        self._is_first_look = False
        was_at_work = before.state in ("new", "running")
        if was_at_work and view.state in ("stopped", "failed", "finished"):
            self._timer.stop()
            if not is_old:
                self.ended.emit(view)

    def _judged(self, view: RunView) -> RunView:
        """The state, where the files do not tell yet that a trainer was just started."""
        if view.state in ("running", "finished"):
            self._pid = None
        if self._pid is None or self._folder is None:
            return view
        import psutil  # not at the start of the window, which imports this module

        if psutil.pid_exists(self._pid):
            return replace(view, state="new")
        self._pid = None
        if view.state == "new":
            log = self._folder.path / "trainer.log"
            words = f"The trainer ended before it began; what it said is in {log}."
            return replace(view, state="failed", failure=words)
        return view


def known_runs(folder: Path) -> list[RunFolder]:
    """Runs under a folder, newest first; what is not a run is passed over."""
    found = []
    if not folder.is_dir():
        return found
    for path in sorted(folder.iterdir(), reverse=True):
        run = RunFolder(path)
        try:
            _ = run.request
        except CoreError:
            continue
        found.append(run)
    return found
