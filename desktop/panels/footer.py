"""The line at the bottom: what this is not for, what is under way, how the engine is."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QToolButton, QWidget

from desktop.jobs import Jobs
from desktop.language import later, say

DISCLAIMER = later("Not for diagnostic use · research and reading assistance")
SHOW_AFTER_MS = 300
"""Work that ends sooner is not worth a flicker."""
AGAIN_AFTER_MS = 100


class Footer(QFrame):
    """Always visible. Shows the oldest titled job with progress, time left and cancel."""

    def __init__(self, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("footer")
        self._jobs = jobs
        self._shown_job = 0
        self.disclaimer = QLabel(say(DISCLAIMER), self)
        self.disclaimer.setObjectName("disclaimer")
        self._work = QLabel(self)
        self._work.setProperty("role", "dim")
        self._bar = QProgressBar(self)
        self._bar.setTextVisible(False)
        self._bar.setFixedSize(140, 8)
        self._cancel = QToolButton(self)
        self._cancel.setText(say("Cancel"))
        self._cancel.setAccessibleName(say("Cancel the work under way"))
        self._cancel.clicked.connect(self._cancel_shown)
        self._saved = QLabel(self)
        self._engine = QLabel(self)
        self._engine.setProperty("role", "dim")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 4, 12, 4)
        layout.setSpacing(10)
        layout.addWidget(self.disclaimer)
        layout.addStretch(1)
        layout.addWidget(self._work)
        layout.addWidget(self._bar)
        layout.addWidget(self._cancel)
        layout.addStretch(1)
        layout.addWidget(self._saved)
        layout.addWidget(self._engine)
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.timeout.connect(self._refresh)
        jobs.changed.connect(self._changed)
        self._show_work(False)
        self.show_engine(say("Model engine: starting…"))

    def show_engine(self, words: str, tool_tip: str = "") -> None:
        """Say how the model engine is."""
        self._engine.setText(words)
        self._engine.setToolTip(tool_tip)

    @property
    def saved_words(self) -> str:
        """What is said of the labels."""
        return self._saved.text()

    def show_saved(self, words: str) -> None:
        """Say whether labels are saved."""
        self._saved.setText(words)

    def _changed(self) -> None:
        if not self._jobs.running():
            self._delay.stop()
            self._show_work(False)
        elif not self._delay.isActive():
            # A bar paints itself at each value, and a model answers a hundred times a second.
            self._delay.start(AGAIN_AFTER_MS if self._bar.isVisibleTo(self) else SHOW_AFTER_MS)

    def _refresh(self) -> None:
        running = self._jobs.running()
        if not running:
            self._show_work(False)
            return
        job = running[0]
        self._shown_job = job.id
        words = job.title
        if job.total:
            self._bar.setRange(0, job.total)
            self._bar.setValue(job.done)
            if job.seconds_left is not None and job.seconds_left >= 1:
                words = say("{work} · {time} left", work=words, time=duration(job.seconds_left))
        else:
            self._bar.setRange(0, 0)
        if len(running) > 1:
            words += f" (+{len(running) - 1})"
        self._work.setText(words)
        self._show_work(True)

    def _show_work(self, shown: bool) -> None:
        for widget in (self._work, self._bar, self._cancel):
            widget.setVisible(shown)

    def _cancel_shown(self) -> None:
        self._jobs.cancel(self._shown_job)


def duration(seconds: float) -> str:
    """Time for people: 40 s, 3 min, 2 h 10 min."""
    if seconds < 90:
        return say("{seconds} s", seconds=max(1, round(seconds)))
    minutes = round(seconds / 60)
    if minutes < 90:
        return say("{minutes} min", minutes=minutes)
    return say("{hours} h {minutes} min", hours=minutes // 60, minutes=minutes % 60)
