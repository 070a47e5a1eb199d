"""Which modules of a package need their source beside their bytecode in the bundle."""

from __future__ import annotations

import re
from pathlib import Path

_READS_SOURCE = re.compile(r"install_config_module\(|jit\.script|_overload\b|_overload_method\b")
"""What reads a module's own source when it is imported: torch's settings and its script compiler.

All others go without: 40 MB of text that nobody opens.
"""


def collection_mode(package: str, folder: Path) -> dict[str, str]:
    """PyInstaller's `module_collection_mode` for a package that lies in `folder`.

    Every module is named: one that is not takes the mode of the package around it.
    """
    found = {}
    for file in folder.rglob("*.py"):
        parts = [package, *file.relative_to(folder).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        is_read = _READS_SOURCE.search(file.read_text(encoding="utf-8", errors="replace"))
        found[".".join(parts)] = "pyz+py" if is_read else "pyz"
    return found
