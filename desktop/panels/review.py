"""The review queue: which slice deserves a look next, why, and how far the person has come."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.labels.queue import QueueItem, Why
from core.session import Session
from desktop.appearance import theme
from desktop.language import later, say, say_count
from desktop.operations.reviewing import QueueView
from desktop.panels.bars import percent
from desktop.panels.rows import ITEM_ROLE, SliceRows
from desktop.panels.studies import short_name

MOST_ROWS = 200
"""Items that are listed; more are counted in the progress."""


def why_words(why: Why) -> str:
    """A reason's name."""
    return {
        Why.LABEL_ERROR: say("Label probably mistaken"),
        Why.MODEL_AGAINST_LABEL: say("Model against label"),
        Why.SLICE_AGAINST_SERIES: say("Slices against series"),
        Why.MODEL_AGAINST_MODEL: say("Model against model"),
        Why.NEIGHBOURS_DIFFER: say("Unlike its neighbours"),
        Why.UNCERTAIN: say("Uncertain"),
        Why.RANDOM_AUDIT: say("Random audit"),
    }[why]


def reason_words(item: QueueItem) -> str:
    """Why this slice is in the queue, with the numbers behind it."""
    facts = dict(item.facts)
    labelled = bool(facts.get("labelled as finding"))
    words = {
        Why.LABEL_ERROR: (
            later("Labelled as none; a model that had not learnt from it says {percent}."),
            later("Labelled a finding; a model that had not learnt from it says {percent}."),
        )[labelled],
        Why.MODEL_AGAINST_LABEL: (
            later("Labelled as none; the model says {percent}."),
            later("Labelled a finding; the model says {percent}."),
        )[labelled],
        Why.SLICE_AGAINST_SERIES: later(
            "This slice, the highest, says {percent}, the series as a whole {series}."
        ),
        Why.MODEL_AGAINST_MODEL: (
            later("This model says {percent}; the other does not flag it."),
            later("This model says {percent}; the other one flags it."),
        )[facts.get("other model", 0.0) >= 0],
        Why.NEIGHBOURS_DIFFER: (
            later("Labelled otherwise than both its neighbours."),
            later("{percent} between {before} and {after}."),
        )["slice before" in facts],
        Why.UNCERTAIN: later("{percent}, close to the threshold of {threshold}."),
        Why.RANDOM_AUDIT: later("Drawn by lot; nothing suspects it."),
    }[item.why]
    return say(
        words,
        percent=percent(facts.get("probability", 0.0)),
        series=percent(facts.get("series", 0.0)),
        before=percent(facts.get("slice before", 0.0)),
        after=percent(facts.get("slice after", 0.0)),
        threshold=percent(facts.get("threshold", 0.0)),
    )


class ReviewPanel(QFrame):
    """Shows the queue as it is told; asks by signals."""

    next_wanted = Signal()
    previous_wanted = Signal()
    again_wanted = Signal()
    reason_wanted = Signal(object)
    """A Why to work through alone, or None for all."""
    item_wanted = Signal(object)
    """A QueueItem to look at."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._session = session
        self._view = QueueView()
        self._is_behind = False
        title = QLabel(say("What to look at next"), self)
        title.setProperty("role", "section")
        self.reasons = QComboBox(self)
        self.reasons.setAccessibleName(say("Reason to look"))
        self.reasons.addItem(say("All reasons"), None)
        for why in Why:
            self.reasons.addItem(why_words(why), why)
        self.reasons.activated.connect(
            lambda row: self.reason_wanted.emit(self.reasons.itemData(row))
        )
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setAccessibleName(say("Progress of the review"))
        self.progress = QLabel(self)
        self.progress.setProperty("role", "dim")
        self.progress.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 10)
        layout.setSpacing(8)
        for widget in (title, self.reasons, self.bar, self.progress):
            layout.addWidget(widget)
        self._build_list(layout)
        self._build_buttons(layout)
        self.show_queue(QueueView(), None)

    def _build_list(self, layout: QVBoxLayout) -> None:
        self.list = SliceRows(say("Slices to look at, the most pressing first"), self)
        self.list.itemClicked.connect(self._clicked)
        self.list.itemActivated.connect(self._clicked)
        self.empty = QLabel(self)
        self.empty.setProperty("role", "dim")
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.empty, 1)

    def _build_buttons(self, layout: QVBoxLayout) -> None:
        self.previous = QPushButton(say("Previous"), self)
        self.previous.setToolTip(say("Back to the one looked at before"))
        self.previous.clicked.connect(self.previous_wanted)
        self.next = QPushButton(say("Next"), self)
        self.next.setProperty("role", "primary")
        self.next.setToolTip(say("The next one in the queue"))
        self.next.clicked.connect(self.next_wanted)
        self.again = QPushButton(say("Begin again"), self)
        self.again.setToolTip(say("Forget what was looked at"))
        self.again.clicked.connect(self.again_wanted)
        buttons = QHBoxLayout()
        for button in (self.previous, self.next, self.again):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            buttons.addWidget(button, 2 if button is self.next else 1)
        layout.addLayout(buttons)

    def show_queue(self, view: QueueView, only: Why | None) -> None:
        """Show the queue as it now is."""
        self.reasons.setCurrentIndex(0 if only is None else 1 + list(Why).index(only))
        self.bar.setRange(0, max(view.total, 1))
        self.bar.setValue(view.seen)
        self.progress.setText(
            say_count(
                view.total,
                "{seen} of {count} slice looked at",
                "{seen} of {count} slices looked at",
                seen=view.seen,
            )
            if view.total
            else ""
        )
        self._view = view
        self._is_behind = True
        if self.isVisible():
            self._fill()
        self.list.setVisible(bool(view.items))
        self.empty.setVisible(not view.items)
        self.empty.setText(
            say("All were looked at. Begin again, or choose another reason.")
            if view.seen
            else say(
                "Nothing to look at yet. Open series and ask the model: slices that deserve a "
                "second look are listed here, with the reason."
            )
        )
        self.next.setEnabled(any(item != view.current for item in view.items))
        self.previous.setEnabled(view.seen > 1)
        self.again.setEnabled(view.seen > 0)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._is_behind:
            self._fill()

    def _fill(self) -> None:
        """Make the rows: hundreds of words, and only where somebody looks at them."""
        self._is_behind = False
        self.list.clear()
        for item in self._view.items[:MOST_ROWS]:
            colour = theme().neutral if item.why is Why.RANDOM_AUDIT else theme().warning
            words = (self._title(item), why_words(item.why), reason_words(item))
            self.list.add(item, *words, colour)
            if item == self._view.current:
                self.list.setCurrentRow(self.list.count() - 1)

    def _title(self, item: QueueItem) -> str:
        found = self._session.find_slice(item.slice_id)
        series = short_name(found[0]) if found is not None else ""
        return say("Slice {number} · {series}", number=item.slice_index + 1, series=series)

    def _clicked(self, row: QListWidgetItem) -> None:
        self.item_wanted.emit(row.data(ITEM_ROLE))
