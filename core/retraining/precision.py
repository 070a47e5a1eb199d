"""Whether a faster number format answers as float32 does, on a model's own validation cases."""

from __future__ import annotations

from typing import Literal

import numpy as np

from core.imaging.volume import Progress
from core.models.card import Agreement, Card, write_card
from core.models.catalogue import CatalogueEntry
from core.models.loading import NetworkPredictor, load_predictor
from core.retraining.dataset import Dataset
from core.retraining.scoring import labelled_part


def check_precision(
    entry: CatalogueEntry,
    dataset: Dataset,
    precision: Literal["bf16"] = "bf16",
    split: str = "validation",
    progress: Progress | None = None,
) -> Agreement:
    """Ask a model in both formats, and write what came of it into its card.

    The format is used only if no decision changed and no probability moved by more than 0.01;
    that is read from the card each time. Raises DamagedModelError for a model that shipped,
    whose card is not to be changed; UnusableDatasetError for an empty part.
    """
    entry.check_own()
    card = entry.card
    dataset = dataset.as_seen(card.preprocessing.dimensions)
    rows = labelled_part(dataset, split)
    full = load_predictor(entry.folder, "cpu", runtime="openvino")
    models = [member.model for member in full.members]
    before = full.predict_dataset(dataset, rows, progress)
    # Made without `load_predictor`, which refuses what no card vouches for yet.
    quick = NetworkPredictor(card, models[0], full.device, models[1:], "openvino", precision)
    after = quick.predict_dataset(dataset, rows, progress)
    positive = card.classes.index(card.positive)
    changed = _decisions(card, before[:, positive]) != _decisions(card, after[:, positive])
    found = Agreement(
        precision=precision,
        cases=len(rows),
        decisions_changed=int(changed.sum()),
        largest_difference=float(np.abs(before - after).max()),
        how=f"the {split} part of training set {dataset.manifest.id[:12]}",
    )
    others = tuple(item for item in card.agreements if item.precision != precision)
    write_card(entry.folder, card.model_copy(update={"agreements": (*others, found)}))
    return found


def _decisions(card: Card, shares: np.ndarray) -> np.ndarray:
    return shares >= card.threshold
