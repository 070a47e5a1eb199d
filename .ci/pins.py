"""The exact versions that were tested: written to constraints.txt and pyproject.toml alike.

`uv run` reads constraints only from pyproject.toml, `pip install -c` only from a file; this
keeps the two lists one. Neither names a package index.

    python .ci/pins.py            check that both agree and fit the environment's own packages
    python .ci/pins.py --write    take the versions now installed in this environment
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
PYPROJECT = ROOT / "pyproject.toml"
HEADER = "# Exact versions that were tested together. Made by .ci/pins.py --write.\n"
BEGIN, END = "# pins: begin (made by .ci/pins.py --write)", "# pins: end"
LOCAL = {"pip", "sliceloop", "uv", "wheel"}


def installed() -> list[str]:
    """`name==version` of every distribution here, without local version parts such as +cpu."""
    found = {}
    for distribution in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        if name not in LOCAL:
            found[name] = distribution.version.split("+")[0]
    return sorted(f"{name}=={version}" for name, version in found.items())


def in_constraints() -> list[str]:
    """The pins of constraints.txt."""
    lines = CONSTRAINTS.read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def in_pyproject() -> list[str]:
    """The pins of pyproject.toml."""
    tables = tomllib.loads(PYPROJECT.read_text())
    return list(tables["tool"]["uv"]["constraint-dependencies"])


def write(pins: list[str]) -> None:
    """Write both lists."""
    CONSTRAINTS.write_text(HEADER + "".join(f"{pin}\n" for pin in pins))
    quoted = "".join(f'    "{pin}",\n' for pin in pins)
    block = f"{BEGIN}\n[tool.uv]\nconstraint-dependencies = [\n{quoted}]\n{END}\n"
    text = PYPROJECT.read_text()
    if BEGIN in text:
        before, rest = text.split(BEGIN)
        text = before + block + rest.split(END)[1].lstrip("\n")
    else:
        text = text.rstrip("\n") + "\n\n" + block
    PYPROJECT.write_text(text)


def problems() -> list[str]:
    """What is wrong with the pins, as sentences."""
    one, other = in_constraints(), in_pyproject()
    told = []
    if one != other:
        told.append(f"constraints.txt and pyproject.toml differ: {sorted(set(one) ^ set(other))}")
    if one != sorted(set(one)):
        told.append("constraints.txt is not sorted or names a package twice")
    told += [f"not an exact version: {pin}" for pin in one if not re.fullmatch(r"\S+==\S+", pin)]
    if "://" in CONSTRAINTS.read_text():
        told.append("constraints.txt names a place to download from")
    pinned = dict(pin.split("==") for pin in one if "==" in pin)
    told += [
        f"{pin} is installed, but {name} is pinned to {pinned.get(name, 'nothing')}"
        for pin in installed()
        for name, version in [pin.split("==")]
        if pinned.get(name) != version
    ]
    return told


def main() -> int:
    """Check, or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--write", action="store_true", help="take the installed versions")
    if parser.parse_args().write:
        write(installed())
    told = problems()
    sys.stdout.writelines(f"pins: {line}\n" for line in told)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
