"""What is burnt into pictures, movies and the report: asked before the file's name."""

from __future__ import annotations

from enum import Enum, auto

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

from core.reading.burnt_in import BurntIn
from desktop.language import later, say


class Leaving(Enum):
    """What is about to leave the window."""

    VIEW = auto()
    SERIES = auto()
    REPORT = auto()


_TITLES = {
    Leaving.VIEW: later("Save the picture"),
    Leaving.SERIES: later("Save the series"),
    Leaving.REPORT: later("Save the report"),
}


class ExportDialog(QDialog):
    """Asks what a picture may show; nothing is burnt in of itself. A report asks for the name only.

    offered: what there is to burn in; the rest cannot be chosen. chosen: what is ticked at first.
    """

    def __init__(
        self,
        parent: QWidget | None = None,
        what: Leaving = Leaving.SERIES,
        offered: BurntIn | None = None,
        chosen: BurntIn | None = None,
    ) -> None:
        super().__init__(parent)
        self._offered, chosen = offered or BurntIn(words=True, identity=True), chosen or BurntIn()
        self.setWindowTitle(say(_TITLES[what]))
        self.setMinimumWidth(420)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.setContentsMargins(20, 18, 20, 16)
        self._make_kinds(layout, shown=what is Leaving.SERIES)
        words = (
            say("Words, scale bar and prediction strip")
            if what is Leaving.VIEW
            else say("Slice number, answer and label")
        )
        heading = QLabel(say("Burn into the picture:"), self)
        layout.addWidget(heading)
        self._boxes: dict[str, QCheckBox] = {}
        for name, text in (
            ("heat_map", say("Heat map")),
            ("measurements", say("Measurements")),
            ("regions", say("Regions that readers drew")),
            ("drawings", say("Drawings of the file (DICOM overlays)")),
            ("words", words),
            ("identity", say("Name, number and date of the patient")),
        ):
            box = self._boxes[name] = QCheckBox(text, self)
            there = getattr(self._offered, name)
            box.setEnabled(there)
            box.setChecked(there and getattr(chosen, name))
            layout.addWidget(box)
        warning = QLabel(
            say("Whoever gets the file will know the patient. Leave this off to pass it on."), self
        )
        warning.setProperty("role", "warning")
        warning.setWordWrap(True)
        warning.setVisible(self._boxes["identity"].isChecked())
        self._boxes["identity"].toggled.connect(warning.setVisible)
        layout.addWidget(warning)
        if what is Leaving.REPORT:
            for widget in (heading, *self._boxes.values()):
                widget.setVisible(widget is self._boxes["identity"])
        layout.addStretch(1)
        buttons = QDialogButtonBox(self)
        choose = buttons.addButton(say("Choose a file…"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.pictures.toggled.connect(
            lambda many: choose.setText(say("Choose a folder…") if many else say("Choose a file…"))
        )
        buttons.addButton(say("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)

    def _make_kinds(self, layout: QVBoxLayout, *, shown: bool) -> None:
        """Movie or pictures, and how fast; of a series alone."""
        self.movie = QRadioButton(say("Movie (MP4)"), self)
        self.pictures = QRadioButton(say("One picture for each slice (PNG)"), self)
        self.movie.setChecked(True)
        self.rate = QSpinBox(self)
        self.rate.setRange(1, 50)
        self.rate.setValue(10)
        self.rate.setAccessibleName(say("Slices a second"))
        self.movie.toggled.connect(self.rate.setEnabled)
        if not shown:
            for widget in (self.movie, self.pictures, self.rate):
                widget.hide()
            return
        layout.addWidget(self.movie)
        form = QFormLayout()
        form.addRow(say("Slices a second"), self.rate)
        self.movie.toggled.connect(form.labelForField(self.rate).setEnabled)
        layout.addLayout(form)
        layout.addWidget(self.pictures)

    def box(self, name: str) -> QCheckBox:
        """The box of a field of `BurntIn`."""
        return self._boxes[name]

    @property
    def burnt(self) -> BurntIn:
        """What was chosen."""
        return BurntIn(**{name: box.isChecked() for name, box in self._boxes.items()})
