"""Where the studies lie whose slices somebody labelled: private to this profile, never exported.

A label names a slice by its identifiers; to train on it, its pixels must be found again. The
window notes each labelled study's place here; an export opens it there.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path

from core import durable, places
from core.errors import NotDurableError
from core.imaging.volume import SeriesSummary

_FILE = "sources.json"
_turn = threading.Lock()


class Sources:
    """Case id → path of the study as it was opened. Small: one entry a labelled series."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or places.data_folder() / _FILE
        self._known: dict[str, str] = {}
        self._stamp: tuple[int, int] | None = None

    def remember(self, summary: SeriesSummary) -> None:
        """Note where a series lies; on the disk when this returns. Raises NotDurableError.

        Nothing is written for a series that is known to lie there.
        """
        path = str(summary.path.resolve())
        with _turn:
            self._read()
            if self._known.get(summary.case_id) == path:
                return
            self._known[summary.case_id] = path
            durable.write_json(self._file, dict(sorted(self._known.items())))
            try:
                self._file.chmod(0o600)
            except OSError as error:
                raise NotDurableError(self._file, error.strerror or str(error)) from error

    def find(self, case_id: str) -> Path | None:
        """Where the series lay when it was labelled; None if nobody noted it."""
        with _turn:
            self._read()
            path = self._known.get(case_id)
        return None if path is None else Path(path)

    def _read(self) -> None:
        try:
            stat = self._file.stat()
        except OSError:
            self._known, self._stamp = {}, None
            return
        stamp = (stat.st_mtime_ns, stat.st_size)
        if stamp == self._stamp:
            return
        try:
            content = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            content = {}  # a list of places can be made again: studies are asked for once more
        self._known = (
            {str(key): str(value) for key, value in content.items()}
            if isinstance(content, dict)
            else {}
        )
        self._stamp = stamp
