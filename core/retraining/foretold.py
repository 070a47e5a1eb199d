"""Was a preview right? What it foretold is kept, and counted once the retraining is there.

    remember    after each label: the decisions that a retraining would make, by slice
    take_along  when a training begins: they go into its run's folder, and change no more
    measure     when it has ended: what the retrained model decides on the same slices
    record      of all retrainings so far; stands beside the next preview

Codes of slices only; no torch is imported here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core import durable, places
from core.retraining.dataset import Dataset

_TAKEN_FILE = "foretold.json"
_MEASURED_FILE = "preview_agreement.json"

Decisions = Mapping[str, tuple[bool, bool]]
"""Slice code → (finding now, finding foretold)."""


@dataclass(frozen=True)
class Foretold:
    """How a preview compares with the retraining that followed.

    slices: that both answered. foretold, happened: answers that the preview, and the retrained
    model, changed; both: changed by both to the same.
    """

    slices: int
    foretold: int
    happened: int
    both: int

    @property
    def precision(self) -> float | None:
        """Share of the foretold changes that happened."""
        return self.both / self.foretold if self.foretold else None

    @property
    def recall(self) -> float | None:
        """Share of the changes that had been foretold."""
        return self.both / self.happened if self.happened else None

    def sentence(self) -> str:
        """For people."""
        return (
            f"The preview had foretold {self.foretold} changed answers on {self.slices} slices; "
            f"the retrained model changed {self.happened}, {self.both} of them as foretold."
        )


# ----------------------------------------------------------------- before the training


def remember(weights_sha256: str, decisions: Decisions) -> None:
    """Keep what was foretold of a model's answers, until a retraining shows how it was.

    decisions: as `Previewer.decisions` gives them. Raises NotDurableError.
    """
    facts = {
        "weights_sha256": weights_sha256,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "decisions": {key: list(pair) for key, pair in decisions.items()},
    }
    durable.write_json(_latest(weights_sha256), facts)


def remembered(weights_sha256: str) -> dict[str, tuple[bool, bool]]:
    """What was foretold last of a model's answers; empty if nothing was."""
    return _read(_latest(weights_sha256))


def take_along(run: Path, weights_sha256: str) -> None:
    """Put what is foretold of the base model now into a run that begins. Raises NotDurableError.

    A run that is resumed keeps what it began with: labels that came later did not teach it.
    """
    kept, latest = run / _TAKEN_FILE, _latest(weights_sha256)
    if not kept.exists() and latest.is_file():
        durable.write_bytes(kept, latest.read_bytes())


# ----------------------------------------------------------------- after the training


def measure(
    run: Path, dataset: Dataset, decide: Callable[[NDArray[np.int64]], NDArray[np.bool_]]
) -> Foretold | None:
    """Count how the retrained model's decisions compare with what its run took along.

    dataset: that it was trained on. decide: rows → whether it says finding; asked of the foretold
    slices that do not test. Recorded once a run. None where nothing was foretold.
    Raises NotDurableError.
    """
    if (known := measured(run)) is not None:
        return known
    foretold = _read(run / _TAKEN_FILE)
    keys = dataset.keys() if foretold else ()
    rows = np.array(
        [row for row, key in enumerate(keys) if key in foretold and dataset.splits[row] != "test"],
        np.int64,
    )
    if len(rows) == 0:
        return None
    calls = decide(rows)
    decided = {keys[row]: bool(call) for row, call in zip(rows, calls, strict=True)}
    found = agreement(foretold, decided)
    if found is not None:
        record_agreement(found)
        durable.write_json(run / _MEASURED_FILE, asdict(found))
    return found


def measured(run: Path) -> Foretold | None:
    """What was counted when a run ended; None if nothing was."""
    try:
        return Foretold(**json.loads((run / _MEASURED_FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def agreement(foretold: Decisions, retrained: Mapping[str, bool]) -> Foretold | None:
    """How the retrained model's decisions (slice code → finding) compare; None without any."""
    common = [key for key in retrained if key in foretold]
    if not common:
        return None
    said = sum(foretold[key][0] != foretold[key][1] for key in common)
    done = sum(foretold[key][0] != retrained[key] for key in common)
    both = sum(
        foretold[key][0] != foretold[key][1] and foretold[key][1] == retrained[key]
        for key in common
    )
    return Foretold(len(common), said, done, both)


# ----------------------------------------------------------------- over all trainings


def record_agreement(found: Foretold) -> None:
    """Add one comparison to the record that is shown with the next preview."""
    line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **asdict(found)}
    durable.append_line(_record(), json.dumps(line))


def record() -> Foretold | None:
    """All comparisons so far added up; None before the first."""
    total = np.zeros(4, np.int64)
    for line in _lines(_record()):
        try:
            facts = json.loads(line)
            total += [facts[name] for name in Foretold.__dataclass_fields__]
        except (ValueError, KeyError, TypeError):
            continue
    return Foretold(*(int(value) for value in total)) if total[0] else None


def _read(path: Path) -> dict[str, tuple[bool, bool]]:
    try:
        facts = json.loads(path.read_bytes())
        return {str(key): (bool(a), bool(b)) for key, (a, b) in facts["decisions"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _lines(path: Path) -> Iterable[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ()


def _latest(weights_sha256: str) -> Path:
    return places.data_folder() / "previews" / f"{weights_sha256[:24]}.json"


def _record() -> Path:
    return places.data_folder() / "previews" / "agreement.jsonl"
