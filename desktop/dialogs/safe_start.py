"""After a start that ended in a crash: how to start this time."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from core import crash_reports
from desktop.appearance import emphasise
from desktop.dialogs.crash_reports import CrashReportsDialog
from desktop.language import say
from desktop.start_guard import Start


class SafeStartDialog(QDialog):
    """Accepted with `start`; rejected means: not at all.

    crashed: the last start ended in a crash; else a person asked for this by `--safe`.
    software: the window is drawn without the graphics card already, by the person's settings.
    """

    def __init__(
        self, *, crashed: bool, software: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("Start Sliceloop safely"))
        self.setMinimumWidth(560)
        heading = QLabel(
            say("The last start ended in a crash.") if crashed else say("A careful start."), self
        )
        heading.setProperty("role", "heading")
        words = QLabel(
            say(
                "Labels that were marked as saved are safe. Choose how to start this time; the "
                "graphics card is not used for drawing until you have chosen."
            ),
            self,
        )
        words.setWordWrap(True)
        self.without_session = QRadioButton(say("Without what was open last"), self)
        self.with_defaults = QRadioButton(
            say("With the settings as delivered; yours are kept in a file"), self
        )
        self.as_usual = QRadioButton(say("As usual"), self)
        self.group = QButtonGroup(self)
        for button in (self.without_session, self.with_defaults, self.as_usual):
            self.group.addButton(button)
        self.without_session.setChecked(True)
        self.software = QCheckBox(say("Draw without the graphics card from now on"), self)
        self.software.setChecked(software)
        buttons = QDialogButtonBox(self)
        start = buttons.addButton(say("Start"), QDialogButtonBox.ButtonRole.AcceptRole)
        emphasise(start)
        start.setDefault(True)
        buttons.addButton(say("Do not start"), QDialogButtonBox.ButtonRole.RejectRole)
        self.report = buttons.addButton(
            say("Show the report…"), QDialogButtonBox.ButtonRole.ActionRole
        )
        self.report.setAutoDefault(False)
        self.report.setEnabled(bool(crash_reports.reports()))
        self.report.clicked.connect(lambda _checked=False: self._show_report())
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        for widget in (
            heading, words, self.without_session, self.with_defaults, self.as_usual, self.software
        ):  # fmt: skip
            layout.addWidget(widget)
        layout.addSpacing(8)
        layout.addWidget(buttons)

    @property
    def start(self) -> Start:
        """What was chosen."""
        return Start(
            session=self.as_usual.isChecked(),
            own_settings=not self.with_defaults.isChecked(),
            software=self.software.isChecked(),
        )

    def _show_report(self) -> None:
        dialog = CrashReportsDialog(self)
        dialog.exec()
        dialog.deleteLater()
        self.report.setEnabled(bool(crash_reports.reports()))
