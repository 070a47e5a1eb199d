"""Marks in training sets, and a loss that teaches a model where to look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from core.errors import BadTableError, UnusableDatasetError
from core.labels.schema import Attention, Region
from core.models.architectures.classifier import Classifier
from core.models.card import Preprocessing
from core.models.explanation import contributions
from core.retraining import regions
from core.retraining.attention import explanation_loss, learnt_rows, marks_of
from core.retraining.building import build_from_table
from core.retraining.dataset import Dataset
from core.retraining.merging import merge
from core.retraining.regions import REGIONS_FILE, SliceRegion
from tests.core.retraining.making import picture, request, small_dataset, write_table

MASKS = hnp.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@given(MASKS)
def test_a_mask_survives_its_runs(mask: np.ndarray) -> None:
    runs = regions.to_runs(mask)
    assert sum(runs) == mask.size
    assert np.array_equal(regions.from_runs(runs, *mask.shape), mask)


@given(MASKS)
def test_the_parts_of_a_mask_are_the_mask(mask: np.ndarray) -> None:
    parts = regions.of_mask(mask)
    assert np.array_equal(regions.joined(parts, Attention.LOOK_HERE, *mask.shape), mask)
    for part in parts:
        top, left, height, width = map(int, part.box)
        own = part.mask(*mask.shape)
        assert own[top : top + height, left : left + width].sum() == own.sum() > 0


def test_a_box_covers_every_pixel_that_it_touches() -> None:
    one = regions.of_label(Region((1.5, 0.0, 1.0, 2.0), Attention.NOT_HERE))
    assert np.argwhere(one.mask(4, 4)).tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]
    outside = SliceRegion(Attention.LOOK_HERE, (-3.0, -3.0, 2.0, 2.0))
    assert not outside.mask(4, 4).any()


def marked_set(folder: Path, name: str = "set") -> Dataset:
    """Eight pictures; those with a finding have a bright square, and a mask of it."""
    rows: list[dict[str, object]] = []
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for number in range(8):
        finding = number % 2
        grey, mask = picture(number, (64, 64)) // 2, np.zeros((64, 64), np.uint8)
        top = 8 + 4 * number
        if finding:
            grey[top : top + 12, 8:20] = 255
            mask[top : top + 12, 8:20] = 255
            mask[0, 0] = 20  # what a lossy format leaves
        Image.fromarray(grey).save(folder / f"pictures/{number}.png")
        Image.fromarray(mask).save(folder / f"pictures/{number}-mask.png")
        rows.append(
            {
                "file": f"pictures/{number}.png",
                "patient": f"P{number}",
                "bleed": finding,
                "where": f"pictures/{number}-mask.png",
            }
        )
    table = write_table(folder / "table.csv", rows)
    build_from_table(request(table, folder / name, mask="where", keep_names=True))
    return Dataset.open(folder / name)


def test_masks_become_regions_of_the_set_and_enter_its_id(tmp_path: Path) -> None:
    dataset = marked_set(tmp_path)
    assert len(dataset.regions) == 4
    for row in range(len(dataset)):
        found = dataset.regions_of(row)
        assert len(found) == int(dataset.labels[row])
        if found:
            number = int(Path(dataset.sources[row]).stem)
            assert found[0].box == (8.0 + 4 * number, 8.0, 12.0, 12.0)
    dataset.verify()
    plain = build_from_table(request(tmp_path / "table.csv", tmp_path / "plain"))
    assert plain.regions_sha256 is None
    assert plain.id != dataset.manifest.id
    merged = merge([dataset.folder], tmp_path / "merged")
    assert merged.id == dataset.manifest.id


def test_altered_regions_are_found(tmp_path: Path) -> None:
    dataset = marked_set(tmp_path)
    file = dataset.folder / REGIONS_FILE
    file.write_bytes(file.read_bytes().replace(b"look here", b"not here"))
    with pytest.raises(UnusableDatasetError):
        Dataset.open(dataset.folder)
    file.write_bytes(b"[1")
    with pytest.raises(UnusableDatasetError):
        Dataset.open(dataset.folder)


def test_a_mask_of_another_size_is_one_sentence(tmp_path: Path) -> None:
    marked_set(tmp_path)
    Image.fromarray(np.ones((3, 3), np.uint8)).save(tmp_path / "pictures/1-mask.png")
    with pytest.raises(BadTableError) as caught:
        build_from_table(request(tmp_path / "table.csv", tmp_path / "other", mask="where"))
    assert "1-mask.png" in caught.value.reason


def test_marks_are_cut_as_their_slices_are(tmp_path: Path) -> None:
    dataset = marked_set(tmp_path)
    spec = Preprocessing(size=32, crop="whole", reach=0)
    rows = dataset.part("all")
    found = marks_of(dataset, rows, spec)
    assert found is not None
    assert sorted(found.place) == np.flatnonzero(dataset.labels == 1).tolist()
    for row, place in found.place.items():
        number = int(Path(dataset.sources[row]).stem)
        top = (8 + 4 * number) // 2
        wanted = np.zeros((32, 32), bool)
        wanted[top : top + 6, 4:10] = True
        assert np.array_equal(found.pixels[place, 0] > 127, wanted)
        assert not found.pixels[place, 1].any()
    assert marks_of(small_dataset(tmp_path / "none"), np.arange(3), spec) is None


def test_a_share_of_marks_is_drawn_once_and_for_all(tmp_path: Path) -> None:
    dataset = marked_set(tmp_path)
    learnt, held = learnt_rows(dataset, dataset.part("all"), 0.5)
    assert len(learnt) == len(held) == 2
    assert not set(learnt) & set(held)
    again, _ = learnt_rows(dataset, dataset.part("all")[::-1], 0.5)
    assert np.array_equal(learnt, again)
    everything, nothing = learnt_rows(dataset, dataset.part("all"), 1.0)
    assert (len(everything), len(nothing)) == (4, 0)


def model_of(features: int = 128) -> Classifier:
    torch.manual_seed(0)
    return Classifier("plain-cnn", 1, 3)


def test_the_loss_falls_to_nothing_where_all_evidence_lies_on_the_mark() -> None:
    model = model_of()
    maps = torch.zeros(1, 128, 4, 4)
    weight = model.head.weight.detach()[0]
    maps[0, :, 1, 2] = 100 * weight / weight.square().sum()
    marks = torch.zeros(1, 2, 8, 8)
    marks[0, 0, 2:4, 4:6] = 1
    right = explanation_loss(model, maps, marks, torch.tensor([0]))
    assert right.item() == pytest.approx(0, abs=1e-4)
    wrong = explanation_loss(model, maps.flip(2), marks, torch.tensor([0]))
    assert wrong.item() == pytest.approx(100, rel=0.01)
    avoid = marks[:, [1, 0]]
    assert explanation_loss(model, maps, avoid, torch.tensor([0])).item() > 50
    assert explanation_loss(model, maps.flip(2), avoid, torch.tensor([0])).item() < 0.1


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_marks_that_say_nothing_cost_nothing_and_have_no_wild_gradient(fill: float) -> None:
    model = model_of()
    maps = torch.randn(2, 128, 4, 4, requires_grad=True)
    marks = torch.full((2, 2, 8, 8), fill)
    marks[:, 1] = 0
    loss = explanation_loss(model, maps, marks, torch.tensor([0, 0]))
    loss.backward()
    assert loss.item() == 0
    assert maps.grad is not None
    assert torch.isfinite(maps.grad).all()
    none = explanation_loss(model, maps[:0], marks[:0], torch.zeros(0, dtype=torch.int64))
    assert none.item() == 0


def test_a_few_steps_move_the_evidence_onto_the_mark() -> None:
    model = model_of().train()
    image = torch.rand(2, 3, 64, 64)
    marks = torch.zeros(2, 2, 64, 64)
    marks[:, 0, 16:32, 32:48] = 1
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    about = torch.zeros(2, dtype=torch.int64)
    for _ in range(15):
        optimiser.zero_grad()
        explanation_loss(model, model.maps(image), marks, about).backward()
        optimiser.step()
    evidence = contributions(model, model.maps(image), 0).flatten(1).argmax(1)
    cells = evidence.unique().tolist()
    assert cells == [1 * 4 + 2]
