"""The loop as a list of steps, driven through the real window: what the tour and the shots walk.

Every step presses what a person would press and then waits for what a person would wait for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from core.imaging.geometry import Plane
from core.session import AnswerState, LoadState, Reading
from desktop.app import Application
from desktop.command_names import Command
from desktop.language import say
from desktop.notices import Level
from desktop.pace import Step

READ_BY_MODEL = 4
"""Series about which the model is asked in the tour; the others are labelled only."""


SHORTENED = {"stopping.epochs": 4, "sampling.slices_per_epoch": 128}
"""Recipe fields that the tour changes, so that a person need not wait for minutes."""


@dataclass
class Facts:
    """What the walk has seen, for its summary."""

    predicted: dict[str, float] = field(default_factory=dict)
    corrected_slice: int = 0
    correction: str = ""
    labels_given: int = 0
    stopped_after_epoch: int = 0
    failures: list[str] = field(default_factory=list)


class Walk:
    """Drives one application over one sample.

    sample: folder of DICOM series. reference: slice id → class id, what is in the phantom: the
    tour's reader knows it. recipe: name of the recipe that retrains.
    """

    def __init__(
        self, app: Application, sample: Path, reference: dict[str, str], recipe: str
    ) -> None:
        self.app = app
        self.facts = Facts()
        self._sample = sample
        self._reference = reference
        self._recipe = recipe
        self._run: Path | None = None
        self._has_stopped = False
        self._to_label: list[Reading] = []
        app.operations.asking.answered.connect(self._answered)

    def close(self) -> None:
        """Stop listening."""
        self.app.operations.asking.answered.disconnect(self._answered)

    def _answered(self, reading: Reading, seconds: float) -> None:
        self.facts.predicted[reading.key] = seconds

    # ---- shorthands

    @property
    def reading(self) -> Reading:
        """The series now looked at."""
        current = self.app.session.current
        if current is None:
            raise LookupError("no series is open")
        return current

    def _press(self, command: Command) -> None:
        self.app.window.actions_[command].trigger()

    def _press_class(self, class_id: str) -> None:
        key = self.app.session.label_set.find(class_id).key
        wanted = f"Ctrl+{key}"
        for action in self.app.window.actions():
            if action.shortcut().toString() == wanted:
                action.trigger()
                return
        raise LookupError(f"no key gives the class {class_id}")

    def _truth(self, reading: Reading, index: int) -> str:
        return self._reference[reading.summary.slice_ids[index]]

    def _saved(self) -> bool:
        saved = self.app.operations.labels.saved
        return saved.is_ready and saved.pending == 0

    def check(self) -> None:
        """Raise LookupError with the window's words if it tells of an error."""
        notice = self.app.window.banner.notice
        if notice is not None and notice.level is Level.ERROR:
            raise LookupError(notice.text)

    # ---- the steps

    def steps(self) -> list[Step]:
        """The whole loop."""
        return [
            Step(
                "open",
                say("A study is open"),
                say(
                    "These are synthetic head CTs that Sliceloop made itself: no patient is "
                    "shown. The wheel moves through the slices, left drag changes the grey "
                    "levels, keys 1–5 are window presets."
                ),
                self._open,
                self._is_loaded,
                "01-opened",
            ),
            Step(
                "strip",
                say("The model has read along"),
                say(
                    "Each cell of the strip under the image is one slice: the redder and "
                    "higher, the likelier a hemorrhage; the dashed line is the operating "
                    "threshold. N goes to the next suspicious slice. The panel at the right "
                    "says it in words."
                ),
                self._to_suspicious,
                self._is_answered,
                "02-strip",
            ),
            Step(
                "heat-map",
                say("Why: the heat map"),
                say(
                    "G lays the evidence for hemorrhage over the slice. It is off until you "
                    "ask for it, so that you read first."
                ),
                lambda: self._show(heat_map=True),
                lambda: self.reading.case.display.heat_map,
                "03-heat-map",
            ),
            Step(
                "three-panel",
                say("Original, heat map, overlay"),
                say("T shows all three side by side, in step."),
                lambda: self._show(heat_map=False, three_panels=True),
                lambda: self.reading.case.display.three_panels,
                "04-three-panel",
            ),
            Step(
                "correct",
                say("The reader decides"),
                say(
                    "Ctrl+1 and Ctrl+2 label the slice. Here a key was pressed by mistake, "
                    "taken back with Ctrl+Z, and the right one given. “Saved” appears only "
                    "when the label is on the disk, and no label is ever overwritten."
                ),
                self._correct,
                self._is_corrected,
                "05-corrected-label",
            ),
            Step(
                "label",
                say("Labels for a training"),
                say(
                    "A reader goes on like this. Here the phantoms' own truth stands in for "
                    "an hour of reading: every slice of every series gets its label, through "
                    "the same journal."
                ),
                self._label_all,
                self._all_labelled,
            ),
            Step(
                "retrain",
                say("Retraining"),
                say(
                    "The labels become a training set, split by patient for good. A process "
                    "of its own trains; the curves are live, and you can go on reading. It "
                    "can be stopped and resumed: the tour does both."
                ),
                self._retrain,
                self._has_trained_an_epoch,
                "06-retraining",
                patience=600.0,
            ),
            Step(
                "resume",
                say("Stopped and resumed"),
                say("The run was stopped after an epoch and goes on from its last checkpoint."),
                self._stop_and_resume,
                self._has_finished,
                patience=600.0,
            ),
            Step(
                "compare",
                say("Champion against challenger"),
                say(
                    "Both models on the same test patients. Look at the interval of the "
                    "difference, and at the slices that got worse. Few patients tell little: "
                    "the page says so."
                ),
                self._compare,
                lambda: self.app.window.pages.currentWidget() is self.app.window.comparison,
                "07-comparison",
                patience=300.0,
            ),
            Step(
                "promote",
                say("A person promotes"),
                say(
                    "The new model answers from now on: who decided, when and why is kept. "
                    "Its answers replace the old ones, which would be shown as stale."
                ),
                self._promote,
                self._is_promoted,
                "08-promoted",
                patience=300.0,
            ),
            Step(
                "roll-back",
                say("And one click back"),
                say(
                    "The shipped model is active again. Nothing is lost: both stay in the "
                    "catalogue, and the list of changes tells the story."
                ),
                self._roll_back,
                self._is_rolled_back,
                "09-rolled-back",
            ),
        ]

    def _open(self) -> None:
        self.app.operations.opening.open_paths([self._sample], remember=False)

    def _is_loaded(self) -> bool:
        current = self.app.session.current
        return current is not None and current.load_state is LoadState.LOADED

    def _to_suspicious(self) -> None:
        if self.app.operations.asking.models.model is None:
            raise LookupError("no model for hemorrhage is in the catalogue")
        self._wanted = [*self.app.session][:READ_BY_MODEL]

    def _is_answered(self) -> bool:
        """Reads some series one after the other, and ends on the most interesting one."""
        for reading in self._wanted:
            if reading.answer_state is AnswerState.REFUSED:
                raise LookupError(reading.note)
            if reading.answer_state is not AnswerState.DONE:
                if self.app.session.current is not reading:
                    self.app.operations.opening.show(reading)
                return False
        best = max(self._wanted, key=self._interest)
        if self.app.session.current is not best:
            self.app.operations.opening.show(best)
        best.case.navigation.go(0)
        if best.case.next_suspicious() is not None:
            self._press(Command.NEXT_SUSPICIOUS)
        self._go_to_strongest(best)
        return True

    def _interest(self, reading: Reading) -> float:
        """How much a series has to show: a bleeding that is found, and slices to correct."""
        prediction = reading.case.prediction
        if prediction is None:
            return -1.0
        found = [
            answer.probabilities[prediction.positive]
            for index, answer in prediction.slices.items()
            if self._truth(reading, index) == prediction.positive
        ]
        return max(found, default=0.0) + (0.1 if self._wrong(reading) else 0.0)

    def _wrong(self, reading: Reading) -> list[int]:
        """Slices on which the model errs, the surest errors first."""
        prediction = reading.case.prediction
        if prediction is None:
            return []
        positive = prediction.positive

        def error(index: int) -> float:
            said = prediction.slices[index].probabilities[positive]
            return said if self._truth(reading, index) != positive else 1.0 - said

        wrong = [
            index
            for index in prediction.slices
            if reading.case.is_suspicious(index) != (self._truth(reading, index) == positive)
        ]
        return sorted(wrong, key=error, reverse=True)

    def _go_to_strongest(self, reading: Reading) -> None:
        prediction = reading.case.prediction
        if prediction is None:
            return
        right = [
            index
            for index in prediction.slices
            if self._truth(reading, index) == prediction.positive
        ]
        if right:
            strongest = max(
                right, key=lambda n: prediction.slices[n].probabilities[prediction.positive]
            )
            reading.case.navigation.go(strongest)

    def _show(self, **display: bool) -> None:
        """Press the keys that bring the display to the wanted state."""
        now = self.reading.case.display
        for name, command in (
            ("heat_map", Command.HEAT_MAP),
            ("three_panels", Command.THREE_PANELS),
        ):
            if name in display and getattr(now, name) != display[name]:
                self._press(command)

    def _correct(self) -> None:
        self._show(heat_map=False, three_panels=False)
        reading = self.reading
        wrong = self._wrong(reading)
        index = wrong[0] if wrong else reading.case.navigation.index(Plane.SLICE)
        reading.case.navigation.go(index)
        right = self._truth(reading, index)
        mistake = next(item.id for item in self.app.session.label_set.classes if item.id != right)
        self._press_class(mistake)
        self._press(Command.UNDO)
        self._press_class(right)
        self.facts.corrected_slice = index + 1
        self.facts.correction = right
        self.facts.labels_given += 1

    def _is_corrected(self) -> bool:
        reading = self.reading
        index = self.facts.corrected_slice - 1
        return self._saved() and reading.case.label_at(index) == self.facts.correction

    def _label_all(self) -> None:
        labels = self.app.operations.labels
        for reading in self.app.session:
            for item in self.app.session.label_set.classes:
                indices = [
                    index
                    for index in range(reading.summary.shape[0])
                    if self._truth(reading, index) == item.id
                    and reading.case.label_at(index) != item.id
                ]
                if indices:
                    labels.label_slices(reading, indices, item.id)
                    self.facts.labels_given += len(indices)

    def _all_labelled(self) -> bool:
        return self._saved() and all(
            reading.labelled == reading.summary.shape[0] for reading in self.app.session
        )

    def _retrain(self) -> None:
        self.app.model_commands.begin(self._recipe, SHORTENED)

    def _view(self):  # type: ignore[no-untyped-def]
        view = self.app.operations.retraining.watcher.view
        if view is not None and view.state == "failed":
            raise LookupError(view.failure or "the training failed")
        return view

    def _has_trained_an_epoch(self) -> bool:
        view = self._view()
        return view is not None and view.done >= 2 and view.state in ("running", "finished")

    def _stop_and_resume(self) -> None:
        view = self._view()
        self._has_stopped = view is None or view.state != "running"
        if view is not None and view.state == "running":
            self._run = view.path
            self.app.window.training.stop_wanted.emit(view.path)

    def _has_finished(self) -> bool:
        view = self._view()
        if view is None:
            return False
        if view.state == "stopped" and not self._has_stopped:
            self._has_stopped = True
            self.facts.stopped_after_epoch = view.done
            self.app.window.training.resume_wanted.emit(view.path)
        return bool(view.state == "finished")

    def _compare(self) -> None:
        view = self._view()
        self.app.window.training.result_wanted.emit(view.path)

    def _promote(self) -> None:
        page = self.app.window.comparison
        advised = page.view is not None and page.view.advises_promotion
        page.reason.setText(
            say("Guided tour: the gate advises it")
            if advised
            else say("Guided tour: to show the step, although the gate advises against it")
        )
        page.promote.click()

    def _is_promoted(self) -> bool:
        promotions = self.app.operations.retraining.promotions()
        return (
            bool(promotions)
            and promotions[-1].action == "promote"
            and self.reading.answer_state is AnswerState.DONE
            and not self.reading.is_stale
        )

    def _roll_back(self) -> None:
        self.app.operations.retraining.roll_back(say("Guided tour: to show the way back"))

    def _is_rolled_back(self) -> bool:
        promotions = self.app.operations.retraining.promotions()
        return (
            bool(promotions)
            and promotions[-1].action == "rollback"
            and self.reading.answer_state is AnswerState.DONE
            and not self.reading.is_stale
        )
