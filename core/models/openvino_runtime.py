"""A graph at work in OpenVINO on the CPU; torch is not needed for it.

OpenVINO's own default precision may be bfloat16; here it is always set, and it is float32 unless
the model's card says that another one was checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.models.devices import thread_count
from core.models.member import Precision
from core.models.openvino_library import openvino

Numbers = NDArray[np.float32]
Explain = Callable[[Numbers, int], Numbers]
"""Last feature maps (n, features, …) and a logit's index → evidence (n, …)."""


class OpenVinoRuntime:
    """One input after the other; the threads share each of them.

    graph: of a `Deployed` network, for one input; or what `compiled` gave before, as bytes, of
    the same precision and threads. key: what it is kept as, if it is. is_linear: whether
    `explain` is `linear_evidence` of the head's weights. Raises RuntimeError for bytes that this
    OpenVINO did not make.
    """

    def __init__(
        self,
        graph: Any,
        explain: Explain,
        precision: Precision = "f32",
        *,
        key: str = "",
        is_linear: bool = False,
    ) -> None:
        how = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": thread_count(),
        }
        core = openvino().Core()
        if isinstance(graph, bytes):
            self._compiled = core.import_model(graph, "CPU", how)
        else:
            self._compiled = core.compile_model(graph, "CPU", how)
        self._request = self._compiled.create_infer_request()
        self._explain = explain
        self.key, self.is_linear, self.precision = key, is_linear, precision
        self.name = f"OpenVINO {precision} on CPU"

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[Numbers, Numbers]:
        """See Runtime."""
        logits, maps = [], []
        for one in pixels:
            found = self.bare(np.ascontiguousarray(one[None]))
            logits.append(found[0].copy())
            maps.append(found[1].copy())
        return np.concatenate(logits), maps[0] if len(maps) == 1 else np.concatenate(maps)

    def evidence(self, maps: Numbers, output: int) -> Numbers:
        """See Runtime."""
        return self._explain(maps, output)

    def compiled(self) -> bytes:
        """What was compiled, to be given to a new runtime in a fifth of the time."""
        found: bytes = self._compiled.export_model().getvalue()
        return found

    def bare(self, pixels: NDArray[np.uint8]) -> Any:
        """The engine's own call and nothing around it: what benches compare with.

        Its arrays are overwritten by the next call.
        """
        return self._request.infer([pixels], share_inputs=True, share_outputs=True)


def explained_by(weights: Numbers, maps: Numbers, output: int) -> Numbers:
    """`linear_evidence` of one of a linear head's logits; weights: (outputs, features)."""
    return linear_evidence(weights[output], maps)


def linear_evidence(weight: Numbers, maps: Numbers) -> Numbers:
    """Grad-CAM of a logit that is linear in the mean of the maps; see `core.models.explanation`.

    weight: (features,) of the logit. maps: (n, features, …). Returns (n, …), whose sum and the
    bias are the logit. In numpy: for so little, torch would wake threads that OpenVINO's left.
    """
    flat = maps.reshape(*maps.shape[:2], -1)
    found = np.matmul(weight, flat) / np.float32(flat.shape[2])
    shaped: Numbers = found.reshape(len(maps), *maps.shape[2:]).astype(np.float32, copy=False)
    return shaped
