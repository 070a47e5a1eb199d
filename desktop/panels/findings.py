"""The panel at the right: which model is asked, what it says, and the reader's part beneath."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from core.case import Case
from core.imaging.geometry import Plane
from core.labels.history import HistoryEntry
from core.labels.schema import LabelSet
from core.models.card import Card
from core.reading.operating import measured_at
from core.session import AnswerState, Reading
from desktop.appearance import theme
from desktop.language import current, say, say_core
from desktop.operations.journal import Saved
from desktop.operations.labelled import LabelledSlice
from desktop.panels.bars import ProbabilityBar, percent
from desktop.panels.labels import LabelBox, line, section
from desktop.panels.model_picker import ModelChoice, ModelPicker


class FindingsPanel(QFrame):
    """Shows and asks; holds nothing but what it has drawn."""

    label_wanted = Signal(object)
    """A class id, or None to clear."""
    series_wanted = Signal(str)
    """A class id for the whole series."""
    accept_wanted = Signal()
    reject_wanted = Signal()
    note_given = Signal(str)
    undo_wanted = Signal()
    redo_wanted = Signal()
    model_wanted = Signal(str)
    """Id of a model to ask instead."""
    threshold_wanted = Signal(object)
    """The operating threshold to judge by, or None for the model's own."""
    ask_wanted = Signal()
    models_wanted = Signal()
    slice_wanted = Signal(str)
    """Id of a slice to go to."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._reading: Reading | None = None
        self._card: Card | None = None
        self._bars: dict[str, ProbabilityBar] = {}
        self._bar_set: LabelSet | None = None
        self._build()
        self.show_reading(None)

    # ---- construction

    def _build(self) -> None:
        inner = QWidget(self)
        inner.setProperty("role", "panel")
        self._layout = QVBoxLayout(inner)
        self._layout.setContentsMargins(14, 10, 14, 10)
        self._layout.setSpacing(6)
        self._build_model(inner)
        self._build_answer(inner)
        self._layout.addSpacing(6)
        self.labels = LabelBox(inner)
        self._layout.addWidget(self.labels, 100)
        for mine, theirs in (
            (self.label_wanted, self.labels.label_wanted),
            (self.series_wanted, self.labels.series_wanted),
            (self.accept_wanted, self.labels.accept_wanted),
            (self.reject_wanted, self.labels.reject_wanted),
            (self.undo_wanted, self.labels.undo_wanted),
            (self.redo_wanted, self.labels.redo_wanted),
            (self.note_given, self.labels.note_given),
            (self.slice_wanted, self.labels.slice_wanted),
        ):
            theirs.connect(mine)
        area = QScrollArea(self)
        area.setWidget(inner)
        area.setWidgetResizable(True)
        area.setAccessibleName(say("Findings"))
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)

    def _build_model(self, inner: QWidget) -> None:
        self.picker = ModelPicker(inner)
        self.picker.chosen.connect(self.model_wanted)
        self.picker.manage_wanted.connect(self.models_wanted)
        self._layout.addWidget(section(say("Model"), inner))
        self._layout.addWidget(self.picker)
        self._caution = line(inner, "warning")
        self._layout.addWidget(self._caution)

    def _build_answer(self, inner: QWidget) -> None:
        self._layout.addSpacing(6)
        self._answer_title = section(say("Answer"), inner)
        self._layout.addWidget(self._answer_title)
        self._bar_box = QVBoxLayout()
        self._bar_box.setSpacing(4)
        self._layout.addLayout(self._bar_box)
        self._verdict = line(inner, "verdict")
        self._series = line(inner)
        self._point = line(inner)
        self._ask = QPushButton(say("Ask the model"), inner)
        self._ask.clicked.connect(self.ask_wanted)
        for widget in (self._verdict, self._series, self._point, self._ask):
            self._layout.addWidget(widget)

    # ---- what is shown

    def show_models(self, choices: list[ModelChoice], card: Card | None) -> None:
        """Show the models to choose from and the card of the one that is asked."""
        self._card = card
        self.picker.show_choices(choices, card)
        self.refresh_answer()

    def show_reading(self, reading: Reading | None) -> None:
        """Show another series."""
        self._reading = reading
        label_set = reading.case.label_set if reading is not None else None
        if label_set is not None and label_set != self._bar_set:
            self._make_classes(label_set)
        self.labels.show_reading(reading, label_set)
        self.refresh_answer()

    def _make_classes(self, label_set: LabelSet) -> None:
        self._bar_set = label_set
        while self._bar_box.count():
            widget = self._bar_box.takeAt(0).widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._bars.clear()
        for item in sorted(label_set.classes, key=lambda c: (not c.positive, c.key)):
            colour = theme().positive if item.positive else theme().negative
            bar = ProbabilityBar(item.name(current()), colour, self)
            bar.threshold_moved.connect(self.threshold_wanted)
            self._bars[item.id] = bar
            self._bar_box.addWidget(bar)

    # ---- the model's part

    def refresh_answer(self) -> None:
        """Show the answer for the slice now looked at."""
        reading = self._reading
        self.labels.refresh()
        if reading is None:
            self._answer_title.setText(say("Answer"))
            for bar in self._bars.values():
                bar.show_answer(None)
            for line in (self._caution, self._series, self._point):
                line.hide()
            self._verdict.setText(say("Open a series to see what the model says."))
            self._ask.hide()
            return
        case = reading.case
        index = case.navigation.index(Plane.SLICE)
        count = case.navigation.count(Plane.SLICE)
        self._answer_title.setText(
            say("Answer for slice {index} of {count}", index=index + 1, count=count)
        )
        prediction = case.prediction if case.display.answers else None
        answer = prediction.slices.get(index) if prediction is not None else None
        for class_id, bar in self._bars.items():
            threshold = (
                case.threshold
                if prediction is not None and class_id == prediction.positive
                else None
            )
            bar.show_answer(
                answer.probabilities.get(class_id) if answer else None,
                threshold,
                faded=reading.is_stale,
            )
        self._verdict.setText(self._verdict_words(reading, index))
        self._show_series(case)
        self._show_cautions(reading)
        waiting = reading.answer_state in (AnswerState.NONE, AnswerState.FAILED)
        self._ask.setVisible(self._card is not None and (waiting or reading.is_stale))
        self._ask.setText(
            say("Ask the active model again") if reading.is_stale else say("Ask the model")
        )

    def _verdict_words(self, reading: Reading, index: int) -> str:
        case, prediction = reading.case, reading.case.prediction
        if not case.display.answers:
            return say("Hidden until you label a slice of this series (read-first mode, F10).")
        if prediction is not None and index in prediction.slices:
            name = case.label_set.find(prediction.positive).name(current())
            limit = percent(case.threshold)
            if case.is_suspicious(index):
                return say(
                    "Flagged: {name} at or above the threshold of {limit}.", name=name, limit=limit
                )
            return say(
                "Not flagged: {name} below the threshold of {limit}.", name=name, limit=limit
            )
        return {
            AnswerState.NONE: say("The model has not been asked about this series.")
            if self._card is not None
            else say("There is no model for this task. Slices can be labelled without one."),
            AnswerState.QUEUED: say("The series is on its way to the model…"),
            AnswerState.RUNNING: say("The model has not come to this slice yet…"),
            AnswerState.DONE: say("The model gave no answer for this slice."),
            AnswerState.REFUSED: say_core(reading.note)
            or say("The model was not made for this series."),
            AnswerState.FAILED: say_core(reading.note) or say("The model could not answer."),
        }[reading.answer_state]

    def _show_series(self, case: Case) -> None:
        prediction = case.prediction if case.display.answers else None
        probability = prediction.series_probability if prediction is not None else None
        if prediction is None or probability is None:
            self._series.hide()
        else:
            name = case.label_set.find(prediction.positive).name(current())
            words = say(
                "Series as a whole: {name} {percent}.", name=name, percent=percent(probability)
            )
            if case.is_in_conflict():
                own = prediction.conflict if case.display.threshold is None else ""
                told = say_core(own) if own else say("Slices and series disagree; look at both.")
                words += f" ⚠ {told}"
            self._series.setText(words)
            self._series.show()
        if prediction is None or self._card is None:
            self._point.hide()
            return
        found = measured_at(self._card, case.threshold)
        if found is None:
            self._point.setText(say("The card measured nothing near this threshold."))
        else:
            self._point.setText(
                say(
                    "At this threshold: sensitivity {sensitivity}, specificity {specificity} "
                    "({how}).",
                    sensitivity=percent(found.sensitivity),
                    specificity=percent(found.specificity),
                    how=say_core(found.how),
                )
            )
        self._point.show()

    def _show_cautions(self, reading: Reading) -> None:
        lines = []
        prediction = reading.case.prediction if reading.case.display.answers else None
        if reading.is_stale and prediction is not None:
            lines.append(
                say(
                    "Stale: these answers are from {id} {version}, which is no longer the "
                    "model asked.",
                    id=prediction.model.id,
                    version=prediction.model.version,
                )
            )
        if prediction is not None:
            lines.extend(say_core(caution) for caution in prediction.cautions)
        self._caution.setText("\n".join(f"⚠ {line}" for line in lines))
        self._caution.setVisible(bool(lines))

    # ---- the reader's part

    def show_saved(self, saved: Saved) -> None:
        """Show whether the last label has reached the disk."""
        self.labels.show_saved(saved)

    def show_history(
        self,
        entries: list[HistoryEntry],
        labelled: list[LabelledSlice],
        *,
        can_undo: bool,
        can_redo: bool,
    ) -> None:
        """Show what was done to this series, the last step first, and what stands, by slice."""
        self.labels.show_history(entries, labelled, can_undo=can_undo, can_redo=can_redo)

    def refresh_label(self) -> None:
        """Show the label of the slice now looked at, and whether it is on disk."""
        self.labels.refresh()

    def edit_note(self) -> None:
        """Let the person write the note on this slice."""
        self.labels.edit_note()
