"""Laws of space: index ↔ patient, letters, planes against resampling, tilt correction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from core.imaging.geometry import Geometry, Plane
from core.imaging.intensity import Quantity
from core.imaging.opening import open_path
from core.imaging.tilt import corrected, straightened
from core.imaging.volume import ImageWarning, SeriesSummary, Volume
from tests.core.imaging.dicom.make import write_series

angles = st.floats(-np.pi, np.pi)
steps = st.floats(0.05, 20)
places = st.floats(-1000, 1000)


def rotation(a: float, b: float, c: float) -> np.ndarray:
    def turn(axis: int, angle: float) -> np.ndarray:
        matrix = np.eye(3)
        i, j = [k for k in range(3) if k != axis]
        matrix[i, i] = matrix[j, j] = np.cos(angle)
        matrix[i, j], matrix[j, i] = -np.sin(angle), np.sin(angle)
        return matrix

    return turn(0, a) @ turn(1, b) @ turn(2, c)


@st.composite
def geometries(draw: st.DrawFn, sheared: bool = False) -> Geometry:
    shape = tuple(draw(st.integers(2, 9)) for _ in range(3))
    affine = np.eye(4)
    axes = rotation(draw(angles), draw(angles), draw(angles))
    affine[:3, :3] = axes * [draw(steps) for _ in range(3)]
    affine[:3, 3] = [draw(places) for _ in range(3)]
    if sheared:
        tilt = np.tan(np.radians(draw(st.floats(-30, 30))))
        affine[:3, 0] += axes[:, 1] * np.linalg.norm(affine[:3, 0]) * tilt
    return Geometry(shape, affine)  # type: ignore[arg-type]


indices = st.tuples(*[st.floats(-5, 15)] * 3)


@given(geometry=geometries(sheared=True), index=indices)
def test_index_to_patient_and_back(geometry: Geometry, index: tuple[float, ...]) -> None:
    there = geometry.to_patient(np.array(index))
    assert np.allclose(geometry.to_index(there), index, atol=1e-6)


@given(geometry=geometries(), plane=st.sampled_from(Plane))
def test_letters_at_opposite_edges_are_opposite(geometry: Geometry, plane: Plane) -> None:
    letters = geometry.letters(plane)
    assert letters is not None
    opposite = str.maketrans("LRAPHF", "RLPAFH")
    left, right, top, bottom = letters
    assert left.translate(opposite) == right
    assert top.translate(opposite) == bottom
    assert {left, right}.isdisjoint({top, bottom})


@given(geometry=geometries(sheared=True))
def test_tilt_is_the_angle_between_step_and_normal(geometry: Geometry) -> None:
    length, distance = geometry.spacing[0], geometry.plane_distance
    assert np.isclose(np.cos(np.radians(geometry.tilt_degrees)) * length, distance, rtol=1e-6)


def volume(geometry: Geometry, voxels: np.ndarray, *warnings: ImageWarning) -> Volume:
    summary = SeriesSummary(
        uid="1",
        case_id="c",
        modality="CT",
        description="d",
        geometry=geometry,
        quantity=Quantity.HU,
        transfer_syntax="",
        slice_ids=tuple(map(str, range(geometry.shape[0]))),
        warnings=warnings,
    )
    count = geometry.shape[0]
    return Volume(summary, voxels, np.full(count, 2.0), np.arange(count) * -10.0)


@settings(max_examples=40)
@given(geometry=geometries(), plane=st.sampled_from(Plane), seed=st.integers(0, 99))
def test_a_plane_is_what_resampling_at_its_points_gives(
    geometry: Geometry, plane: Plane, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    voxels = rng.integers(-1000, 3000, geometry.shape).astype(np.int16)
    one = volume(geometry, voxels)
    index = int(rng.integers(geometry.shape[plane.value]))
    rest = [n for axis, n in enumerate(geometry.shape) if axis != plane.value]
    grid = np.stack(np.meshgrid(*map(np.arange, rest), indexing="ij"), -1).astype(float)
    points = geometry.to_patient(np.insert(grid, plane.value, index, axis=-1))
    scaled = voxels * one.slope[:, None, None] + one.intercept[:, None, None]
    back = np.moveaxis(geometry.to_index(points), -1, 0)
    expected = map_coordinates(scaled, back, order=1, mode="nearest")
    assert np.allclose(one.values(plane, index), expected, atol=0.05)


def tilted(angle: float, shape: tuple[int, int, int] = (7, 24, 16)) -> Geometry:
    a = np.radians(angle)
    affine = np.eye(4)
    affine[:3, 0] = (0, 0, 3)
    affine[:3, 1] = np.array([0, np.cos(a), np.sin(a)]) * 0.5
    affine[:3, 2] = (0.5, 0, 0)
    affine[:3, 3] = (-10, 5, 100)
    return Geometry(shape, affine)


def test_tilt_correction_keeps_every_point_in_its_place() -> None:
    for angle in (-18.5, 12.0):
        geometry = tilted(angle)
        grid = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), -1)
        where = geometry.to_patient(grid.astype(float))
        # A field that is linear in space: linear interpolation gives it back exactly.
        field = (where @ np.array([3.0, 7.0, -2.0])).astype(np.float32)
        warning = ImageWarning("gantry-tilt", "tilted")
        straight = corrected(volume(geometry, field, warning))
        assert straight.geometry.tilt_degrees < 1e-6
        assert np.isclose(straight.geometry.plane_distance, geometry.plane_distance)
        assert {w.code for w in straight.summary.warnings} == {"tilt-corrected"}
        assert straight.summary.case_id != "c"
        inside = geometry.to_patient(grid[:, 2:-2, 2:-2].astype(float))
        index = np.rint(straight.geometry.to_index(inside)).astype(int)
        place = straight.geometry.to_patient(index.astype(float))
        expected = place @ np.array([3.0, 7.0, -2.0])
        assert np.allclose(straight.voxels[tuple(np.moveaxis(index, -1, 0))], expected, atol=0.01)


def test_tilt_correction_cuts_nothing_off_and_keeps_the_type() -> None:
    geometry = tilted(20)
    voxels = np.full(geometry.shape, 1000, np.int16)
    voxels[0, 0, 0] = -1024
    straight = corrected(volume(geometry, voxels))
    assert straight.voxels.dtype == np.int16
    assert straight.geometry.shape[1] > geometry.shape[1]
    for index in range(geometry.shape[0]):
        assert (straight.voxels[index] == 1000).sum() >= 0.9 * 24 * 16


def test_a_rectangular_volume_is_left_alone() -> None:
    one = volume(tilted(0), np.zeros((7, 24, 16), np.int16))
    assert corrected(one) is one


def test_a_straight_series_is_the_corrected_volume(tmp_path: Path) -> None:
    a = np.radians(-15)
    turn = (1.0, 0, 0, 0, float(np.cos(a)), float(np.sin(a)))
    write_series(tmp_path, [3.0 * i for i in range(6)], orientation=turn)
    (series,) = open_path(tmp_path).series
    straight = straightened(series)
    shown: list[int] = []
    volume = straight.load(first=1, on_slice=lambda _, index: shown.append(index))
    expected = corrected(series.load())
    assert (volume.voxels == expected.voxels).all()
    assert sorted(shown) == list(range(6)) and shown[0] == 1
    assert straight.summary.case_id == volume.summary.case_id == expected.summary.case_id
    assert np.allclose(straight.summary.geometry.affine, expected.geometry.affine)
    assert set(straight.summary.slice_ids).isdisjoint(series.summary.slice_ids)
    assert "tilt corrected" in straight.summary.description
    one = straight.read_slice(2)
    grey = volume.voxels[2] == 3  # away from the edges, where the filling mixes in
    assert (one.voxels[0][grey] == volume.voxels[2][grey]).all()
    here = volume.geometry.to_patient(np.array([2, 1, 3.0]))
    assert np.allclose(one.geometry.to_patient(np.array([0, 1, 3.0])), here)


def test_a_series_that_is_not_sheared_is_left_alone(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 2, 4])
    (series,) = open_path(tmp_path).series
    assert straightened(series) is series
