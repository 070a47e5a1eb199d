"""OpenVINO's graph of a network, made from torch once and kept in the cache folder.

The graph is made in memory by OpenVINO's PyTorch frontend; nothing is fetched and nothing is
sent. What a kept graph must show before it is used: `core.models.kept`.
"""

from __future__ import annotations

import hashlib
from typing import Any

import torch

from core.models.architectures.classifier import Classifier
from core.models.card import Card
from core.models.deployed import Deployed, quietly
from core.models.kept import keep_graph, kept_graph
from core.models.openvino_library import openvino


def graph_of(model: Classifier, card: Card) -> tuple[Any, str]:
    """The network as a graph of one input of fixed size, and the key under which it is kept.

    Its outputs are logits and maps.
    """
    key = _key(model, card)
    graph = kept_graph(key)
    if graph is None:
        graph = _convert(model, card)
        keep_graph(graph, key)
    return graph, key


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
