"""What leaves the window as files: answers and labels as a table, the picture as PNG."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from core import durable
from core.session import Reading
from desktop.jobs import Job, Jobs, Task
from desktop.language import say
from desktop.notices import Level, Notice, Tell


def answers_table(reading: Reading) -> str:
    """Answers and labels of a series as CSV, one row a slice.

    Says slice numbers, probabilities, flags, labels and the model; nothing of the patient: no
    name, number, date or UID.
    """
    case = reading.case
    prediction = case.prediction
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
                f"{prediction.threshold:.4f}",
            ]
            if prediction is not None
            else ["", "", "", ""]
        )
        flagged = "" if answer is None else str(int(case.is_suspicious(index)))
        writer.writerow([index + 1, *probabilities, flagged, case.label_at(index) or "", *model])
    return text.getvalue()


class Exporting:
    """What *export* and *save picture* do."""

    def __init__(self, jobs: Jobs, tell: Tell) -> None:
        self._jobs = jobs
        self._tell = tell

    def write(self, path: Path, content: bytes) -> None:
        """Write a file off the GUI thread and say where it is."""

        def work(_task: Task) -> None:
            durable.write_bytes(path, content)

        self._jobs.submit(
            Job(f"write:{path}", say("Writing {name}", name=path.name), work),
            on_done=lambda _: self._tell(Notice(Level.DONE, say("Saved: {path}", path=path))),
            on_failed=lambda failure: self._tell(Notice.of(failure)),
        )

    def answers(self, reading: Reading, path: Path) -> None:
        """Write the table of answers and labels."""
        self.write(path, answers_table(reading).encode())
