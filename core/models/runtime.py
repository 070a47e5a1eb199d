"""What computes a network: eager torch, or OpenVINO where that is measured to be faster."""

from __future__ import annotations

import json
import logging
import platform
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core import durable, places
from core.models.architectures.classifier import Classifier, memory_format
from core.models.card import Card
from core.models.deployed import Deployed
from core.models.devices import thread_count
from core.models.explanation import evidence
from core.models.graphs import graph_of
from core.models.member import Choice, Precision, Runtime
from core.models.openvino_runtime import Numbers, OpenVinoRuntime, explained_by
from core.models.reference import same_answer, seeded_input

Pixels = NDArray[np.uint8]

_ROUNDS = 3
_log = logging.getLogger(__name__)


class TorchRuntime:
    """Eager torch on a device, in float32."""

    def __init__(self, model: Classifier, card: Card, device: torch.device) -> None:
        layout = memory_format(card.preprocessing.dimensions + 2)
        network = Deployed(model, card.preprocessing).eval()
        self._network = network.to(device, memory_format=layout)  # type: ignore[call-overload]
        self._device, self._model = device, model
        self.name = f"torch f32 on {device.type.upper()}"

    def __call__(self, pixels: Pixels) -> tuple[Numbers, Tensor]:
        """See Runtime."""
        with torch.no_grad():
            logits, maps = self._network(torch.from_numpy(pixels).to(self._device))
        return logits.float().cpu().numpy(), maps

    def evidence(self, maps: Tensor, output: int) -> Numbers:
        """See Runtime."""
        found: Numbers = evidence(self._model, maps, output).float().cpu().numpy()
        return found


def openvino_runtime(
    model: Classifier, card: Card, precision: Precision = "f32"
) -> OpenVinoRuntime:
    """A network's graph at work, kept for the next time; a head that is not linear asks torch."""
    graph, key = graph_of(model, card)
    if not model.is_linear:
        return OpenVinoRuntime(graph, partial(_explained, model), precision, key=key)
    weights = model.last.weight.detach().cpu().float().numpy()
    explain = partial(explained_by, weights)
    return OpenVinoRuntime(graph, explain, precision, key=key, is_linear=True)


def _explained(model: Classifier, maps: Numbers, output: int) -> Numbers:
    found: Numbers = evidence(model, torch.from_numpy(maps), output).numpy()
    return found


@dataclass(frozen=True)
class Measured:
    """Seconds that one input took, the best of a few; and which runtime was chosen."""

    torch: float
    openvino: float
    chosen: Literal["torch", "openvino"]


def make_runtime(
    model: Classifier,
    card: Card,
    device: torch.device,
    choice: Choice = "torch",
    precision: Precision = "f32",
) -> Runtime:
    """The runtime of a model on a device.

    "auto" takes OpenVINO on a CPU where it answers as torch does and was measured to be faster
    on this computer; where it is absent or cannot take the network, torch answers.
    """
    plain = TorchRuntime(model, card, device)
    if choice == "torch" or device.type != "cpu":
        return plain
    known = _remembered(card, precision)
    if choice == "auto" and known == "torch":
        return plain
    try:
        fast = openvino_runtime(model, card, precision)
    except (ImportError, RuntimeError) as error:
        # A network that it cannot take is answered by torch: slower, and the same.
        _log.info("OpenVINO does not take this network: %s", str(error).splitlines()[0])
        return TorchRuntime(model, card, device)
    plain = TorchRuntime(model, card, device)
    if precision == "f32" and not agrees(fast, plain, card):
        _log.info("OpenVINO answers otherwise than torch; torch is used")
        return plain
    if choice == "openvino" or known == "openvino":
        return fast
    found = measure(fast, plain, card)
    _remember(card, precision, found)
    return fast if found.chosen == "openvino" else plain


def agrees(one: Runtime, other: Runtime, card: Card) -> bool:
    """Whether two runtimes say the same of an input made from a seed."""
    pixels = seeded_input(card, 7)
    return same_answer(card, one(pixels)[0], other(pixels)[0])


def measure(fast: Runtime, plain: Runtime, card: Card) -> Measured:
    """Time both, in turn, on one input."""
    pixels = seeded_input(card, 7)
    best = {id(fast): np.inf, id(plain): np.inf}
    for _ in range(_ROUNDS):
        for runtime in (plain, fast):
            begin = time.perf_counter()
            runtime(pixels)
            best[id(runtime)] = min(best[id(runtime)], time.perf_counter() - begin)
    faster = best[id(fast)] <= best[id(plain)]
    return Measured(best[id(plain)], best[id(fast)], "openvino" if faster else "torch")


def _memory_file() -> Path:
    return places.cache_folder() / "runtimes.json"


def _key(card: Card, precision: Precision) -> str:
    return (
        f"{card.identity.weights_sha256[:24]} {card.preprocessing.size} {precision} "
        f"{thread_count()} {torch.__version__} {platform.machine()}"
    )


def _table() -> dict[str, Any]:
    try:
        found = json.loads(_memory_file().read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remembered(card: Card, precision: Precision) -> str:
    """Which runtime was faster when that was measured here, or ""."""
    entry = _table().get(_key(card, precision))
    return str(entry.get("chosen", "")) if isinstance(entry, dict) else ""


def _remember(card: Card, precision: Precision, found: Measured) -> None:
    table = _table()
    table[_key(card, precision)] = {
        "torch_seconds": round(found.torch, 5),
        "openvino_seconds": round(found.openvino, 5),
        "chosen": found.chosen,
    }
    try:
        durable.write_json(_memory_file(), table)
    except Exception as error:  # noqa: BLE001 - a cache that cannot be kept is measured again
        _log.info("the measurement is not kept: %s", type(error).__name__)
