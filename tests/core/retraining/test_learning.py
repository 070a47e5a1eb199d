"""What learns and at which rate; what a wrong answer costs; what happens to a batch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning_fabric import Fabric
from torch.nn import functional

from core.models.architectures.classifier import Classifier
from core.retraining.augmentation import draw, mixing, move, vary
from core.retraining.batches import shares_of
from core.retraining.learning import Plateau, freeze, leaves, make_optimiser, rate, set_training
from core.retraining.objective import Objective, Targets
from core.retraining.recipe import Augmentation, Loss, Network, Optimiser

STILL = Augmentation(
    flip=False, rotate_degrees=0, scale=0, shift=0, brightness=0, contrast=0, noise=0,
    forget_neighbours=0,
)  # fmt: skip


def _targets(labels: list[int], classes: int = 2) -> Targets:
    nothing = torch.zeros(len(labels), 0)
    return Targets(classes, classes - 1, torch.tensor(labels), nothing)


def _learning(model: Classifier) -> list[bool]:
    return [
        any(weight.requires_grad for weight in layer.parameters(recurse=False))
        for layer in leaves(model)
        if list(layer.parameters(recurse=False))
    ]


def test_only_the_top_layers_learn() -> None:
    model = Classifier("plain-cnn", 1)
    freeze(model, Network(family="plain-cnn", frozen_stages=0, unfrozen_layers=1))
    assert _learning(model)[-1]
    assert not any(_learning(model)[:-1])
    freeze(model, Network(family="plain-cnn", frozen_stages=0, unfrozen_layers=10_000))
    assert all(_learning(model))
    freeze(model, Network(family="plain-cnn", frozen_stages=2, unfrozen_layers=10_000))
    assert not any(
        weight.requires_grad for stage in model.stages()[:2] for weight in stage.parameters()
    )


def test_in_head_epochs_the_trunk_stands_still_and_then_learns() -> None:
    model, network = Classifier("plain-cnn", 1), Network(family="plain-cnn", frozen_stages=0)
    freeze(model, network, head_only=True)
    assert not any(weight.requires_grad for weight in model.trunk.parameters())
    assert all(weight.requires_grad for weight in model.head.parameters())
    freeze(model, network)
    assert all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("frozen", [True, False])
def test_norms_that_stand_still_keep_their_statistics(frozen: bool) -> None:
    model = Classifier("plain-cnn", 1)
    network = Network(family="plain-cnn", frozen_stages=1, frozen_norm=frozen)
    freeze(model, network)
    set_training(model, network)
    before = {name: value.clone() for name, value in model.named_buffers()}
    model(torch.randn(4, 3, 32, 32))
    moved = {name for name, value in model.named_buffers() if not value.equal(before[name])}
    first = [name for name, _ in model.stages()[0].named_buffers()]
    assert first
    assert bool(moved) is not frozen
    assert not moved & {f"trunk.{name}" for name in first}


def test_early_stages_learn_slower() -> None:
    model = Classifier("plain-cnn", 1)
    how = Optimiser(learning_rate=1e-3, head_learning_rate=1e-2, stage_decay=0.5)
    peaks = [group["peak"] for group in make_optimiser(model, how).param_groups]
    assert peaks[-1] == 1e-2
    assert peaks[-2] == 1e-3
    ratios = np.divide(peaks[1:-1], peaks[:-2])
    assert set(ratios.round(6)) == {2.0}


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_every_optimiser_holds_every_weight_once(name: str) -> None:
    model = Classifier("plain-cnn", 1)
    groups = make_optimiser(model, Optimiser(name=name)).param_groups
    held = [id(weight) for group in groups for weight in group["params"]]
    assert sorted(held) == sorted(id(weight) for weight in model.parameters())


@given(st.floats(0, 0.999), st.floats(0, 0.9), st.sampled_from(["cosine", "constant"]))
def test_rates_stay_between_nothing_and_their_peak(part: float, end: float, name: str) -> None:
    how = Optimiser(schedule=name, final_rate=end)
    assert min(end, 0.04) - 1e-9 <= rate(part, how) <= 1 + 1e-9


def test_a_plateau_waits_then_divides_and_can_be_resumed() -> None:
    how = Optimiser(schedule="plateau", plateau_factor=0.5, plateau_patience=1)
    one = Plateau(how)
    shares = []
    for number, loss in enumerate([1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8]):
        if number == 3:
            one = Plateau(how, one.state)
        one.see(loss)
        shares.append(one.share)
    assert shares == [1, 1, 1, 0.5, 0.5, 0.25, 0.25]


def test_plain_loss_is_cross_entropy() -> None:
    labels = [0, 1, 1, 0, 1]
    logits = torch.randn(5, 1)
    rows = np.arange(5)
    two = Objective(_targets(labels), rows, Loss(), 0.0)
    found = two(logits, _targets(labels).of(rows))
    wanted = functional.binary_cross_entropy_with_logits(logits[:, 0], torch.tensor(labels).float())
    assert found.item() == pytest.approx(wanted.item(), rel=1e-6)
    more = _targets([0, 1, 2, 2, 1], 3)
    logits = torch.randn(5, 3)
    found = Objective(more, rows, Loss(), 0.0)(logits, more.of(rows, 0.1))
    wanted = functional.cross_entropy(logits, more.label, label_smoothing=0.1)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-6)


def test_balanced_classes_weigh_alike() -> None:
    """Nine of ten slices without a finding: at even odds each class makes half of the loss."""
    targets, rows = _targets([1] + [0] * 9), np.arange(10)
    how = Loss(class_weights="balanced")
    objective, wanted = Objective(targets, rows, how, 0.0), targets.of(rows)
    even = torch.zeros(10, 1)
    ill = objective(even[:1], wanted[:1], wanted)
    well = objective(even[1:], wanted[1:], wanted)
    assert ill.item() == pytest.approx(well.item(), rel=1e-6)
    heavy = Objective(targets, rows, how.model_copy(update={"positive_weight": 1.5}), 0.0)
    assert heavy(even[:1], wanted[:1], wanted).item() == pytest.approx(1.5 * ill.item(), rel=1e-6)


def test_focal_loss_tells_sure_answers_less() -> None:
    targets, rows = _targets([1, 1]), np.arange(2)
    logits = torch.tensor([[3.0], [-1.0]])
    wanted = targets.of(rows)
    plain = Objective(targets, rows, Loss(), 0.0)
    focal = Objective(targets, rows, Loss(kind="focal", focal_gamma=2.0), 0.0)
    each = [(logits[k : k + 1], wanted[k : k + 1]) for k in (0, 1)]
    shares = [focal(*one) / plain(*one) for one in each]
    missed = [1 - 1 / (1 + math.exp(-3)), 1 - 1 / (1 + math.exp(1))]
    assert [share.item() for share in shares] == pytest.approx([m**2 for m in missed], rel=1e-5)


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**31))
def test_losses_of_parts_add_up(n: int, parts: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    auxiliary = torch.where(torch.rand(n, 2, generator=random) < 0.3, torch.nan, torch.ones(n, 2))
    targets = Targets(2, 1, torch.randint(0, 2, (n,), generator=random), auxiliary)
    rows = np.arange(n)
    objective = Objective(targets, rows, Loss(class_weights="balanced"), 0.7)
    logits, wanted = torch.randn(n, 3, generator=random), targets.of(rows, 0.1)
    each = shares_of(n, parts, Fabric(accelerator="cpu", devices=1))
    assert [row for part in each for row in range(n)[part]] == list(range(n))
    total = sum(objective(logits[part], wanted[part], wanted) for part in each)
    assert float(total) == pytest.approx(objective(logits, wanted).item(), rel=1e-4, abs=1e-5)


def test_nothing_asked_for_changes_nothing() -> None:
    pixels = torch.rand(3, 3, 16, 16)
    made = vary(pixels, draw((3, 3, 16, 16), STILL, torch.Generator().manual_seed(1)))
    assert torch.allclose(made, pixels, atol=1e-6)


def test_what_lies_on_a_slice_moves_with_it() -> None:
    """A bright spot and its mark stay on the same place."""
    pixels = torch.zeros(8, 3, 33, 33)
    pixels[:, :, 8:11, 20:23] = 1.0
    how = draw((8, 3, 33, 33), Augmentation(noise=0, brightness=0, contrast=0), torch.Generator())
    assert torch.allclose(vary(pixels, how)[:, :1], move(pixels[:, :1], how), atol=1e-6)


def test_a_share_of_a_batch_is_varied_as_in_the_whole() -> None:
    pixels = torch.rand(6, 3, 16, 16)
    how = draw((6, 3, 16, 16), Augmentation(), torch.Generator().manual_seed(3))
    assert torch.equal(vary(pixels, how)[2:4], vary(pixels[2:4], how[2:4]))


def test_mixing_keeps_the_larger_share_its_own() -> None:
    order, share = mixing(500, 0.4, torch.Generator().manual_seed(0))
    assert sorted(order.tolist()) == list(range(500))
    assert ((share >= 0.5) & (share <= 1)).all()
    targets = _targets([0, 1] * 250)
    mixed = targets.of(np.arange(500)).mixed(order, share)
    assert mixed.label.min() >= 0
    assert mixed.label.max() <= 1
    assert mixed.label.mean().item() == pytest.approx(0.5, abs=0.03)
