"""The parts that patients of this profile were assigned to, kept for ever.

Each set made from labels draws only the patients that were never drawn before: a patient who
was once tested on is tested on in every later set, whatever is labelled, and by whomever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from core import durable, places
from core.errors import UnusableDatasetError
from core.retraining.manifest import Split
from core.retraining.splits import draw_linked

_FILE = "splits.json"


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: dict[str, Split] = {}
    sets: tuple[str, ...] = ()


class FrozenSplits:
    """Group code → part, in the profile's data folder."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or places.data_folder() / _FILE

    def known(self) -> dict[str, Split]:
        """All assignments made so far. Raises UnusableDatasetError if they cannot be read.

        They are not begun anew then: known test patients could end up in training.
        """
        return dict(self._read().groups)

    def assign(
        self,
        groups: Mapping[str, bool],
        names: Mapping[str, str],
        links: Iterable[tuple[str, str]] = (),
    ) -> dict[str, Split]:
        """Parts of these groups; new ones are drawn, and kept before this returns.

        groups: code → whether it has a finding. names: code → name by which it is drawn (see
        `core.retraining.splits.draw`). links: groups that show the same thing.
        """
        kept = self._read()
        of_name = {names[code]: code for code in groups}
        drawn = draw_linked(
            {names[code]: has for code, has in groups.items()},
            [(names[one], names[two]) for one, two in links],
            {names[code]: kept.groups[code] for code in groups if code in kept.groups},
        )
        parts = {of_name[name]: split for name, split in drawn.items()}
        if any(code not in kept.groups for code in parts):
            self._write(kept.model_copy(update={"groups": {**parts, **kept.groups}}))
        return parts

    @property
    def last_set(self) -> str | None:
        """Id of the set that was made last with these assignments."""
        sets = self._read().sets
        return sets[-1] if sets else None

    def note(self, set_id: str) -> None:
        """A set was made with these assignments."""
        kept = self._read()
        if kept.sets[-1:] != (set_id,):
            self._write(kept.model_copy(update={"sets": (*kept.sets, set_id)}))

    def _read(self) -> _Kept:
        try:
            return _Kept.model_validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return _Kept()
        except (OSError, ValidationError) as error:
            raise UnusableDatasetError(
                self._file,
                "the record of who is tested on cannot be read",
                "Restore it from a backup: without it test patients could be trained on.",
            ) from error

    def _write(self, kept: _Kept) -> None:
        durable.write_json(self._file, kept.model_dump(mode="json"))
