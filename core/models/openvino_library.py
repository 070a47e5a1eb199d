"""OpenVINO without its telemetry: the one place from which it is imported.

`import openvino` reports each import to its makers over the network, unless the package
`openvino_telemetry` cannot be found; then it takes a stub of its own that sends nothing. Nothing
leaves this workstation: here it is never found.
"""

from __future__ import annotations

import sys
from typing import Any

TELEMETRY = "openvino_telemetry"


def openvino() -> Any:
    """The library. Raises ImportError where it is not installed."""
    if "openvino" not in sys.modules:
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]
    import openvino as library

    return library
