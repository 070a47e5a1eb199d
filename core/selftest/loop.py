"""The whole loop on the built-in sample: predict, explain, label, train, promote, roll back.

Everything is done as the window does it: the model answers in the engine process, the training
runs in a child process.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from core import places
from core.imaging.opening import open_path
from core.imaging.volume import Series
from core.labels.schema import LabelSet
from core.labels.sets import load_label_set
from core.models.catalogue import Catalogue, CatalogueEntry
from core.models.messages import (
    EngineDied,
    EngineMessage,
    PredictionFinished,
    PredictRequest,
    RequestFailed,
    SliceAnswered,
)
from core.retraining.protocol import RunFolder, TrainingRequest, reap, start_training
from core.retraining.sources import Sources
from core.sample import SampleTruth, make_sample
from core.selftest.checking import CheckFailedError, require

if TYPE_CHECKING:
    from core.models.client import EngineClient

TASK = "hemorrhage"
PATIENTS, SLICES, SIDE = 9, 10, 96
"""A sample of which each part of a training set gets patients; small, so that it is fast."""

RECIPE = "correction"
EPOCHS = 2
SHORTENED: dict[str, object] = {"stopping.epochs": EPOCHS, "sampling.slices_per_epoch": 32}
PATIENCE = 900.0
"""Seconds after which a step counts as failed, on the busiest computer."""

READER = "Selftest"


class Loop:
    """The steps, in their order; each relies on those before it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._catalogue = Catalogue()
        self._sample: SampleTruth | None = None
        self._series: tuple[Series, ...] = ()
        self._run = RunFolder(places.runs() / "selftest")
        self._champion = ""
        self._answers: dict[int, SliceAnswered] = {}
        self._heard: queue.SimpleQueue[EngineMessage] = queue.SimpleQueue()
        self._client: EngineClient | None = None
        self._asked = 0
        self._trainer = 0

    def open_sample(self) -> str:
        """Make the sample and open it as a folder of DICOM files."""
        self._sample = make_sample(
            self._folder / "sample", patients=PATIENTS, slices=SLICES, size=SIDE
        )
        self._series = open_path(self._sample.images).series
        require(len(self._series) == PATIENTS, f"{len(self._series)} series, not {PATIENTS}")
        return f"{PATIENTS} series, {len(self._sample.slices)} slices"

    def predict(self) -> str:
        """The shipped model answers one series, with evidence, in the engine process."""
        entry, series = self._active(), self._series[0]
        answers = self._ask(entry, series)
        require(len(answers) == SLICES, f"{len(answers)} slices were answered, not {SLICES}")
        total = [sum(answer.answer.probabilities.values()) for answer in answers.values()]
        require(all(abs(one - 1) < 1e-5 for one in total), "probabilities do not sum to 1")
        self._answers = answers
        return f"{SLICES} slices by {entry.card.id}"

    def explain(self) -> str:
        """Every answer came with a heat map that is finite and not flat."""
        import numpy as np

        maps = [item.answer.heat_map for item in self._answers.values()]
        known = [item.values for item in maps if item is not None]
        require(len(known) == SLICES, f"{len(known)} heat maps, not {SLICES}")
        require(all(bool(np.isfinite(values).all()) for values in known), "a map is not finite")
        require(max(float(np.ptp(values)) for values in known) > 0, "every map is flat")
        return f"{len(known)} heat maps of {known[0].shape[0]} × {known[0].shape[1]}"

    def label(self) -> str:
        """Label all slices, take one back, and check the journal's chain."""
        from core.labels.journal import Journal
        from core.labels.labelling import Labelling

        label_set, truth = self._label_set(), self._truth().reference
        given, sources = 0, Sources()
        with Journal(places.journal_file()) as journal:
            labelling = Labelling(journal, READER)
            for series in self._series:
                sources.remember(series.summary)
                ids = series.summary.slice_ids
                for item in label_set.classes:
                    indices = [n for n, name in enumerate(ids) if truth[name] == item.id]
                    given += len(
                        labelling.label_slices(
                            series.summary, indices, item.id, label_set=label_set
                        )
                    )
            case_id = self._series[0].summary.case_id
            require(labelling.can_undo(case_id), "a label could not be taken back")
            labelling.undo(case_id)
            labelling.redo(case_id)
            found = journal.verify()
            require(len(labelling.standing()) == given, "undo and redo lost a label")
        return f"{given} labels, {found.entries} entries, chain holds"

    def train_and_stop(self) -> str:
        """Freeze the labels into a training set, start a training, stop it after an epoch."""
        from core.labels.journal import Journal
        from core.labels.labelling import Labelling
        from core.retraining.collecting import build_from_labels

        with Journal(places.journal_file()) as journal:
            standing = Labelling(journal, READER).standing()
        data = places.datasets() / "selftest"
        collected = build_from_labels(standing, self._label_set(), data)
        require(not collected.left_out, f"{len(collected.left_out)} series were left out")
        request = TrainingRequest(
            recipe=RECIPE, data=data, base_model=self._active().folder, settings=dict(SHORTENED)
        )
        self._trainer = start_training(request, self._run.path)
        self._wait(lambda: self._epochs() >= 1, "no epoch was trained")
        self._run.ask_stop()
        self._wait(lambda: self._run.state != "running", "the training did not stop")
        require(self._run.state == "stopped", f"the training is {self._run.state}, not stopped")
        return f"stopped after epoch {self._epochs()} of {EPOCHS}"

    def resume(self) -> str:
        """Go on from the checkpoint to the end."""
        before = self._epochs()
        self._trainer = start_training(self._run.request, self._run.path, resume=True)
        self._wait(lambda: self._run.state == "finished", "the training did not finish")
        require(self._epochs() == EPOCHS, f"{self._epochs()} epochs in all")
        return f"resumed after epoch {before}, finished after {self._epochs()}"

    def promote(self) -> str:
        """Compare with the active model on the test patients, publish, make it the active one."""
        from core.retraining.promotion import judge, promote

        self._champion = self._active().card.id
        judgement = judge(self._run.path, self._catalogue, device="cpu", resamples=50)
        made = promote(judgement, READER, "self-test", self._catalogue)
        require(self._active().card.id == made.model, "the new model does not answer")
        answers = self._ask(self._active(), self._series[0])
        require(len(answers) == SLICES, "the new model does not answer every slice")
        part = judgement.part
        return f"{made.model} answers, compared on the {part} patients"

    def roll_back(self) -> str:
        """The model answers again that did so before."""
        self._catalogue.rollback(TASK, READER, "self-test")
        now = self._active().card.id
        require(now == self._champion, f"{now} answers, not {self._champion}")
        return f"{now} answers again"

    def close(self) -> None:
        """End the engine, and a training that still runs."""
        if self._client is not None:
            self._client.close()
        if self._run.is_running:
            self._run.ask_stop()
            self._wait(lambda: not self._run.is_running, "the training did not stop")
        reap()

    # ---- what the steps use

    def _active(self) -> CatalogueEntry:
        entry = self._catalogue.active(TASK)
        if entry is None:
            raise CheckFailedError(f"no model answers for {TASK}")
        return entry

    def _truth(self) -> SampleTruth:
        if self._sample is None:
            raise CheckFailedError("there is no sample")
        return self._sample

    def _label_set(self) -> LabelSet:
        return load_label_set(TASK)

    def _ask(self, entry: CatalogueEntry, series: Series) -> dict[int, SliceAnswered]:
        """Answers of the engine process, which stays warm between questions, by slice."""
        from core.models.client import EngineClient

        if self._client is None:
            self._client = EngineClient(self._heard.put)
        self._asked += 1
        request = PredictRequest(self._asked, entry.folder, first=SLICES // 2)
        self._client.predict(request, series.load())
        answers: dict[int, SliceAnswered] = {}
        while True:
            try:
                message = self._heard.get(timeout=PATIENCE)
            except queue.Empty:
                raise CheckFailedError("the engine did not answer") from None
            if isinstance(message, SliceAnswered):
                answers[message.answer.index] = message
            elif isinstance(message, PredictionFinished):
                return answers
            elif isinstance(message, RequestFailed):
                raise message.error
            elif isinstance(message, EngineDied):
                raise CheckFailedError(f"the engine {message.how}")

    def _epochs(self) -> int:
        return sum(event["event"] == "epoch" for event in self._run.events())

    def _wait(self, condition: Callable[[], bool], otherwise: str) -> None:
        began = time.monotonic()
        while not condition():
            if self._run.state == "failed":
                told = self._run.events()[-1].get("sentence", "the training failed")
                raise CheckFailedError(str(told))
            reap()
            if self._trainer and not psutil.pid_exists(self._trainer) and not condition():
                raise CheckFailedError(f"{otherwise}: the trainer ended without a word")
            if time.monotonic() - began > PATIENCE:
                raise CheckFailedError(f"{otherwise} within {PATIENCE:.0f} s")
            time.sleep(0.05)
