"""Training, inference and explanation see one tensor for one slice, whatever road it came by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813, TID253 - its usual name; a test is no start-up
from PIL import Image

from core.bench.series_maker import make_series
from core.imaging.geometry import Plane
from core.imaging.intensity import Quantity
from core.imaging.opening import open_path
from core.imaging.volume import Volume
from core.models import predictor as at_work
from core.models.card import Preprocessing
from core.models.loading import load_predictor
from core.models.preprocessing import Prepared, prepare_slice, to_grey
from core.models.rows import prepare_row
from core.retraining.building import build_from_table
from core.retraining.dataset import Dataset
from core.retraining.prepared import prepared_pixels
from tests.core.models.making import make_model
from tests.core.retraining.making import request, write_table

SPEC = Preprocessing(size=48, crop="foreground", reach=1)


def _only(path: Path) -> Volume:
    (series,) = open_path(path).series
    return series.load()


@pytest.fixture
def ct(tmp_path: Path) -> Volume:
    (tmp_path / "ct").mkdir()
    make_series(tmp_path / "ct", 4, side=96)
    found = _only(tmp_path / "ct")
    assert found.summary.quantity is Quantity.HU
    return found


def _pictures(ct: Volume, folder: Path) -> list[dict[str, object]]:
    """The CT's slices as somebody would export them, in the model's window."""
    folder.mkdir()
    rows: list[dict[str, object]] = []
    for index in range(ct.slices):
        grey = to_grey(ct.values(Plane.SLICE, index), ct.summary.quantity, SPEC)
        Image.fromarray(grey).save(folder / f"{index:03d}.png")
        name = f"{folder.name}/{index:03d}.png"
        rows.append({"file": name, "patient": "P", "bleed": index % 2, "order": index})
    return rows


def test_dicom_png_and_training_see_the_same(ct: Volume, tmp_path: Path) -> None:
    rows = _pictures(ct, tmp_path / "png")
    pictures = _only(tmp_path / "png")
    assert pictures.summary.quantity is Quantity.GREY
    table = write_table(tmp_path / "table.csv", rows)
    build_from_table(request(table, tmp_path / "set", order="order"))
    dataset = Dataset.open(tmp_path / "set")
    cache = prepared_pixels(dataset, SPEC)
    for index in range(ct.slices):
        expected = prepare_slice(ct, index, SPEC)
        for road in (prepare_slice(pictures, index, SPEC), prepare_row(dataset, index, SPEC)):
            np.testing.assert_array_equal(road.pixels, expected.pixels)
            assert road.box == expected.box
        np.testing.assert_array_equal(cache[np.array([index])][0], expected.pixels)


def test_dicom_and_nifti_see_the_same(ct: Volume, tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.ascontiguousarray(ct.voxels))
    steps = ct.geometry.affine[:3, :3][:, ::-1]
    lengths = np.linalg.norm(steps, axis=0)
    image.SetSpacing([float(length) for length in lengths])
    image.SetDirection((steps / lengths).ravel().tolist())
    image.SetOrigin(ct.geometry.affine[:3, 3].tolist())
    sitk.WriteImage(image, str(tmp_path / "same.nii.gz"))
    nifti = _only(tmp_path / "same.nii.gz")
    assert nifti.summary.quantity is Quantity.HU  # known by its air: the file names no modality
    np.testing.assert_allclose(nifti.geometry.affine, ct.geometry.affine, atol=1e-3)
    for index in range(ct.slices):
        one, other = (prepare_slice(volume, index, SPEC) for volume in (ct, nifti))
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.box == other.box


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[np.ndarray]]:
    """Every tensor that a predictor's network is given."""
    tensors: list[np.ndarray] = []
    inside = at_work.Member.look

    def look(self: at_work.Member, pixels: np.ndarray, output: int | None = None) -> object:
        tensors.extend(pixels)
        return inside(self, pixels, output)

    monkeypatch.setattr(at_work.Member, "look", look)
    return tensors  # type: ignore[return-value]


def test_inference_explanation_and_evaluation_give_the_network_the_same(
    ct: Volume, tmp_path: Path, seen: list[np.ndarray]
) -> None:
    table = write_table(tmp_path / "table.csv", _pictures(ct, tmp_path / "png"))
    build_from_table(request(table, tmp_path / "set", order="order"))
    dataset = Dataset.open(tmp_path / "set")
    make_model(tmp_path / "m", preprocessing=SPEC)
    predictor = load_predictor(tmp_path / "m", "cpu")
    seen.clear()
    list(predictor.predict_volume(ct, first=0))
    inference = np.stack(seen)
    seen.clear()
    for index in range(ct.slices):
        prepared: Prepared = prepare_slice(ct, index, SPEC)
        predictor.heat_map(prepared)
    explanation = np.stack(seen)
    seen.clear()
    predictor.predict_dataset(dataset, np.arange(len(dataset)))
    evaluation = np.stack(seen)
    training = prepared_pixels(dataset, SPEC)[np.arange(len(dataset))]
    for road in (explanation, evaluation, training):
        np.testing.assert_array_equal(road, inference)
