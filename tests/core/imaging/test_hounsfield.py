"""A CT is known as one in formats that name no modality, and nothing else is taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.imaging.geometry import Plane
from core.imaging.hounsfield import are_hounsfield
from core.imaging.intensity import Quantity, Window, WindowFunction, apply_window
from core.imaging.opening import open_path
from core.imaging.volume import Volume
from core.models.card import Preprocessing
from core.models.preprocessing import prepare_slice
from tests.core.imaging.dicom.make import ct_slice, save

RNG = np.random.default_rng(3)


def head(slices: int = 5, side: int = 96) -> np.ndarray:
    """Hounsfield units of something like a head, with noise; no two slices alike."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    found = np.full((slices, side, side), -1000.0)
    for k, image in enumerate(found):
        radius = np.hypot(x / (0.6 + 0.03 * k), y / 0.8)
        image[radius < 1] = -90
        image[radius < 0.96] = 1100
        image[radius < 0.9] = 35
        image[np.hypot(x - 0.2, y - 0.1) < 0.1 + 0.02 * k] = 65
    return (found + RNG.normal(0, 6, found.shape)).round().clip(-1024, 3071)


def magnitude(shape: tuple[int, ...] = (40, 64, 64)) -> np.ndarray:
    return np.abs(RNG.normal(300, 200, shape))


@pytest.mark.parametrize(
    ("values", "is_ct"),
    [
        (head(), True),
        (np.where(head() < -900, -1000, head()), True),
        (np.pad(head(), ((0, 0), (20, 20), (20, 20)), constant_values=-2000), True),
        (head() + 1024, False),
        (magnitude(), False),
        (np.pad(magnitude(), 5, constant_values=-1000), False),
        (RNG.integers(-4096, 4095, (40, 64, 64)), False),  # phases
        (RNG.normal(0, 1, (40, 64, 64)), False),
        (np.full((4, 4, 4), -1000), False),
        (np.full((4, 4, 4), np.nan), False),
    ],
    ids=[
        "head",
        "air cut at one value",
        "corners filled",
        "stored values",
        "magnitude",
        "magnitude in a fill of −1000",
        "phase",
        "normalised",
        "one value",
        "no numbers",
    ],
)
def test_a_ct_is_told_by_its_air(values: np.ndarray, is_ct: bool) -> None:
    assert are_hounsfield(values) is is_ct


# ---------------------------------------------------------------- one slice, whatever the road


def write_dicom(folder: Path, values: np.ndarray) -> None:
    for k, plane in enumerate(values):
        one = ct_slice(
            (plane + 1024).astype(np.uint16),
            ImagePositionPatient=[-24, -24, 2.5 * k],
            InstanceNumber=k + 1,
        )
        save(one, folder / f"{k}")


def by_simpleitk(folder: Path, volume: Volume, ending: str) -> Path:
    import SimpleITK as sitk  # noqa: N813

    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(volume.summary.path))
    path = folder / f"made{ending}"
    sitk.WriteImage(sitk.ReadImage(names), str(path), useCompression=ending != ".mhd")
    return path


def by_nibabel(folder: Path, volume: Volume) -> Path:
    nibabel = pytest.importorskip("nibabel")
    values = np.stack([volume.values(Plane.SLICE, k) for k in range(volume.slices)])
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    image = nibabel.Nifti1Image(
        values.transpose(2, 1, 0).astype(np.int16),
        to_ras @ volume.geometry.affine[:, [2, 1, 0, 3]],
    )
    nibabel.save(image, folder / "made.nii")
    return folder / "made.nii"


def by_pictures(folder: Path, volume: Volume, spec: Preprocessing) -> Path:
    window = Window(spec.window_center, spec.window_width, function=WindowFunction.LINEAR_EXACT)
    (folder / "png").mkdir()
    for k in range(volume.slices):
        grey = apply_window(volume.values(Plane.SLICE, k), window)
        Image.fromarray(np.rint(grey * 255).astype(np.uint8)).save(folder / f"png/slice{k}.png")
    return folder / "png"


@pytest.mark.parametrize("crop", ["foreground", "whole"])
@pytest.mark.parametrize(
    "road", [".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", "nibabel", "pictures"]
)
def test_the_same_slice_is_the_same_input_whatever_the_road(
    tmp_path: Path, road: str, crop: str
) -> None:
    write_dicom(tmp_path / "dicom", head())
    spec = Preprocessing(size=64, crop=crop)  # type: ignore[arg-type]
    dicom = open_path(tmp_path / "dicom").series[0].load()
    assert dicom.summary.quantity is Quantity.HU
    if road == "nibabel":
        path = by_nibabel(tmp_path, dicom)
    elif road == "pictures":
        path = by_pictures(tmp_path, dicom, spec)
    else:
        path = by_simpleitk(tmp_path, dicom, road)
    other = open_path(path).series[0].load()
    expected = Quantity.GREY if road == "pictures" else Quantity.HU
    assert other.summary.quantity is expected
    said = {warning.code for warning in other.summary.warnings}
    assert ("assumed-hounsfield" in said) is (road != "pictures")
    for index in range(dicom.slices):
        here, there = (prepare_slice(volume, index, spec) for volume in (dicom, other))
        assert np.array_equal(here.pixels, there.pixels)
        assert here.box == there.box


def test_a_modality_that_is_stated_is_believed(tmp_path: Path) -> None:
    import SimpleITK as sitk  # noqa: N813

    path = tmp_path / "a.nii"
    sitk.WriteImage(sitk.GetImageFromArray(head().astype(np.int16)), str(path))
    beside = path.with_suffix(".json")
    for stated, modality, quantity in (
        ("MR", "MR", Quantity.SIGNAL),
        ("CT", "CT", Quantity.HU),
        ("../x", "", Quantity.HU),
    ):
        beside.write_text(json.dumps({"Modality": stated}))
        summary = open_path(path).series[0].summary
        assert (summary.modality, summary.quantity) == (modality, quantity)
    beside.write_text("[" * 100_000)
    assert open_path(path).series[0].summary.modality == ""
