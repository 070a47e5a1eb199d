"""What is written as NIfTI is read the same by us, by NiBabel and by SimpleITK."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from core.imaging.nifti_writing import along_the_patient, write_nifti
from core.imaging.opening import open_path

SPACING = (5.0, 0.75, 0.5)
PLAIN = along_the_patient(SPACING)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "f4", "f8", "b1"])
def test_voxels_and_spacing_come_back(dtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    voxels = (rng.random((3, 4, 5)) * 100).astype(dtype)
    write_nifti(tmp_path / "v.nii.gz", voxels, PLAIN)
    other = nibabel.load(tmp_path / "v.nii.gz")
    assert np.array_equal(np.asarray(other.dataobj).transpose(2, 1, 0), voxels)
    assert np.allclose(other.affine, np.diag([-0.5, -0.75, 5.0, 1]))
    assert np.allclose(other.get_qform(), other.get_sform())
    (series,) = open_path(tmp_path / "v.nii.gz").series
    if dtype in ("u1", "i2", "f4"):
        volume = series.load()
        assert volume.geometry.spacing == pytest.approx(SPACING)
        assert np.array_equal(np.sort(volume.voxels, axis=None), np.sort(voxels, axis=None))


def test_it_is_what_simpleitk_would_have_written(tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    voxels = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    write_nifti(tmp_path / "v.nii.gz", voxels, PLAIN)
    image = sitk.ReadImage(str(tmp_path / "v.nii.gz"))
    assert np.array_equal(sitk.GetArrayFromImage(image), voxels)
    assert image.GetSpacing() == pytest.approx(SPACING[::-1])
    assert image.GetDirection() == pytest.approx(tuple(np.eye(3).ravel()))
    assert image.GetOrigin() == pytest.approx((0, 0, 0))


@pytest.mark.parametrize("turn", [(0.2, -0.1, 0.4), (1.5, 0, 0), (0, 3.0, 0)])
@pytest.mark.parametrize("mirror", [1, -1])
def test_any_place_and_direction_comes_back(
    turn: tuple[float, float, float], mirror: int, tmp_path: Path
) -> None:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_rotvec(turn).as_matrix() * [mirror * 5.0, 0.75, 0.5]
    affine[:3, 3] = [-12, 34, 56.5]
    write_nifti(tmp_path / "v.nii.gz", np.zeros((3, 4, 5), np.uint8), affine)
    other = nibabel.load(tmp_path / "v.nii.gz")
    expected = np.diag([-1, -1, 1, 1]) @ affine[:, [2, 1, 0, 3]]
    assert np.allclose(other.get_sform(), expected, atol=1e-4)
    assert np.allclose(other.get_qform(), expected, atol=1e-4)


def test_a_sheared_volume_keeps_its_matrix(tmp_path: Path) -> None:
    affine = PLAIN.copy()
    affine[1, 0] = 1.0
    write_nifti(tmp_path / "v.nii.gz", np.zeros((3, 4, 5), np.uint8), affine)
    other = nibabel.load(tmp_path / "v.nii.gz")
    assert int(other.header["qform_code"]) == 0
    assert np.allclose(other.affine, np.diag([-1, -1, 1, 1]) @ affine[:, [2, 1, 0, 3]])


def test_colours_come_back(tmp_path: Path) -> None:
    voxels = np.random.default_rng(7).integers(0, 255, (2, 4, 5, 3), dtype=np.uint8)
    write_nifti(tmp_path / "c.nii.gz", voxels, np.eye(4))
    data = np.asarray(nibabel.load(tmp_path / "c.nii.gz").dataobj)
    plain = np.stack([data[name] for name in ("R", "G", "B")], axis=-1)
    assert np.array_equal(plain.transpose(2, 1, 0, 3), voxels)


def test_the_same_volume_gives_the_same_bytes(tmp_path: Path) -> None:
    voxels = np.zeros((2, 2, 2), np.uint8)
    for name in ("one.nii.gz", "two.nii.gz"):
        write_nifti(tmp_path / name, voxels, PLAIN)
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()


@pytest.mark.parametrize("voxels", [np.zeros((1, 2, 2), "f2"), np.zeros((1, 2, 2, 4), "u1")])
def test_what_nifti_cannot_hold_is_refused(voxels: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"NIfTI|colours"):
        write_nifti(tmp_path / "v.nii.gz", voxels, PLAIN)
