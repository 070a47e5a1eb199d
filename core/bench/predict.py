"""Predicting: our answers against the bare fastest engine and against eager torch.

*Bare* is OpenVINO in float32 with the same graph and nothing around it; *eager* is torch as it
comes, one input at a time. The first answer is timed in the window's process, from the question
to the visible slice's probability with its heat map: with everything between two processes.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from core.bench.models_made import (
    another,
    best_of,
    check,
    kept,
    made,
    series,
    shipped,
    shipped_folder,
    timed,
)
from core.bench.series_maker import make_series
from core.bench.timing import Figure
from core.errors import EngineDiedError
from core.imaging.opening import open_path
from core.imaging.volume import Series, Volume
from core.models.ahead import near_slices
from core.models.calibration import calibrated
from core.models.card import read_card
from core.models.client import EngineClient
from core.models.loading import NetworkPredictor, load_predictor
from core.models.messages import (
    EngineDied,
    EngineMessage,
    EngineReady,
    PredictionFinished,
    PredictRequest,
    RequestFailed,
    SliceAnswered,
)
from core.models.reference import seeded_input
from core.models.runtime import openvino_runtime

ROUNDS = 12
_LENGTHS = (36, 300)
"""Slices of the series whose visible slice is timed: a head CT, and a long one."""
_READ = 300
"""Slices of the series that is read while its visible slice is asked about."""
_FIRST_ROUNDS = 8
_PATIENCE = 120.0
_CASES = (
    ("shipped model, 2D at 192²", None, 192, 2, 1.15),
    ("ResNet-18, 2D at 512²", "resnet18", 512, 2, 1.15),
    ("3D ResNet at 128³", "resnet3d", 128, 3, 4.0),
)


def measure() -> dict[str, Any]:
    """All figures, for `sliceloop bench predict`."""
    figures, checks = [], []
    for name, family, size, dimensions, faster in _CASES:
        ours = shipped("auto") if family is None else made(family, size, dimensions, "auto")
        eager = shipped("torch") if family is None else made(family, size, dimensions, "torch")
        found, difference = _one(name, ours, eager, faster)
        figures += found
        checks.append(check(f"{name}: largest difference of a probability", difference, 1e-4))
    figures += _first_answers()
    return {
        "threads": torch.get_num_threads(),
        "figures": [figure.as_dict() for figure in figures],
        "checks": checks,
    }


def _one(
    name: str, ours: NetworkPredictor, eager: NetworkPredictor, faster: float
) -> tuple[list[Figure], float]:
    card = ours.card
    pixels = seeded_input(card, 5)
    bare = openvino_runtime(ours.model, card).bare
    taken = best_of(
        {
            "ours": lambda: ours.members[0].look(pixels),
            "bare": lambda: bare(pixels),
            "eager": lambda: eager.members[0].runtime(pixels),
        },
        ROUNDS,
    )
    several = seeded_input(card, 6, 4)
    both = [calibrated(card, p.members[0].look(several).logits) for p in (ours, eager)]
    figures = [
        Figure(
            f"{name}: an answer ({ours.runtime})",
            taken["ours"],
            "bare OpenVINO f32",
            taken["bare"],
            1.15,
            higher_is_better=False,
        ),
        Figure(
            f"{name}: an answer ({ours.runtime})",
            taken["ours"],
            "eager torch",
            taken["eager"],
            faster,
            higher_is_better=True,
        ),
    ]
    return figures, float(np.abs(both[0] - both[1]).max())


def _first_answers() -> list[Figure]:
    """From the question to the visible slice's answer and map, through the engine process.

    A new series each time, of which the engine knows nothing; the model is loaded.
    """
    with WarmEngine() as engine, TemporaryDirectory() as folder:
        large = Path(folder) / "resnet18"
        kept(made("resnet18", 512, 2, "auto"), large)
        figures = [
            _first_answer(engine, "shipped model", shipped("auto"), shipped_folder(), slices)
            for slices in _LENGTHS
        ]
        figures.append(_first_while_read(engine, Path(folder) / "series"))
        again = load_predictor(large, "cpu", runtime="auto")
        figures.append(_first_answer(engine, "ResNet-18 at 512²", again, large, _LENGTHS[0]))
    return figures


def _first_answer(
    engine: WarmEngine, name: str, predictor: NetworkPredictor, folder: Path, slices: int
) -> Figure:
    """Beside it, after each question: the network alone, in this process, on ready pixels."""
    case = series(slices)
    engine.first_answer(folder, case)  # loads the model
    first = forward = float("inf")
    for _ in range(_FIRST_ROUNDS):
        case = another(case)
        first = min(first, engine.first_answer(folder, case))
        forward = min(forward, _forward(predictor))
    return Figure(
        f"{name}: the visible slice of {slices}, answer and map",
        first,
        "one forward pass",
        forward,
        1.5,
        higher_is_better=False,
    )


def _first_while_read(engine: WarmEngine, folder: Path) -> Figure:
    """From the beginning of reading a long compressed series to its visible slice's answer.

    Beside it: until the slices that the model looks at are there, and one forward pass.
    """
    predictor = shipped("auto")
    make_series(folder, _READ, "jpeg-ls", number=1)
    found = open_path(folder).series[0]
    engine.answer_while_read(shipped_folder(), found)  # starts the decoders
    there = answered = forward = float("inf")
    for _ in range(_FIRST_ROUNDS):
        one = engine.answer_while_read(shipped_folder(), found)
        there, answered = min(there, one[0]), min(answered, one[1])
        forward = min(forward, _forward(predictor))
    return Figure(
        f"shipped model: the visible slice of {_READ}, from the beginning of reading it",
        answered,
        "its slices, and one forward pass",
        there + forward,
        1.5,
        higher_is_better=False,
    )


def _forward(predictor: NetworkPredictor) -> float:
    """Seconds of the shortest of five passes, in this process, on ready pixels."""
    pixels, runtime = seeded_input(predictor.card, 5), predictor.members[0].runtime
    return min(timed(lambda: runtime(pixels)) for _ in range(5))


class WarmEngine:
    """The engine process as the window has it, and the time until it says something."""

    def __init__(self) -> None:
        self._heard: Queue[tuple[float, EngineMessage]] = Queue()
        self._client = EngineClient(lambda message: self._heard.put((time.perf_counter(), message)))
        self._numbers = itertools.count(1)
        self._small = series(1, 32)

    def __enter__(self) -> WarmEngine:
        self._client.start()
        self._until(EngineReady)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def first_answer(self, model: Path, case: Volume) -> float:
        """Seconds from the question to the first answer with its heat map; then it is idle."""
        begin = time.perf_counter()
        number = self._ask(model, case)
        at = self._until(SliceAnswered, number)
        self._client.cancel(number)
        # Answered when the rest of the series has been let go.
        self._until(PredictionFinished, self._ask(model, self._small))
        return at - begin

    def answer_while_read(self, model: Path, found: Series) -> tuple[float, float]:
        """Read a series; seconds until the visible slice can be asked about, and is answered."""
        spec, middle = read_card(model).preprocessing, found.summary.shape[0] // 2
        there, have, begin = 0.0, set[int](), time.perf_counter()
        request = PredictRequest(next(self._numbers), model, middle, device="cpu")

        def arrived(volume: Volume, index: int) -> None:
            nonlocal there
            have.add(index)
            near = near_slices(spec, middle, volume)
            if not there and near is not None and have >= set(range(near.start, near.stop)):
                there = time.perf_counter() - begin
                self._client.glance(request, volume)

        found.load(first=middle, on_slice=arrived)
        if not there:
            raise ValueError("a series so short is not looked at while it is read")
        return there, self._until(SliceAnswered, request.id) - begin

    def _ask(self, model: Path, case: Volume) -> int:
        number = next(self._numbers)
        request = PredictRequest(number, model, case.slices // 2, device="cpu")
        self._client.predict(request, case)
        return number

    def _until(self, kind: type, request: int = 0) -> float:
        """When a message of a kind was heard, of one request if one is named."""
        while True:
            at, message = self._heard.get(timeout=_PATIENCE)
            if isinstance(message, RequestFailed):
                raise message.error
            if isinstance(message, EngineDied):
                raise EngineDiedError(message.how)
            if isinstance(message, kind) and request in (0, getattr(message, "request_id", 0)):
                return at
