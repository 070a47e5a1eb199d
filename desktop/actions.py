"""The window's QActions: one a command, with its keys and its place in the menus."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from desktop.command_names import Command, Menu, Needs, Where
from desktop.command_table import SPECS
from desktop.language import say


class Actions(QObject):
    """The QActions by command. Nothing happens until they are bound.

    keys: name of a command → keys that a person chose instead of its own.
    """

    def __init__(self, window: QWidget, keys: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(window)
        self._actions: dict[Command, QAction] = {}
        own = keys or {}
        for spec in SPECS:
            action = QAction(say(spec.text), window)
            action.setShortcuts(
                [QKeySequence(key) for key in own.get(spec.command.name, spec.keys)]
            )
            action.setCheckable(spec.checkable)
            action.setStatusTip(say(spec.tip))
            if spec.tip:
                action.setToolTip(say(spec.tip))
            if spec.where is Where.IMAGE:
                action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            if spec.command is Command.QUIT:
                action.setMenuRole(QAction.MenuRole.QuitRole)
            self._actions[spec.command] = action
        self._window = window

    def remove(self) -> None:
        """Take all actions off the window; the object is of no more use."""
        for action in self._actions.values():
            for widget in action.associatedObjects():
                if isinstance(widget, QWidget):
                    widget.removeAction(action)
            action.deleteLater()
        self._actions.clear()
        self.deleteLater()

    def __getitem__(self, command: Command) -> QAction:
        return self._actions[command]

    def with_keys(self, words: str, command: Command) -> str:
        """A tool tip with the keys now in force: “Undo the last step (Ctrl+Z)”."""
        keys = keys_in_words(self._actions[command])
        return f"{words} ({keys})" if keys else words

    def bind(self, command: Command, act: Callable[[], None]) -> None:
        """Say what a command does."""
        self._actions[command].triggered.connect(lambda _checked=False: act())

    def bind_check(self, command: Command, act: Callable[[bool], None]) -> None:
        """Say what a command that is on or off does."""
        # Through a function of ours: PySide does not hand the state to Qt's own slots.
        self._actions[command].triggered.connect(lambda checked: act(checked))  # noqa: PLW0108

    def show_checked(self, command: Command, checked: bool) -> None:
        """Show a command as on or off, without doing it."""
        self._actions[command].setChecked(checked)

    def attach(self, image: QWidget) -> None:
        """Make the keys work: those of the image there, all others in the whole window."""
        for spec in SPECS:
            target = image if spec.where is Where.IMAGE else self._window
            target.addAction(self._actions[spec.command])

    def enable(self, *, series: bool, answer: bool) -> None:
        """Grey what makes no sense now."""
        for spec in SPECS:
            allowed = spec.needs is Needs.NOTHING or (
                answer if spec.needs is Needs.ANSWER else series
            )
            self._actions[spec.command].setEnabled(allowed)

    def fill(self, bar: QMenuBar) -> dict[Menu, QMenu]:
        """Make the menus."""
        menus = {menu: bar.addMenu(say(menu.value)) for menu in Menu}
        for spec in SPECS:
            menu = menus[spec.menu]
            if spec.separator:
                menu.addSeparator()
            menu.addAction(self._actions[spec.command])
        for menu in menus.values():
            menu.setToolTipsVisible(True)
        return menus

    def submenu(self, menu: QMenu, before: Command, title: str) -> QMenu:
        """A submenu of a menu, placed before a command."""
        made = QMenu(title, menu)
        menu.insertMenu(self._actions[before], made)
        return made


def exclusive(menu: QMenu) -> QActionGroup:
    """A group for actions of a menu of which one is checked."""
    group = QActionGroup(menu)
    group.setExclusive(True)
    return group


def plain(text: str) -> str:
    """A menu's text without the mark of its access key and the dots."""
    return re.sub(r"\(&\w\)", "", text).replace("&", "").replace("…", "").strip()


def keys_in_words(action: QAction) -> str:
    """The keys of an action for people, such as “Ctrl+Y or Ctrl+Shift+Z”.

    The two Enter keys count as one.
    """
    native = QKeySequence.SequenceFormat.NativeText
    words = [key.toString(native) for key in action.shortcuts()]
    both = [word for word in words if word.replace("Enter", "Return") in words]
    twice = [word for word in both if "Enter" in word]
    return say(" or ").join(word for word in words if word not in twice)
