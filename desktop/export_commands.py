"""What the exchange part of the File menu does: tables, pictures, movies, the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from core.reading.burnt_in import BurntIn
from core.session import Reading
from desktop.command_names import Command
from desktop.language import say
from desktop.main_window import MainWindow
from desktop.notices import Level, Notice
from desktop.operations import Operations


class ExportCommands:
    """Asks where to, and hands over. Nothing leaves with the patient's name unasked."""

    def __init__(self, window: MainWindow, operations: Operations) -> None:
        self._window = window
        self._do = operations
        self._burnt = BurntIn()
        for command, act in {
            Command.EXPORT_CSV: self.export_answers,
            Command.EXPORT_MEASUREMENTS: self.export_measurements,
            Command.EXPORT_PICTURE: self.save_picture,
            Command.EXPORT_MOVIE: self.save_series,
            Command.EXPORT_REPORT: self.save_report,
            Command.COPY_PICTURE: self.copy_picture,
        }.items():
            window.actions_.bind(command, act)

    @property
    def _reading(self) -> Reading | None:
        return self._do.session.current

    def _file(self, title: str, name: str, kind: str) -> Path | None:
        folder = self._do.settings.values.export_folder or Path.home()
        file, _ = QFileDialog.getSaveFileName(self._window, title, str(Path(folder) / name), kind)
        return Path(file) if file else None

    def export_answers(self) -> None:
        """Ask for a file and write answers and labels into it."""
        reading = self._reading
        if reading is None:
            return
        file = self._file(say("Export answers and labels"), "answers.csv", "CSV (*.csv)")
        if file is not None:
            self._do.exporting.answers(reading, file)

    def export_measurements(self) -> None:
        """Ask for a file and write the measurements into it."""
        reading = self._reading
        if reading is None:
            return
        if not len(reading.case.measurements):
            self._window.tell(
                Notice(Level.INFO, say("There is no measurement in this series yet."))
            )
            return
        file = self._file(say("Export measurements"), "measurements.csv", "CSV (*.csv)")
        if file is not None:
            self._do.exporting.measurements(reading, file)

    def save_series(self) -> None:
        """Ask what may be shown, then where to, and write all slices."""
        reading = self._reading
        if reading is None:
            return
        from desktop.dialogs.export import ExportDialog, Leaving

        dialog = ExportDialog(self._window, Leaving.SERIES, self._offered(reading), self._burnt)
        sure = dialog.exec() == ExportDialog.DialogCode.Accepted
        burnt, rate = dialog.burnt, dialog.rate.value()
        is_movie = dialog.movie.isChecked()
        dialog.deleteLater()
        if not sure:
            return
        self._remember(burnt)
        if is_movie:
            file = self._file(say("Save the movie"), "series.mp4", "MP4 (*.mp4)")
            if file is not None:
                self._do.exporting.movie(reading, file, burnt, rate)
            return
        folder = QFileDialog.getExistingDirectory(
            self._window, say("Choose a folder for the pictures")
        )
        if folder:
            self._do.exporting.pictures(reading, Path(folder), burnt)

    def save_report(self) -> None:
        """Ask whether the patient is named, then where to, and write one page."""
        reading = self._reading
        if reading is None:
            return
        from desktop.dialogs.export import ExportDialog, Leaving

        dialog = ExportDialog(self._window, Leaving.REPORT)
        sure = dialog.exec() == ExportDialog.DialogCode.Accepted
        identity = dialog.burnt.identity
        dialog.deleteLater()
        if not sure:
            return
        file = self._file(say("Save the report"), "report.pdf", "PDF (*.pdf)")
        if file is not None:
            model = self._do.asking.models.model
            card = model.card if model is not None else None
            self._do.exporting.report(reading, file, card, identity=identity)

    def save_picture(self) -> None:
        """Ask what may be shown, then where to, and write what the stage shows."""
        reading = self._reading
        if reading is None:
            return
        from desktop.dialogs.export import ExportDialog, Leaving

        dialog = ExportDialog(self._window, Leaving.VIEW, self._offered(reading), self._burnt)
        sure = dialog.exec() == ExportDialog.DialogCode.Accepted
        burnt = dialog.burnt
        dialog.deleteLater()
        if not sure:
            return
        self._remember(burnt)
        file = self._file(say("Save the picture"), "picture.png", "PNG (*.png)")
        if file is not None and not self._window.stage.picture(burnt).save(str(file), "PNG"):
            self._window.tell(
                Notice(
                    Level.ERROR,
                    say("The picture could not be written: {file}. Choose another.", file=file),
                )
            )

    def copy_picture(self) -> None:
        """Put what the stage shows on the clipboard, without words and so without the patient."""
        if self._reading is not None:
            stage = self._window.stage
            QGuiApplication.clipboard().setPixmap(stage.picture(stage.on_screen()))
            self._window.tell(
                Notice(Level.DONE, say("The picture is on the clipboard, without patient text."))
            )

    @staticmethod
    def _offered(reading: Reading) -> BurntIn:
        """What there is to burn in."""
        case = reading.case
        return BurntIn(
            heat_map=case.prediction is not None and case.display.answers,
            measurements=len(case.measurements) > 0,
            regions=bool(case.regions),
            drawings=case.has_drawings,
            words=True,
            identity=True,
        )

    def _remember(self, burnt: BurntIn) -> None:
        """Offer the same next time; that the patient is named is never taken for granted."""
        self._burnt = replace(burnt, identity=False)
