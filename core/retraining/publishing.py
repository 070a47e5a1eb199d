"""From trained weights to what a run leaves behind: a model with its card, and its scores."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core import durable
from core.errors import DamagedModelError
from core.models.architectures.classifier import Classifier
from core.models.calibration import calibrated_by
from core.models.card import Architecture, Card
from core.models.ensemble import write_members
from core.retraining import cards
from core.retraining.batches import Rows
from core.retraining.dataset import Dataset
from core.retraining.fit import Fitted
from core.retraining.objective import targets_of
from core.retraining.protocol import RunFolder
from core.retraining.recipe import Recipe
from core.retraining.scoring import OUT_OF_FOLD_FILE


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run has trained.

    members: one fit, or several that vote. scored, logits: rows that they were judged on, and
    (members, n, outputs); out of fold, one of each row. fold_of: (n,) which fold held a row out.
    curves: the fits whose epochs were validated: the folds, or the members.
    """

    members: tuple[Fitted, ...]
    scored: Rows
    logits: NDArray[np.float64]
    fold_of: Rows | None = None
    curves: tuple[Fitted, ...] = ()

    def history(self) -> list[dict[str, Any]]:
        """One line an epoch; of several fits the means of their figures, of those that got so far.

        Figures that nothing told, such as a validation of nobody, stay None.
        """
        fits = [fit.history for fit in self.curves or self.members]
        if len(fits) == 1:
            return fits[0]
        longest = max(fits, key=len)
        lines = [[fit[place] for fit in fits if place < len(fit)] for place in range(len(longest))]
        return [
            {
                name: value if name in ("epoch", "of") else _mean([line[name] for line in here])
                for name, value in here[0].items()
            }
            for here in lines
        ]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def write_out_of_fold(folder: Path, dataset: Dataset, outcome: Outcome) -> None:
    """What every patient got from a model that has not seen him.

    Calibrated as the card says: pooled scores keep their order, so that the figures made of
    them are the card's. The two numbers of that calibration were fitted on these scores.
    """
    if outcome.fold_of is None:
        return
    keys, rows, logits = dataset.keys(), outcome.scored, outcome.logits[0]
    kinds = targets_of(dataset, auxiliary=False)
    calibration = cards.fit_calibration(logits, dataset.labels[rows], kinds, "out of fold")
    probabilities = calibrated_by(calibration, logits, kinds.classes, kinds.positive)
    lines = [
        {"key": keys[row], "row": int(row), "fold": int(fold), "probabilities": shares.tolist()}
        for row, fold, shares in zip(rows, outcome.fold_of, probabilities, strict=True)
    ]
    durable.write_json(folder / OUT_OF_FOLD_FILE, lines)


def write_model(
    folder: RunFolder,
    recipe: Recipe,
    dataset: Dataset,
    model: Classifier,
    outcome: Outcome,
    *,
    parent: str | None,
    limits: Sequence[str],
) -> Card:
    """Card and weights of all members, written side by side and published in one step.

    model: the network; its weights do not matter. limits: sentences for the card, beside those
    of the recipe.
    """
    now = datetime.now(UTC)
    request = folder.request
    auxiliary = dataset.manifest.auxiliary
    own = targets_of(dataset, auxiliary=False).outputs
    card = cards.make_card(
        model_id=request.model_id or f"{Path(request.recipe).stem}-{now:%Y%m%d-%H%M%S}",
        recipe=recipe,
        dataset=dataset,
        architecture=Architecture(
            family=recipe.network.family,
            options=recipe.network.options,
            outputs=model.outputs,
            parameters=model.parameter_count(),
        ),
        auxiliary=auxiliary if model.outputs > own else (),
        scored=outcome.scored,
        logits=outcome.logits,
        parent=parent,
        weights_sha256="",
        created=now.isoformat(timespec="seconds"),
    )
    card = card.model_copy(update={"limits": (*card.limits, *limits)})
    temporary = folder.path / ".model"
    card = _written(temporary, card, [member.state for member in outcome.members], recipe)
    if folder.model.exists():
        shutil.rmtree(folder.model)
    durable.publish_folder(temporary, folder.model)
    return card


def _written(
    temporary: Path, card: Card, states: Sequence[dict[str, Tensor]], recipe: Recipe
) -> Card:
    """Weights in the recipe's width; in 32 bits where 16 would answer otherwise."""
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
    temporary.mkdir()
    try:
        return write_members(temporary, card, states, recipe.storage)
    except DamagedModelError:
        if recipe.storage == "float32":
            raise
    shutil.rmtree(temporary)
    temporary.mkdir()
    return write_members(temporary, card, states)
