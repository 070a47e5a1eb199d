"""Models loaded into torch: the networks themselves, to be asked, explained and trained further."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from core.errors import DamagedModelError
from core.models.architectures.classifier import Classifier, build, normalise
from core.models.card import Card, Preprocessing, check_weights, read_card
from core.models.devices import best_device
from core.models.kept import keep
from core.models.member import Choice, Member, Precision
from core.models.predictor import Predictor
from core.models.runtime import TorchRuntime, make_runtime
from core.models.state_files import is_safetensors, read_state


class NetworkMember(Member):
    """A network in torch with what computes it."""

    def __init__(
        self,
        card: Card,
        model: Classifier,
        device: torch.device,
        choice: Choice = "torch",
        precision: Precision = "f32",
    ) -> None:
        on_cpu = partial(TorchRuntime, model, card, torch.device("cpu"))
        runtime = make_runtime(model, card, device, choice, precision)
        super().__init__(card, runtime, None if device.type == "cpu" else on_cpu)
        self.model = model


class NetworkPredictor(Predictor):
    """A model whose networks are at hand in torch.

    model: the network; of an ensemble its first member, with the others in `more`.
    """

    members: Sequence[NetworkMember]

    def __init__(
        self,
        card: Card,
        model: Classifier,
        device: torch.device,
        more: Sequence[Classifier] = (),
        runtime: Choice = "torch",
        precision: Precision = "f32",
    ) -> None:
        networks = [item.eval() for item in (model, *more)]
        super().__init__(
            card, [NetworkMember(card, item, device, runtime, precision) for item in networks]
        )
        self.device = device
        self.model = model


@torch.inference_mode()
def look(
    model: Classifier, pixels: Tensor, spec: Preprocessing, flip_averaging: bool
) -> tuple[Tensor, Tensor]:
    """Logits (n, outputs) and feature maps of 8-bit prepared pixels, as training scores them too.

    With `flip_averaging` logits are means over the slice and its mirror image; maps are the
    slice's own.
    """
    image = normalise(pixels, spec.mean, spec.std)
    maps = model.maps(image)
    logits = model.classify(maps)
    if flip_averaging:
        logits = (logits + model(image.flip(-1))) / 2
    return logits, maps


def load_predictor(
    folder: Path,
    device: str = "auto",
    *,
    runtime: Choice = "torch",
    precision: Precision = "f32",
    flip_averaging: bool | None = None,
) -> NetworkPredictor:
    """Read card and weights of a model folder and make them ready.

    runtime: "auto" takes what was measured to be faster on this computer. precision: another
    than "f32" is used only if the card says that it was checked and agrees. flip_averaging:
    ask mirror images too, or not, whatever the card says; its figures are then not its own.
    Raises DamagedModelError if a hash, the architecture, a shape or a number is not right, or
    the precision was not checked.
    """
    card = read_card(folder)
    check_weights(folder, card)
    if precision != "f32" and not any(
        item.precision == precision and item.passes for item in card.agreements
    ):
        raise DamagedModelError(folder, f"its card does not say that {precision} answers alike")
    if flip_averaging is not None:
        card = card.model_copy(update={"flip_averaging": flip_averaging})
    models = []
    for name, _ in card.weight_files:
        try:
            model = build(card.architecture, card.preprocessing.channels)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"its architecture cannot be built: {error}"
            raise DamagedModelError(folder, reason) from error
        fill(model, folder / name)
        models.append(model)
    where = best_device(device)
    predictor = NetworkPredictor(card, models[0], where, models[1:], runtime, precision)
    if flip_averaging is None:
        keep(predictor)
    return predictor


def fill(model: Classifier, path: Path) -> None:
    """Load safetensors into a model. Raises DamagedModelError; runs no code from the file."""
    if not is_safetensors(path):
        raise DamagedModelError(path, "it is not in the safetensors format")
    state = read_state(path)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = [line.strip() for line in str(error).splitlines()][:2]
        raise DamagedModelError(path, f"its weights do not fit: {' '.join(reason)}") from error
