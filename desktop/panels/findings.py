"""The panel at the right: what the model says of this slice, what the reader says, and when."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from core.case import Case
from core.imaging.geometry import Plane
from core.labels.history import HistoryEntry
from core.labels.schema import Action, LabelClass, LabelSet
from core.models.card import Card
from core.session import AnswerState, Reading
from desktop.appearance import theme
from desktop.language import current, say, say_core
from desktop.operations.labelling import Saved
from desktop.panels.bars import ProbabilityBar, percent
from desktop.panels.model_picker import ModelChoice, ModelPicker

SLICE_ROLE = Qt.ItemDataRole.UserRole + 1


def _section(title: str, parent: QWidget) -> QLabel:
    label = QLabel(title, parent)
    label.setProperty("role", "section")
    return label


def _line(parent: QWidget, role: str = "dim") -> QLabel:
    label = QLabel(parent)
    label.setProperty("role", role)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
    return label


def clock(at: str) -> str:
    """A journal time (UTC, ISO 8601) as local time for people: today's without the date."""
    local = datetime.fromisoformat(at).astimezone()
    today = datetime.now().astimezone().date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M")


class FindingsPanel(QFrame):
    """Shows and asks; holds nothing but what it has drawn."""

    label_wanted = Signal(object)
    """A class id, or None to clear."""
    undo_wanted = Signal()
    redo_wanted = Signal()
    model_wanted = Signal(str)
    """Id of a model to ask instead."""
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
        self._saved = Saved()
        self._last: dict[str, HistoryEntry] = {}
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
        self._build_labels(inner)
        self._build_history(inner)
        area = QScrollArea(self)
        area.setWidget(inner)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)

    def _build_model(self, inner: QWidget) -> None:
        self.picker = ModelPicker(inner)
        self.picker.chosen.connect(self.model_wanted)
        self.picker.manage_wanted.connect(self.models_wanted)
        self._layout.addWidget(_section(say("Model"), inner))
        self._layout.addWidget(self.picker)
        self._caution = _line(inner, "warning")
        self._layout.addWidget(self._caution)

    def _build_answer(self, inner: QWidget) -> None:
        self._layout.addSpacing(6)
        self._answer_title = _section(say("Answer"), inner)
        self._layout.addWidget(self._answer_title)
        self._bar_box = QVBoxLayout()
        self._bar_box.setSpacing(4)
        self._layout.addLayout(self._bar_box)
        self._verdict = _line(inner, "verdict")
        self._series = _line(inner)
        self._point = _line(inner)
        self._ask = QPushButton(say("Ask the model"), inner)
        self._ask.clicked.connect(self.ask_wanted)
        for widget in (self._verdict, self._series, self._point, self._ask):
            self._layout.addWidget(widget)

    def _build_labels(self, inner: QWidget) -> None:
        self._layout.addSpacing(6)
        self._layout.addWidget(_section(say("Your label for this slice"), inner))
        self._label_box = QVBoxLayout()
        self._label_box.setSpacing(4)
        self._layout.addLayout(self._label_box)
        self._label_buttons: dict[str, QPushButton] = {}
        self._clear = QPushButton(say("Clear label"), inner)
        self._clear.setToolTip(say("Take the label off this slice (Ctrl+0)"))
        self._clear.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._clear.clicked.connect(lambda: self.label_wanted.emit(None))
        self._state = _line(inner, "saved")
        self._state.setMinimumHeight(34)
        self._layout.addWidget(self._clear)
        self._layout.addWidget(self._state)

    def _build_history(self, inner: QWidget) -> None:
        self._layout.addSpacing(6)
        head = QHBoxLayout()
        head.addWidget(_section(say("History"), inner), 1)
        self._undo = QPushButton(say("Undo"), inner)
        self._undo.setToolTip(say("Undo the last label (Ctrl+Z)"))
        self._redo = QPushButton(say("Redo"), inner)
        self._redo.setToolTip(say("Redo what was undone (Ctrl+Y)"))
        for button, signal in ((self._undo, self.undo_wanted), (self._redo, self.redo_wanted)):
            button.setProperty("role", "small")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(signal)
            head.addWidget(button)
        self._layout.addLayout(head)
        self._history = QListWidget(inner)
        self._history.setProperty("role", "plain")
        self._history.setMinimumHeight(90)
        self._history.setAccessibleName(say("History of labels of this series"))
        self._history.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._history.itemActivated.connect(self._history_activated)
        self._history.itemClicked.connect(self._history_activated)
        self._layout.addWidget(self._history, 100)
        self._empty_history = _line(inner)
        self._empty_history.setText(say("No label yet. Press Ctrl+1 or Ctrl+2 on a slice."))
        self._layout.addWidget(self._empty_history)
        self._layout.addStretch(1)

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
        for button in self._label_buttons.values():
            button.setEnabled(reading is not None)
        self.refresh_answer()
        self.refresh_label()

    def _make_classes(self, label_set: LabelSet) -> None:
        self._bar_set = label_set
        for box in (self._bar_box, self._label_box):
            while box.count():
                widget = box.takeAt(0).widget()
                if widget is not None:
                    widget.hide()
                    widget.deleteLater()
        self._bars.clear()
        self._label_buttons.clear()
        for item in sorted(label_set.classes, key=lambda c: (not c.positive, c.key)):
            colour = theme().positive if item.positive else theme().negative
            bar = ProbabilityBar(item.name(current()), colour, self)
            self._bars[item.id] = bar
            self._bar_box.addWidget(bar)
            self._label_box.addWidget(self._label_button(item))

    def _label_button(self, item: LabelClass) -> QPushButton:
        keys = f"   Ctrl+{item.key}" if item.key else ""
        button = QPushButton(f"{item.name(current())}{keys}", self)
        button.setProperty("role", "positiveLabel" if item.positive else "negativeLabel")
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAccessibleName(say("Label this slice: {name}", name=item.name(current())))
        button.clicked.connect(lambda _=False, c=item.id: self._label_clicked(c))
        self._label_buttons[item.id] = button
        return button

    def _label_clicked(self, class_id: str) -> None:
        self.refresh_label()  # the tick follows the journal, not the mouse
        self.label_wanted.emit(class_id)

    # ---- the model's part

    def refresh_answer(self) -> None:
        """Show the answer for the slice now looked at."""
        reading = self._reading
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
                prediction.threshold
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
        self._ask.setVisible(waiting or reading.is_stale)
        self._ask.setText(
            say("Ask the active model again") if reading.is_stale else say("Ask the model")
        )
        self._ask.setEnabled(self._card is not None)

    def _verdict_words(self, reading: Reading, index: int) -> str:
        case, prediction = reading.case, reading.case.prediction
        if not case.display.answers:
            return say("Hidden until you label a slice of this series (read-first mode, F10).")
        if prediction is not None and index in prediction.slices:
            name = case.label_set.find(prediction.positive).name(current())
            limit = percent(prediction.threshold)
            if case.is_suspicious(index):
                return say(
                    "Flagged: {name} at or above the threshold of {limit}.", name=name, limit=limit
                )
            return say(
                "Not flagged: {name} below the threshold of {limit}.", name=name, limit=limit
            )
        return {
            AnswerState.NONE: say("The model has not been asked about this series."),
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
            flagged = sum(case.is_suspicious(index) for index in prediction.slices)
            if (probability >= prediction.threshold) != (flagged > 0):
                words += " ⚠ " + say("Slices and series disagree; look at both.")
            self._series.setText(words)
            self._series.show()
        point = self._card.operating_point if self._card is not None else None
        if point is None or prediction is None or self._card is None:
            self._point.hide()
            return
        self._point.setText(
            say(
                "At this threshold: sensitivity {sensitivity}, specificity {specificity} ({how}).",
                sensitivity=percent(point.sensitivity),
                specificity=percent(point.specificity),
                how=say_core(point.how),
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
        self._saved = saved
        self.refresh_label()

    def show_history(self, entries: list[HistoryEntry], *, can_undo: bool, can_redo: bool) -> None:
        """Show what was done to this series, the last step first."""
        self._undo.setEnabled(can_undo)
        self._redo.setEnabled(can_redo)
        self._history.clear()
        self._last = {}
        reading = self._reading
        label_set = reading.case.label_set if reading is not None else None
        for entry in entries:
            for change in entry.changes:
                self._last.setdefault(change.slice_id, entry)
            item = QListWidgetItem(entry_words(entry, label_set))
            if not entry.stands:
                font = item.font()
                font.setStrikeOut(True)
                item.setFont(font)
            item.setToolTip(_entry_tip(entry))
            if entry.changes:
                item.setData(SLICE_ROLE, entry.changes[0].slice_id)
            self._history.addItem(item)
        self._history.setVisible(bool(entries))
        self._empty_history.setVisible(not entries)
        self.refresh_label()

    def refresh_label(self) -> None:
        """Show the label of the slice now looked at, and whether it is on disk."""
        reading = self._reading
        given = None
        if reading is not None:
            given = reading.case.label_at(reading.case.navigation.index(Plane.SLICE))
        for class_id, button in self._label_buttons.items():
            button.setChecked(class_id == given)
        self._clear.setEnabled(given is not None)
        self._state.setText(self._state_words(reading, given))
        state = "failed" if self._saved.failed else "pending" if self._saved.pending else "saved"
        if self._state.property("state") != state:
            self._state.setProperty("state", state)
            self._state.style().unpolish(self._state)
            self._state.style().polish(self._state)

    def _state_words(self, reading: Reading | None, given: str | None) -> str:
        if self._saved.failed:
            return say("✕ The last label could not be saved. Nothing was changed.")
        if self._saved.pending:
            return say("○ Saving…")
        if not self._saved.is_ready:
            return say("The label journal is being opened…")
        if reading is None or given is None:
            return say("This slice has no label.")
        slice_id = reading.summary.slice_ids[reading.case.navigation.index(Plane.SLICE)]
        entry = self._last.get(slice_id)
        if entry is None:
            return say("✓ Saved")
        return say("✓ Saved {time} by {reader}", time=clock(entry.at), reader=entry.reader)

    def _history_activated(self, item: QListWidgetItem) -> None:
        slice_id = item.data(SLICE_ROLE)
        if slice_id:
            self.slice_wanted.emit(slice_id)


def _entry_tip(entry: HistoryEntry) -> str:
    lines = [
        say(
            "Entry {sequence} by {reader}, {time}",
            sequence=entry.sequence,
            reader=entry.reader,
            time=clock(entry.at),
        )
    ]
    if entry.opinion is not None:
        said = entry.opinion.class_id.replace("_", " ")
        lines.append(
            say(
                "The model had said: {said} {percent} ({model})",
                said=said,
                percent=percent(entry.opinion.probability),
                model=entry.opinion.model,
            )
        )
    if entry.reason:
        lines.append(entry.reason)
    if not entry.stands:
        lines.append(say("Undone later."))
    return "\n".join(lines)


def entry_words(entry: HistoryEntry, label_set: LabelSet | None) -> str:
    """A step for people, such as “12:03:10  slice 17: No hemorrhage”."""

    def name(class_id: str | None) -> str:
        if class_id is None:
            return say("no label")
        try:
            return label_set.find(class_id).name(current()) if label_set is not None else class_id
        except KeyError:
            return class_id

    new = name(entry.changes[0].new) if entry.changes else ""
    words = {
        Action.LABEL: new,
        Action.CLEAR: say("label cleared"),
        Action.MARK: say("regions marked"),
        Action.NOTE: say("note “{note}”", note=entry.note),
        Action.ADJUDICATE: say("settled as {name}", name=new),
        Action.UNDO: say("undone, now {name}", name=new),
        Action.REDO: say("redone, now {name}", name=new),
    }[entry.action]
    numbers = [change.slice_index + 1 for change in entry.changes]
    place = (
        say("slice {number}", number=numbers[0])
        if len(numbers) == 1
        else say("{count} slices", count=len(numbers))
    )
    return f"{clock(entry.at)}  {place}: {words}"
