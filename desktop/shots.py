"""`sliceloop demo --shots DIR`: the loop without a screen, pictures, and what was measured.

Everything is real: the window, the engine, the journal, the training child, the comparison. Only
the screen is missing.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEventLoop, QTimer

from core import durable
from core.errors import CoreError
from core.labels.journal import program
from core.retraining.promotion import comparison_facts
from core.retraining.protocol import RunFolder
from core.sample import SampleTruth
from core.sentences import sentence
from core.settings import SettingsStore
from desktop.app import Application
from desktop.gallery import Gallery
from desktop.jobs import Failure
from desktop.logs import start_logging, tell_defects
from desktop.pace import Pace
from desktop.start import make_qt
from desktop.tour import RECIPE, own_profile, prepare_sample
from desktop.walk import Walk

SIZE = (1400, 900)
SETTLE_MS = 250
"""Time in which the window draws what has just changed before the picture is taken."""


def take_shots(folder: Path, size: tuple[int, int] = SIZE, language: str = "") -> int:
    """Walk the loop and write pictures and summary.json. Returns the exit code.

    language: of the window, "" for that of a new profile.
    """
    started = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with own_profile() as profile:
            SettingsStore().change_looks(language=language)
            summary = _walk(profile, folder, size)
        summary["seconds"] = round(time.monotonic() - started, 1)
        durable.write_json(folder / "summary.json", summary)
    except CoreError as error:
        return _fail(str(sentence(error)))
    except (LookupError, TimeoutError) as error:
        return _fail(f"The tour could not be finished: {error}")
    except OSError as error:
        return _fail(f"{folder} cannot be written: {error.strerror}. Choose another folder.")
    sys.stdout.write(
        f"{len(summary['pictures'])} pictures and summary.json are in {folder.resolve()}\n"
    )
    return 0


def _fail(words: str) -> int:
    sys.stderr.write(f"sliceloop: {words}\n")
    return 1


def _walk(profile: Path, folder: Path, size: tuple[int, int]) -> dict[str, Any]:
    start_logging()
    make_qt()
    defects: list[Failure] = []
    app = Application()
    previous = sys.excepthook
    tell_defects(defects.append)
    try:
        made = time.monotonic()
        sample = prepare_sample(profile / "sample")
        making = round(time.monotonic() - made, 2)
        app.window.resize(*size)
        app.start()
        walk = Walk(app, sample.images, sample.reference, RECIPE)
        pace = Pace(walk.steps())
        pictures = []
        while (step := pace.go_on()) is not None:
            _wait(pace.look, walk, defects)
            if step.shot:
                pictures.append(_shoot(app, folder, step.shot))
            if step.name == "roll-back":
                pictures.append(_shoot_models(app, folder))
            app.window.banner.dismiss()
        began = time.monotonic()
        Gallery(app, lambda name: pictures.append(_shoot(app, folder, name))).walk()
        gallery_seconds = round(time.monotonic() - began, 2)
        summary = _summary(app, walk, pace, sample)
        summary["step_seconds"]["gallery"] = gallery_seconds
        summary["step_seconds"] = {"make-sample": making, **summary["step_seconds"]}
        walk.close()
    finally:
        sys.excepthook = previous
        app.close()
    return {**summary, "pictures": pictures}


def _wait(is_done: Callable[[], bool], walk: Walk, defects: list[Failure]) -> None:
    """Run the event loop until something holds; a defect on the way ends the walk."""
    loop = QEventLoop()
    problem: list[Exception] = []

    def look() -> None:
        try:
            if defects:
                raise LookupError(str(defects[0].sentence))
            walk.check()
            if is_done():
                loop.quit()
        except (LookupError, TimeoutError) as error:
            problem.append(error)
            loop.quit()

    timer = QTimer()
    timer.setInterval(20)
    timer.timeout.connect(look)
    timer.start()
    loop.exec()
    timer.stop()
    if problem:
        raise problem[0]


def _settle() -> None:
    loop = QEventLoop()
    QTimer.singleShot(SETTLE_MS, loop.quit)
    loop.exec()


def _shoot(app: Application, folder: Path, name: str) -> str:
    _settle()
    file = folder / f"{name}.png"
    if not app.window.grab().save(str(file), "PNG"):
        raise OSError(5, "the picture could not be written")
    return file.name


def _shoot_models(app: Application, folder: Path) -> str:
    dialog = app.model_commands.models_dialog()
    dialog.show()
    _settle()
    file = folder / "10-models.png"
    if not dialog.grab().save(str(file), "PNG"):
        raise OSError(5, "the picture could not be written")
    dialog.close()
    dialog.deleteLater()
    return file.name


# ----------------------------------------------------------------- what was measured


def _summary(app: Application, walk: Walk, pace: Pace, sample: SampleTruth) -> dict[str, Any]:
    operations = app.operations
    readings = list(app.session)
    labelling = operations.labels.labelling
    judgement = operations.retraining.judgement
    view = operations.retraining.watcher.view
    run = RunFolder(view.path) if view is not None else None
    positive = app.session.label_set.positive.id
    predicted = [item for item in readings if item.key in walk.facts.predicted]
    comparison = judgement.comparison if judgement is not None else None
    return {
        "program": program(),
        "cpus": os.cpu_count(),
        "step_seconds": pace.seconds,
        "sample": {
            "series": len(readings),
            "slices": len(sample.reference),
            "patients": len({item.summary.patient_id for item in readings}),
            "slices_with_finding": sum(v == positive for v in sample.reference.values()),
        },
        "prediction": {
            "series": len(predicted),
            "slices": sum(item.summary.shape[0] for item in predicted),
            "engine": operations.asking.words,
        },
        "labels": {
            "given": walk.facts.labels_given,
            "corrected_slice": walk.facts.corrected_slice,
            "corrected_to": walk.facts.correction,
            "journal_entries": labelling.journal.verify().entries if labelling else 0,
            "journal_head": labelling.journal.head().head if labelling else "",
        },
        "training": {
            "recipe": RECIPE,
            "stopped_after_epoch": walk.facts.stopped_after_epoch,
            "result": run.result if run is not None else None,
        },
        "comparison": _short(comparison_facts(comparison)) if comparison is not None else None,
        "changes_of_the_active_model": [
            json.loads(item.model_dump_json()) for item in operations.retraining.promotions()
        ],
    }


_FIGURES = (
    *("n", "groups", "positives", "auroc", "auroc_ci95", "sensitivity", "sensitivity_ci95"),
    *("specificity", "specificity_ci95", "threshold", "confusion", "ece", "brier"),
)


def _short(facts: dict[str, Any]) -> dict[str, Any]:
    """Without curves and cases: those are in the pictures and in the run's evidence."""
    found = {key: value for key, value in facts.items() if key != "changed"}
    for side in ("champion", "challenger"):
        figures = facts[side]["figures"]
        found[side] = {
            "model": facts[side]["model"],
            **{name: figures[name] for name in _FIGURES},
        }
    return found
