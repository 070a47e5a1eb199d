"""Weights from elsewhere become a model: a state dict of torchvision, timm or our own, and a card.

Nothing in the file is run. What the file does not say (which network, which classes, how the
input is made) the person says; what nobody measured, the card says was not measured.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor

from core.errors import DamagedModelError
from core.imaging.intensity import Quantity
from core.models.architectures.classifier import Classifier
from core.models.architectures.pretrained import fill_trunk, translated
from core.models.card import (
    WEIGHTS_FILE,
    Accepts,
    Architecture,
    Card,
    Preprocessing,
    Reference,
    TrainingData,
    sha256_of,
    write_card,
)
from core.models.catalogue import Catalogue, CatalogueEntry
from core.models.loading import NetworkPredictor
from core.models.reference import reference_logits
from core.models.state_files import read_state, without_prefix

REFERENCE_SEED = 20260101
NOT_MEASURED = "Imported from a weight file: how well it answers was not measured here."


@dataclass(frozen=True)
class ImportRequest:
    """What a weight file does not say.

    classes: in the order of the network's logits. threshold: on the probability of `positive`.
    quantities: what its pixels may be.
    """

    file: Path
    model_id: str
    family: str
    classes: tuple[str, ...]
    positive: str
    task: str
    preprocessing: Preprocessing
    options: dict[str, Any] = field(default_factory=dict)
    labelling: str = "one-of"
    threshold: float = 0.5
    quantities: tuple[Quantity, ...] = (Quantity.HU, Quantity.GREY)


def import_weights(request: ImportRequest, catalogue: Catalogue) -> CatalogueEntry:
    """Make a model of a weight file and copy it into the catalogue; it does not answer yet.

    Raises DamagedModelError if the file is not what is said, or a card cannot be made of it.
    """
    state = read_state(request.file)
    model = _filled(request, state)
    folder = Path(tempfile.mkdtemp(prefix="sliceloop-import-"))
    try:
        weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
        save_file(weights, folder / WEIGHTS_FILE)
        write_card(folder, _card(request, model, sha256_of(folder / WEIGHTS_FILE)))
        return catalogue.publish(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _filled(request: ImportRequest, state: dict[str, Tensor]) -> Classifier:
    """The network with the file's weights, its number of logits taken from the file."""
    channels = request.preprocessing.channels
    try:
        probe = Classifier(request.family, 1, channels, **request.options)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"its architecture cannot be built: {error}"
        raise DamagedModelError(request.file, reason) from error
    plain = without_prefix(state)
    last = "head.last" if hasattr(probe.head, "last") else "head"
    if f"{last}.bias" in plain and "head." in last + ".":
        own = _own(request, plain, channels, plain[f"{last}.bias"])
        if own is not None:
            return own
    found = translated(probe.trunk, state)
    if set(found.head) != {"weight", "bias"} or found.head["weight"].ndim != 2:
        raise DamagedModelError(request.file, "it has no last linear layer that could be found")
    outputs, features = found.head["weight"].shape
    if features != probe.last.in_features:
        raise DamagedModelError(
            request.file,
            f"its last layer reads {features} features, {request.family} gives "
            f"{probe.last.in_features}",
        )
    model = Classifier(request.family, int(outputs), channels, **request.options).eval()
    fill_trunk(model.trunk, found.trunk, request.file)
    with torch.no_grad():
        model.last.weight.copy_(found.head["weight"])
        model.last.bias.copy_(found.head["bias"])
    return model


def _own(
    request: ImportRequest, state: dict[str, Tensor], channels: int, bias: Tensor
) -> Classifier | None:
    """A state dict of our own classifiers, as it is; None if it is somebody else's."""
    model = Classifier(request.family, len(bias), channels, **request.options).eval()
    if set(state) != set(model.state_dict()):
        return None
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise DamagedModelError(request.file, f"its weights do not fit: {reason}") from error
    return model


def _card(request: ImportRequest, model: Classifier, digest: str) -> Card:
    now = datetime.now(UTC)
    try:
        card = Card.model_validate(
            {
                "id": request.model_id,
                "version": f"{now:%Y-%m-%d}",
                "title": request.model_id,
                "task": request.task,
                "created": now.isoformat(timespec="seconds"),
                "architecture": Architecture(
                    family=request.family,
                    options=request.options,
                    outputs=model.outputs,
                    parameters=model.parameter_count(),
                ),
                "preprocessing": request.preprocessing,
                "classes": request.classes,
                "positive": request.positive,
                "labelling": request.labelling,
                "threshold": request.threshold,
                "accepts": Accepts(quantities=request.quantities),
                "data": TrainingData(name="unknown (imported)"),
                "recipe": {},
                "limits": (NOT_MEASURED, "Not a diagnostic device."),
                "weights_sha256": digest,
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise DamagedModelError(
            request.file, f"no card can be made of it: {first['msg']}"
        ) from error
    predictor = NetworkPredictor(card, model, torch.device("cpu"))
    answer = Reference(seed=REFERENCE_SEED, logits=reference_logits(predictor, REFERENCE_SEED))
    return card.model_copy(update={"reference": answer})
