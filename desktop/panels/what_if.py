"""“What would this change?”: which answers a retraining on the labels that stand would change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.session import Session
from desktop.appearance import theme
from desktop.language import later, say, say_core, say_count
from desktop.operations.foretelling import FlipRow, WhatIf, WhatIfView
from desktop.panels.bars import percent
from desktop.panels.rows import ITEM_ROLE, SliceRows
from desktop.panels.studies import short_name

if TYPE_CHECKING:
    from core.retraining.foretold import Foretold
    from core.retraining.preview import Preview

MOST_ROWS = 200
"""Flips that are listed, those that would become wrong first; all are counted."""

_NOTHING = {
    WhatIf.NO_MODEL: later(
        "No model is active for this task, so there is nothing whose answers could change."
    ),
    WhatIf.UNSUITABLE: later(
        "The active model answers for whole volumes. Previews are of models that answer slice by "
        "slice."
    ),
    WhatIf.NO_LABELS: later(
        "Label or correct a slice: a moment later this shows which answers a retraining would "
        "change, before anything is trained."
    ),
    WhatIf.NO_FEATURES: later(
        "A preview needs the features that the active model sees in the labelled series. They are "
        "computed once a series, in the background."
    ),
    WhatIf.READY: "",
    WhatIf.FAILED: "",
}


class WhatIfPanel(QFrame):
    """Shows a preview as it is told; asks by signals."""

    flip_wanted = Signal(object)
    """A FlipRow to look at."""
    compute_wanted = Signal()
    retrain_wanted = Signal()
    shown = Signal()
    """The panel came to the front."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._session = session
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 10)
        layout.setSpacing(8)
        self._build_head(layout)
        self._build_list(layout)
        self._build_foot(layout)
        self.show_preview(WhatIfView())

    def _build_head(self, layout: QVBoxLayout) -> None:
        row = QHBoxLayout()
        title = QLabel(say("What would this change?"), self)
        title.setProperty("role", "section")
        badge = QLabel(say("Preview"), self)
        badge.setProperty("role", "warning")
        badge.setToolTip(
            say(
                "The last layer is fitted anew on features that are there already. Nothing is "
                "trained and nothing is changed; the real retraining may differ."
            )
        )
        row.addWidget(title, 1)
        row.addWidget(badge)
        layout.addLayout(row)
        self.headline = self._label("metric", layout)
        self.labelled = self._label("", layout)
        self.validation = self._label("", layout)
        self.busy = self._label("dim", layout)

    def _build_list(self, layout: QVBoxLayout) -> None:
        self.list = SliceRows(say("Slices whose answer would change"), self)
        self.list.itemClicked.connect(self._clicked)
        self.list.itemActivated.connect(self._clicked)
        layout.addWidget(self.list, 1)
        self.empty = self._label("dim", layout, stretch=1)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.more = self._label("dim", layout)
        self.more.setToolTip(say("Their series are not open and not labelled, or hidden still"))

    def _build_foot(self, layout: QVBoxLayout) -> None:
        self.missing = self._label("warning", layout)
        self.compute = QPushButton(say("Compute features"), self)
        self.compute.setToolTip(say("In the background, once a series; kept for the next time"))
        self.compute.clicked.connect(self.compute_wanted)
        layout.addWidget(self.compute)
        self.record = self._label("dim", layout)
        self.retrain = QPushButton(say("Retrain…"), self)
        self.retrain.clicked.connect(self.retrain_wanted)
        layout.addWidget(self.retrain)
        for button in (self.compute, self.retrain):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _label(self, role: str, layout: QVBoxLayout, stretch: int = 0) -> QLabel:
        label = QLabel(self)
        if role:
            label.setProperty("role", role)
        label.setWordWrap(True)
        layout.addWidget(label, stretch)
        return label

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.shown.emit()

    # ---- what is shown

    def show_preview(self, view: WhatIfView) -> None:
        """Show a preview, or why there is none."""
        found = view.preview if view.state is WhatIf.READY else None
        self._show_figures(found)
        self._show_flips(view, found)
        words = say(_NOTHING[view.state]) if _NOTHING[view.state] else ""
        if view.state is WhatIf.FAILED:
            words = say_core(view.problem)
        elif found is not None and not found.flips:
            words = say("No answer would change its side.")
        self._say(self.empty, words)
        self.busy.setText(say("Working it out…") if view.is_busy else "")
        self.busy.setVisible(view.is_busy and found is None)
        self._show_missing(view)
        self._say(self.record, record_words(view.record))
        self.retrain.setVisible(view.state is WhatIf.READY)

    def _show_figures(self, found: Preview | None) -> None:
        self._say(
            self.headline,
            say_count(
                len(found.flips),
                "{count} of {of} answers would change",
                "{count} of {of} answers would change",
                of=found.looked_at,
            )
            if found is not None
            else "",
        )
        self.headline.setToolTip(
            say_count(
                found.learnt,
                "Fitted on {count} label",
                "Fitted on {count} labels",
            )
            if found is not None
            else ""
        )
        self._say(self.labelled, labelled_words(found) if found is not None else "")
        self._say(self.validation, validation_words(found) if found is not None else "")

    def _show_flips(self, view: WhatIfView, found: Preview | None) -> None:
        rows = view.flips[:MOST_ROWS] if found is not None else ()
        self.list.clear()
        for row in rows:
            self.list.add(row, self._title(row), *flip_words(row))
        self.list.setVisible(bool(rows))
        left = len(found.flips) - len(rows) if found is not None else 0
        self._say(
            self.more,
            say_count(
                left,
                "{count} more is not listed.",
                "{count} more are not listed.",
            )
            if left
            else "",
        )

    def _show_missing(self, view: WhatIfView) -> None:
        wanted = view.state in (WhatIf.READY, WhatIf.NO_FEATURES) and view.missing > 0
        words = ""
        if wanted and view.state is WhatIf.READY:
            words = say_count(
                view.missing,
                "{count} series is not in the preview yet.",
                "{count} series are not in the preview yet.",
            )
        elif wanted:
            words = say_count(
                view.missing,
                "{count} series is to be computed",
                "{count} series are to be computed",
            )
        self._say(self.missing, words)
        self.compute.setVisible(wanted)
        self.compute.setEnabled(not view.computing)
        self.compute.setText(say("Computing…") if view.computing else say("Compute features"))
        self.compute.setProperty("role", "primary" if view.state is WhatIf.NO_FEATURES else "")
        self.compute.style().unpolish(self.compute)
        self.compute.style().polish(self.compute)

    @staticmethod
    def _say(label: QLabel, words: str) -> None:
        label.setText(words)
        label.setVisible(bool(words))

    def _title(self, row: FlipRow) -> str:
        found = self._session.find_slice(row.slice_id)
        if found is not None:
            series = short_name(found[0])
        elif row.path is not None:
            series = say("{name} (not open)", name=row.path.name)
        else:
            series = say("its place is not known")
        return say("Slice {number} · {series}", number=row.index + 1, series=series)

    def _clicked(self, item: QListWidgetItem) -> None:
        self.flip_wanted.emit(item.data(ITEM_ROLE))


def flip_words(row: FlipRow) -> tuple[str, str, str]:
    """(kind, details, colour) of a slice whose answer would change."""
    kind, colour = {
        False: (say("Would become wrong"), theme().positive),
        True: (say("Would become right"), theme().negative),
        None: (say("Not labelled"), theme().neutral),
    }[row.is_right]
    details = say(
        "{before} now, {after} after", before=percent(row.before), after=percent(row.after)
    )
    return kind, details, colour


def labelled_words(found: Preview) -> str:
    """How the labelled ones among the flips would fare."""
    right = sum(flip.is_right is True for flip in found.flips)
    wrong = sum(flip.is_right is False for flip in found.flips)
    if not right and not wrong:
        return ""
    return say(
        "Of labelled slices {right} would become right, {wrong} wrong.", right=right, wrong=wrong
    )


def validation_words(found: Preview) -> str:
    """How validation would move, with its interval; or why that cannot be told."""
    if found.validation_before is None or found.validation_after is None or found.change is None:
        return say("Validation: no patient who validates has labels of both kinds yet.")
    low, high = found.change.ci95
    if math.isnan(low):
        return say(
            "Validation AUROC {before:.3f} → {after:.3f} on {slices} slices of one patient: too "
            "few for an interval",
            before=found.validation_before,
            after=found.validation_after,
            slices=found.validation_slices,
        )
    return say(
        "Validation AUROC {before:.3f} → {after:.3f} ({change:+.3f}; 95 %: {low:+.3f} to "
        "{high:+.3f}) on {slices} slices",
        before=found.validation_before,
        after=found.validation_after,
        change=found.change.value,
        low=low,
        high=high,
        slices=found.validation_slices,
    )


def record_words(found: Foretold | None) -> str:
    """How right previews were so far."""
    if found is None:
        return say("How right previews are is counted after each retraining.")
    return say(
        "So far {both} of {foretold} foretold changes came true; retraining changed {happened} of "
        "{slices} answers.",
        both=found.both,
        foretold=found.foretold,
        happened=found.happened,
        slices=found.slices,
    )
