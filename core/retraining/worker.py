"""Entry of worker processes: `python -m core.retraining.worker train RUN`."""

from __future__ import annotations

import sys
from pathlib import Path


def main(words: list[str]) -> int:
    """Run one worker by name; returns its exit code."""
    if len(words) == 2 and words[0] == "train":
        from core.retraining.trainer import train_in_folder

        return train_in_folder(Path(words[1]))
    sys.stderr.write("sliceloop --worker: unknown worker\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
