"""torchvision, with or without its compiled operators: the one place from which it is imported.

The package fails to import where its compiled part cannot be loaded, because it describes
`nms` and `qnms` to torch although nobody has declared them: so it is beside a torch from another
build (a CPU torch beside the index's torchvision) and in the installed bundle, which leaves the
compiled part out. Detection operators are not used here; declaring the two is enough.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

_DECLARED = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_kept: list[Any] = []
"""A declaration lasts as long as the object that made it."""


def torchvision() -> Any:
    """The library. Raises ImportError where it is not installed."""
    if "torchvision" not in sys.modules:
        _declare()
    import torchvision as library

    return library


def _declare() -> None:
    import torch

    if _loads_its_operators():
        return
    library: Any = torch.library
    known = library.Library("torchvision", "FRAGMENT")
    for schema in _DECLARED:
        known.define(schema)
    _kept.append(known)


def _loads_its_operators() -> bool:
    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    for file in Path(spec.origin).parent.glob("_C*"):
        if file.suffix in (".so", ".pyd"):
            try:
                torch.ops.load_library(str(file))  # type: ignore[no-untyped-call]
            except OSError:
                return False
            return True
    return False
