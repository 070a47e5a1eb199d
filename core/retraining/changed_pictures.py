"""Slices whose answer changed, drawn with what both models looked at; kept with the run.

The process that asks the models draws them, so that a window, which never imports torch, finds
them beside the scores.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from core import durable

if TYPE_CHECKING:
    from core.retraining.promotion import Judgement

MOST = 24
"""Slices drawn at most: those that got worse first, the largest swing first."""

_FOLDER = "changed"


def draw_changed(judgement: Judgement, device: str = "auto") -> int:
    """Draw the slices of a judgement that are not drawn yet; returns how many it drew.

    Each PNG holds the slice, then the champion's heat map over it, then the challenger's.
    Raises UnusableDatasetError, DamagedModelError, NotDurableError.
    """
    from core.retraining.dataset import Dataset
    from core.retraining.picturing import explained
    from core.retraining.protocol import RunFolder
    from core.retraining.scoring import Subject

    found, champion, challenger = judgement.comparison, judgement.champion, judgement.challenger
    if found is None or champion is None:
        return 0
    wanted = {case.row: _place(judgement, case.key) for case in found.changed[:MOST]}
    missing = [row for row, place in wanted.items() if not place.is_file()]
    if not missing:
        return 0
    dataset = Dataset.open(RunFolder(judgement.run).request.data).as_seen(
        challenger.card.preprocessing.dimensions
    )
    subjects = [Subject(champion.card.id, champion.folder, champion.card), challenger]
    durable.make_folder(judgement.run / _FOLDER)
    # Colours span the strongest evidence among slices drawn together: all of them, or none.
    for row, content in explained(dataset, list(wanted), subjects, device).items():
        durable.write_bytes(wanted[row], content)
    return len(wanted)


def changed_pictures(judgement: Judgement) -> dict[str, Path]:
    """Slice key → its picture, of those that were drawn."""
    found = judgement.comparison
    if found is None:
        return {}
    places = {case.key: _place(judgement, case.key) for case in found.changed[:MOST]}
    return {key: place for key, place in places.items() if place.is_file()}


def _place(judgement: Judgement, key: str) -> Path:
    """Where a slice's picture lies: by both models, because either may be another one later."""
    champion = "" if judgement.champion is None else judgement.champion.card.weights_sha256
    models = f"{champion} {judgement.challenger.card.weights_sha256} {key}"
    return judgement.run / _FOLDER / f"{hashlib.sha256(models.encode()).hexdigest()[:24]}.png"
