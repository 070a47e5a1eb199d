"""Which model is asked: name, version, date and hash, and a way to the others."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QVBoxLayout,
    QWidget,
)

from core.models.card import Card
from desktop.language import say, say_core


@dataclass(frozen=True)
class ModelChoice:
    """A model in the list. is_active: the one that is asked unless a person says otherwise."""

    id: str
    title: str
    version: str
    is_active: bool


class _NarrowList(QComboBox):
    """A drop-down that says “…” where it cannot show all; Qt cuts it off in mid-letter."""

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        field = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox,
            option,
            QStyle.SubControl.SC_ComboBoxEditField,
            self,
        )
        option.currentText = self.fontMetrics().elidedText(
            self.currentText(), Qt.TextElideMode.ElideRight, field.width()
        )
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


class ModelPicker(QWidget):
    """A drop-down over the catalogue, with the chosen card's facts beneath."""

    chosen = Signal(str)
    manage_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._list = _NarrowList(self)
        self._list.setAccessibleName(say("Model that is asked"))
        self._list.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self._list.setMinimumContentsLength(12)
        self._list.activated.connect(self._activated)
        self._manage = QPushButton(say("Models…"), self)
        self._manage.setProperty("role", "small")
        self._manage.setToolTip(say("All models: promote, roll back, cards"))
        self._manage.clicked.connect(self.manage_wanted)
        self._facts = QLabel(self)
        self._facts.setProperty("role", "dim")
        self._facts.setWordWrap(True)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self._list, 1)
        line.addWidget(self._manage)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(line)
        layout.addWidget(self._facts)

    def show_choices(self, choices: list[ModelChoice], card: Card | None) -> None:
        """List the models and select the one whose card is given."""
        self._list.clear()
        for choice in choices:
            words = f"{say_core(choice.title)} {choice.version}"
            if choice.is_active:
                words = say("{model} (active)", model=words)
            self._list.addItem(words, choice.id)
        self._list.setEnabled(bool(choices))
        if card is None:
            self._facts.setText(say("No model fits these labels."))
            self._facts.setToolTip("")
            return
        self._list.setCurrentIndex(self._list.findData(card.id))
        self._list.setToolTip(self._list.currentText())
        made = "" if card.version == card.created[:10] else f"{card.created[:10]} · "
        self._facts.setText(
            say(
                "{id} · version {version} · {made}hash {hash}",
                id=card.id,
                version=card.version,
                made=made,
                hash=card.weights_sha256[:8],
            )
        )
        self._facts.setToolTip(
            "\n".join(
                [
                    say_core(card.title),
                    say(
                        "Trained on: {name} ({patients} patients)",
                        name=card.data.name,
                        patients=card.data.patients,
                    ),
                    *(
                        f"{say_core(metric.name)} {metric.value:.3f} "
                        f"({metric.ci95[0]:.3f}–{metric.ci95[1]:.3f}), {say_core(metric.how)}"
                        for metric in card.metrics
                    ),
                    *(say("Limit: {limit}", limit=say_core(limit)) for limit in card.limits),
                    f"SHA-256 {card.weights_sha256}",
                ]
            )
        )

    def _activated(self, row: int) -> None:
        self.chosen.emit(self._list.itemData(row))
