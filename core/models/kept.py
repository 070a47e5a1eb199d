"""Graphs in the cache folder, and models that answer from them alone, without torch.

Whoever opens a study waits for the first answer; importing torch would be most of that time. A
model that was loaded into torch once, whose networks OpenVINO computes and whose heads are
linear, is noted here; from then on its compiled graphs, its card and its head's weights answer.
A graph is only ever used after it has answered as torch does (`core.models.runtime`) or, here,
as the card recorded: one that was damaged or exchanged is dropped.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from core import durable, places
from core.models.card import Card, Reference, check_weights, read_card
from core.models.devices import accelerator_possible, thread_count
from core.models.member import Choice, Member
from core.models.openvino_library import openvino
from core.models.openvino_runtime import Numbers, OpenVinoRuntime, explained_by
from core.models.predictor import Predictor
from core.models.reference import reference_logits, same_answer

KEPT = 8
"""Graphs that are kept, the newest; each is as large as its weights."""
_HEAD = "head.weight"
_log = logging.getLogger(__name__)


def kept_graph(key: str) -> Any | None:
    """A graph that was kept under a key, or None."""
    path = _folder() / f"{key}.xml"
    if not path.is_file():
        return None
    try:
        return openvino().Core().read_model(path)
    except RuntimeError:
        _log.info("a kept graph cannot be read; it is made again")
        return None


def keep_graph(graph: Any, key: str) -> None:
    """Write a graph, its numbers before the file that names them, and drop the oldest."""
    path = _folder() / f"{key}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"part-{os.getpid()}-{path.name}")
    try:
        openvino().save_model(graph, temporary, compress_to_fp16=False)
        temporary.with_suffix(".bin").replace(path.with_suffix(".bin"))
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        _log.info("the graph is not kept: %s", type(error).__name__)
        return
    newest = sorted(path.parent.glob("*.xml"), key=lambda file: file.stat().st_mtime)
    for old in newest[:-KEPT]:
        _forget(old.stem)


def keep(predictor: Predictor) -> None:
    """Note that a loaded model can answer from its graphs alone, where it can."""
    at_work = []
    for member in predictor.members:
        runtime = member.runtime
        if not isinstance(runtime, OpenVinoRuntime) or not runtime.is_linear or not runtime.key:
            return
        if runtime.precision != "f32":
            return
        at_work.append(runtime)
    keys = [runtime.key for runtime in at_work]
    is_there = all(_compiled(key).is_file() for key in keys)
    if predictor.card.reference is None or (is_there and _noted(predictor.card) == keys):
        return
    try:
        for runtime in at_work:
            durable.write_bytes(_compiled(runtime.key), runtime.compiled())
        durable.write_json(_note(predictor.card), {"graphs": keys})
    except Exception as error:  # noqa: BLE001 - what cannot be noted is loaded into torch again
        _log.info("the graphs are not noted: %s", type(error).__name__)


def any_kept() -> bool:
    """Whether some model can answer without torch: whether torch is worth awaiting."""
    return any(_folder().glob("model-*.json"))


def kept_predictor(
    folder: Path, device: str = "auto", runtime: Choice = "auto"
) -> Predictor | None:
    """A model of a folder that answers from its kept graphs, or None where it needs torch.

    Raises DamagedModelError as `load_predictor` does if a hash is not right.
    """
    if runtime == "torch" or device not in {"auto", "cpu"}:
        return None
    if device == "auto" and accelerator_possible():
        return None
    card = read_card(folder)
    keys = _noted(card)
    if card.reference is None or len(keys) != len(card.weight_files):
        return None
    check_weights(folder, card)
    members = []
    for key, (name, _) in zip(keys, card.weight_files, strict=True):
        try:
            explain = partial(explained_by, _head(folder / name))
            work = OpenVinoRuntime(_compiled(key).read_bytes(), explain, key=key, is_linear=True)
        except (OSError, RuntimeError, SafetensorError, TypeError) as error:
            _log.info("a kept graph is not used: %s", type(error).__name__)
            return None
        members.append(Member(card, work))
    predictor = Predictor(card, members)
    if _is_right(predictor, card.reference):
        return predictor
    _log.info("kept graphs do not answer as their card says; they are made again")
    for key in keys:
        _forget(key)
    return None


def _is_right(predictor: Predictor, recorded: Reference) -> bool:
    try:
        found = reference_logits(predictor, recorded.seed)
    except (RuntimeError, ValueError):  # of other shapes
        return False
    return same_answer(predictor.card, found, recorded.logits)


def _head(path: Path) -> Numbers:
    with safe_open(path, framework="numpy") as file:
        return np.asarray(file.get_tensor(_HEAD), np.float32)


def _compiled(key: str) -> Path:
    return _folder() / f"{key}-{thread_count()}.compiled"


def _folder() -> Path:
    return places.cache_folder() / "graphs"


def _note(card: Card) -> Path:
    facts = (
        card.identity.weights_sha256,
        card.architecture.model_dump_json(),
        card.preprocessing.model_dump_json(),
        openvino().__version__,
        str(thread_count()),
        platform.machine(),
    )
    digest = hashlib.blake2b("\n".join(facts).encode(), digest_size=16).hexdigest()
    return _folder() / f"model-{digest}.json"


def _noted(card: Card) -> list[str]:
    try:
        found = json.loads(_note(card).read_bytes())["graphs"]
    except (ImportError, OSError, ValueError, LookupError, TypeError):
        return []  # also where OpenVINO is not installed: torch answers
    return found if isinstance(found, list) and all(map(_is_key, found)) else []


def _is_key(text: object) -> bool:
    return isinstance(text, str) and text.isalnum()


def _forget(key: str) -> None:
    """Delete a graph, and the notes that name it."""
    folder = _folder()
    for path in folder.glob(f"{key}*"):
        path.unlink(missing_ok=True)
    for note in folder.glob("model-*.json"):
        if key in note.read_text("utf-8", errors="replace"):
            note.unlink(missing_ok=True)
