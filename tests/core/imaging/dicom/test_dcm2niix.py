"""Agreement with NIfTI made by dcm2niix, a converter that nobody here wrote."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from core.imaging.geometry import Geometry
from core.imaging.medical import MedicalVolume
from core.imaging.nifti import read_nifti
from core.imaging.opening import open_path
from core.imaging.volume import Volume
from tests.core.imaging.dicom.make import CORONAL, SAGITTAL, save, write_series
from tests.core.imaging.dicom.test_multiframe import enhanced

dcm2niix = pytest.importorskip("dcm2niix", reason="dcm2niix is not installed")

MEDIA = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"
CONVERTIBLE = [
    f"{patient}/{series}"
    for patient, several in {
        "98892001": ("CT5N",),
        "98892003": ("MR1", "MR2", "MR700"),
    }.items()
    for series in several
]


def convert(folder: Path, out: Path, exclude: str = "") -> list[Volume]:
    out.mkdir()
    subprocess.run(
        [dcm2niix.bin, "-b", "n", "-z", "n", "-f", "%s_%e_%d_%p", "-o", str(out), str(folder)],
        check=False,
        capture_output=True,
    )
    files = sorted(path for path in out.glob("*.nii") if not exclude or not path.match(exclude))
    return [MedicalVolume(one).load() for path in files for one in read_nifti(path)]


def corners(geometry: Geometry) -> np.ndarray:
    unit = np.array(list(np.ndindex(2, 2, 2)))
    return geometry.to_patient((unit * (np.array(geometry.shape) - 1)).astype(float))


def agrees(ours: Volume, theirs: Volume) -> bool:
    """Whether the same voxel values stand at the same places in the patient."""
    at = theirs.geometry.to_index(corners(ours.geometry))
    shape = np.array(theirs.geometry.shape)
    if np.abs(at - np.rint(at)).max() > 0.02 or (np.rint(at) < 0).any():
        return False
    if (np.rint(at) >= shape).any() or ours.voxels.size != theirs.voxels.size:
        return False
    for i in range(ours.slices):
        pixels = map(np.arange, ours.geometry.shape[1:])
        grid = np.stack(np.meshgrid([i], *pixels, indexing="ij"), -1)[0].astype(float)
        index = np.rint(theirs.geometry.to_index(ours.geometry.to_patient(grid))).astype(int)
        there = theirs.voxels[tuple(np.moveaxis(index, -1, 0))]
        mine = ours.voxels[i] * ours.slope[i] + ours.intercept[i]
        if not np.allclose(mine, there * theirs.slope[0] + theirs.intercept[0], atol=1e-3):
            return False
    return True


def compare(folder: Path, out: Path) -> None:
    ours = [series.load() for series in open_path(folder).series]
    theirs = convert(folder, out)
    assert theirs
    for one in theirs:
        assert any(agrees(mine, one) for mine in ours)
    assert len(ours) == len(theirs)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONVERTIBLE)
def test_pydicoms_series(tmp_path: Path, name: str) -> None:
    compare(MEDIA / name, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ct-phantom-5mm", "mr-sagittal-hfs"])
def test_real_series(tmp_path: Path, shared_data: Path, name: str) -> None:
    compare(shared_data / "dicom" / name, tmp_path / "out")


@pytest.mark.slow
def test_the_tilted_series_has_the_same_voxels(tmp_path: Path, shared_data: Path) -> None:
    """NIfTI's quaternion cannot say shear, so dcm2niix's affine is no reference for places."""
    folder = shared_data / "dicom" / "ct-phantom-tilted"
    (series,) = open_path(folder).series
    ours = series.load()
    plain = [one for one in convert(folder, tmp_path / "out") if one.voxels.shape == (54, 512, 512)]
    (theirs,) = plain
    values = ours.voxels * ours.slope[:, None, None] + ours.intercept[:, None, None]
    assert (values == theirs.voxels * theirs.slope[0] + theirs.intercept[0]).all()


ROOT = MEDIA.parent
OTHERWISE = {
    "badVR.dcm": "a dose grid of which dcm2niix takes one slice",
    "J2K_pixelrep_mismatch.dcm": "codestream and header disagree on the sign; pydicom reads as we",
    "SC_rgb_small_odd_big_endian.dcm": "8-bit pixels in words: pydicom swaps them as we do",
    "examples_palette.dcm": "dcm2niix keeps the indices of a palette",
    "SC_rgb_rle_32bit.dcm": "dcm2niix writes a header that contradicts itself",
    "SC_rgb_rle_32bit_2frame.dcm": "dcm2niix writes a header that contradicts itself",
}
"""Files that dcm2niix converts into something else, and why."""
LOSSY_COLOURS = 25
"""Grey levels by which two JPEG decoders may differ where chroma is stored coarsely."""


def same_picture(ours: Volume, theirs: Volume) -> bool:
    """Whether the same pixels are there, where nothing says how they lie: NIfTI's rows go up."""
    flipped = theirs.voxels[:, ::-1]
    if ours.voxels.shape != flipped.shape:
        return False
    here = (ours.slope.reshape(-1, *[1] * (ours.voxels.ndim - 1)) * ours.voxels).astype(float)
    here += ours.intercept.reshape(-1, *[1] * (ours.voxels.ndim - 1))
    there = flipped * theirs.slope[0] + theirs.intercept[0]
    return float(np.abs(here - there).max()) <= (LOSSY_COLOURS if ours.is_colour else 1e-3)


def is_comparable(path: Path) -> bool:
    """Whether dcm2niix means the same by what it writes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's complaints about its odd files
        dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
    return (
        path.name not in OTHERWISE
        and dataset.get("Modality") != "RTDOSE"  # it leaves out the dose grid's scaling
        and dataset.get("PhotometricInterpretation") != "MONOCHROME1"  # and does not turn it
    )


@pytest.mark.slow
def test_every_test_file_of_pydicoms_that_dcm2niix_converts(
    tmp_path: Path, allow_logs: Callable[[str], None]
) -> None:
    allow_logs(".")
    compared = 0
    for number, path in enumerate(sorted(ROOT.rglob("*"))):
        if not path.is_file() or path.stat().st_size > 3_000_000 or path.suffix == ".txt":
            continue
        home = tmp_path / f"{number}"
        (home / "in").mkdir(parents=True)
        (home / "in" / "image").write_bytes(path.read_bytes())
        if not is_comparable(path):
            continue
        theirs = convert(home / "in", home / "out", exclude="*ROI*")
        if not theirs:
            continue
        ours = [series.load() for series in open_path(home / "in").series]
        for one in theirs:
            assert any(agrees(mine, one) or same_picture(mine, one) for mine in ours), path.name
        compared += 1
    assert compared >= 70


A = np.radians(25)
OBLIQUE = (float(np.cos(A)), float(np.sin(A)), 0.0, 0.0, 0.0, -1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "orientation",
    [
        (1, 0, 0, 0, 1, 0),
        SAGITTAL,
        CORONAL,
        OBLIQUE,
        (-1, 0, 0, 0, -1, 0),  # prone
        (0, 1, 0, -1, 0, 0),  # decubitus
        (1, 0, 0, 0, -1, 0),  # feet first, seen from above
    ],
)
@pytest.mark.parametrize("direction", [1, -1])
def test_orientations(tmp_path: Path, orientation: tuple[float, ...], direction: int) -> None:
    normal = np.cross(orientation[:3], orientation[3:])
    positions = [list(np.array([4.0, -7, 30]) + normal * 3 * i * direction) for i in range(5)]
    write_series(tmp_path / "in", positions, orientation=orientation, Modality="MR")
    compare(tmp_path / "in", tmp_path / "out")


@pytest.mark.slow
def test_echoes(tmp_path: Path) -> None:
    for echo in (1, 2):
        write_series(
            tmp_path / "in",
            [0, 3, 6, 9],
            prefix=f"e{echo}-",
            Modality="MR",
            EchoNumbers=echo,
            EchoTime=echo * 5.0,
        )
    compare(tmp_path / "in", tmp_path / "out")


@pytest.mark.slow
def test_enhanced(tmp_path: Path) -> None:
    save(enhanced([2, 0, 1, 3]), tmp_path / "in" / "a")
    compare(tmp_path / "in", tmp_path / "out")
