"""Entry of worker processes: `python -m core.retraining.worker train RUN`.

`features MODEL SERIES CASE` keeps the features of one series for previews.
`judge RUN` measures a finished run beside the active model and leaves the scores in the run's
folder, so that a window, which never imports torch, can compare them.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(words: list[str]) -> int:
    """Run one worker by name; returns its exit code."""
    if len(words) == 2 and words[0] == "train":
        from core.retraining.trainer import train_in_folder

        return train_in_folder(Path(words[1]))
    if len(words) == 2 and words[0] == "judge":
        return _judge(Path(words[1]))
    if len(words) == 4 and words[0] == "features":
        return _features(Path(words[1]), Path(words[2]), words[3])
    sys.stderr.write("sliceloop --worker: unknown worker\n")
    return 2


def _features(model: Path, series: Path, case_id: str) -> int:
    """A failure's sentence goes to the error; there is nothing else to tell."""
    from core.errors import CoreError
    from core.retraining.features import keep_features
    from core.sentences import sentence

    try:
        keep_features(model, series, case_id)
    except CoreError as error:
        sys.stderr.write(f"{sentence(error)}\n")
        return 1
    return 0


def _judge(run: Path) -> int:
    """Progress goes to standard output as `done total` lines, a failure's sentence to the error."""
    from core.errors import CoreError
    from core.models.catalogue import Catalogue
    from core.retraining.promotion import judge
    from core.sentences import sentence

    def tell(done: int, total: int) -> None:
        sys.stdout.write(f"{done} {total}\n")
        sys.stdout.flush()

    try:
        judge(run, Catalogue(), resamples=100, progress=tell)
    except CoreError as error:
        sys.stderr.write(f"{sentence(error)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
