"""Asking the model: which one answers, in what order series are asked, what came back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from core import crash_reports
from core.errors import CancelledError, EngineDiedError, UnsuitableInputError
from core.events import Signal
from core.imaging.geometry import Plane
from core.models import guard
from core.models.catalogue import Catalogue, CatalogueEntry
from core.models.messages import (
    EngineDied,
    EngineMessage,
    EngineReady,
    PredictionFinished,
    PredictionStarted,
    PredictRequest,
    PrepareModel,
    RequestFailed,
    SliceAnswered,
)
from core.sentences import sentence
from core.session import AnswerState, LoadState, Reading, Session
from desktop.jobs import Job, Jobs, Mailbox, Task, explain
from desktop.language import say
from desktop.notices import Notice, Tell
from desktop.operations.engine import Engine, EngineState
from desktop.operations.glancing import Glance, can_be_glanced_at
from desktop.operations.looking import Looking
from desktop.operations.model_choice import ModelChoice

_TRIES = 2
"""Times that one series is asked again after the engine died over it."""


class Asking:
    """Owner of the questions under way; answers are put into their Case."""

    engine_changed = Signal(str)
    """How the engine is, in words for the footer."""
    models_changed = Signal()
    """The models to choose from, or the one that is asked, changed."""
    answered = Signal(object, float)
    """(Reading, seconds) after the last slice of a series was answered."""

    def __init__(
        self,
        session: Session,
        catalogue: Catalogue,
        jobs: Jobs,
        tell: Tell,
        make_engine: Callable[[Callable[[EngineMessage], None]], Engine],
    ) -> None:
        self.models = ModelChoice(session, catalogue)
        self._session = session
        self._catalogue = catalogue
        self._jobs = jobs
        self._tell = tell
        self._mailbox = Mailbox(self.receive, jobs)
        self._engine = make_engine(self._mailbox.post)
        self._numbers = itertools.count(1)
        self._asked: dict[int, Reading] = {}
        self._shown_work = 0
        self._at_work: Reading | None = None
        self._waiting: list[Reading] = []
        self._tries: dict[str, int] = {}
        self.device = "auto"
        """Where models answer, if the engine has it; see `PredictRequest`."""
        self.runtime: Literal["torch", "openvino", "auto"] = "auto"
        self._looking = Looking(
            self.models, self._number_of, self._engine.look_at, self._in_engine_lane, self.ask
        )
        self._glance: Glance | None = None
        self._state = EngineState.STARTING
        self._device = ""
        catalogue.changed.connect(self._catalogue_changed)
        session.label_set_changed.connect(self._task_changed)
        session.current_changed.connect(self._looking.follow)
        session.state_changed.connect(self._load_ended)

    # ---- the engine

    def start(self) -> None:
        """Start the engine process; called when the window is visible."""
        if self.models.problem is not None:
            self._tell(Notice.of(self.models.problem))
        self._say_engine(EngineState.STARTING)
        self._in_engine_lane(self._engine.start)
        entry = self.models.model
        if entry is not None:
            wanted = PrepareModel(entry.folder, self.device, self.runtime)
            self._in_engine_lane(lambda: self._engine.prepare(wanted))

    def close(self) -> None:
        """End the engine process."""
        self._catalogue.changed.disconnect(self._catalogue_changed)
        self._session.label_set_changed.disconnect(self._task_changed)
        self._session.current_changed.disconnect(self._looking.follow)
        self._session.state_changed.disconnect(self._load_ended)
        self._looking.follow(None)
        self._mailbox.close()
        self._engine.close()

    def _in_engine_lane(self, act: Callable[[], None]) -> None:
        """Starting a process and copying voxels take longer than a frame."""

        def work(_task: Task) -> None:
            act()

        self._jobs.submit(
            Job("engine", "", work, lane="engine"),
            on_failed=lambda failure: self._tell(Notice.of(failure)),
        )

    def _say_engine(self, state: EngineState) -> None:
        self._state = state
        self.engine_changed.emit(self.words)

    @property
    def words(self) -> str:
        """How the engine is, for the footer."""
        return {
            EngineState.STARTING: say("Model engine: starting…"),
            EngineState.READY: say("Model engine: ready ({device})", device=self._device),
            EngineState.RESTARTING: say("Model engine: starting again…"),
        }[self._state]

    # ---- models

    def choose(self, model: str) -> None:
        """Ask another model from now on, in this session only; promotion is another matter."""
        self.models.choose(model)
        self._model_changed(ask=True)

    def _catalogue_changed(self) -> None:
        before = self.models.model
        self.models.read()
        after = self.models.model
        same = (before.card.identity if before else None) == (
            after.card.identity if after else None
        )
        if same:
            self.models_changed.emit()
        else:
            self._model_changed(ask=True)

    def _task_changed(self, _label_set: object) -> None:
        self.models.choose(None)
        self._stop_all()
        self._model_changed(ask=True)

    def _model_changed(self, *, ask: bool) -> None:
        model = self.models.model
        for reading in self._session:
            prediction = reading.case.prediction
            stale = (
                prediction is not None
                and model is not None
                and prediction.model != model.card.identity
            )
            if reading.answer_state is AnswerState.REFUSED:
                self._session.mark(reading, answer=AnswerState.NONE, note="")
            self._session.mark(reading, stale=stale)
        self.models_changed.emit()
        current = self._session.current
        if ask and current is not None and current.load_state is LoadState.LOADED:
            self.ask(current)

    # ---- questions

    def ask(self, reading: Reading) -> None:
        """Ask the model about a loaded series, before all others that wait."""
        entry = self.models.model
        volume = reading.case.volume
        if entry is None or volume is None or reading.load_state is not LoadState.LOADED:
            return
        reasons = guard.refusals(entry.card, reading.summary)
        if reasons:
            error = UnsuitableInputError(entry.card.title, reasons)
            reading.case.expect(None)
            self._session.mark(
                reading, answer=AnswerState.REFUSED, note=str(sentence(error)), stale=False
            )
            return
        if reading in self._waiting:
            self._waiting.remove(reading)
        interrupted = self._at_work
        if interrupted is not None and interrupted is not reading:
            self._waiting.insert(0, interrupted)
            self._session.mark(interrupted, answer=AnswerState.QUEUED)
        request, state, glance = self._request(reading, entry), AnswerState.QUEUED, self._glance
        if glance is not None and glance.goes_on_as(reading, request):
            request = replace(request, id=glance.request.id)
            state = AnswerState.RUNNING if glance.is_accepted else state
        if self.has_glanced_at(reading):
            self._glance = None
        # An older request is ended by the newer one; a glance at another series is not.
        self._asked = {request.id: reading}
        if self._glance is not None:
            self._asked[self._glance.request.id] = self._glance.reading
        self._at_work = reading
        self._session.mark(reading, answer=state, note="")
        self._jobs.end_outside(self._shown_work)
        self._shown_work = self._jobs.begin_outside(
            say("Asking the model about {count} slices", count=volume.slices),
            lambda: self.cancel(reading),
        )
        self._in_engine_lane(lambda: self._engine.predict(request, volume))

    def _request(self, reading: Reading, entry: CatalogueEntry) -> PredictRequest:
        wanted = self.device
        if wanted not in ("auto", "cpu") and not self._device.startswith(wanted):
            wanted = "auto"  # settings of another computer, or a graphics card that is gone
        return PredictRequest(
            next(self._numbers),
            entry.folder,
            reading.case.navigation.index(Plane.SLICE),
            device=wanted,
            class_id=_explained(reading, entry),
            runtime=self.runtime,
        )

    def glance(self, reading: Reading) -> None:
        """Ask about the visible slice of a series that is still being read, once it is there.

        Called with each slice that arrives. The rest of the series is asked about by `ask`, which
        goes on with the same request; what the engine works on meanwhile is not interrupted.
        """
        entry, volume = self.models.model, reading.case.volume
        if self._glance is not None or entry is None or volume is None:
            return
        if not can_be_glanced_at(reading.case, entry.card):
            return
        if guard.refusals(entry.card, reading.summary):
            return  # `ask` will say so
        request = self._request(reading, entry)
        self._glance = Glance(reading, request)
        self._asked[request.id] = reading
        self._in_engine_lane(lambda: self._engine.glance(request, volume))

    def has_glanced_at(self, reading: Reading) -> bool:
        """Whether the visible slice of a series was asked about while it was read."""
        return self._glance is not None and self._glance.reading is reading

    def forget_glance(self, reading: Reading) -> None:
        """Nobody asks about the rest of a series: its one answer is put away."""
        if self.has_glanced_at(reading):
            self._drop_glance()

    def _load_ended(self, reading: Reading) -> None:
        """A series that is not read any more is not asked about, either."""
        is_read = reading.load_state in (LoadState.LOADING, LoadState.LOADED)
        if not is_read:
            self.forget_glance(reading)

    def _drop_glance(self) -> None:
        glance, self._glance = self._glance, None
        if glance is None:
            return
        self._asked.pop(glance.request.id, None)
        self._in_engine_lane(lambda: self._engine.cancel(glance.request.id))
        glance.reading.case.expect(None)
        self._session.mark(glance.reading, answer=AnswerState.NONE)

    def _number_of(self, reading: Reading) -> int | None:
        """The request under which a series is being answered."""
        if reading is not self._at_work:
            return None
        return next((number for number, one in self._asked.items() if one is reading), None)

    def cancel(self, reading: Reading) -> None:
        """Stop asking about a series; the answers that have come stay."""
        self.forget(reading)
        if reading.answer_state in (AnswerState.QUEUED, AnswerState.RUNNING):
            self._session.mark(reading, answer=AnswerState.NONE)

    def forget(self, reading: Reading) -> None:
        """A series was closed: what was asked about it is not wanted any more."""
        if self.has_glanced_at(reading):
            self._glance = None
        if reading in self._waiting:
            self._waiting.remove(reading)
        for number, asked in tuple(self._asked.items()):
            if asked is reading:
                del self._asked[number]
                self._in_engine_lane(lambda n=number: self._engine.cancel(n))  # type: ignore[misc]
        if self._at_work is reading:
            self._at_work = None
            self._jobs.end_outside(self._shown_work)
            self._ask_next()

    def _stop_all(self) -> None:
        self._drop_glance()
        self._waiting.clear()
        for number in tuple(self._asked):
            self._in_engine_lane(lambda n=number: self._engine.cancel(n))  # type: ignore[misc]
        self._asked.clear()
        self._at_work = None
        self._jobs.end_outside(self._shown_work)

    def _ask_next(self) -> None:
        while self._waiting:
            reading = self._waiting.pop(0)
            if reading.load_state is LoadState.LOADED:
                self.ask(reading)
                return
            self._session.mark(reading, answer=AnswerState.NONE)

    # ---- answers, on the GUI thread

    def receive(self, message: EngineMessage) -> None:
        """Take what the engine says."""
        if isinstance(message, EngineReady):
            self._device = message.device.upper()
            self._say_engine(EngineState.READY)
            return
        if isinstance(message, EngineDied):
            self._died(message)
            return
        reading = self._asked.get(message.request_id)
        if reading is None:
            return  # an older question, replaced or no longer wanted
        case = reading.case
        if isinstance(message, PredictionStarted):
            case.expect(message.prediction)
            is_glance = self._glance is not None and self._glance.request.id == message.request_id
            if self._glance is not None and is_glance:
                self._glance = replace(self._glance, is_accepted=True)
            state = AnswerState.QUEUED if is_glance else AnswerState.RUNNING
            self._session.mark(reading, answer=state, stale=False)
        elif isinstance(message, SliceAnswered):
            case.answer_arrived(message.model, message.answer)
            if case.prediction is not None and reading is self._at_work:
                done, total = len(case.prediction.slices), reading.summary.shape[0]
                self._jobs.progress_outside(self._shown_work, done, total)
        elif isinstance(message, PredictionFinished):
            if case.prediction is not None:
                case.prediction_finished(
                    case.prediction.model,
                    message.series_probability,
                    message.conflict,
                    message.notes,
                )
            self._tries.pop(reading.key, None)
            self._end(message.request_id)
            self._session.mark(reading, answer=AnswerState.DONE)
            self.answered.emit(reading, message.seconds)
            self._ask_next()
        elif isinstance(message, RequestFailed):
            self._failed(reading, message)

    def _end(self, number: int) -> None:
        self._asked.pop(number, None)
        self._jobs.end_outside(self._shown_work)
        self._at_work = None

    def _failed(self, reading: Reading, message: RequestFailed) -> None:
        self._end(message.request_id)
        if isinstance(message.error, CancelledError):
            self._session.mark(reading, answer=AnswerState.NONE)
        else:
            failure = explain(message.error)
            refused = isinstance(message.error, UnsuitableInputError)
            state = AnswerState.REFUSED if refused else AnswerState.FAILED
            self._session.mark(reading, answer=state, note=str(failure.sentence))
            if not refused:
                self._tell(Notice.of(failure))
        self._ask_next()

    def _died(self, message: EngineDied) -> None:
        self._say_engine(EngineState.RESTARTING)
        reading = self._at_work
        self._drop_glance()
        self._asked.clear()
        self._at_work = None
        self._jobs.end_outside(self._shown_work)
        if not crash_reports.collect().crashed:
            crash_reports.write(f"The engine {message.how}", process="engine")
        failure = explain(EngineDiedError(message.how))
        self._tell(Notice.of(failure))
        if reading is None:
            return
        key = reading.key
        self._tries[key] = self._tries.get(key, 0) + 1
        if self._tries[key] <= _TRIES:
            self.ask(reading)
        else:
            self._session.mark(reading, answer=AnswerState.FAILED, note=str(failure.sentence))
            self._ask_next()


def _explained(reading: Reading, entry: CatalogueEntry) -> str | None:
    """The class that heat maps shall speak for; None for the one that stands for a finding."""
    wanted = reading.case.display.heat_class
    return wanted if len(entry.card.classes) > 2 and wanted in entry.card.classes else None
