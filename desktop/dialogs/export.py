"""What is burnt into pictures, movies and the report: asked before the file's name."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QRadioButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from desktop.language import say
from desktop.operations.picturing import BurntIn


class ExportDialog(QDialog):
    """Asks what a picture may show. is_report: only whether the patient is named."""

    def __init__(
        self, parent: QWidget | None = None, *, is_report: bool = False, has_answers: bool = True
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("Save the report") if is_report else say("Save the series"))
        self.setMinimumWidth(420)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.setContentsMargins(20, 18, 20, 16)
        self.movie = QRadioButton(say("Movie (MP4)"), self)
        self.pictures = QRadioButton(say("One picture for each slice (PNG)"), self)
        self.movie.setChecked(True)
        self.rate = QSpinBox(self)
        self.rate.setRange(1, 50)
        self.rate.setValue(10)
        self.rate.setAccessibleName(say("Slices a second"))
        self.movie.toggled.connect(self.rate.setEnabled)
        self.heat_map = QCheckBox(say("Heat map, burnt in"), self)
        self.heat_map.setChecked(has_answers)
        self.heat_map.setEnabled(has_answers)
        self.words = QCheckBox(say("Slice number, answer and label, burnt in"), self)
        self.words.setChecked(True)
        self.regions = QCheckBox(say("Regions that readers drew, burnt in"), self)
        self.regions.setChecked(True)
        self.identity = QCheckBox(say("Name, number and date of the patient"), self)
        warning = QLabel(
            say("Whoever gets the file will know the patient. Leave this off to pass it on."), self
        )
        warning.setProperty("role", "warning")
        warning.setWordWrap(True)
        warning.hide()
        self.identity.toggled.connect(warning.setVisible)
        if is_report:
            for widget in (
                self.movie, self.pictures, self.rate, self.heat_map, self.words, self.regions
            ):  # fmt: skip
                widget.hide()
        else:
            layout.addWidget(self.movie)
            form = QFormLayout()
            form.addRow(say("Slices a second"), self.rate)
            layout.addLayout(form)
            for widget in (self.pictures, self.heat_map, self.words, self.regions):
                layout.addWidget(widget)
        layout.addWidget(self.identity)
        layout.addWidget(warning)
        layout.addStretch(1)
        buttons = QDialogButtonBox(self)
        buttons.addButton(say("Choose a file…"), QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(say("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)

    @property
    def burnt(self) -> BurntIn:
        """What was chosen."""
        return BurntIn(
            heat_map=self.heat_map.isChecked(),
            words=self.words.isChecked(),
            regions=self.regions.isChecked(),
            identity=self.identity.isChecked(),
        )
