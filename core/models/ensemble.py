"""Several models of one kind become one that votes softly: one card with several weight members.

Members may be stored in 16 bits, half as large; they are computed in 32, and the answer must
stay within 1e-3 of that of the full weights.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from core.errors import DamagedModelError
from core.models.calibration import calibrated
from core.models.card import Card, Reference, member_file, sha256_of, write_card
from core.models.catalogue import Catalogue, CatalogueEntry
from core.models.importing import REFERENCE_SEED
from core.models.loading import NetworkPredictor, load_predictor
from core.models.reference import reference_logits, seeded_input
from core.models.state_files import read_state

Storage = Literal["float32", "float16"]
TOLERANCE = 1e-3
"""Largest change of a probability that storing in 16 bits may cost."""
_PROBES = 8


def stored(state: dict[str, Tensor], storage: Storage) -> dict[str, Tensor]:
    """Tensors as they are written: row-major, floats in the wanted width."""
    width = torch.float16 if storage == "float16" else torch.float32
    return {
        name: (tensor.to(width) if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in state.items()
    }


def write_members(
    folder: Path, card: Card, states: Sequence[dict[str, Tensor]], storage: Storage = "float32"
) -> Card:
    """Write weights and card of a model with these members into an empty folder.

    card: of the first member; hashes and the recorded answer are made anew.
    Raises DamagedModelError if 16 bits would change a probability by more than TOLERANCE.
    """
    digests = []
    for number, state in enumerate(states, start=1):
        path = folder / member_file(number)
        save_file(stored(state, storage), path)
        digests.append(sha256_of(path))
    update = {"weights_sha256": digests[0], "members": tuple(digests[1:]), "reference": None}
    made = card.model_copy(update=update)
    write_card(folder, made)
    predictor = load_predictor(folder, "cpu")
    if storage == "float16":
        _check_width(folder, made, predictor, states)
    answer = Reference(seed=REFERENCE_SEED, logits=reference_logits(predictor, REFERENCE_SEED))
    made = made.model_copy(update={"reference": answer})
    write_card(folder, made)
    return made


def _check_width(
    folder: Path, card: Card, narrow: NetworkPredictor, states: Sequence[dict[str, Tensor]]
) -> None:
    pixels = seeded_input(card, REFERENCE_SEED, _PROBES)
    for member, state in zip(narrow.members, states, strict=True):
        before = calibrated(card, member.look(pixels).logits)
        member.model.load_state_dict({name: t.float() for name, t in state.items()}, strict=False)
        after = calibrated(card, member.look(pixels).logits)
        if np.abs(before - after).max() > TOLERANCE:
            raise DamagedModelError(folder, "in 16 bits it would answer otherwise")
        member.model.load_state_dict(
            {n: t.float() for n, t in stored(state, "float16").items()}, strict=False
        )


def join(
    entries: Sequence[CatalogueEntry],
    model_id: str,
    catalogue: Catalogue,
    storage: Storage = "float32",
) -> CatalogueEntry:
    """Publish an ensemble of models that were made for the same input and classes.

    Calibration, threshold and limits are the first one's: evaluate the ensemble before it is
    promoted. Raises DamagedModelError if they cannot vote together.
    """
    first = entries[0].card
    for entry in entries[1:]:
        for name in ("architecture", "preprocessing", "classes", "positive", "auxiliary", "task",
                     "context", "labelling"):  # fmt: skip
            if getattr(entry.card, name) != getattr(first, name):
                raise DamagedModelError(entry.folder, f"it differs from {first.id} in its {name}")
    states = [
        read_state(entry.folder / name) for entry in entries for name, _ in entry.card.weight_files
    ]
    card = first.model_copy(
        update={
            "id": model_id,
            "title": f"{first.title} ({len(states)} voting)",
            "metrics": (),
            "operating_point": None,
            "operating_curve": (),
            "agreements": (),
            "limits": (
                *first.limits,
                f"An ensemble of {', '.join(e.card.id for e in entries)}; its own figures are "
                "those of an evaluation after it was joined.",
            ),
        }
    )
    folder = Path(tempfile.mkdtemp(prefix="sliceloop-ensemble-"))
    try:
        write_members(folder, card, states, storage)
        return catalogue.publish(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
