"""What the freeze needs on disk first: icons in the systems' formats, the program's description."""

from __future__ import annotations

import tomllib
from pathlib import Path

from installer.icons import pack

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Write build/icon and build/metadata."""
    pack(ROOT / "build" / "icon")
    about = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    # The program asks for its own version as any installed package is asked.
    name = f"sliceloop-{about['version']}.dist-info"
    folder = ROOT / "build" / "metadata" / name
    folder.mkdir(parents=True, exist_ok=True)
    text = f"Metadata-Version: 2.4\nName: sliceloop\nVersion: {about['version']}\n"
    (folder / "METADATA").write_text(f"{text}License-Expression: {about['license']}\n")


if __name__ == "__main__":
    main()
