"""NIfTI, NRRD and MetaImage: the same voxels at the same place as SimpleITK reads."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from core.errors import CancelledError, CoreError, TooLargeError, UnreadableImageError
from core.imaging.geometry import Plane
from core.imaging.opening import open_path

sitk = pytest.importorskip("SimpleITK")

ROTATIONS = {
    "axial": np.eye(3),
    "sagittal": np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]]),
    "coronal": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "turned round": np.diag([-1.0, -1.0, 1.0]),
    "mirrored": np.diag([1.0, 1.0, -1.0]),
}


def oblique() -> np.ndarray:
    a, b = np.radians(20), np.radians(-35)
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return z @ x


ROTATIONS["oblique"] = oblique()


def picture(rotation: np.ndarray, dtype: str = "i2") -> object:
    voxels = np.random.default_rng(3).integers(0, 100, (5, 6, 7)).astype(dtype)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.5, 0.75, 2.5))
    image.SetOrigin((-12.0, 33.0, 104.5))
    image.SetDirection(tuple(rotation.ravel()))
    return image


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "nrrd", "nhdr", "mha", "mhd"])
@pytest.mark.parametrize("name", ROTATIONS)
def test_voxels_stand_where_simpleitk_puts_them(tmp_path: Path, name: str, ending: str) -> None:
    image = picture(ROTATIONS[name])
    path = tmp_path / f"v.{ending}"
    sitk.WriteImage(image, str(path), useCompression=ending in ("nii.gz", "nrrd", "mha"))
    (series,) = open_path(path).series
    volume = series.load()
    assert volume.voxels.dtype == np.int16
    for index in np.ndindex(volume.voxels.shape):
        where = volume.geometry.to_patient(np.array(index, float))
        there = image.TransformPhysicalPointToContinuousIndex(tuple(where))
        nearest = tuple(round(v) for v in there)
        assert np.allclose(there, nearest, atol=2e-4)
        assert volume.voxels[index] == image.GetPixel(*nearest)


@pytest.mark.parametrize("name", ROTATIONS)
def test_planes_stand_the_right_way_up(tmp_path: Path, name: str) -> None:
    path = tmp_path / "v.nii"
    sitk.WriteImage(picture(ROTATIONS[name]), str(path))
    (series,) = open_path(path).series
    left, right, top, bottom = series.summary.geometry.letters(Plane.SLICE)
    assert {left[0], right[0]} in ({"R", "L"}, {"A", "P"})
    assert left[0] in "RA" and right[0] in "LP"
    assert top[0] in "AH" and bottom[0] in "PF"
    geometry = series.summary.geometry
    assert geometry.affine[:3, 0] @ geometry.normal > 0


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
@pytest.mark.parametrize("ending", ["nii.gz", "nrrd", "mha"])
def test_stored_types_stay(tmp_path: Path, dtype: str, ending: str) -> None:
    path = tmp_path / f"v.{ending}"
    image = picture(np.eye(3), dtype)
    sitk.WriteImage(image, str(path))
    volume = open_path(path).series[0].load()
    assert volume.voxels.dtype == np.dtype(dtype)
    whole = sitk.GetArrayFromImage(image)
    assert volume.voxels.sum() == whole.sum()


def test_one_slice_alone_is_the_slice_of_the_volume(tmp_path: Path) -> None:
    path = tmp_path / "v.nii.gz"
    sitk.WriteImage(picture(ROTATIONS["mirrored"]), str(path))
    (series,) = open_path(path).series
    volume = series.load()
    for index in range(volume.slices):
        one = series.read_slice(index)
        assert (one.voxels[0] == volume.voxels[index]).all()
        assert one.summary.slice_ids == (volume.summary.slice_ids[index],)
        here = volume.geometry.to_patient(np.array([index, 2, 3.0]))
        assert np.allclose(one.geometry.to_patient(np.array([0, 2, 3.0])), here)


def test_time_points_are_series_of_their_own(tmp_path: Path) -> None:
    first, second = picture(np.eye(3)), picture(np.eye(3)) + 7
    path = tmp_path / "v.nii.gz"
    sitk.WriteImage(sitk.JoinSeries([first, second]), str(path))
    one, two = open_path(path).series
    assert (two.load().voxels - one.load().voxels == 7).all()
    assert one.summary.case_id != two.summary.case_id


def test_slope_and_intercept_of_nifti(tmp_path: Path) -> None:
    path = tmp_path / "v.nii"
    sitk.WriteImage(picture(np.eye(3)), str(path))
    raw = bytearray(path.read_bytes())
    struct.pack_into("<ff", raw, 112, 2.0, -3.0)
    path.write_bytes(raw)
    volume = open_path(path).series[0].load()
    stored = volume.stored(Plane.SLICE, 1).astype(float)
    assert np.allclose(volume.values(Plane.SLICE, 1), stored * 2 - 3)


def test_case_id_stays_when_the_file_is_moved(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    sitk.WriteImage(picture(np.eye(3)), str(path))
    before = open_path(path).series[0].summary.case_id
    moved = tmp_path / "elsewhere" / "b.nii"
    moved.parent.mkdir()
    path.rename(moved)
    assert open_path(moved).series[0].summary.case_id == before


# ------------------------------------------------------------------ refusals


def refused(path: Path) -> CoreError:
    """Open and load; returns what it was refused with."""
    with pytest.raises((UnreadableImageError, TooLargeError)) as caught:
        open_path(path).series[0].load()
    return caught.value


def mha(data: bytes, extra: str = "", size: str = "4 4 4") -> bytes:
    text = (
        f"ObjectType = Image\nNDims = 3\nDimSize = {size}\nElementType = MET_UCHAR\n{extra}"
        "ElementDataFile = LOCAL\n"
    )
    return text.encode() + data


def nrrd(data: bytes, encoding: str = "raw", sizes: str = "4 4 4") -> bytes:
    text = f"NRRD0004\ntype: uchar\ndimension: 3\nsizes: {sizes}\nencoding: {encoding}\n\n"
    return text.encode() + data


def nifti(data: bytes, sizes: tuple[int, ...] = (4, 4, 4), datatype: int = 2) -> bytes:
    raw = bytearray(352)
    struct.pack_into("<i", raw, 0, 348)
    struct.pack_into("<8h", raw, 40, 3, *sizes, 1, 1, 1, 1)
    struct.pack_into("<hh", raw, 70, datatype, 8)
    struct.pack_into("<8f", raw, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<f", raw, 108, 352)
    raw[344:348] = b"n+1\0"
    return bytes(raw) + data


def zlibbed(data: bytes) -> bytes:
    import zlib

    return zlib.compress(data)


MISMATCHES = {
    "mha short": mha(b"x" * 63),
    "mha compressed, not zlib": mha(b"garbage", "CompressedData = True\n"),
    "mha compressed, short": mha(zlibbed(b"x" * 63), "CompressedData = True\n"),
    "mha compressed, long": mha(zlibbed(b"x" * 65), "CompressedData = True\n"),
    "mha compressed, cut": mha(zlibbed(bytes(range(64)))[:-6], "CompressedData = True\n"),
    "mha compressed size beyond the file": mha(
        zlibbed(b"x" * 64), "CompressedData = True\nCompressedDataSize = 4000\n"
    ),
    "mha empty": mha(b""),
    "mha sizes of zero": mha(b"x" * 64, size="4 0 4"),
    "mha negative size": mha(b"x" * 64, size="4 -4 4"),
    "mha huge": mha(b"x" * 64, size="60000 60000 60000"),
    "nrrd short": nrrd(b"x" * 63),
    "nrrd gzip short": nrrd(gzip.compress(b"x" * 63), "gzip"),
    "nrrd gzip long": nrrd(gzip.compress(b"x" * 65), "gzip"),
    "nrrd gzip damaged": nrrd(b"\x1f\x8b\x08garbage", "gzip"),
    "nrrd gzip wrong check sum": nrrd(gzip.compress(b"x" * 64)[:-8] + b"\0" * 8, "gzip"),
    "nrrd bzip2 damaged": nrrd(b"BZh91AY", "bzip2"),
    "nrrd huge": nrrd(b"x" * 64, sizes="16000000 16000000 2"),
    "nifti short": nifti(b"x" * 63),
    "nifti gz short": gzip.compress(nifti(b"x" * 63)),
    "nifti gz long": gzip.compress(nifti(b"x" * 65)),
    "nifti gz cut": gzip.compress(nifti(bytes(range(64))))[:-9],
    "nifti unknown type": nifti(b"x" * 64, datatype=77),
    "nifti complex": nifti(b"x" * 64, datatype=32),
    "nifti negative size": nifti(b"x" * 64, (4, -4, 4)),
    "nifti huge": nifti(b"x" * 64, (32767, 32767, 32767)),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_no_mismatch_is_shown_as_an_image(tmp_path: Path, name: str) -> None:
    path = tmp_path / "v"
    path.write_bytes(MISMATCHES[name])
    assert refused(path).path == path  # type: ignore[attr-defined]


def test_the_same_bytes_are_an_image_where_lengths_agree(tmp_path: Path) -> None:
    for i, content in enumerate(
        [
            mha(b"x" * 64),
            mha(zlibbed(b"x" * 64), "CompressedData = True\n"),
            nrrd(b"x" * 64),
            nrrd(gzip.compress(b"x" * 64), "gzip"),
            nifti(b"x" * 64),
            gzip.compress(nifti(b"x" * 64)),
        ]
    ):
        path = tmp_path / f"v{i}"
        path.write_bytes(content)
        assert (open_path(path).series[0].load().voxels == ord("x")).all()


@pytest.mark.parametrize("kind", ["gzip", "bz2"])
def test_what_parallel_packers_write_is_one_stream(tmp_path: Path, kind: str) -> None:
    """Several members, one behind the other; and nothing may follow what the header states."""
    import bz2

    pack = gzip.compress if kind == "gzip" else bz2.compress
    voxels = np.arange(64, dtype="<u2").tobytes()
    head = (
        "NRRD0004\ntype: ushort\ndimension: 3\nsizes: 4 4 4\nendian: little\n"
        f"encoding: {'gzip' if kind == 'gzip' else 'bzip2'}\n\n"
    ).encode()
    path = tmp_path / "a.nrrd"
    path.write_bytes(head + pack(voxels[:50]) + pack(voxels[50:]))
    volume = open_path(path).series[0].load()
    assert volume.voxels.reshape(-1).tolist() == list(range(64))
    path.write_bytes(head + pack(voxels[:50]) + pack(voxels[50:]) + pack(b"x"))
    with pytest.raises(UnreadableImageError, match="more than"):
        open_path(path).series[0].load()


def test_a_compressed_volume_is_shown_slice_by_slice_and_can_be_cancelled(tmp_path: Path) -> None:

    voxels = np.random.default_rng(0).integers(0, 9, (12, 512, 512)).astype("<i2")
    head = (
        b"NRRD0004\ntype: short\ndimension: 3\nsizes: 512 512 12\nendian: little\n"
        b"encoding: gzip\n\n"
    )
    path = tmp_path / "a.nrrd"
    path.write_bytes(head + gzip.compress(voxels.tobytes(), 1))
    series = open_path(path).series[0]
    shown: list[int] = []
    volume = series.load(on_slice=lambda _, index: shown.append(index))
    assert (volume.voxels == voxels).all()
    assert shown == list(range(12))
    assert (series.read_slice(7).voxels[0] == voxels[7]).all()
    shown.clear()
    with pytest.raises(CancelledError):
        series.load(on_slice=lambda _, index: shown.append(index), cancelled=lambda: bool(shown))
    assert 0 < len(shown) < 12


def test_nothing_is_inflated_in_this_process() -> None:
    """zlib and bzip2 are C code that parses: they run where they may die."""
    import ast

    import core.imaging

    (root,) = core.imaging.__path__
    for path in Path(root).rglob("*.py"):
        if path.name in ("inflation.py", "codecs.py"):  # what decoder processes run
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.attr if isinstance(node, ast.Attribute) else ""
            assert not name.startswith(("decompress", "BZ2", "LZMA")), f"{path.name}: {name}"


def test_a_bomb_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(nifti(b"\0" * 4096, (16, 16, 16)) + b"\0" * 50_000_000))
    refused(path)
    path.write_bytes(gzip.compress(nifti(b"", (30000, 30000, 30))))
    refused(path)


def test_a_text_that_is_no_nifti(tmp_path: Path) -> None:
    path = tmp_path / "report.nii"
    path.write_text("This is a letter.\n" * 50)
    assert isinstance(refused(path), UnreadableImageError)


def test_two_placements_that_differ_are_said(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    voxels = np.zeros((4, 5, 6), np.int16)
    placed, other = np.diag([2.0, 2, 3, 1]), np.diag([2.0, 2, 3, 1])
    other[:3, 3] = (0, 0, 12)
    for name, qform, is_odd in (("same", placed, False), ("apart", other, True)):
        image = nibabel.Nifti1Image(voxels, placed)
        image.set_sform(placed, 1)
        image.set_qform(qform, 1)
        nibabel.save(image, tmp_path / f"{name}.nii")
        (series,) = open_path(tmp_path / f"{name}.nii").series
        said = [w.message for w in series.summary.warnings if w.code == "contradicting-tags"]
        assert bool(said) is is_odd
        if is_odd:
            assert "12.0 mm apart" in said[0]
        assert np.allclose(series.summary.geometry.spacing, (3, 2, 2))


def test_either_half_of_a_pair_opens_it(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    voxels = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    nibabel.save(nibabel.Nifti1Pair(voxels, np.eye(4)), tmp_path / "a.img")
    by_header, by_image = (
        open_path(tmp_path / name).series[0].load() for name in ("a.hdr", "a.img")
    )
    assert (by_header.voxels == by_image.voxels).all()
    assert by_header.summary.case_id == by_image.summary.case_id
    with pytest.raises(UnreadableImageError):
        (tmp_path / "b.img").write_bytes(bytes(500))
        open_path(tmp_path / "b.img")
