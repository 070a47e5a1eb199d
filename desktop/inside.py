"""What stands in the main window: studies at the left, pages in the middle, tabs at the right.

Made anew in another language or theme; `keep` and `take_up` carry over what a reader has arranged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QSplitter, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from desktop import language
from desktop.actions import Actions
from desktop.command_names import Command
from desktop.language import say
from desktop.notices import Notice
from desktop.operations import Operations
from desktop.operations.applying import presets_of
from desktop.panels.banner import Banner
from desktop.panels.comparison import ComparisonPage
from desktop.panels.drawn import DrawnList
from desktop.panels.drop_mark import DropMark
from desktop.panels.empty import EmptyPage
from desktop.panels.findings import FindingsPanel
from desktop.panels.footer import Footer
from desktop.panels.review import ReviewPanel
from desktop.panels.studies import StudiesPanel
from desktop.panels.toolbar import ViewerBar
from desktop.panels.training import TrainingPanel
from desktop.panels.what_if import WhatIfPanel
from desktop.viewer.pages import Kept
from desktop.viewer.stage import Stage

if TYPE_CHECKING:
    from desktop.operations.comparing import ComparisonView

LEFT, MIDDLE, RIGHT = 245, 825, 330
"""Widths of the three columns at first, logical pixels."""


@dataclass(frozen=True)
class Arranged:
    """How a reader has arranged the window: not the case's, not the settings'.

    page: which of empty, reading and comparison is in front. hidden: studies, tabs. lists: the
    tab of the lists under the labels. comparison: what its page shows. notice: what was just said.
    """

    sizes: list[int]
    tab: int
    lists: int
    hidden: tuple[bool, bool]
    shows_comparison: bool
    comparison: ComparisonView | None
    reason: str
    thumbnails: dict[str, QPixmap]
    stage: Kept
    notice: Notice | None


class Inside(QWidget):
    """All panels and the stage, put together."""

    def __init__(self, operations: Operations, actions: Actions) -> None:
        # Without a parent: in a window with a style sheet each move of a widget from one parent
        # to another would style all that it holds anew.
        super().__init__()
        session, settings = operations.session, operations.settings.values
        self.studies = StudiesPanel(session, self)
        self.stage = Stage(self)
        self.empty = EmptyPage(self)
        self.comparison = ComparisonPage(self)
        self.bar = ViewerBar(actions, self)
        self.banner = Banner(self)
        self.findings = FindingsPanel(self)
        self.drawn = DrawnList(self)
        lists = self.findings.labels.lists
        place = lists.addTab(self.drawn, say("Drawn"))
        self.drawn.counted.connect(
            lambda count: lists.setTabText(place, say("Drawn ({count})", count=count))
        )
        self.review = ReviewPanel(session, self)
        self.what_if = WhatIfPanel(session, self)
        self.training = TrainingPanel(self)
        self.footer = Footer(operations.jobs, self)
        self._put_together()
        self.drop_mark = DropMark(self)
        self._tell_keys(actions)
        self.stage.set_language(language.current())
        self.stage.set_industry(language.is_industry())
        self.stage.set_presets(presets_of(settings))
        self.stage.set_cine_rate(settings.cine_rate)

    def _put_together(self) -> None:
        self.reading = QWidget(self)
        reading_column = _column(self.reading)
        reading_column.addWidget(self.bar)
        reading_column.addWidget(self.stage, 1)
        self.pages = QStackedWidget(self)
        for page in (self.empty, self.reading, self.comparison):
            self.pages.addWidget(page)
        middle = QWidget(self)
        self.middle_column = _column(middle)
        self.middle_column.addWidget(self.banner)
        self.middle_column.addWidget(self.pages, 1)
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName(say("Findings, review and training"))
        self.tabs.addTab(self.findings, say("Findings"))
        self.tabs.addTab(self.review, say("Review"))
        self.tabs.addTab(self.what_if, say("What if"))
        self.tabs.addTab(self.training, say("Training"))
        self.columns = QSplitter(Qt.Orientation.Horizontal, self)
        self.columns.setChildrenCollapsible(False)
        self.columns.setHandleWidth(1)
        for widget, least in ((self.studies, 190), (middle, 380), (self.tabs, 318)):
            widget.setMinimumWidth(least)
            self.columns.addWidget(widget)
        self.columns.setStretchFactor(1, 1)
        self.columns.setSizes([LEFT, MIDDLE, RIGHT])
        column = _column(self)
        column.addWidget(self.columns, 1)
        column.addWidget(self.footer)

    def _tell_keys(self, actions: Actions) -> None:
        """Buttons that do what a command does say its key."""
        labels, review = self.findings.labels, self.review
        for widget, command in (
            (labels.accept, Command.ACCEPT),
            (labels.reject, Command.REJECT),
            (labels.clear, Command.CLEAR_LABEL),
            (labels.undo, Command.UNDO),
            (labels.redo, Command.REDO),
            (labels.note, Command.NOTE),
            (review.next, Command.NEXT_REVIEW),
            (review.previous, Command.PREVIOUS_REVIEW),
            (self.studies.open, Command.OPEN_FOLDER),
        ):
            widget.setToolTip(actions.with_keys(widget.toolTip(), command))

    # ---- from one inside to the next

    def keep(self) -> Arranged:
        """How a reader has arranged things."""
        return Arranged(
            self.columns.sizes(),
            self.tabs.currentIndex(),
            self.findings.labels.lists.currentIndex(),
            (self.studies.isHidden(), self.tabs.isHidden()),
            self.pages.currentWidget() is self.comparison,
            self.comparison.view,
            self.comparison.reason.text(),
            self.studies.model.thumbnails,
            self.stage.keep(),
            self.banner.notice,
        )

    def take_up(self, arranged: Arranged) -> None:
        """Arrange things so again; the case is shown already."""
        self.columns.setSizes(arranged.sizes)
        self.tabs.setCurrentIndex(arranged.tab)
        self.findings.labels.lists.setCurrentIndex(arranged.lists)
        self.studies.setHidden(arranged.hidden[0])
        self.tabs.setHidden(arranged.hidden[1])
        self.stage.take_up(arranged.stage)
        if arranged.notice is not None:
            self.banner.tell(arranged.notice)
        if arranged.comparison is not None:
            self.comparison.show_comparison(arranged.comparison)
            self.comparison.reason.setText(arranged.reason)
            if arranged.shows_comparison:
                self.pages.setCurrentWidget(self.comparison)


def _column(parent: QWidget) -> QVBoxLayout:
    column = QVBoxLayout(parent)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    return column
