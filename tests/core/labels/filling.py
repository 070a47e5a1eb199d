"""Labels on a small file system of its own while it fills up; run inside `unshare -m`.

`python -m tests.core.labels.filling FOLDER LEVELS` mounts a tmpfs on FOLDER and, for each level
of free space, labels until nothing fits; prints one JSON object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from core.errors import NotDurableError
from core.labels.journal import Journal
from core.sentences import sentence
from tests.core.labels.support import draft

BLOCK = 4096


def fill(folder: Path, leave: int) -> None:
    """Write a file that leaves `leave` blocks of the file system free."""
    free = os.statvfs(folder).f_bavail
    with (folder / "filler").open("ab") as stream:
        stream.write(b"\0" * BLOCK * max(free - leave, 0))


def main() -> None:
    """Fill to each level, label, make room, look."""
    folder, levels = Path(sys.argv[1]), int(sys.argv[2])
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        sys.stdout.write(json.dumps({"skip": "mounts are not allowed here"}))
        return
    path, refused, saved, told = folder / "labels.db", 0, 0, set()
    kept = []
    for level in range(levels):
        fill(folder, leave=level)
        try:
            with Journal(path) as journal:
                for index in range(30):
                    kept.append(journal.append(draft(index, reason="x" * 300), reader="kim"))
                    saved += 1
        except NotDurableError as error:
            refused += 1
            told.add(str(sentence(error)).replace(str(folder), ""))
        (folder / "filler").unlink()
        if path.exists():
            with Journal(path, read_only=True) as journal:
                assert journal.events() == tuple(kept), level
        else:
            assert not kept, level
        if len(kept) > 300:
            path.unlink()
            for file in (folder / "labels-backups").glob("*"):
                file.unlink()
            kept.clear()
    with Journal(path) as journal:  # with room again, all is as it was
        journal.append(draft(), reader="kim")
    result = {"levels": levels, "refused": refused, "saved": saved, "told": sorted(told)}
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
