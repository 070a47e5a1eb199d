"""A model folder whose card is right and whose weights are a few bytes: nobody loads them here."""

from __future__ import annotations

from pathlib import Path

from core.imaging.intensity import Quantity
from core.models.card import (
    WEIGHTS_FILE,
    Accepts,
    Architecture,
    Card,
    OperatingPoint,
    Preprocessing,
    TrainingData,
    sha256_of,
    write_card,
)


def write_model(folder: Path, *, name: str = "plain", content: bytes = b"plain weights") -> Card:
    """Write card and weights; returns the card."""
    folder.mkdir(parents=True)
    (folder / WEIGHTS_FILE).write_bytes(content)
    card = Card(
        id=name,
        version="1",
        title=f"Model {name}",
        task="hemorrhage",
        created="2026-01-01T00:00:00+00:00",
        architecture=Architecture(family="efficientnet-lite0", outputs=1, parameters=1),
        preprocessing=Preprocessing(),
        classes=("no_hemorrhage", "hemorrhage"),
        positive="hemorrhage",
        threshold=0.4,
        operating_point=OperatingPoint(sensitivity=0.9, specificity=0.8, how="on validation"),
        accepts=Accepts(quantities=(Quantity.HU,), modalities=("CT",)),
        data=TrainingData(name="test"),
        recipe={},
        weights_sha256=sha256_of(folder / WEIGHTS_FILE),
    )
    write_card(folder, card)
    return card
