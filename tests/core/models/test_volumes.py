"""3D models: the cube is the patient's, and its heat map lies on the voxels in all three planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.imaging.geometry import Geometry, Plane
from core.imaging.intensity import Quantity
from core.imaging.opening import open_path
from core.imaging.volume import Volume
from core.models import heat
from core.models.answers import SlicePrediction
from core.models.card import Preprocessing
from core.models.heat_files import evidence_volume, write_evidence
from core.models.loading import load_predictor
from core.models.volumes import Axes, axes_of, prepare_volume, slice_maps
from tests.core.models.making import make_model, volume


def _spec(crop: str = "whole", size: int = 32) -> Preprocessing:
    return Preprocessing(dimensions=3, size=size, crop=crop)  # type: ignore[arg-type]


def _block(shape: tuple[int, int, int] = (20, 40, 48), **changes: object) -> Volume:
    """Air with a bright block at a corner that no turn leaves in place."""
    voxels = np.full(shape, -1000, np.int16)
    voxels[2:8, 20:32, 4:12] = 80
    return volume(voxels, **changes)


def _affine(order: tuple[int, int, int], signs: tuple[int, int, int]) -> np.ndarray:
    """File axis `order[k]` runs along the patient's z, y, x (k = 0, 1, 2) with that sign."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for patient, (axis, sign) in zip((2, 1, 0), zip(order, signs, strict=True), strict=True):
        affine[patient, axis] = sign * 2.0
    return affine


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1), (1, -1, -1)])
def test_the_cube_is_the_same_however_the_file_lay(
    order: tuple[int, int, int], signs: tuple[int, int, int]
) -> None:
    straight = _block()
    expected = prepare_volume(straight, _spec()).pixels
    axes = Axes(order, tuple(sign < 0 for sign in signs))  # type: ignore[arg-type]
    voxels = np.ascontiguousarray(axes.to_file(straight.voxels))  # type: ignore[arg-type]
    geometry = Geometry(voxels.shape, _affine(order, signs))  # type: ignore[arg-type]
    assert axes_of(geometry) == axes
    turned = prepare_volume(volume(voxels, geometry=geometry), _spec())
    np.testing.assert_array_equal(turned.pixels, expected)


def test_the_foreground_is_a_cube_in_millimetres() -> None:
    affine = np.diag([0.0, 0.0, 0.0, 1.0])
    affine[0, 2], affine[1, 1], affine[2, 0] = 1.0, 1.0, 5.0
    found = prepare_volume(_block(geometry=Geometry((20, 40, 48), affine)), _spec("foreground"))
    millimetres = [length * mm for (_, length), mm in zip(found.spans, (5, 1, 1), strict=True)]
    assert millimetres == pytest.approx([31.5] * 3)
    assert found.pixels.shape == (1, 32, 32, 32)


def test_a_heat_map_lies_on_the_voxels_it_was_made_from() -> None:
    affine = _affine((2, 0, 1), (-1, 1, -1))
    block = _block()
    case = volume(block.voxels, geometry=Geometry(block.voxels.shape, affine))  # type: ignore[arg-type]
    prepared = prepare_volume(case, _spec(size=40))
    maps = slice_maps(prepared.pixels[0].astype(np.float32), prepared, "x", case.slices)
    shown = np.stack([heat.on_slice(m, (40, 48)) for m in maps if m is not None])
    bright = block.voxels > 0
    assert shown[bright].min() > 100
    inside = np.zeros_like(bright)
    inside[0:10, 17:35, 2:15] = True
    assert shown[~inside].max() < 60
    # A line of another plane is the same numbers.
    line = heat.line_on_slice(maps[5], (40, 48), Plane.ROW, 25)  # type: ignore[arg-type]
    np.testing.assert_allclose(line, shown[5, 25], rtol=1e-5)


def test_slices_that_the_cube_does_not_show_have_no_map() -> None:
    case = volume(np.full((30, 40, 40), -1000, np.int16))
    case.voxels[10:14, 10:14, 10:14] = 100  # type: ignore[index]
    prepared = prepare_volume(case, _spec("foreground"))
    maps = slice_maps(np.ones((4, 4, 4), np.float32), prepared, "x", 30)
    assert maps[0] is None
    assert maps[12] is not None


def test_a_3d_model_answers_for_the_volume(tmp_path: Path) -> None:
    make_model(
        tmp_path / "m", family="resnet3d", options={"widths": [4, 4, 8, 8]}, preprocessing=_spec()
    )
    predictor = load_predictor(tmp_path / "m", "cpu")
    answers = list(predictor.predict_volume(_block(), first=3))
    assert [answer.index for answer in answers[:3]] == [3, 2, 4]
    assert len(answers) == 20
    assert all(answer.of_volume for answer in answers)
    assert len({answer.probabilities["hemorrhage"] for answer in answers}) == 1
    assert all(answer.heat_map is not None for answer in answers)
    assert answers[0].heat_map.values.shape == (1, 1)  # type: ignore[union-attr]


def test_a_heat_map_s_file_opens_on_the_voxels_in_all_three_planes(tmp_path: Path) -> None:
    block = _block()
    geometry = Geometry(block.voxels.shape, _affine((2, 0, 1), (-1, 1, -1)))  # type: ignore[arg-type]
    case = volume(block.voxels, geometry=geometry)
    prepared = prepare_volume(case, _spec(size=40))
    maps = slice_maps(prepared.pixels[0].astype(np.float32), prepared, "x", case.slices)
    answers = [SlicePrediction(k, {}, one) for k, one in enumerate(maps)]
    evidence = evidence_volume(answers, case.summary.shape)
    write_evidence(tmp_path / "map.nii.gz", evidence, geometry)
    # The images through the same way: an opened file's axes need not be those it was made of.
    write_evidence(tmp_path / "images.nii.gz", block.voxels.astype(np.float32), geometry)
    again, images = (
        open_path(tmp_path / f"{name}.nii.gz").series[0].load() for name in ("map", "images")
    )
    np.testing.assert_allclose(again.geometry.affine, images.geometry.affine, atol=1e-4)
    corner = geometry.to_patient((2, 20, 4))
    inside = np.linalg.solve(images.geometry.affine, [*corner, 1.0])[:3].round().astype(int)
    assert images.voxels[tuple(inside)] == 80
    bright = np.asarray(images.voxels) > 0
    for plane, axis in ((Plane.SLICE, 0), (Plane.ROW, 1), (Plane.COLUMN, 2)):
        middle = int(np.argwhere(bright)[:, axis].mean())
        shown = again.values(plane, middle)
        there = np.take(bright, middle, axis=axis)
        assert shown[there].min() > 100
        assert shown[~there].mean() < 25


def test_colour_and_grey_volumes_pass() -> None:
    voxels = np.zeros((5, 20, 20, 3), np.uint8)
    voxels[2, 5:9, 5:9, 1] = 255
    found = prepare_volume(volume(voxels, Quantity.COLOUR), _spec(size=32))
    assert found.pixels.max() > 100
    assert torch.from_numpy(found.pixels).shape == (1, 32, 32, 32)


def test_signal_has_one_window_for_the_whole_volume() -> None:
    """A slice of noise beside a head must not be drawn out to full contrast."""
    random = np.random.default_rng(0)
    voxels = random.integers(0, 20, (16, 32, 32)).astype(np.int16)
    voxels[4:12, 8:24, 8:24] += 900
    cube = prepare_volume(volume(voxels, Quantity.SIGNAL), _spec()).pixels[0]
    assert cube[:6].max() < 20 and cube[14:18, 14:18, 14:18].min() > 200


def test_depth_tells_thickness_and_survives_resampling() -> None:
    """A thick and a thin plate, of one grey level each, differ after an eighth of the voxels."""
    voxels = np.zeros((64, 64, 64), np.uint8)
    voxels[8:24, 4:60, 4:60] = 255
    voxels[40:44, 4:60, 4:60] = 255
    spec = Preprocessing(dimensions=3, size=32, crop="whole", depth=True)
    cube = prepare_volume(volume(voxels, Quantity.GREY), spec).pixels[0]
    assert cube[8, 16, 16] == pytest.approx(8 * 12, abs=12)
    assert 12 <= cube[20:22, 16, 16].max() <= 24
    assert cube[0, 16, 16] == cube[28, 16, 16] == 0
    with pytest.raises(ValueError, match="depth is of volumes"):
        Preprocessing(depth=True)
