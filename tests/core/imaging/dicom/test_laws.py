"""Laws of series: what must hold whatever way a series was acquired, written and named."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.imaging.dicom.headers import read_header
from core.imaging.dicom.series import find_series
from core.imaging.opening import open_path
from core.imaging.volume import Volume
from tests.core.imaging.dicom.make import ct_slice, save
from tests.core.imaging.test_geometry import rotation

angles = st.floats(-3.1, 3.1)


@st.composite
def acquisitions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Row and column directions, and positions of some slices, perhaps tilted."""
    turn = rotation(draw(angles), draw(angles), draw(angles))
    gap = draw(st.floats(0.5, 8))
    tilt = np.tan(np.radians(draw(st.floats(-25, 25))))
    step = gap * (turn[:, 2] + tilt * turn[:, 1])
    start = np.array([draw(st.floats(-300, 300)) for _ in range(3)])
    count = draw(st.integers(2, 5))
    return turn[:, 0], turn[:, 1], [start + step * i for i in range(count)]


def write(
    folder: Path,
    across: np.ndarray,
    down: np.ndarray,
    positions: list[np.ndarray],
    names: list[int],
) -> None:
    """Slices of 2 × 3 pixels; each pixel's value names the slice and the pixel."""
    for i, (where, name) in enumerate(zip(positions, names, strict=True)):
        pixels = (np.arange(6, dtype=np.uint16) + 100 * (i + 1)).reshape(2, 3)
        one = ct_slice(
            pixels,
            ImagePositionPatient=[f"{v:.8g}" for v in where],
            ImageOrientationPatient=[f"{v:.8f}" for v in (*across, *down)],
            InstanceNumber=i + 1,
            SOPInstanceUID=f"1.2.3.{i + 1}",
        )
        save(one, folder / f"{name}")


def where_all_pixels_are(volume: Volume) -> dict[int, np.ndarray]:
    return {
        int(volume.voxels[index]): volume.geometry.to_patient(np.array(index, float))
        for index in np.ndindex(volume.voxels.shape)
    }


@settings(max_examples=25)
@given(acquired=acquisitions(), seed=st.integers(0, 1 << 16))
def test_every_pixel_lies_where_dicom_puts_it_whatever_the_names(
    acquired: tuple[np.ndarray, np.ndarray, list[np.ndarray]], seed: int
) -> None:
    across, down, positions = acquired
    names = np.random.default_rng(seed).permutation(len(positions)).tolist()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), across, down, positions, names)
        (series,) = open_path(Path(folder)).series
        volume = series.load()
    found = where_all_pixels_are(volume)
    for i, where in enumerate(positions):
        for row in range(2):
            for column in range(3):
                # PS3.3 C.7.6.2.1.1: position + column · spacing · row direction + …
                expected = where + across * column * 0.5 + down * row * 0.5
                assert np.allclose(found[100 * (i + 1) + row * 3 + column], expected, atol=2e-3)
    assert volume.geometry.affine[:3, 0] @ volume.geometry.normal > 0


@settings(max_examples=25)
@given(acquired=acquisitions())
def test_reversing_the_normal_reverses_the_order_and_moves_nothing(
    acquired: tuple[np.ndarray, np.ndarray, list[np.ndarray]],
) -> None:
    """Columns counted from the other edge: the normal turns round, the patient does not."""
    across, down, positions = acquired
    names = list(range(len(positions)))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        write(Path(one), across, down, positions, names)
        write(Path(other), -across, down, [p + across for p in positions], names)
        volume, turned = (open_path(Path(f)).series[0].load() for f in (one, other))
    assert turned.summary.slice_ids == volume.summary.slice_ids[::-1]
    assert np.allclose(turned.geometry.normal, -volume.geometry.normal, atol=1e-5)
    here, there = where_all_pixels_are(volume), where_all_pixels_are(turned)
    for value, place in here.items():
        mirrored = value - value % 100 + (value % 100) // 3 * 3 + 2 - (value % 100) % 3
        assert np.allclose(there[mirrored], place, atol=2e-3)


@settings(max_examples=25)
@given(seed=st.integers(0, 1 << 16))
def test_what_is_found_does_not_depend_on_the_order_of_looking(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for echo in (1, 2):
            for i in range(3):
                one = ct_slice(
                    ImagePositionPatient=[0, 0, 2 * i],
                    EchoNumbers=echo,
                    SOPInstanceUID=f"1.2.{echo}.{i}",
                )
                save(one, root / f"{echo}{i}")
        headers = [read_header(path) for path in sorted(root.iterdir())]
        order = np.random.default_rng(seed).permutation(len(headers))
        found, _ = find_series([headers[i] for i in order])
        usual, _ = find_series(headers)
    assert [s.summary.case_id for s in found] == [s.summary.case_id for s in usual]
    assert [s.summary.slice_ids for s in found] == [s.summary.slice_ids for s in usual]
