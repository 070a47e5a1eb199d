"""A model's features of a series: the input of its last layer, kept for previews."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import UnsuitableInputError, UnusableDatasetError
from core.imaging.deidentify import patient_pseudonym, pseudonym, site_key
from core.imaging.opening import open_path
from core.imaging.volume import Volume
from core.models.context import score_in_context
from core.models.member import BATCH, Member
from core.models.predictor import Predictor, load_predictor
from core.models.preprocessing import prepare_slice
from core.retraining.preview import CaseFeatures, FeatureStore, Head


def keep_features(model: Path, series: Path, case_id: str) -> bool:
    """Compute and keep the features of one series; False if they were there.

    model: folder of a model. series: where the series lies. case_id: which one it is.
    Raises UnusableDatasetError if it is not there, UnsuitableInputError for a model of volumes,
    and what opening raises.
    """
    predictor = load_predictor(model)
    card = predictor.card
    if card.preprocessing.dimensions != 2:
        raise UnsuitableInputError(card.id, ("previews are of models that answer slice by slice",))
    store, key = FeatureStore(card.weights_sha256), site_key()
    code = pseudonym(key, f"case:{case_id}")
    if store.has(code) and store.head() is not None:
        return False
    chosen = [one for one in open_path(series).series if one.summary.case_id == case_id]
    if not chosen:
        raise UnusableDatasetError(series, "the series is not there any more")
    volume = chosen[0].load()
    summary = volume.summary
    store.write(
        CaseFeatures(
            code,
            patient_pseudonym(key, summary),
            tuple(pseudonym(key, f"slice:{name}") for name in summary.slice_ids),
            features_of(predictor, volume),
        ),
        head_of(predictor),
    )
    return True


def features_of(
    predictor: Predictor, volume: Volume, progress: Callable[[int], None] = lambda _: None
) -> NDArray[np.float32]:
    """Features (slices, d), each averaged with its neighbours as the card averages logits.

    The last layer being linear, it gives the averaged logits of these.
    """

    def neighbours(row: int, reach: int) -> list[int]:
        return [
            other if 0 <= other < volume.slices else row
            for other in range(row - reach, row + reach + 1)
        ]

    def score(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        found = []
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            pixels = np.stack(
                [
                    prepare_slice(volume, int(row), predictor.card.preprocessing).pixels
                    for row in batch
                ]
            )
            found.append(_inputs_of_last(predictor, pixels))
            progress(start + len(batch))
        return np.concatenate(found).astype(np.float64)

    every = score_in_context(np.arange(volume.slices), neighbours, predictor.card.context, score)
    return every.astype(np.float32)


def head_of(predictor: Predictor) -> Head:
    """The last layer's row for the finding; of an ensemble, the members' side by side."""
    output = predictor.card.output_of(predictor.card.positive)[0]
    rows = [member.model.last for member in predictor.members]
    weights = [row.weight[output].detach().cpu().double().numpy() / len(rows) for row in rows]
    biases = [float(row.bias[output].detach().cpu()) for row in rows]
    return Head(np.concatenate(weights), float(np.mean(biases)))


def _inputs_of_last(predictor: Predictor, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What reaches the last layer, (n, d), a mean over the views; members side by side."""
    return np.concatenate([_of_member(member, pixels) for member in predictor.members], axis=1)


def _of_member(member: Member, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    caught: list[Tensor] = []

    def catch(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        caught.append(inputs[0].detach().float().cpu())

    hook = member.model.last.register_forward_pre_hook(catch)
    try:
        member.look(pixels)
    finally:
        hook.remove()
    every = torch.cat(caught)
    # Views come one after the other, each in as many parts as memory asks for.
    found: NDArray[np.float32] = every.reshape(-1, len(pixels), every.shape[1]).mean(0).numpy()
    return found
