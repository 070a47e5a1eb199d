"""Several slices in one file: enhanced objects, mosaics, dose grids, cines."""

from __future__ import annotations

import copy
import struct
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from core.imaging.geometry import Plane
from core.imaging.opening import open_path
from tests.core.imaging.dicom.make import AXIAL, ct_slice, save


def item(**tags: object) -> Dataset:
    one = Dataset()
    for name, value in tags.items():
        setattr(one, name, value)
    return one


def enhanced(order: list[int], echoes: int = 1) -> Dataset:
    """An enhanced image whose frames stand in any order; frame at place i holds i + 1."""
    frames = [(echo, i) for echo in range(echoes) for i in order]
    pixels = np.stack([np.full((4, 6), 100 * e + i + 1, np.uint16) for e, i in frames])
    one = ct_slice(pixels[0], NumberOfFrames=len(frames), PixelData=pixels.tobytes())
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(one, name)
    for name in ("RescaleSlope", "RescaleIntercept", "SliceThickness"):
        delattr(one, name)
    shared = Dataset()
    shared.PixelMeasuresSequence = Sequence(
        [item(PixelSpacing=[0.7, 0.9], SliceThickness=3, SpacingBetweenSlices=3)]
    )
    shared.PlaneOrientationSequence = Sequence([item(ImageOrientationPatient=list(AXIAL))])
    one.SharedFunctionalGroupsSequence = Sequence([shared])
    per_frame = []
    for echo, i in frames:
        own = Dataset()
        own.PlanePositionSequence = Sequence([item(ImagePositionPatient=[1, 2, 10 + 3.0 * i])])
        own.PixelValueTransformationSequence = Sequence(
            [item(RescaleSlope=1 + echo, RescaleIntercept=-1000, RescaleType="HU")]
        )
        own.FrameVOILUTSequence = Sequence([item(WindowCenter=50, WindowWidth=350)])
        if echoes > 1:
            own.MREchoSequence = Sequence([item(EffectiveEchoTime=5.0 * (echo + 1))])
        per_frame.append(own)
    one.PerFrameFunctionalGroupsSequence = Sequence(per_frame)
    return one


def test_enhanced_frames_are_sorted_by_position(tmp_path: Path) -> None:
    (series,) = open_path(save(enhanced([3, 0, 4, 1, 2]), tmp_path / "a")).series
    volume = series.load()
    assert volume.voxels[:, 0, 0].tolist() == [1, 2, 3, 4, 5]
    assert np.allclose(volume.geometry.spacing, (3, 0.7, 0.9))
    assert np.allclose(volume.geometry.to_patient(np.array([4, 0, 0.0])), (1, 2, 22))
    assert volume.intercept.tolist() == [-1000] * 5
    assert [(w.center, w.width) for w in volume.summary.windows] == [(50, 350)]
    assert {w.code for w in volume.summary.warnings} == {"non-square-pixels"}
    assert len(set(volume.summary.slice_ids)) == 5


def test_echoes_of_an_enhanced_object_are_split(tmp_path: Path) -> None:
    first, second = open_path(save(enhanced([0, 1, 2], echoes=2), tmp_path / "a")).series
    assert first.load().voxels[:, 0, 0].tolist() == [1, 2, 3]
    volume = second.load()
    assert volume.voxels[:, 0, 0].tolist() == [101, 102, 103]
    assert volume.slope.tolist() == [2, 2, 2]
    assert series_read_alone(second) == [101, 102, 103]


def series_read_alone(series: object) -> list[int]:
    count = series.summary.shape[0]  # type: ignore[attr-defined]
    return [int(series.read_slice(i).voxels[0, 0, 0]) for i in range(count)]  # type: ignore[attr-defined]


def test_a_dose_grid_is_a_volume(tmp_path: Path) -> None:
    pixels = np.stack([np.full((4, 6), i, np.uint32) for i in range(3)])
    one = ct_slice(
        pixels[0].astype(np.uint16),
        NumberOfFrames=3,
        PixelData=pixels.tobytes(),
        BitsAllocated=32,
        BitsStored=32,
        HighBit=31,
        Modality="RTDOSE",
        RescaleSlope=None,
        RescaleIntercept=None,
        GridFrameOffsetVector=[0, 2.5, 5],
        DoseGridScaling=0.001,
        ImagePositionPatient=[0, 0, 100],
    )
    (series,) = open_path(save(one, tmp_path / "a")).series
    volume = series.load()
    assert volume.summary.is_volume
    assert np.isclose(volume.geometry.plane_distance, 2.5)
    assert volume.values(Plane.SLICE, 2)[0, 0] == pytest.approx(0.002)


def test_a_cine_is_no_volume(tmp_path: Path) -> None:
    pixels = np.zeros((5, 4, 6), np.uint16)
    one = ct_slice(
        pixels[0],
        NumberOfFrames=5,
        PixelData=pixels.tobytes(),
        Modality="XA",
        ImagePositionPatient=None,
        ImageOrientationPatient=None,
    )
    (series,) = open_path(save(one, tmp_path / "a")).series
    assert series.summary.shape[0] == 5
    assert not series.summary.is_volume


def test_one_bit_segmentation_frames(tmp_path: Path) -> None:
    masks = np.random.default_rng(1).integers(0, 2, (3, 3, 5), dtype=np.uint8)
    packed = np.packbits(masks.ravel(), bitorder="little").tobytes()
    one = ct_slice(
        np.zeros((3, 5), np.uint8),
        NumberOfFrames=3,
        PixelData=packed + b"\0" * (len(packed) % 2),
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
        Modality="SEG",
        ImagePositionPatient=None,
        ImageOrientationPatient=None,
    )
    (series,) = open_path(save(one, tmp_path / "a")).series
    assert (series.load().voxels == masks).all()


# ------------------------------------------------------------------ mosaics


def csa(values: dict[str, list[str]]) -> bytes:
    """A Siemens CSA header of the second kind."""
    raw = b"SV10\4\3\2\1" + struct.pack("<II", len(values), 77)
    for name, texts in values.items():
        raw += struct.pack(
            "<64si4siii",
            name.encode(),
            len(texts),
            b"FD" if texts[0][0] in "-0123456789" and "*" not in texts[0] else b"SH",
            4,
            len(texts),
            77,
        )
        for text in texts:
            content = text.encode() + b"\0"
            raw += struct.pack("<4i", len(content), len(content), 77, len(content))
            raw += content + b"\0" * (-len(content) % 4)
    return raw


def mosaic(normal: tuple[float, float, float] = (0, 0, 1)) -> Dataset:
    """Five slices of 4 × 6 in a mosaic of three by three tiles."""
    pixels = np.zeros((12, 18), np.uint16)
    for i in range(5):
        row, column = i // 3 * 4, i % 3 * 6
        pixels[row : row + 4, column : column + 6] = i + 1
    one = ct_slice(
        pixels,
        Modality="MR",
        ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"],
        ImagePositionPatient=[-100, -90, 30],
        PixelSpacing=[2, 3],
        SliceThickness=4,
        SpacingBetweenSlices=4.4,
        Manufacturer="SIEMENS",
        RescaleSlope=None,
        RescaleIntercept=None,
    )
    block = one.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    told = {
        "AcquisitionMatrixText": ["4*6"],
        "NumberOfImagesInMosaic": ["5"],
        "SliceNormalVector": [f"{v:.8f}" for v in normal],
    }
    block.add_new(0x10, "OB", csa(told))
    block.add_new(0x20, "OB", csa({"UsedPatientWeight": ["70"]}))
    return one


@pytest.mark.parametrize("normal", [(0, 0, 1), (0, 0, -1)])
def test_a_mosaic_is_cut_where_nibabel_cuts_it(
    tmp_path: Path, normal: tuple[float, float, float]
) -> None:
    wrappers = pytest.importorskip("nibabel.nicom.dicomwrappers")
    path = save(mosaic(normal), tmp_path / "a")
    (series,) = open_path(path).series
    volume = series.load()
    assert volume.voxels.shape == (5, 4, 6)
    expected = list(range(1, 6)) if normal[2] > 0 else list(range(5, 0, -1))
    assert volume.voxels[:, 0, 0].tolist() == expected
    assert np.isclose(volume.geometry.plane_distance, 4.4)
    theirs = wrappers.wrapper_from_file(path)
    # NiBabel's affine is in LPS here, too.
    for i in range(5):
        stored = volume.voxels[i, 0, 0] - 1
        there = theirs.affine @ np.array([0, 0, stored, 1.0])
        here = volume.geometry.to_patient(np.array([i, 0, 0.0]))
        assert np.allclose(here, there[:3])


def test_mosaics_of_a_time_series_are_one_volume_each(tmp_path: Path) -> None:
    for time in range(3):
        one = mosaic()
        one.AcquisitionNumber = one.InstanceNumber = time + 1
        save(one, tmp_path / f"{time}")
    found = open_path(tmp_path).series
    assert [series.summary.shape for series in found] == [(5, 4, 6)] * 3


# ------------------------------------------------------------------ what enhanced objects vary by


def varied(groups: list[Dataset], slices: int = 3) -> Dataset:
    """Each group of frames is a whole volume; frames of all groups stand interleaved."""
    one = enhanced([0])
    template = one.PerFrameFunctionalGroupsSequence[0]
    per_frame, pixels = [], []
    for i in range(slices):
        for number, group in enumerate(groups):
            own = copy.deepcopy(template)
            own.PlanePositionSequence = Sequence([item(ImagePositionPatient=[1, 2, 3.0 * i])])
            own.update(copy.deepcopy(group))
            per_frame.append(own)
            pixels.append(np.full((4, 6), 100 * number + i + 1, np.uint16))
    one.PerFrameFunctionalGroupsSequence = Sequence(per_frame)
    one.NumberOfFrames = len(pixels)
    one.PixelData = np.stack(pixels).tobytes()
    one.Modality = "MR"
    return one


def content(**tags: object) -> Dataset:
    return item(FrameContentSequence=Sequence([item(**tags)]))


def diffusion(b: float, direction: list[float] | None) -> Dataset:
    own = item(DiffusionBValue=b)
    if direction is not None:
        gradient = item(DiffusionGradientOrientation=direction)
        own.DiffusionGradientDirectionSequence = Sequence([gradient])
    return item(MRDiffusionSequence=Sequence([own]))


GROUPS = {
    "phases": [content(TemporalPositionIndex=i + 1) for i in range(3)],
    "stacks": [content(StackID=f"{i + 1}") for i in range(2)],
    "cardiac": [
        item(
            CardiacSynchronizationSequence=Sequence([item(NominalCardiacTriggerDelayTime=40.0 * i)])
        )
        for i in range(3)
    ],
    "parts": [
        item(MRImageFrameTypeSequence=Sequence([item(ComplexImageComponent=part)]))
        for part in ("MAGNITUDE", "PHASE")
    ],
    "diffusion": [
        diffusion(0, None),
        diffusion(1000, [1, 0, 0]),
        diffusion(1000, [0, 1, 0]),
        diffusion(2000, [0, 0, 1]),
    ],
    "inversion": [
        item(MRModifierSequence=Sequence([item(InversionTimes=100.0 * (i + 1))])) for i in range(2)
    ],
    "nothing": [Dataset(), Dataset()],
}


@pytest.mark.parametrize("name", GROUPS)
def test_frames_of_an_enhanced_object_are_split_by_what_they_vary_by(
    tmp_path: Path, name: str
) -> None:
    groups = GROUPS[name]
    found = open_path(save(varied(groups), tmp_path / "a")).series
    volumes = sorted(s.load().voxels[:, 0, 0].tolist() for s in found)
    assert volumes == [[100 * k + 1, 100 * k + 2, 100 * k + 3] for k in range(len(groups))]
    assert len({s.summary.case_id for s in found}) == len(groups)
    assert len({s.summary.description for s in found}) == len(groups)
    assert all(s.summary.description.isprintable() for s in found)
    assert not any(w.code == "duplicate-positions" for s in found for w in s.summary.warnings)
