"""Models and series for the benches: the shipped model, and networks of the usual sizes."""

from __future__ import annotations

import gc
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from core.bench.timing import Work
from core.imaging.geometry import Geometry
from core.imaging.intensity import Quantity
from core.imaging.volume import SeriesSummary, Volume
from core.models.architectures.classifier import Classifier
from core.models.card import (
    WEIGHTS_FILE,
    Accepts,
    Architecture,
    Card,
    Preprocessing,
    TrainingData,
    sha256_of,
    write_card,
)
from core.models.catalogue import Catalogue
from core.models.loading import NetworkPredictor, load_predictor
from core.models.member import Choice


def shipped_folder() -> Path:
    """The model that ships. Raises UnknownModelError where none does."""
    shipped = [entry.folder for entry in Catalogue().list() if entry.origin == "shipped"]
    return shipped[0] if shipped else Catalogue().get("head-ct-hemorrhage").folder


def shipped(runtime: Choice) -> NetworkPredictor:
    """The shipped model, answering through a runtime."""
    return load_predictor(shipped_folder(), "cpu", runtime=runtime)


def made(family: str, size: int, dimensions: int, runtime: Choice) -> NetworkPredictor:
    """A network with random weights, answering through a runtime. Speed does not ask for more."""
    torch.manual_seed(0)
    spec = Preprocessing(size=size, crop="whole", dimensions=dimensions)
    model = Classifier(family, 1, spec.channels).eval()
    card = Card(
        id="bench",
        version="1",
        title="bench",
        task="bench",
        created="2026-01-01T00:00:00+00:00",
        architecture=Architecture(family=family, outputs=1, parameters=model.parameter_count()),
        preprocessing=spec,
        classes=("no", "yes"),
        positive="yes",
        threshold=0.5,
        accepts=Accepts(quantities=(Quantity.HU,)),
        data=TrainingData(name="noise"),
        recipe={},
    )
    return NetworkPredictor(card, model, torch.device("cpu"), runtime=runtime)


def kept(predictor: NetworkPredictor, folder: Path) -> None:
    """Write a made network with its card, as the engine reads models."""
    folder.mkdir(parents=True)
    state = {name: value.contiguous() for name, value in predictor.model.state_dict().items()}
    save_file(state, folder / WEIGHTS_FILE)
    digest = sha256_of(folder / WEIGHTS_FILE)
    write_card(folder, predictor.card.model_copy(update={"weights_sha256": digest}))


def series(slices: int, side: int = 512) -> Volume:
    """A head-like series in HU, from a seed."""
    random = np.random.default_rng(1)
    rows, columns = np.mgrid[:side, :side]
    inside = ((rows - side / 2) / (side * 0.4)) ** 2 + ((columns - side / 2) / (side * 0.32)) ** 2
    brain = np.where(inside < 1, 35, -1000)
    voxels = (brain + random.normal(0, 6, (slices, side, side)) * (inside < 1)).astype(np.int16)
    facts: dict[str, Any] = {
        "uid": "1.2.3",
        "case_id": "bench",
        "modality": "CT",
        "description": "",
        "geometry": Geometry.unknown((slices, side, side)),
        "quantity": Quantity.HU,
        "transfer_syntax": "",
        "slice_ids": tuple(str(k) for k in range(slices)),
    }
    return Volume(SeriesSummary(**facts), voxels, np.ones(slices), np.zeros(slices))


def another(case: Volume) -> Volume:
    """The same series with other values: nobody has been asked about it."""
    return replace(case, voxels=np.asarray(case.voxels, np.int16) + np.int16(1))


def best_of(works: dict[str, Work], rounds: int, budget: float = 20.0) -> dict[str, float]:
    """Shortest seconds of each work, run in turn after one round to warm up.

    The shortest, because a network's work is the same each time: what is longer is the machine's.
    budget: seconds after which no further round begins, once there were three.
    """
    taken = dict.fromkeys(works, float("inf"))
    until = time.perf_counter() + budget
    for number in range(rounds + 1):
        if number > 3 and time.perf_counter() > until:
            break
        for name, work in works.items():
            gc.collect()
            seconds = timed(work)
            if number:
                taken[name] = min(taken[name], seconds)
    return taken


def timed(work: Work) -> float:
    """Seconds that a work takes, once."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def check(name: str, value: float, goal: float) -> dict[str, object]:
    """A figure that is no time: it must not be above its goal."""
    return {"name": name, "value": value, "goal": goal, "met": value <= goal}
