"""Training runs: live curves of loss and AUROC, stop and resume, and the way to the result."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.retraining.protocol import RunFolder
from desktop.appearance import theme
from desktop.language import later, say, say_core, say_count
from desktop.panels.footer import duration
from desktop.panels.plot import Curve, LinePlot
from desktop.run_watcher import RunView

STATE_WORDS = {
    "new": later("Starting…"),
    "running": later("Training"),
    "stopped": later("Stopped; it can be resumed"),
    "failed": later("Failed"),
    "finished": later("Finished"),
}


class TrainingPanel(QFrame):
    """Shows a run and asks for what can be done with it."""

    retrain_wanted = Signal()
    stop_wanted = Signal(object)
    """A Path of a run."""
    resume_wanted = Signal(object)
    result_wanted = Signal(object)
    run_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._view: RunView | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 10)
        layout.setSpacing(8)
        self._runs = QComboBox(self)
        self._runs.setAccessibleName(say("Training run"))
        self._runs.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self._runs.setMinimumContentsLength(12)
        self._runs.activated.connect(lambda row: self.run_wanted.emit(self._runs.itemData(row)))
        self._state = QLabel(self)
        self._state.setProperty("role", "verdict")
        self._state.setWordWrap(True)
        self._bar = QProgressBar(self)
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(8)
        self._facts = QLabel(self)
        self._facts.setProperty("role", "dim")
        self._facts.setWordWrap(True)
        self.loss = LinePlot(say("Loss"), self)
        self.auroc = LinePlot(say("Validation AUROC"), self)
        self._stop = QPushButton(say("Stop"), self)
        self._stop.setToolTip(say("Stop after the step at hand; it can be resumed later"))
        self._stop.clicked.connect(lambda: self._emit(self.stop_wanted))
        self._resume = QPushButton(say("Resume"), self)
        self._resume.clicked.connect(lambda: self._emit(self.resume_wanted))
        self._result = QPushButton(say("Compare with the active model…"), self)
        self._result.setProperty("role", "primary")
        self._result.clicked.connect(lambda: self._emit(self.result_wanted))
        self._retrain = QPushButton(say("Retrain…"), self)
        self._retrain.clicked.connect(self.retrain_wanted)
        buttons = QHBoxLayout()
        buttons.addWidget(self._stop)
        buttons.addWidget(self._resume)
        buttons.addWidget(self._retrain)
        title = QLabel(say("Training run"), self)
        title.setProperty("role", "section")
        for widget in (title, self._runs, self._state, self._bar, self._facts):
            layout.addWidget(widget)
        layout.addWidget(self.loss, 100)
        layout.addWidget(self.auroc, 100)
        layout.addWidget(self._result)
        layout.addStretch(1)
        layout.addLayout(buttons)
        self._runs.hide()
        self.show_run(None)

    @property
    def state_words(self) -> str:
        """What is said of the run, or of there being none."""
        return self._state.text()

    def show_runs(self, runs: list[RunFolder], current: RunView | None) -> None:
        """List the runs to choose from."""
        self._runs.clear()
        for run in runs:
            self._runs.addItem(run.path.name, run.path)
        if current is not None:
            self._runs.setCurrentIndex(self._runs.findText(current.name))
        self._runs.setVisible(bool(runs))

    def show_run(self, view: RunView | None, *, is_preparing: bool = False) -> None:
        """Draw a run as its files have it. is_preparing: another one is about to begin."""
        view = None if is_preparing else view
        self._view = view
        state = view.state if view is not None else None
        self._stop.setVisible(state in ("new", "running"))
        self._resume.setVisible(state in ("stopped", "failed"))
        self._result.setVisible(state == "finished")
        self._retrain.setVisible(state not in ("new", "running") and not is_preparing)
        for widget in (self._bar, self._facts, self.loss, self.auroc):
            widget.setVisible(view is not None)
        if is_preparing:
            self._state.setText(say("The training set is being made. The training begins then."))
            return
        if view is None:
            self._state.setText(
                say(
                    "No training run yet. Label some slices, then press Retrain… to teach the "
                    "active model what you corrected."
                )
            )
            return
        self._state.setText(self._words(view))
        self._bar.setRange(0, max(view.of, 1) * 100)
        self._bar.setValue(round((view.done + view.part) * 100))
        if view.state in ("new", "running") and not view.epochs and not view.part:
            self._bar.setRange(*((0, view.preparing[1]) if view.preparing else (0, 0)))
            self._bar.setValue(view.preparing[0] if view.preparing else 0)
        self._bar.setVisible(view.state in ("new", "running", "stopped"))
        self._facts.setText(self._latest(view))
        self._draw(view)

    @staticmethod
    def _words(view: RunView) -> str:
        if view.state == "failed" and view.failure:
            return say_core(view.failure)
        if view.state == "running" and view.preparing is not None:
            done, of = view.preparing
            return say("Preparing slices: {done} of {of}", done=done, of=of)
        words = say(STATE_WORDS[view.state])
        if view.state == "running":
            if view.stage:
                words = say("{state} ({stage})", state=words, stage=say_core(view.stage))
            number = min(view.done + 1, view.of or view.done + 1)
            if view.of:
                words = say(
                    "{state}: epoch {number} of {of}", state=words, number=number, of=view.of
                )
            else:
                words = say("{state}: epoch {number}", state=words, number=number)
            if view.seconds_left is not None:
                left = duration(view.seconds_left)
                words = say("{state}, about {time} left", state=words, time=left)
        elif view.done and view.state != "new":
            words = say_count(
                view.done,
                "{state} after {count} epoch",
                "{state} after {count} epochs",
                state=words,
            )
        return words

    @staticmethod
    def _latest(view: RunView) -> str:
        if not view.epochs:
            return say("The curves begin after the first epoch. You can go on reading meanwhile.")
        last = view.epochs[-1]
        words = []
        if last.train_loss is not None:
            words.append(say("training loss {loss:.3f}", loss=last.train_loss))
        if last.validation_loss is not None:
            words.append(say("validation loss {loss:.3f}", loss=last.validation_loss))
        if last.validation_auroc is not None:
            words.append(
                say(
                    "validation AUROC {auroc:.3f}",
                    auroc=last.validation_auroc,
                )
            )
        return say("Epoch {number}: {figures}", number=last.number, figures=", ".join(words))

    def _draw(self, view: RunView) -> None:
        def points(name: str) -> tuple[tuple[float, float], ...]:
            found = ((epoch.number, getattr(epoch, name)) for epoch in view.epochs)
            return tuple((number, value) for number, value in found if value is not None)

        colours = theme()
        span = (0.8, max(view.of, view.done, 2) + 0.2)
        self.loss.draw(
            (
                Curve(say("training"), colours.accent, points("train_loss"), dots=True),
                Curve(say("validation"), colours.warning, points("validation_loss"), dots=True),
            ),
            span,
            whole_x=True,
        )
        auroc = Curve("", colours.negative, points("validation_auroc"), dots=True)
        self.auroc.draw((auroc,), span, whole_x=True, within=(0.0, 1.0))

    def _emit(self, signal: object) -> None:
        if self._view is not None:
            signal.emit(self._view.path)  # type: ignore[attr-defined]
