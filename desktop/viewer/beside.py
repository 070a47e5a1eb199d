"""Two series, or one series with the answers of two models, side by side and in step."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from core.case import Case
from core.companion import Companion
from core.reading.in_step import Step
from core.reading.layout import Tool
from desktop import appearance
from desktop.viewer.camera import Viewpoint
from desktop.viewer.marking import Pen
from desktop.viewer.overlay import HeatPictures
from desktop.viewer.slice_view import SliceView
from desktop.viewer.strip import PredictionStrip
from desktop.viewer.words import say


class _Half(QWidget):
    """A heading, a view, and the strip of its own case."""

    def __init__(self, viewpoint: Viewpoint, pen: Pen | None) -> None:
        super().__init__()
        self.heading = QLabel()
        self.heading.setStyleSheet(
            f"background: {appearance.IMAGE.background}; color: {appearance.IMAGE.text};"
            "padding: 3px 10px;"
        )
        # Both halves are equally wide, whatever their headings say.
        self.heading.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.view = SliceView(viewpoint=viewpoint, pen=pen)
        self.strip = PredictionStrip()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.heading)
        column.addWidget(self.view, 1)
        column.addWidget(self.strip)

    def name(self, words: str) -> None:
        """Say what this half shows; the whole of it is said where it has no room, too."""
        self.heading.setText(words)
        self.heading.setToolTip(words)

    def show_case(self, case: Case | None, heat: HeatPictures | None, words: str) -> None:
        """Show a case under a heading."""
        self.name(words)
        self.view.set_case(case, heat)
        self.view.setAccessibleName(words)
        self.strip.set_case(case)


class BesideView(QWidget):
    """The open case at the left, its companion at the right."""

    maximise_requested = Signal()
    context_menu_requested = Signal(QPoint)

    def __init__(
        self, viewpoint: Viewpoint, parent: QWidget | None = None, *, pen: Pen | None = None
    ) -> None:
        super().__init__(parent)
        self._left, self._right = _Half(viewpoint, pen), _Half(Viewpoint(), None)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        self._companion: Companion | None = None
        for half in (self._left, self._right):
            row.addWidget(half, 1)
            half.view.maximise_requested.connect(self.maximise_requested)
            half.view.context_menu_requested.connect(self.context_menu_requested)

    @property
    def views(self) -> tuple[SliceView, SliceView]:
        """Left and right."""
        return self._left.view, self._right.view

    @property
    def strips(self) -> tuple[PredictionStrip, PredictionStrip]:
        """Left and right."""
        return self._left.strip, self._right.strip

    @property
    def companion(self) -> Companion | None:
        """What keeps both in step; None while there is nothing beside."""
        return self._companion

    def show_pair(self, companion: Companion | None, heat: HeatPictures | None) -> None:
        """Show two cases in step; None shows nothing."""
        if self._companion is not None and self._companion is not companion:
            self._companion.close()
        self._companion = companion
        if companion is None:
            self._left.show_case(None, None, "")
            self._right.show_case(None, None, "")
            return
        if companion.is_same_series:
            # Zoom and pan belong to the series: both look through the same viewpoint.
            self._right.view.viewpoint = self._left.view.viewpoint
        else:
            self._right.view.viewpoint = Viewpoint()
        self._left.show_case(companion.lead, heat, _heading(companion.lead, companion))
        self._right.show_case(companion.other, None, _heading(companion.other, companion))

    def refresh(self) -> None:
        """Name both anew: answers have come or changed."""
        if self._companion is not None:
            self._left.name(_heading(self._companion.lead, self._companion))
            self._right.name(_heading(self._companion.other, self._companion))

    def set_tool(self, tool: Tool) -> None:
        """Choose what the left button does."""
        for view in self.views:
            view.tool = tool

    def set_language(self, language: str) -> None:
        """Say class names in a language."""
        for view, strip in zip(self.views, self.strips, strict=True):
            view.language = strip.language = language


def _heading(case: Case, companion: Companion) -> str:
    """The model where the models differ, else the series; and what keeps both in step."""
    if companion.is_same_series:
        if case.prediction is None:
            return say("No model has been asked")
        identity = case.prediction.model
        return f"{identity.id} {identity.version}  {identity.weights_sha256[:8]}"
    name = case.summary.description or case.summary.study_description or case.summary.modality
    if case is companion.lead:
        return name
    by = (
        say("in step by position")
        if companion.step is Step.POSITION
        else say("in step by slice order")
    )
    return f"{name}   ({by})"
