"""Entry of worker processes: `sliceloop --worker train RUN` (see core.workers).

`features MODEL` keeps the features of the series that it is told, for previews.
`foretell MODEL` answers what a retraining on the labels that it is told would change.
`judge RUN` measures a finished run beside the active model and leaves the scores, and pictures of
what changed, in the run's folder, so that a window, which never imports torch, can show them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from core.workers import let_the_window_go_first


def main(words: list[str]) -> int:
    """Run one worker by name; returns its exit code."""
    from core import crash_reports

    with crash_reports.watched("trainer" if words[:1] == ["train"] else "worker"):
        return _run(words)


def _run(words: list[str]) -> int:
    let_the_window_go_first()
    if len(words) == 2 and words[0] == "train":
        from core.retraining.trainer import train_in_folder

        return train_in_folder(Path(words[1]))
    if len(words) == 2 and words[0] == "judge":
        return _judge(Path(words[1]))
    if len(words) == 2 and words[0] == "features":
        return _features(Path(words[1]))
    if len(words) == 2 and words[0] == "foretell":
        return _foretell(Path(words[1]))
    sys.stderr.write("sliceloop --worker: unknown worker\n")
    return 2


def _features(model: Path) -> int:
    """Keep the features of the series that standard input lists: one `[path, case]` a line.

    They come by a pipe, because everybody on the computer may read a command line. Progress goes
    to standard output as `done total` lines, the sentence of each series left out to the error.
    """
    from core.errors import CoreError
    from core.retraining.features import keep_features
    from core.sentences import sentence

    wanted = [(Path(path), str(case)) for path, case in map(json.loads, sys.stdin)]
    left_out: list[str] = []

    def failed(_case: str, error: CoreError) -> None:
        left_out.append(str(sentence(error)))
        sys.stderr.write(f"{left_out[-1]}\n")

    try:
        made = keep_features(model, wanted, progress=_tell, failed=failed)
    except CoreError as error:
        sys.stderr.write(f"{sentence(error)}\n")
        return 1
    return 1 if left_out and not made else 0


def _foretell(model: Path) -> int:
    """Answer previews for as long as standard input is open; see `foretelling_client`."""
    from core.errors import CoreError
    from core.models.card import read_card
    from core.retraining.foretelling import Foreteller
    from core.retraining.foretelling_client import Reply, Request
    from core.sentences import sentence

    foreteller: Foreteller | None = None
    for line in sys.stdin:
        request = Request.model_validate_json(line)
        try:
            if foreteller is None or request.reload:
                foreteller = Foreteller(read_card(model))
                foreteller.load()
            reply = Reply(preview=foreteller.tell(request.labels))
        except CoreError as error:
            foreteller = None
            reply = Reply(problem=str(sentence(error)))
        sys.stdout.write(f"{reply.model_dump_json()}\n")
        sys.stdout.flush()
    return 0


def _tell(done: int, total: int) -> None:
    sys.stdout.write(f"{done} {total}\n")
    sys.stdout.flush()


def _judge(run: Path) -> int:
    """Progress goes to standard output as `done total` lines, a failure's sentence to the error."""
    from core.errors import CoreError
    from core.models.catalogue import Catalogue
    from core.retraining.changed_pictures import draw_changed
    from core.retraining.promotion import judge
    from core.sentences import sentence

    try:
        draw_changed(judge(run, Catalogue(), resamples=100, progress=_tell))
    except CoreError as error:
        sys.stderr.write(f"{sentence(error)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
