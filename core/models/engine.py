"""The engine process: models live here, and may die here without taking the window along.

It answers one request at a time, looks for a newer one between batches, and keeps the models
and the answers that it has already given (by pixels and card). torch is imported only where no
kept graph can answer.
"""

from __future__ import annotations

import gc
import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np

from core import crash_reports
from core.errors import CoreError, EngineDiedError, UnsuitableInputError
from core.imaging.volume import SeriesSummary, Volume
from core.models import guard
from core.models.aggregation import conflict, series_probability
from core.models.ahead import SlotReader
from core.models.answers import SeriesPrediction
from core.models.card import Card, read_card
from core.models.familiarity import unlike
from core.models.messages import (
    Cancel,
    EngineReady,
    LookAt,
    PredictionFinished,
    PredictionStarted,
    PredictRequest,
    PrepareModel,
    RequestFailed,
    SharedVoxels,
    SliceAnswered,
    SlicesAhead,
    Work,
)
from core.models.remembered import AnswerMemory, Answers
from core.models.shared import open_memory
from core.workers import let_the_window_go_first

if TYPE_CHECKING:
    from core.models.predictor import Predictor

_MODELS = 3
_BEGUN = 16
"""Requests whose series is known to be accepted: a glance may come between two of another."""
_log = logging.getLogger(__name__)


@crash_reports.watched("engine")
def serve(channel: Connection) -> None:
    """Main function of the engine process; returns when the other side closes the channel."""
    started = time.perf_counter()
    let_the_window_go_first()
    from core.models.devices import accelerator_possible
    from core.models.kept import any_kept

    device = "cpu"
    if accelerator_possible() or not any_kept():
        device = _with_torch()
    gc.freeze()
    gc.enable()
    engine = _Engine(channel)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the window is gone
        channel.send(EngineReady(device, time.perf_counter() - started))
        while True:
            engine.step()


def _with_torch() -> str:
    """Import it, which takes its time; returns the best device's name."""
    import torch

    from core.models.devices import best_device

    torch.set_grad_enabled(False)
    return str(best_device())


class _Engine:
    def __init__(self, channel: Connection) -> None:
        self._channel = channel
        self._models: deque[tuple[tuple[object, ...], Predictor]] = deque(maxlen=_MODELS)
        self._memory = AnswerMemory()
        self._waiting: list[Work] = []
        self._ahead: SlicesAhead | None = None
        self._slot = SlotReader()
        self._wanted: PrepareModel | None = None
        self._begun: deque[int] = deque(maxlen=_BEGUN)
        self._cancelled = -1
        self._looked = LookAt(-1, 0)

    def step(self) -> None:
        if not self._waiting and self._ahead is None:
            self._receive()
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self._prepare(wanted)
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            self._look_ahead(ahead)
        if not self._waiting:
            return
        work = self._waiting.pop()
        self._waiting.clear()  # a newer request replaces older ones
        try:
            self._answer(work)
        except CoreError as error:
            self._channel.send(RequestFailed(work.request.id, error))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # noqa: BLE001 - a defect must not end the engine silently
            _log.exception("a prediction failed")
            crash_reports.note_exception(error)
            how = f"failed on this series ({type(error).__name__})"
            self._channel.send(RequestFailed(work.request.id, EngineDiedError(how)))

    def _prepare(self, wanted: PrepareModel) -> None:
        try:
            self._predictor(wanted, read_card(wanted.model_folder))
        except Exception as error:  # noqa: BLE001 - whoever asks the model will be told
            _log.info("a model was not loaded ahead: %s", type(error).__name__)

    def _receive(self) -> None:
        message: Any = self._channel.recv()
        if isinstance(message, Work):
            self._waiting.append(message)
        elif isinstance(message, PrepareModel):
            self._wanted = message
        elif isinstance(message, LookAt):
            self._looked = message
        elif isinstance(message, SlicesAhead):
            if not message.is_glance:
                self._waiting.clear()
            self._ahead = message
        elif isinstance(message, Cancel):
            self._waiting = [w for w in self._waiting if w.request.id != message.request_id]
            if self._ahead is not None and self._ahead.request.id == message.request_id:
                self._ahead = None
            self._cancelled = message.request_id

    def _superseded(self, request_id: int) -> bool:
        while self._channel.poll():
            self._receive()
        if self._ahead is not None and self._ahead.is_glance:
            ahead, self._ahead = self._ahead, None
            self._look_ahead(ahead)
        newer = bool(self._waiting) or self._ahead is not None
        return newer or self._cancelled == request_id

    def _look_ahead(self, ahead: SlicesAhead) -> None:
        """Answer the visible slice while the rest of a long series is on its way.

        What is wrong, the whole request will say.
        """
        request, summary = ahead.request, ahead.voxels.summary
        try:
            card = read_card(request.model_folder)
            if guard.refusals(card, summary):
                return
            predictor = self._predictor(request, card)
            self._begin(request, card, summary)  # heard while the slice is answered
            answers = predictor.predict_volume(
                self._slot.volume(ahead),
                first=request.first - ahead.low,
                explain=request.explain,
                class_id=request.class_id,
                provisional=True,
            )
            answer = replace(next(answers), index=request.first, provisional=True)
        except (CoreError, FileNotFoundError):
            return
        except Exception:  # noqa: BLE001 - the same
            _log.exception("the visible slice was not answered ahead")
            return
        if not self._slot.holds(ahead):
            return
        self._channel.send(SliceAnswered(request.id, card.identity, answer))

    def _begin(self, request: PredictRequest, card: Card, summary: SeriesSummary) -> None:
        """Say once that the series is accepted."""
        if request.id in self._begun:
            return
        self._begun.append(request.id)
        prediction = SeriesPrediction(
            card.identity,
            card.positive,
            card.threshold,
            cautions=guard.cautions(card, summary),
            labelling=card.labelling,
            series_threshold=card.series_threshold,
        )
        self._channel.send(PredictionStarted(request.id, prediction))

    def _answer(self, work: Work) -> None:
        started = time.perf_counter()
        request = work.request
        card = read_card(request.model_folder)
        reasons = guard.refusals(card, work.voxels.summary)
        if reasons:
            raise UnsuitableInputError(card.id, reasons)
        predictor = self._predictor(request, card)
        self._begin(request, card, work.voxels.summary)
        try:
            with _opened(work.voxels) as volume:
                how = (request.class_id or card.positive, request.explain, predictor.runtime)
                known = self._memory.of(volume, card, *how)
                for index in sorted(known, key=lambda k: abs(k - request.first)):
                    self._channel.send(SliceAnswered(request.id, card.identity, known[index]))
                missing = len(known) < volume.slices
                if missing and not self._predict(request, predictor, volume, known):
                    return
        except FileNotFoundError:
            return  # a newer request has taken its place meanwhile
        answers = list(known.values())
        self._channel.send(
            PredictionFinished(
                request.id,
                series_probability(card, answers),
                time.perf_counter() - started,
                conflict(card, answers),
                tuple(filter(None, (*predictor.notes, unlike(card, answers)))),
            )
        )

    def _predict(
        self, request: PredictRequest, predictor: Predictor, volume: Volume, known: Answers
    ) -> bool:
        """Answer what is not known yet; False if a newer request or a cancel came between."""
        answers = predictor.predict_volume(
            volume,
            looks=lambda: self._looks(request),
            explain=request.explain,
            class_id=request.class_id,
            provisional=True,
            known=tuple(known),
            cancelled=lambda: self._superseded(request.id),
        )
        for answer in answers:
            if not answer.provisional:
                known[answer.index] = answer
            self._channel.send(SliceAnswered(request.id, predictor.card.identity, answer))
        return len(known) == volume.slices

    def _looks(self, request: PredictRequest) -> int:
        """The slice that is looked at now, as far as was heard."""
        return self._looked.index if self._looked.request_id == request.id else request.first

    def _predictor(self, request: PredictRequest | PrepareModel, card: Card) -> Predictor:
        # The whole card: another calibration of the same weights is another model.
        wanted = (card, request.device, request.runtime)
        known = next((pair for pair in self._models if pair[0] == wanted), None)
        if known is None:
            known = (wanted, _loaded(request))
        else:
            self._models.remove(known)
        self._models.append(known)  # the one asked last goes last
        return known[1]


def _loaded(request: PredictRequest | PrepareModel) -> Predictor:
    """From kept graphs where they can answer, else with torch."""
    from core.models.kept import kept_predictor

    known = kept_predictor(request.model_folder, request.device, request.runtime)
    if known is not None:
        return known
    _with_torch()
    from core.models.loading import load_predictor

    return load_predictor(request.model_folder, request.device, runtime=request.runtime)


@contextmanager
def _opened(voxels: SharedVoxels) -> Iterator[Volume]:
    """The volume in shared memory; not to be touched afterwards. Raises FileNotFoundError."""
    memory = open_memory(voxels.name)
    try:
        array = np.ndarray(voxels.shape, voxels.dtype, memory.buf)
        slope, intercept = np.asarray(voxels.slope), np.asarray(voxels.intercept)
        yield Volume(voxels.summary, array, slope, intercept)
    finally:
        memory.close()
