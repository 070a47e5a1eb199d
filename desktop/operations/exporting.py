"""What leaves the window as files: tables, pictures, movies, the report.

No patient is in any of them unless a person asks for it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core import durable
from core.errors import NotDurableError
from core.reading import measurements
from core.session import Reading
from desktop.jobs import Job, Jobs, Task
from desktop.language import say, say_count
from desktop.notices import Level, Notice, Tell

if TYPE_CHECKING:
    # What draws is imported when something is drawn.
    from core.models.card import Card
    from core.reading.burnt_in import BurntIn
    from desktop.operations.picturing import PictureRequest


def answers_table(reading: Reading) -> str:
    """Answers and labels of a series as CSV, one row a slice.

    Says slice numbers, probabilities, flags, labels and the model; nothing of the patient: no
    name, number, date or UID.
    """
    case = reading.case
    prediction = case.prediction if case.display.answers else None
    classes = [item.id for item in case.label_set.classes]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "slice",
            *(f"probability_{item}" for item in classes),
            *("flagged", "label", "model", "version", "weights_sha256", "threshold"),
        ]
    )
    for index in range(reading.summary.shape[0]):
        answer = prediction.slices.get(index) if prediction is not None else None
        probabilities = [
            f"{answer.probabilities[item]:.4f}" if answer and item in answer.probabilities else ""
            for item in classes
        ]
        model = (
            [
                prediction.model.id,
                prediction.model.version,
                prediction.model.weights_sha256,
                f"{case.threshold:.4f}",
            ]
            if prediction is not None
            else ["", "", "", ""]
        )
        flagged = "" if answer is None else str(int(case.is_suspicious(index)))
        writer.writerow([index + 1, *probabilities, flagged, case.label_at(index) or "", *model])
    return text.getvalue()


def measurements_table(reading: Reading) -> str:
    """Measurements of a series as CSV, one row each; nothing of the patient.

    Lengths in millimetres where the header gives spacing, else in pixels, as `unit` says; areas
    in the square of it. Statistics are of modality values.
    """
    case, geometry = reading.case, reading.summary.geometry
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    unit = "mm" if geometry.has_spacing else "pixel"
    writer.writerow(
        [
            "number",
            "kind",
            "plane",
            "slice",
            "value",
            "unit",
            "area",
            "mean",
            "sd",
            "min",
            "max",
            "n",
        ]
    )
    for item in case.measurements:
        row: list[object] = [item.number, item.kind.value, item.plane.name.lower(), item.index + 1]
        if item.kind is measurements.Kind.LENGTH:
            row += [f"{measurements.length(*item.points):.3f}", unit, "", "", "", "", "", ""]
        elif item.kind is measurements.Kind.ANGLE:
            row += [f"{measurements.angle(*item.points):.2f}", "degree", "", "", "", "", "", ""]
        else:
            row += ["", f"{unit}²", f"{measurements.area(geometry, item):.3f}"]
            found = measurements.statistics(case.volume, item) if case.volume is not None else None
            row += (
                ["", "", "", "", ""]
                if found is None
                else [
                    f"{found.mean:.3f}",
                    f"{found.deviation:.3f}",
                    f"{found.minimum:g}",
                    f"{found.maximum:g}",
                    found.count,
                ]
            )
        writer.writerow(row)
    return text.getvalue()


class Exporting:
    """What the export commands do; everything is written off the GUI thread."""

    def __init__(self, jobs: Jobs, tell: Tell) -> None:
        self._jobs = jobs
        self._tell = tell

    def _submit(self, key: str, title: str, work: Callable[[Task], str]) -> None:
        """work: returns the sentence that says what was written."""
        self._jobs.submit(
            Job(f"write:{key}", title, work),
            on_done=lambda words: self._tell(Notice(Level.DONE, words)),
            on_failed=lambda failure: self._tell(Notice.of(failure)),
        )

    def write(self, path: Path, content: bytes) -> None:
        """Write a file and say where it is."""

        def work(_task: Task) -> str:
            durable.write_bytes(path, content)
            return say("Saved: {path}", path=path)

        self._submit(str(path), say("Writing {name}", name=path.name), work)

    def answers(self, reading: Reading, path: Path) -> None:
        """Write the table of answers and labels."""
        self.write(path, answers_table(reading).encode())

    def measurements(self, reading: Reading, path: Path) -> None:
        """Write the table of measurements."""
        self.write(path, measurements_table(reading).encode())

    def movie(self, reading: Reading, path: Path, burnt: BurntIn, rate: int) -> None:
        """Write all slices as an MP4, so many a second."""
        request = self._request(reading, burnt)
        if request is None:
            return

        def work(task: Task) -> str:
            from core.imaging.movie import write_movie
            from desktop.operations.picturing import as_array, draw

            pictures = (as_array(draw(request, index)) for index in range(request.slices))
            count = write_movie(
                path,
                pictures,
                rate,
                progress=lambda done: task.progress(done, request.slices),
                cancelled=task.cancelled,
            )
            return say_count(
                count, "Saved {count} picture: {path}", "Saved {count} pictures: {path}", path=path
            )

        self._submit(str(path), say("Writing the movie"), work)

    def pictures(self, reading: Reading, folder: Path, burnt: BurntIn) -> None:
        """Write each slice as a PNG of its own: slice-001.png and on."""
        request = self._request(reading, burnt)
        if request is None:
            return

        def work(task: Task) -> str:
            from desktop.operations.picturing import draw

            digits = max(3, len(str(request.slices)))
            for index in range(request.slices):
                task.check()
                file = folder / f"slice-{index + 1:0{digits}}.png"
                if not draw(request, index).save(str(file), "PNG"):
                    raise NotDurableError(file, "the disk refuses it")
                task.progress(index + 1, request.slices)
            return say_count(
                request.slices,
                "Saved {count} picture: {path}",
                "Saved {count} pictures: {path}",
                path=folder,
            )

        self._submit(str(folder), say("Writing the pictures"), work)

    def report(self, reading: Reading, path: Path, card: Card | None, *, identity: bool) -> None:
        """Write the one-page report."""
        from desktop.operations.report import as_pdf, report_of

        report = report_of(reading, card, identity=identity)
        if report is None:
            self._not_loaded()
            return

        def work(_task: Task) -> str:
            durable.write_bytes(path, as_pdf(report))
            return say("Saved: {path}", path=path)

        self._submit(str(path), say("Writing the report"), work)

    def _request(self, reading: Reading, burnt: BurntIn) -> PictureRequest | None:
        from desktop.operations.picturing import request_of

        request = request_of(reading, burnt)
        if request is None:
            self._not_loaded()
        return request

    def _not_loaded(self) -> None:
        self._tell(
            Notice(Level.INFO, say("The series is still being read. Try again in a moment."))
        )
