"""How a model bears pictures that are unlike its training: each test picture changed in one way.

    python -m benchmarks.shifts --model MODEL --data SET [--slices 420]

For models of single pictures of grey levels. Draws test slices of both classes at random, changes
them one way at a time as other departments and other software would, and prints AUROC,
sensitivity and specificity at the card's threshold, a line for each change.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from core.imaging.intensity import Quantity
from core.imaging.volume import Volume
from core.models.catalogue import Catalogue
from core.models.loading import load_predictor
from core.retraining.dataset import Dataset

Change = Callable[[Image.Image], Image.Image]


def tone(exponent: float) -> Change:
    """Grey levels of 1 raised to this power: below 1 brightens."""
    curve = [round(255 * (grey / 255) ** exponent) for grey in range(256)]
    return lambda picture: picture.point(curve)


def compressed(quality: int) -> Change:
    """Through a JPEG of this quality."""

    def change(picture: Image.Image) -> Image.Image:
        kept = io.BytesIO()
        picture.save(kept, "JPEG", quality=quality)
        return Image.open(io.BytesIO(kept.getvalue())).convert("L")

    return change


def shrunk(part: float) -> Change:
    """Through a picture of this part of its side."""

    def change(picture: Image.Image) -> Image.Image:
        small = [max(1, round(side * part)) for side in picture.size]
        return picture.resize((small[0], small[1])).resize(picture.size, Image.Resampling.BICUBIC)

    return change


def middle(part: float) -> Change:
    """Only the middle, enlarged to the whole."""

    def change(picture: Image.Image) -> Image.Image:
        width, height = picture.size
        x, y = width * (1 - part) / 2, height * (1 - part) / 2
        box = (round(x), round(y), round(width - x), round(height - y))
        return picture.crop(box).resize(picture.size, Image.Resampling.BICUBIC)

    return change


CHANGES: dict[str, Change] = {
    "as it is": lambda picture: picture,
    "histogram equalised": ImageOps.equalize,
    "shrunk to 45 % and back": shrunk(0.45),
    "JPEG of quality 15": compressed(15),
    "brighter, exponent 0.6": tone(0.6),
    "darker, exponent 1.7": tone(1.7),
    "sharpened threefold": lambda picture: picture.filter(ImageFilter.UnsharpMask(3, 200, 0)),
    "the middle 84 %": middle(0.84),
}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("--model", required=True, help="a model's id or folder")
    words.add_argument("--data", type=Path, required=True, help="folder of a training set")
    words.add_argument("--slices", type=int, default=420, help="test slices drawn, both classes")
    asked = words.parse_args()
    print("| picture | AUROC | sensitivity | specificity |\n|---|---|---|---|")
    for name, (auroc, found, spared) in measure(asked.model, asked.data, asked.slices).items():
        print(f"| {name} | {auroc:.3f} | {found:.3f} | {spared:.3f} |")


@dataclass(frozen=True)
class Changed:
    """The slices of a training set, each changed in one way."""

    dataset: Dataset
    change: Change

    def quantity_of(self, row: int) -> Quantity:
        """What the values are."""
        return self.dataset.quantity_of(row)

    def plane(self, row: int) -> NDArray[np.generic]:
        """Grey levels 0-255, changed."""
        picture = Image.fromarray(self.dataset.plane(row).astype(np.uint8))
        return np.asarray(self.change(picture))

    def neighbours(self, row: int, reach: int) -> list[int]:
        """The rows around a row."""
        return self.dataset.neighbours(row, reach)

    def volume(self, row: int) -> Volume:
        """The series around a row, unchanged: single pictures have no use for it."""
        return self.dataset.volume(row)


def measure(model: str, data: Path, slices: int) -> dict[str, tuple[float, float, float]]:
    """AUROC, sensitivity and specificity by change."""
    from sklearn.metrics import roc_auc_score

    dataset = Dataset.open(data)
    predictor = load_predictor(Catalogue().get(model).folder)
    card = predictor.card
    positive = dataset.labels == dataset.positive_index
    rows = drawn(dataset.part("test"), positive, slices)
    truth = positive[rows]
    found = {}
    for name, change in CHANGES.items():
        told = predictor.predict_dataset(Changed(dataset, change), rows)
        scores = told[:, card.classes.index(card.positive)]
        flagged = scores >= card.threshold
        found[name] = (
            float(roc_auc_score(truth, scores)),
            float(flagged[truth].mean()),
            float(1 - flagged[~truth].mean()),
        )
    return found


def drawn(rows: NDArray[np.int64], positive: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """As many rows of each class as there are, up to half of the count each."""
    random = np.random.default_rng(0)
    halves = [rows[positive[rows] == wanted] for wanted in (True, False)]
    return np.concatenate(
        [random.choice(half, min(len(half), count // 2), replace=False) for half in halves]
    )


if __name__ == "__main__":
    main()
