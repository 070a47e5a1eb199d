"""OpenVINO's graph of a network, made from torch once and kept in the cache folder.

The graph is made in memory by OpenVINO's PyTorch frontend; nothing is fetched and nothing is
sent. A kept graph is only ever used after it has answered as torch does (see
`core.models.runtime`): one that was damaged or exchanged cannot answer for a model.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import torch

from core import places
from core.models.architectures.classifier import Classifier
from core.models.card import Card
from core.models.deployed import Deployed, quietly
from core.models.openvino_library import openvino

KEPT = 8
"""Graphs that are kept, the newest; each is as large as its weights."""
_log = logging.getLogger(__name__)


def graph_of(model: Classifier, card: Card) -> Any:
    """The network as a graph of one input of fixed size; outputs are logits and maps."""
    path = _folder() / f"{_key(model, card)}.xml"
    if path.is_file():
        try:
            return openvino().Core().read_model(path)
        except RuntimeError:
            _log.info("a kept graph cannot be read; it is made again")
    graph = _convert(model, card)
    try:
        _keep(graph, path)
    except (OSError, RuntimeError) as error:
        _log.info("the graph is not kept: %s", type(error).__name__)
    return graph


def _convert(model: Classifier, card: Card) -> Any:
    openvino()  # before its parts, so that they find it without telemetry
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    shape = (1, *card.preprocessing.input_shape)
    example = torch.zeros(shape, dtype=torch.uint8)
    with quietly():
        plain = model.to(memory_format=torch.contiguous_format).eval()
        network = Deployed(plain, card.preprocessing)
        traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
        frontend = FrontEndManager().load_by_framework("pytorch")
        # The frontend asks the decoder while it converts, and does not keep it alive itself.
        decoder = TorchScriptPythonDecoder(traced)
        graph = frontend.convert(frontend.load(decoder))
        del decoder
    graph.reshape({graph.inputs[0]: list(shape)})
    return graph


def _key(model: Classifier, card: Card) -> str:
    """Of the very numbers, the network, the normalisation and the libraries."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    facts = (
        card.architecture.model_dump_json(),
        card.preprocessing.model_dump_json(),
        torch.__version__,
        openvino().__version__,
    )
    digest.update("\n".join(facts).encode())
    return digest.hexdigest()


def _folder() -> Path:
    return places.cache_folder() / "graphs"


def _keep(graph: Any, path: Path) -> None:
    """Write a graph, its numbers before the file that names them, and drop the oldest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"part-{os.getpid()}-{path.name}")
    openvino().save_model(graph, temporary, compress_to_fp16=False)
    temporary.with_suffix(".bin").replace(path.with_suffix(".bin"))
    temporary.replace(path)
    newest = sorted(path.parent.glob("*.xml"), key=lambda file: file.stat().st_mtime)
    for old in newest[:-KEPT]:
        old.unlink(missing_ok=True)
        old.with_suffix(".bin").unlink(missing_ok=True)
