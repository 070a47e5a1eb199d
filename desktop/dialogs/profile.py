"""What of the profile goes into a file, and what of a file is taken over."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core.models.catalogue import CatalogueEntry
from core.profile_archive import Choice, Manifest
from desktop.appearance import emphasise
from desktop.fitting import fit
from desktop.language import say, say_core, say_count

_ROLE = Qt.ItemDataRole.UserRole + 1


class ProfileDialog(QDialog):
    """Accepted with `choice`. entries: models that may go along."""

    def __init__(self, entries: Sequence[CatalogueEntry], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("Export the profile"))
        fit(self, 560, 520)
        words = QLabel(
            say(
                "One ZIP file for another computer, or for later. Your name, the list of what "
                "was open and every path stay here."
            ),
            self,
        )
        words.setWordWrap(True)
        self.settings = QCheckBox(say("Settings and keys"), self)
        self.settings.setChecked(True)
        self.label_sets = QCheckBox(say("Label sets of your own"), self)
        self.label_sets.setChecked(True)
        title = QLabel(say("Models whose cards go along"), self)
        self.models = QListWidget(self)
        self.models.setAccessibleName(say("Models whose cards go along"))
        self.models.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.models.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        for entry in entries:
            card = entry.card
            item = QListWidgetItem(f"{say_core(card.title)} {card.version} ({card.id})")
            item.setToolTip(item.text())
            item.setData(_ROLE, card.id)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            is_own = entry.origin != "shipped"
            item.setCheckState(Qt.CheckState.Checked if is_own else Qt.CheckState.Unchecked)
            self.models.addItem(item)
        self.weights = QCheckBox(say("Their weights, too: the models answer there as here"), self)
        self.labels = QCheckBox(say("The label journal"), self)
        warning = QLabel(
            say("The journal names patients and readers. Leave this off to pass the file on."), self
        )
        warning.setProperty("role", "warning")
        warning.setWordWrap(True)
        warning.hide()
        self.labels.toggled.connect(warning.setVisible)
        buttons = QDialogButtonBox(self)
        go = buttons.addButton(say("Choose a file…"), QDialogButtonBox.ButtonRole.AcceptRole)
        emphasise(go)
        buttons.addButton(say("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        for widget in (words, self.settings, self.label_sets, title):
            layout.addWidget(widget)
        layout.addWidget(self.models, 1)
        for widget in (self.weights, self.labels, warning, buttons):
            layout.addWidget(widget)

    @property
    def choice(self) -> Choice:
        """What goes along."""
        items = [self.models.item(row) for row in range(self.models.count())]
        return Choice(
            settings=self.settings.isChecked(),
            label_sets=self.label_sets.isChecked(),
            models=tuple(
                item.data(_ROLE) for item in items if item.checkState() is Qt.CheckState.Checked
            ),
            weights=self.weights.isChecked(),
            labels=self.labels.isChecked(),
        )


class TakeOverDialog(QDialog):
    """Says what a profile holds before it is taken over."""

    def __init__(self, manifest: Manifest, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("Take over a profile"))
        self.setMinimumWidth(460)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        sets, cards = len(manifest.label_sets), len(manifest.cards)
        lines = [
            say("Made by {program}.", program=manifest.program or "Sliceloop"),
            say("Its settings and keys replace yours; your name stays."),
            say_count(sets, "{count} label set", "{count} label sets"),
            say_count(cards, "{count} model card", "{count} model cards"),
            say("What is here already under the same name stays as it is."),
        ]
        if manifest.holds_patients:
            lines.append(
                say(
                    "Its label journal is not taken over into a profile that has one. Use "
                    "sliceloop profile import --labels on a new profile."
                )
            )
        for line in lines:
            label = QLabel(line, self)
            label.setWordWrap(True)
            layout.addWidget(label)
        buttons = QDialogButtonBox(self)
        go = buttons.addButton(say("Take over"), QDialogButtonBox.ButtonRole.AcceptRole)
        emphasise(go)
        buttons.addButton(say("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
