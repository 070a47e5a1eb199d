"""Each architecture learns for a step, is saved, loaded, answers and explains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from core.models.architectures.classifier import Classifier, normalise
from core.models.architectures.families import FAMILIES
from core.models.card import WEIGHTS_FILE, Architecture, Preprocessing, sha256_of, write_card
from core.models.loading import load_predictor
from tests.core.models.making import head_like, make_model, volume

OPTIONS: dict[str, dict[str, Any]] = {
    "resnet3d": {"widths": [4, 4, 8, 8]},
    "resnet-scratch": {"widths": [8, 8, 16, 16]},
    "timm:vit_tiny_patch16_224": {"image_size": 64},
    "torchvision:vit_b_32": {"image_size": 64},
}
HEADS = {"one": (1, 2), "several": (3, 3)}
"""Logits, and the classes they stand for."""


def _made(family: str, outputs: int, spec: Preprocessing) -> Classifier:
    """Built without torch's own slow initialisation, but with as large random numbers."""
    options = OPTIONS.get(family, {})
    torch.manual_seed(0)
    if ":" in family:  # these count places of their windows when they are made
        return Classifier(family, outputs, spec.channels, 0.1, **options)
    with torch.device("meta"):
        empty = Classifier(family, outputs, spec.channels, 0.1, **options)
    model: Classifier = empty.to_empty(device="cpu")
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.ndim > 1:
                reach = (6 / tensor[0].numel()) ** 0.5
                tensor.uniform_(-reach, reach)
            elif name.endswith(("running_var", "weight")):
                tensor.fill_(1)
            else:
                tensor.zero_()
    return model


def _learn(model: Classifier, spec: Preprocessing, outputs: int) -> tuple[float, float]:
    """Losses before and after a step on two inputs."""
    pixels = torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (2, *spec.input_shape), dtype=np.uint8)
    )
    image = normalise(pixels, spec.mean, spec.std)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-2)
    model.eval()  # two inputs are no statistics
    losses = []
    for _ in range(2):
        logits = model(image)
        loss = (
            functional.binary_cross_entropy_with_logits(logits[:, 0], torch.tensor([0.0, 1.0]))
            if outputs == 1
            else functional.cross_entropy(logits, torch.tensor([0, 2]))
        )
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)
        optimiser.step()
    return losses[0], losses[1]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", [*FAMILIES, "timm:vit_tiny_patch16_224", "torchvision:swin_t"])
def test_step_save_load_answer_explain(tmp_path: Path, family: str, head: str) -> None:
    outputs, classes = HEADS[head]
    if head == "several" and family not in ("plain-cnn", "resnet3d", "timm:vit_tiny_patch16_224"):
        pytest.skip("a head of several classes is the same code for every trunk")
    cube = family == "resnet3d"
    spec = Preprocessing(size=32 if cube else 64, crop="whole", dimensions=3 if cube else 2)
    model = _made(family, outputs, spec)
    before, after = _learn(model, spec, outputs)
    assert np.isfinite([before, after]).all()
    assert after < before
    names = ("no_hemorrhage", "hemorrhage", "other")[:classes]
    card = make_model(
        tmp_path / "m",
        preprocessing=spec,
        classes=names,
        outputs=outputs,
        family="resnet3d" if cube else "plain-cnn",
        options=OPTIONS["resnet3d"] if cube else {},
    )
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, tmp_path / "m" / WEIGHTS_FILE)
    architecture = Architecture(
        family=family,
        options=OPTIONS.get(family, {}),
        outputs=outputs,
        parameters=model.parameter_count(),
    )
    update = {
        "architecture": architecture,
        "reference": None,
        "weights_sha256": sha256_of(tmp_path / "m" / WEIGHTS_FILE),
    }
    write_card(tmp_path / "m", card.model_copy(update=update))

    predictor = load_predictor(tmp_path / "m", "cpu")
    for one, other in zip(
        predictor.model.state_dict().values(), model.state_dict().values(), strict=True
    ):
        assert torch.equal(one.cpu(), other)
    answers = list(predictor.predict_volume(volume(head_like(3, size=40)), first=1))
    assert [answer.index for answer in answers] == [1, 0, 2]
    for answer in answers:
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert answer.heat_map is not None
        assert np.isfinite(answer.heat_map.values).all()
        assert answer.heat_map.values.ndim == 2
