"""What concerns the window itself: language, theme, industry profile, keys."""

from __future__ import annotations

from functools import partial

from desktop.actions import exclusive
from desktop.command_names import Command, Menu
from desktop.label_commands import in_reading_order
from desktop.language import LANGUAGES, current, later, say
from desktop.main_window import MainWindow
from desktop.operations import Operations

THEME_WORDS = (("dark", later("Dark")), ("light", later("Light")), ("", later("As the desktop")))


class LookCommands:
    """Binds the submenus of looks and the key sheet; changes go to the settings, which tell."""

    def __init__(self, window: MainWindow, operations: Operations) -> None:
        self._window = window
        self._do = operations
        actions, settings = window.actions_, operations.settings
        languages = actions.submenu(
            window.menus[Menu.VIEW], Command.INDUSTRY, say("Langua&ge / 언어")
        )
        group = exclusive(languages)
        own = [(code, name) for code, name in LANGUAGES.items()]
        for code, name in [*own, ("", say("As the desktop"))]:
            action = languages.addAction(name)
            action.setCheckable(True)
            action.setChecked(settings.values.language == code)
            action.triggered.connect(partial(self._speak, code))
            group.addAction(action)
        themes = actions.submenu(window.menus[Menu.VIEW], Command.INDUSTRY, say("The&me"))
        group = exclusive(themes)
        for code, name in THEME_WORDS:
            action = themes.addAction(say(name))
            action.setCheckable(True)
            action.setChecked(settings.values.theme == code)
            action.triggered.connect(partial(self._wear, code))
            group.addAction(action)
        actions.show_checked(Command.INDUSTRY, settings.values.industry)
        actions.bind_check(Command.INDUSTRY, self._work_for_industry)
        actions.bind(Command.KEYS, self.show_keys)
        actions.bind(Command.EDIT_KEYS, self.edit_keys)

    def _speak(self, code: str, _checked: bool = False) -> None:
        self._do.settings.change_looks(language=code)

    def _wear(self, code: str, _checked: bool = False) -> None:
        self._do.settings.change_looks(theme=code)

    def _work_for_industry(self, wanted: bool) -> None:
        self._do.settings.change_looks(industry=wanted)

    def label_keys(self) -> list[tuple[str, str]]:
        """(key, words) of the classes of the label set in force."""
        return [
            (f"Ctrl+{item.key}", say("Label: {name}", name=item.name(current())))
            for item in in_reading_order(self._do.session.label_set)
            if item.key
        ]

    def show_keys(self) -> None:
        """The key sheet."""
        from desktop.dialogs.keys import KeysDialog

        dialog = KeysDialog(self._window.actions_, self.label_keys(), self._window)
        dialog.edit_wanted.connect(dialog.reject)
        dialog.edit_wanted.connect(self.edit_keys)
        dialog.exec()
        dialog.deleteLater()

    def edit_keys(self) -> None:
        """Let the person choose other keys."""
        own = self._do.settings.values.keys
        from desktop.dialogs.edit_keys import EditKeysDialog

        dialog = EditKeysDialog(own, [key for key, _ in self.label_keys()], self._window)
        if dialog.exec() == EditKeysDialog.DialogCode.Accepted and dialog.keys != own:
            self._do.settings.change_looks(keys=dialog.keys)
        dialog.deleteLater()
