"""*Retrain…*: what is new since the active model, which recipe, how long it will take."""

from __future__ import annotations

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop.fitting import fit, grow
from desktop.language import say, say_core, say_count
from desktop.operations.planning import RetrainPlan
from desktop.panels.footer import duration


class RetrainDialog(QDialog):
    """Shows a plan; accepted when the person starts it."""

    def __init__(self, plan: RetrainPlan, recipe: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("Retrain"))
        fit(self, 560, 380)
        self._plan = plan
        new = QLabel(what_is_new(plan), self)
        new.setWordWrap(True)
        self.recipes = QComboBox(self)
        self.recipes.setAccessibleName(say("Recipe"))
        for choice in plan.recipes:
            self.recipes.addItem(say_core(choice.title), choice.name)
        self.recipes.currentIndexChanged.connect(self._describe)
        self._about = QLabel(self)
        self._about.setWordWrap(True)
        self._about.setProperty("role", "dim")
        self._time = QLabel(self)
        base = QLabel(plan.base or say("pretrained weights of the recipe"), self)
        base.setWordWrap(True)
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(10)
        form.addRow(say("Recipe"), self.recipes)
        form.addRow("", self._about)
        form.addRow(say("Starts from"), base)
        form.addRow(say("Takes about"), self._time)
        self._problem = QLabel(say_core(plan.problem), self)
        self._problem.setWordWrap(True)
        self._problem.setProperty("role", "warning")
        self._problem.setVisible(bool(plan.problem))
        after = QLabel(
            say(
                "Test patients stay frozen. The new model answers only after you have "
                "compared it with the active one and promoted it."
            ),
            self,
        )
        after.setWordWrap(True)
        after.setProperty("role", "dim")
        buttons = QDialogButtonBox(self)
        self.start = QPushButton(say("Start training"), self)
        self.start.setProperty("role", "primary")
        self.start.setEnabled(not plan.problem and bool(plan.recipes))
        buttons.addButton(self.start, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(14)
        layout.setContentsMargins(20, 18, 20, 16)
        layout.addWidget(new)
        layout.addLayout(form)
        layout.addWidget(self._problem)
        layout.addStretch(1)
        layout.addWidget(after)
        layout.addWidget(buttons)
        row = self.recipes.findData(recipe)
        self.recipes.setCurrentIndex(max(row, 0))
        self._describe()

    @property
    def recipe(self) -> str:
        """Name of the chosen recipe."""
        return str(self.recipes.currentData() or "")

    def _describe(self, _row: int = 0) -> None:
        row = self.recipes.currentIndex()
        if not 0 <= row < len(self._plan.recipes):
            return
        choice = self._plan.recipes[row]
        self._about.setText(say_core(choice.description))
        self._time.setText(
            say(
                "{time} on this computer; you can go on reading meanwhile",
                time=duration(choice.seconds),
            )
            if choice.seconds is not None
            else say("unknown until the first epoch; you can go on reading meanwhile")
        )
        if self.isVisible():
            grow(self)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        grow(self)  # fonts are known now


def what_is_new(plan: RetrainPlan) -> str:
    """What a retraining would learn from, in sentences."""
    if not plan.slices:
        return say("There is no label for “{task}” yet.", task=plan.task)

    told = say(
        "{slices}, {positives} of them with a finding, in {cases} series of {patients}. {newer}; "
        "{corrections} say otherwise than the model did.",
        slices=say_count(plan.slices, "{count} slice has a label", "{count} slices have labels"),
        positives=plan.positives,
        cases=plan.cases,
        patients=say_count(plan.patients, "{count} patient", "{count} patients"),
        newer=say_count(
            plan.since_model,
            "{count} label is newer than the active model",
            "{count} labels are newer than the active model",
        ),
        corrections=plan.corrections,
    )
    if not plan.marked:
        return told
    marks = say_count(
        plan.marked,
        "{count} slice has regions; {newer} newer than the active model.",
        "{count} slices have regions; {newer} newer than the active model.",
        newer=plan.marked_since,
    )
    return f"{told} {marks}"
