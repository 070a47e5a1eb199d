"""Every recipe that ships trains: one step at a small size, as the trainer would take it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.models.architectures.classifier import Classifier
from core.retraining import checkpoint, preview
from core.retraining.batches import Material
from core.retraining.devices import make_fabric
from core.retraining.fit import Fitted, fit
from core.retraining.objective import Objective, Targets
from core.retraining.recipe import available, load_recipe
from core.retraining.trunk_features import fit_head, trunk_features


class Silent:
    def report(self, event: str, **facts: object) -> None:
        pass

    def stop_asked(self) -> bool:
        return False

    def show(self, epoch: int, images: torch.Tensor) -> None:
        pass


def material(shape: tuple[int, ...], key: str = "") -> Material:
    pixels = np.random.default_rng(0).integers(0, 255, (6, *shape), dtype=np.uint8)
    labels = torch.tensor([0, 1, 0, 1, 0, 1])
    targets = Targets(2, 1, labels, torch.zeros(6, 0))
    rows = np.arange(6)
    return Material(
        pixels, targets, rows, lambda row, reach: [row] * (2 * reach + 1), rows[:4], rows[4:],
        pixel_keys=[f"{key} {row}" for row in rows] if key else (),
    )  # fmt: skip


def small(name: str, **changes: object) -> object:
    recipe = load_recipe(name)
    settings = {
        "preprocessing.size": 32,
        "network.pretrained": False,
        "network.feature_epochs": min(recipe.network.feature_epochs, 2),
        "sampling.slices_per_epoch": 0,
        "optimiser.batch_size": 4,
        "optimiser.accumulate": 1,
        "stopping.epochs": 1,
        **changes,
    }
    return load_recipe(name, settings)


@pytest.mark.parametrize("name", available())
def test_every_shipped_recipe_trains_a_step(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Writing 100 MB of a large network's state costs more than its step, and is tested elsewhere.
    monkeypatch.setattr(checkpoint, "save", lambda *_: None)
    recipe = small(name)
    spec, network = recipe.preprocessing, recipe.network
    torch.manual_seed(0)
    options = dict(network.options)
    if "image_size" in options:
        options["image_size"] = spec.size
    model = Classifier(network.family, 1, spec.channels, network.dropout, **options)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fitted = fit(
        model,
        material(spec.input_shape),
        recipe,
        make_fabric("32-true"),
        seed=0,
        place=tmp_path,
        watcher=Silent(),
    )
    assert fitted is not None and np.isfinite(fitted.logits).all()
    assert len(fitted.history) == 1 and np.isfinite(fitted.history[0]["train_loss"])
    changed = [name for name, value in fitted.state.items() if not torch.equal(value, before[name])]
    assert any(name.startswith("head") for name in changed)


def test_the_seed_recipe_cannot_stop_before_its_thirtieth_epoch() -> None:
    recipe = load_recipe("alzheimer-3d")
    assert (recipe.stopping.min_epochs, recipe.folds, recipe.publish) == (30, 5, "folds")
    assert recipe.preprocessing.input_shape == (1, 128, 128, 128)


def test_features_of_a_trunk_are_kept_by_pixels_and_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []
    original = Classifier.maps

    def counted(self: Classifier, image: torch.Tensor) -> torch.Tensor:
        computed.append(len(image))
        return original(self, image)

    monkeypatch.setattr(Classifier, "maps", counted)
    recipe = small("quick-retrain")
    shape = recipe.preprocessing.input_shape
    model = Classifier("plain-cnn", 1, shape[0]).eval()
    these = material(shape, "these")
    first = trunk_features(model, these, recipe, tmp_path)
    assert first.shape[0] == 4 and first.any()
    assert np.array_equal(trunk_features(model, these, recipe, tmp_path), first)
    assert computed == [4], "asked again, they are read"
    more = trunk_features(model, replace(these, train=np.array([5, 3, 0])), recipe, tmp_path)
    assert computed == [4, 1], "of more rows, only those that are new are computed"
    assert np.array_equal(more[1:], first[[3, 0]])
    trunk_features(model, material(shape, "others"), recipe, tmp_path)
    with torch.no_grad():
        next(model.trunk.parameters()).add_(1.0)
    moved = trunk_features(model, these, recipe, tmp_path)
    assert computed == [4, 1, 4, 4] and not np.array_equal(first, moved)
    for file in tmp_path.glob("*/*.npy"):
        file.write_bytes(b"damaged")
    assert np.array_equal(trunk_features(model, these, recipe, tmp_path), moved)


def test_a_head_learns_from_features_and_the_trunk_stays(tmp_path: Path) -> None:
    """With nothing but feature epochs that matter, training pictures are told apart."""
    recipe = small(
        "quick-retrain", **{"network.feature_epochs": 300, "optimiser.learning_rate": 1e-12,
                            "optimiser.head_learning_rate": 2e-2, "network.dropout": 0.0,
                            "optimiser.ema": 0.0},
    )  # fmt: skip
    data = material(recipe.preprocessing.input_shape)
    data.pixels[1::2, :, 8:24, 8:24] = 255
    torch.manual_seed(0)
    model = Classifier("plain-cnn", 1, recipe.preprocessing.channels)
    before = {name: value.clone() for name, value in model.trunk.state_dict().items()}
    fitted = fit(
        model, data, recipe, make_fabric("32-true"), seed=0, place=tmp_path, watcher=Silent()
    )
    assert fitted is not None and fitted.logits[1, 0] > fitted.logits[0, 0]
    for name, value in before.items():
        assert torch.allclose(fitted.state[f"trunk.{name}"], value, atol=1e-6)


def squares(wrong: bool) -> Material:
    """Findings are bright squares; where `wrong`, whoever taught said the opposite."""
    data = material(small("quick-retrain").preprocessing.input_shape)
    data.pixels[1::2, :, 8:24, 8:24] = 255
    label = data.targets.label.clone()
    label[:4] = 1 - label[:4] if wrong else label[:4]
    return replace(data, targets=replace(data.targets, label=label))


def test_weights_that_did_better_on_validation_patients_than_all_epochs_are_kept(
    tmp_path: Path,
) -> None:
    changes = {"network.feature_epochs": 300, "network.head_prior": 0, "network.dropout": 0.0}
    recipe = small("quick-retrain", **changes)
    assert recipe.stopping.keep == "better"

    def learnt(name: str, state: dict[str, torch.Tensor] | None, wrong: bool) -> Fitted:
        torch.manual_seed(0)
        model = Classifier("plain-cnn", 1, recipe.preprocessing.channels)
        if state is not None:
            model.load_state_dict(state)
        fitted = fit(
            model, squares(wrong), recipe, make_fabric("32-true"), seed=0, place=tmp_path / name,
            watcher=Silent(),
        )  # fmt: skip
        assert fitted is not None
        return fitted

    taught = learnt("right", None, wrong=False)
    assert taught.logits[1, 0] > taught.logits[0, 0]
    worse = learnt("wrong", taught.state, wrong=True)
    assert worse.is_start and worse.history[0]["validation_auroc"] == 0
    assert all(torch.equal(worse.state[name], value) for name, value in taught.state.items())
    again = learnt("again", taught.state, wrong=False)
    assert not again.is_start, "what is as good as the start, and has learnt, is kept"
    resumed = learnt("wrong", taught.state, wrong=True)
    assert resumed.is_start, "a run that is resumed knows what it began with"
    blind = fit(
        Classifier("plain-cnn", 1, recipe.preprocessing.channels),
        replace(squares(wrong=False), validation=np.array([5])),
        recipe,
        make_fabric("32-true"),
        seed=0,
        place=tmp_path / "blind",
        watcher=Silent(),
    )
    assert blind is not None and not blind.is_start, "one class cannot tell: it has learnt"


def test_few_labels_move_a_head_little_from_what_it_knew() -> None:
    """The fewer labels, the nearer to the start; with many the labels have the say."""
    chance = np.random.default_rng(0)
    recipe = small("quick-retrain", **{"network.feature_epochs": 100})
    moved = {}
    for count in (4, 4000):
        torch.manual_seed(0)
        model = Classifier("plain-cnn", 1, recipe.preprocessing.channels)
        width = model.last.in_features
        features = torch.from_numpy(chance.normal(0, 1, (count, width)).astype(np.float32))
        shows = (features[:, 0] > 0).long()
        targets = Targets(2, 1, shows, torch.zeros(count, 0))
        rows = np.arange(count)
        with torch.no_grad():
            before = model.head(features)
        objective = Objective(targets, rows, recipe.loss, 0.0)
        fit_head(model, features, targets.of(rows), objective, recipe)
        with torch.no_grad():
            moved[count] = float((model.head(features) - before).square().mean().sqrt())
    assert moved[4] < recipe.network.head_prior < moved[4000] / 2


def test_a_preview_holds_the_head_as_the_retraining_that_is_offered_first_does() -> None:
    assert load_recipe("quick-retrain").network.head_prior == preview.PRIOR_LOGITS
