"""The button on the image that says whose evidence the heat map shows, and lets one choose."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from core.case import Case
from core.models.heat import COLOUR_MAPS
from desktop import appearance
from desktop.language import later
from desktop.viewer import captions
from desktop.viewer.words import say

COLOUR_WORDS = {
    "inferno": later("Inferno (default)"),
    "cividis": later("Cividis (for colour-blind readers)"),
    "red-blue": later("Red to blue"),
}


def _style() -> str:
    look = appearance.IMAGE
    return (
        f"QToolButton {{ color: {look.text}; background: rgba(0, 0, 0, 150);"
        f" border: 1px solid {look.dim}; border-radius: 4px; padding: 1px 6px;"
        f" font-size: {appearance.TEXT_PX - 2}px; min-height: 16px; }}"
        f"QToolButton:hover, QToolButton:focus {{ border: 1px solid {look.letters}; }}"
        "QToolButton::menu-indicator { image: none; }"
    )


class ClassPicker(QToolButton):
    """Shows the class whose evidence is drawn; its menu offers the others, and the colours."""

    def __init__(self, image: QWidget) -> None:
        super().__init__(image)
        self._case: Case | None = None
        self.language = "en"
        self.setStyleSheet(_style())
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self._fill)
        self.setMenu(self._menu)
        self.setAccessibleName(say("Class of the heat map"))
        self.setToolTip(say("Evidence for which class, and in which colours"))
        self.hide()

    def show_case(self, case: Case | None, *, visible: bool) -> None:
        """Say the class of a case's heat map, or hide."""
        self._case = case
        there = visible and case is not None and case.prediction is not None
        if there and case is not None and case.prediction is not None:
            chosen = case.display.heat_class or case.prediction.positive
            self.setText(f"{captions.class_name(case, chosen, self.language)} ▾")
            self.adjustSize()
        self.setVisible(there)

    def _fill(self) -> None:
        menu, case = self._menu, self._case
        menu.clear()
        if case is None or case.prediction is None:
            return
        prediction = case.prediction
        answer = next(iter(prediction.slices.values()), None)
        classes = list(answer.probabilities) if answer is not None else [prediction.positive]
        classes.sort(key=lambda item: item != prediction.positive)
        chosen = case.display.heat_class or prediction.positive
        group = QActionGroup(menu)
        for class_id in classes:
            name = captions.class_name(case, class_id, self.language)
            action = self._item(group, say("Evidence for {name}", name=name), class_id == chosen)
            wanted = "" if class_id == prediction.positive else class_id
            action.triggered.connect(partial(self._choose, case, "heat_class", wanted))
        menu.addSeparator()
        colours = QActionGroup(menu)
        for name in COLOUR_MAPS:
            action = self._item(colours, say(COLOUR_WORDS[name]), name == case.display.colour_map)
            action.triggered.connect(partial(self._choose, case, "colour_map", name))

    def _item(self, group: QActionGroup, words: str, checked: bool) -> QAction:
        action = self._menu.addAction(words)
        action.setCheckable(True)
        action.setChecked(checked)
        group.addAction(action)
        return action

    @staticmethod
    def _choose(case: Case, field: str, value: str, _checked: bool = False) -> None:
        case.show(**{field: value})
