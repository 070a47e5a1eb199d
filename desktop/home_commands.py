"""What is at home on this workstation: settings, profile, help, log, reports of crashes."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QWidget

from core import crash_reports
from core.errors import CoreError, DamagedModelError
from core.models.card import Card, read_card
from core.models.catalogue import Catalogue
from core.sentences import sentence
from core.settings import Settings
from desktop.command_names import Command
from desktop.jobs import Job, Task
from desktop.language import say
from desktop.look_commands import LookCommands
from desktop.main_window import MainWindow
from desktop.notices import Level, Notice
from desktop.operations import Operations

if TYPE_CHECKING:
    # Dialogs are imported when they are first wanted: the window must not wait for them.
    from core.profile_archive import Choice  # brings the journal and its database along
    from desktop.dialogs.manual import HelpWindow
    from desktop.setting_rows import Group


class HomeCommands:
    """Binds the commands of the File and Help menus that are about the program itself."""

    def __init__(
        self,
        window: MainWindow,
        operations: Operations,
        looks: LookCommands,
        catalogue: Catalogue,
    ) -> None:
        self._window = window
        self._do = operations
        self._catalogue = catalogue
        self._looks = looks
        self.help: HelpWindow | None = None
        for command, act in {
            Command.SETTINGS: self.edit_settings,
            Command.EXPORT_PROFILE: self.export_profile,
            Command.IMPORT_PROFILE: self.import_profile,
            Command.MANUAL: self.show_manual,
            Command.MODEL_CARDS: self._show_cards,
            Command.LICENCES: self._show_licences,
            Command.LOG: self.show_log,
            Command.CRASH_REPORTS: self.show_crash_reports,
        }.items():
            window.actions_.bind(command, act)
        for command in Command:
            window.actions_.bind(
                command, lambda name=command.name: crash_reports.trail.command(name)
            )

    def close(self) -> None:
        """Close Help; it is made again in another language when it is wanted."""
        if self.help is not None:
            self.help.close()
            self.help.deleteLater()
            self.help = None

    # ---- settings

    def edit_settings(self, group: Group | None = None) -> None:
        """Let the person change any setting."""
        from desktop.dialogs.settings import SettingsDialog

        store = self._do.settings
        # Editors that the window has of its own write into the values; none is lost.
        dialog = SettingsDialog(
            store.values, [key for key, _ in self._looks.label_keys()], self._window
        )
        if group is not None:
            dialog.go_to(group)
        if dialog.exec() == SettingsDialog.DialogCode.Accepted:
            store.change(dialog.values)
        dialog.deleteLater()

    # ---- the profile

    def export_profile(self) -> None:
        """Ask what goes along and into which file."""
        from desktop.dialogs.profile import ProfileDialog

        dialog = ProfileDialog(self._catalogue.list(), self._window)
        accepted = dialog.exec() == ProfileDialog.DialogCode.Accepted
        choice = dialog.choice
        dialog.deleteLater()
        if not accepted:
            return
        file, _ = QFileDialog.getSaveFileName(
            self._window,
            say("Export the profile"),
            str(Path.home() / "sliceloop-profile.zip"),
            "ZIP (*.zip)",
        )
        if file:
            self.export_to(Path(file), choice)

    def export_to(self, file: Path, choice: Choice) -> None:
        """Write the profile, as a job."""
        values = self._do.settings.values.model_copy(deep=True)

        def work(_task: Task) -> bool:
            from core.profile_archive import export_profile

            return export_profile(file, values, choice).holds_patients

        def done(holds_patients: bool) -> None:
            words = say("The profile is written to {file}.", file=file.name)
            if holds_patients:
                words += " " + say("The label journal is inside: this file names patients.")
            level = Level.CAUTION if holds_patients else Level.DONE
            self._window.tell(Notice(level, words))

        self._do.jobs.submit(
            Job("profile", say("Writing the profile"), work),
            on_done=done,
            on_failed=lambda failure: self._window.tell(Notice.of(failure)),
        )

    def import_profile(self) -> None:
        """Ask for a file, say what it holds, and take it over."""
        from core.profile_archive import read_manifest
        from desktop.dialogs.profile import TakeOverDialog

        file, _ = QFileDialog.getOpenFileName(
            self._window, say("Take over a profile"), "", "ZIP (*.zip)"
        )
        if not file:
            return
        try:
            manifest = read_manifest(Path(file))
        except CoreError as error:
            self._window.tell(Notice.of(sentence(error)))
            return
        dialog = TakeOverDialog(manifest, self._window)
        accepted = dialog.exec() == QDialog.DialogCode.Accepted
        dialog.deleteLater()
        if accepted:
            self.import_from(Path(file))

    def import_from(self, file: Path) -> None:
        """Take a profile over; the settings are in force at once."""
        from core.profile_archive import take_over

        found: list[Settings] = []
        try:
            taken = take_over(file, self._do.settings.values, found.append, self._catalogue)
        except CoreError as error:
            self._window.tell(Notice.of(sentence(error)))
            return
        for values in found:
            self._do.settings.change(values)
        words = say("The profile was taken over.")  # in the language that came along
        if taken.left:
            words += " " + say("{count} things stay as they are here.", count=len(taken.left))
        self._window.tell(Notice(Level.DONE, words, "\n".join(taken.left)))

    # ---- help

    def _help(self) -> HelpWindow:
        """The one Help; above a dialog that is open it belongs to that dialog."""
        from desktop.dialogs.manual import HelpWindow

        owner = QApplication.activeModalWidget() or self._window
        if self.help is not None and self.help.parentWidget() is not owner:
            self.close()
        if self.help is None:
            self.help = HelpWindow(self._cards(), owner)
            self.help.keys_wanted.connect(self._looks.show_keys)
        self.help.show()
        self.help.raise_()
        self.help.activateWindow()
        return self.help

    def _cards(self) -> list[Card]:
        """Of the models here, and of those of which only the card came along."""
        from core.profile_archive import cards_folder

        found = {entry.card.id: entry.card for entry in self._catalogue.list()}
        for folder in sorted(cards_folder().glob("*")):
            with contextlib.suppress(DamagedModelError):
                card = read_card(folder)
                found.setdefault(card.id, card)
        return list(found.values())

    def show_manual(self, about: QWidget | None = None) -> None:
        """F1: the page about what has the focus."""
        from desktop import manual

        self.show_page(manual.page_about(about or QApplication.focusWidget()))

    def show_page(self, name: str) -> None:
        """A page of the manual."""
        self._help().show_page(name)

    def _show_cards(self) -> None:
        self._help().show_cards()

    def _show_licences(self) -> None:
        self._help().show_licences()

    # ---- trouble

    def show_log(self) -> None:
        """The log."""
        from desktop.dialogs.log import LogDialog

        dialog = LogDialog(self._window)
        dialog.exec()
        dialog.deleteLater()

    def show_crash_reports(self) -> None:
        """The reports of crashes."""
        from desktop.dialogs.crash_reports import CrashReportsDialog

        dialog = CrashReportsDialog(self._window)
        dialog.exec()
        dialog.deleteLater()

    def tell_of_crashes(self) -> None:
        """At the start: whether something ended unexpectedly since a person last looked."""
        new = [report for report in crash_reports.reports() if report.is_new]
        if not new:
            return
        self._window.tell(
            Notice(
                Level.CAUTION,
                say(
                    "Sliceloop ended unexpectedly before, or something in it failed. A report "
                    "without any patient lies on this computer; nothing was sent."
                ),
                new[0].text,
                {
                    say("Show the report…"): self.show_crash_reports,
                    say("Save…"): self._save_report,
                    say("Delete"): self._delete_reports,
                },
            )
        )

    def _save_report(self) -> None:
        from desktop.dialogs.crash_reports import CrashReportsDialog

        dialog = CrashReportsDialog(self._window)
        dialog.ask_and_save()
        dialog.deleteLater()

    @staticmethod
    def _delete_reports() -> None:
        for report in crash_reports.reports():
            if report.is_new:
                crash_reports.delete(report)
