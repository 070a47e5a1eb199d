"""A model's features of a series: the input of its last layer, kept for previews."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import CoreError, UnsuitableInputError, UnusableDatasetError
from core.imaging.deidentify import patient_pseudonym, pseudonym, site_key
from core.imaging.opening import open_path
from core.imaging.volume import Progress, Series, Volume
from core.models.context import score_in_context
from core.models.loading import NetworkMember, NetworkPredictor, load_predictor
from core.models.member import BATCH
from core.models.preprocessing import prepare_slice
from core.retraining.preview import CaseFeatures, FeatureStore, Head


def keep_features(
    model: Path,
    wanted: Sequence[tuple[Path, str]],
    *,
    progress: Progress | None = None,
    failed: Callable[[str, CoreError], None] = lambda _case, _error: None,
) -> int:
    """Compute and keep the features of series that have none yet; returns of how many.

    model: folder of a model. wanted: (where a series lies, its case id); a place is opened once,
    however many series lie there. failed: told of a series that cannot be opened, and why; the
    others are gone on with. Raises UnsuitableInputError for a model of volumes.
    """
    predictor = load_predictor(model)
    card = predictor.card
    if card.preprocessing.dimensions != 2:
        raise UnsuitableInputError(card.id, ("previews are of models that answer slice by slice",))
    store, key = FeatureStore(card.weights_sha256), site_key()
    opened: dict[Path, dict[str, Series]] = {}
    made = 0
    for number, (path, case_id) in enumerate(wanted):
        code = pseudonym(key, f"case:{case_id}")
        try:
            if not (store.has(code) and store.head() is not None):
                if path not in opened:
                    opened[path] = {one.summary.case_id: one for one in open_path(path).series}
                if case_id not in opened[path]:
                    raise UnusableDatasetError(path, "the series is not there any more")
                store.write(_of_series(predictor, opened[path][case_id], code), head_of(predictor))
                made += 1
        except CoreError as error:
            failed(case_id, error)
        if progress is not None:
            progress(number + 1, len(wanted))
    return made


def _of_series(predictor: NetworkPredictor, series: Series, code: str) -> CaseFeatures:
    key, volume = site_key(), series.load()
    summary = volume.summary
    return CaseFeatures(
        code,
        patient_pseudonym(key, summary),
        tuple(pseudonym(key, f"slice:{name}") for name in summary.slice_ids),
        features_of(predictor, volume),
    )


def features_of(predictor: NetworkPredictor, volume: Volume) -> NDArray[np.float32]:
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
        return np.concatenate(found).astype(np.float64)

    every = score_in_context(np.arange(volume.slices), neighbours, predictor.card.context, score)
    return every.astype(np.float32)


def head_of(predictor: NetworkPredictor) -> Head:
    """The last layer's row for the finding; of an ensemble, the members' side by side."""
    output = predictor.card.output_of(predictor.card.positive)[0]
    rows = [member.model.last for member in predictor.members]
    weights = [row.weight[output].detach().cpu().double().numpy() / len(rows) for row in rows]
    biases = [float(row.bias[output].detach().cpu()) for row in rows]
    return Head(np.concatenate(weights), float(np.mean(biases)))


def _inputs_of_last(predictor: NetworkPredictor, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What reaches the last layer, (n, d), a mean over the views; members side by side."""
    return np.concatenate([_of_member(member, pixels) for member in predictor.members], axis=1)


def _of_member(member: NetworkMember, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
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
