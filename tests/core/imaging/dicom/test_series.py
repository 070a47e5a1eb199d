"""Series: sorted by position, split where stacking would mix, and what is odd is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.imaging.geometry import Plane
from core.imaging.intensity import Quantity
from core.imaging.opening import open_path
from core.imaging.volume import SeriesSummary
from tests.core.imaging.dicom.make import CORONAL, SAGITTAL, ct_slice, save, write_series


def summaries(folder: Path) -> list[SeriesSummary]:
    return [series.summary for series in open_path(folder).series]


def codes(summary: SeriesSummary) -> set[str]:
    return {warning.code for warning in summary.warnings}


def only(folder: Path) -> SeriesSummary:
    (summary,) = summaries(folder)
    return summary


def test_a_plain_series_has_no_warning_and_true_geometry(tmp_path: Path) -> None:
    write_series(tmp_path, [10, 12.5, 15, 17.5])
    (series,) = open_path(tmp_path).series
    summary = series.summary
    assert summary.shape == (4, 4, 6)
    assert codes(summary) == set()
    assert summary.is_volume
    assert summary.quantity is Quantity.HU
    assert np.allclose(summary.geometry.spacing, (2.5, 0.5, 0.5))
    assert np.allclose(summary.geometry.to_patient(np.array([3, 2, 4.0])), (2, 1, 17.5))
    volume = series.load()
    assert [int(volume.voxels[i, 0, 0]) for i in range(4)] == [1, 2, 3, 4]
    assert volume.values(Plane.SLICE, 0)[0, 0] == 1 - 1024


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), orientation=st.sampled_from([(1, 0, 0, 0, 1, 0), SAGITTAL]))
def test_order_does_not_depend_on_file_names(
    tmp_path_factory: pytest.TempPathFactory, seed: int, orientation: tuple[float, ...]
) -> None:
    folder = tmp_path_factory.mktemp("series")
    normal = np.cross(orientation[:3], orientation[3:])
    write_series(
        folder, [list(normal * 3 * i) for i in range(6)], orientation=orientation, shuffle=seed
    )
    volume = open_path(folder).series[0].load()
    assert volume.voxels[:, 0, 0].tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "orientation", [(1, 0, 0, 0, 1, 0), SAGITTAL, CORONAL, (-1, 0, 0, 0, 1, 0)]
)
def test_slices_run_along_the_normal(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    normal = np.cross(orientation[:3], orientation[3:])
    # Written from the far end: instance numbers run against the normal.
    write_series(tmp_path, [list(normal * -4 * i) for i in range(5)], orientation=orientation)
    summary = only(tmp_path)
    assert summary.geometry.affine[:3, 0] @ normal > 0
    assert np.allclose(summary.geometry.normal, normal)
    assert open_path(tmp_path).series[0].load().voxels[:, 0, 0].tolist() == [5, 4, 3, 2, 1]


def test_missing_slices_are_counted_and_placed(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 2, 4, 10, 12, 14, 16])
    (warning,) = [w for w in only(tmp_path).warnings if w.code == "missing-slices"]
    assert "2 slices are missing" in warning.message
    assert warning.slices == (2,)
    assert np.isclose(only(tmp_path).geometry.plane_distance, 2)


def test_a_change_of_slice_thickness_is_uneven_and_not_missing(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 2, 4, 6, 8, 10], prefix="a", SliceThickness=2)
    write_series(tmp_path, [13, 17, 21, 25, 29], prefix="b", SliceThickness=4)
    found = codes(only(tmp_path))
    assert "uneven-spacing" in found
    assert "missing-slices" not in found


def test_uneven_spacing(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 2, 4.7, 6.7, 8.7, 10.7])
    (warning,) = [w for w in only(tmp_path).warnings if w.code == "uneven-spacing"]
    assert warning.slices == (1,)


@pytest.mark.parametrize("angle", [-18.5, 5.0, 24.0])
def test_gantry_tilt_is_measured_and_the_grid_is_sheared(tmp_path: Path, angle: float) -> None:
    a = np.radians(angle)
    orientation = (1.0, 0, 0, 0, np.cos(a), np.sin(a))
    write_series(tmp_path, [0, 2.5, 5, 7.5], orientation=orientation, GantryDetectorTilt=str(angle))
    summary = only(tmp_path)
    assert codes(summary) == {"gantry-tilt"}
    assert np.isclose(summary.geometry.tilt_degrees, abs(angle), atol=0.01)
    assert np.allclose(summary.geometry.affine[:3, 0], (0, 0, 2.5))
    assert np.isclose(summary.geometry.plane_distance, 2.5 * np.cos(a))
    (warning,) = summary.warnings
    assert f"{abs(angle):.1f}°" in warning.message


def test_a_tilt_in_the_tag_alone_contradicts_the_positions(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 2, 4], GantryDetectorTilt="-12")
    assert codes(only(tmp_path)) == {"contradicting-tags"}


def test_copies_are_skipped_and_repeated_positions_said(tmp_path: Path) -> None:
    paths = write_series(tmp_path, [0, 2, 4, 6])
    (tmp_path / "copy").write_bytes(paths[1].read_bytes())
    opened = open_path(tmp_path)
    assert len(opened.series) == 1
    assert len(opened.skipped) == 1
    assert "copy" in opened.skipped[0].reason
    save(
        ct_slice(np.full((4, 6), 99, np.uint16), ImagePositionPatient=[0, 0, 4], InstanceNumber=9),
        tmp_path / "again",
    )
    first, second = summaries(tmp_path)
    assert first.shape[0] == 4 and second.shape[0] == 1
    (warning,) = [w for w in first.warnings if w.code == "duplicate-positions"]
    assert warning.slices == (2,)


def test_one_sop_instance_uid_for_all_slices_loses_none(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 2, 4, 6], SOPInstanceUID="1.2.3")
    summary = only(tmp_path)
    assert summary.shape[0] == 4
    assert len(set(summary.slice_ids)) == 4


@pytest.mark.parametrize(
    ("tag", "values"),
    [
        ("EchoNumbers", [1, 2]),
        ("EchoTime", [4.6, 9.2]),
        ("DiffusionBValue", [0.0, 1000.0]),
        ("TemporalPositionIdentifier", [1, 2]),
        ("AcquisitionNumber", [1, 2]),
        ("ConvolutionKernel", ["H30s", "H60s"]),
        ("InversionTime", [100, 200]),
        ("PatientID", ["P1", "P2"]),
    ],
)
def test_repeated_positions_are_split_by_what_tells_them_apart(
    tmp_path: Path, tag: str, values: list[object]
) -> None:
    for i, value in enumerate(values):
        write_series(tmp_path, [0, 3, 6], prefix=f"{i}-", shuffle=i, **{tag: value})
    found = summaries(tmp_path)
    assert [one.shape[0] for one in found] == [3, 3]
    assert len({one.case_id for one in found}) == 2
    assert not any(one.code == "duplicate-positions" for s in found for one in s.warnings)
    if tag == "PatientID":
        assert all("several-patients" in codes(one) for one in found)


def test_phases_without_a_tag_are_split_by_instance_number(tmp_path: Path) -> None:
    for phase in range(3):
        for i in range(4):
            dataset = ct_slice(
                np.full((4, 6), phase * 10 + i, np.uint16),
                ImagePositionPatient=[0, 0, i * 2.0],
                InstanceNumber=phase * 4 + i + 1,
            )
            save(dataset, tmp_path / f"{phase}{i}")
    series = open_path(tmp_path).series
    assert [s.load().voxels[:, 0, 0].tolist() for s in series] == [
        [0, 1, 2, 3],
        [10, 11, 12, 13],
        [20, 21, 22, 23],
    ]


def test_another_patients_slice_is_shown_apart_and_said(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 2, 4, 6])
    stray = ct_slice(PatientID="P2", PatientName="Else^Somebody", ImagePositionPatient=[0, 0, 8])
    save(stray, tmp_path / "stray")
    first, second = summaries(tmp_path)
    assert {first.shape[0], second.shape[0]} == {4, 1}
    assert "several-patients" in codes(first) and "several-patients" in codes(second)
    assert all("Else" not in w.message and "P2" not in w.message for w in first.warnings)


def test_mixed_orientation_is_split_and_said(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 2, 4], prefix="a")
    write_series(tmp_path, [[0, 0, 0], [3, 0, 0]], prefix="s", orientation=SAGITTAL)
    first, second = summaries(tmp_path)
    assert (first.shape[0], second.shape[0]) == (3, 2)
    assert "mixed-orientation" in codes(first) and "mixed-orientation" in codes(second)


def test_mixed_sizes_are_split_and_said(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 2, 4])
    save(ct_slice(np.zeros((8, 8), np.uint16), ImagePositionPatient=[0, 0, 6]), tmp_path / "big")
    first, second = summaries(tmp_path)
    assert second.shape == (1, 8, 8)
    assert "mixed-size" in codes(first)


def test_localisers_are_no_volume(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 2, 4], prefix="a")
    for i in range(2):
        localiser = ct_slice(
            ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], ImagePositionPatient=[0, 0, 50.0 + i]
        )
        save(localiser, tmp_path / f"l{i}")
    images, localisers = summaries(tmp_path)
    assert images.is_volume and not localisers.is_volume
    assert "localiser" in codes(localisers)


def test_slices_shifted_at_random_are_no_volume(tmp_path: Path) -> None:
    write_series(tmp_path, [[0, 0, 0], [30, 0, 2], [-10, 5, 4], [4, 9, 6]])
    summary = only(tmp_path)
    assert not summary.is_volume
    assert "not-a-volume" in codes(summary)


@pytest.mark.parametrize("spacing", [None, [0, 0], [-1, -1], ["nan", "nan"]])
def test_without_a_usable_spacing_there_are_no_millimetres(
    tmp_path: Path, spacing: list[object] | None
) -> None:
    dataset = ct_slice(PixelSpacing=None)
    if spacing is not None:
        from pydicom.dataelem import RawDataElement
        from pydicom.tag import Tag

        raw = "\\".join(map(str, spacing)).encode()
        raw += b" " * (len(raw) % 2)
        tag = Tag("PixelSpacing")
        dataset[tag] = RawDataElement(tag, "DS", len(raw), raw, 0, False, True)
    save(dataset, tmp_path / "a")
    summary = only(tmp_path)
    assert not summary.geometry.has_spacing
    assert "no-spacing" in codes(summary)


def test_non_square_pixels_and_detector_spacing_are_said(tmp_path: Path) -> None:
    save(ct_slice(PixelSpacing=[1, 0.5]), tmp_path / "a")
    assert "non-square-pixels" in codes(only(tmp_path))
    assert only(tmp_path).geometry.spacing[1:] == (1, 0.5)
    save(ct_slice(PixelSpacing=None, ImagerPixelSpacing=[0.2, 0.2], Modality="DX"), tmp_path / "a")
    assert "detector-spacing" in codes(only(tmp_path))


def test_without_position_the_letters_are_unknown(tmp_path: Path) -> None:
    for i in range(3):
        one = ct_slice(
            ImagePositionPatient=None, ImageOrientationPatient=None, InstanceNumber=3 - i
        )
        save(one, tmp_path / f"{i}")
    summary = only(tmp_path)
    assert summary.geometry.letters(Plane.SLICE) is None
    assert {"no-position", "not-a-volume"} <= codes(summary)


def test_case_id_belongs_to_the_series_and_not_to_the_folder(tmp_path: Path) -> None:
    write_series(tmp_path / "a", [0, 2, 4], SOPInstanceUID="1.2.9")
    write_series(tmp_path / "b" / "c", [0, 2, 4], SOPInstanceUID="1.2.9", shuffle=9)
    first, second = only(tmp_path / "a"), only(tmp_path / "b")
    assert first.case_id == second.case_id
    assert first.slice_ids == second.slice_ids
    assert "1.2.3.4.5" not in first.case_id


def test_slopes_differ_by_slice(tmp_path: Path) -> None:
    for i, slope in enumerate((1.0, 2.5)):
        one = ct_slice(Modality="PT", RescaleSlope=slope, ImagePositionPatient=[0, 0, i])
        save(one, tmp_path / f"{i}")
    volume = open_path(tmp_path).series[0].load()
    assert volume.slope.tolist() == [1.0, 2.5]
    assert not volume.has_one_scale()


@pytest.mark.parametrize(
    "tags", [{"SyntheticData": "YES"}, {"ImageComments": "Synthetic head phantom"}]
)
def test_synthetic_data_are_known_as_such(tmp_path: Path, tags: dict[str, str]) -> None:
    save(ct_slice(**tags), tmp_path / "a")
    assert only(tmp_path).is_synthetic
    save(ct_slice(), tmp_path / "a")
    assert not only(tmp_path).is_synthetic


def test_the_tilted_phantom(shared_data: Path) -> None:
    opened = open_path(shared_data / "dicom" / "ct-phantom-tilted")
    (series,) = opened.series
    assert series.summary.shape == (54, 512, 512)
    assert codes(series.summary) == {"gantry-tilt"}
    assert opened.skipped == (), "the directory that lies beside its images is no loss"


def test_the_secondary_captures_are_no_volume(shared_data: Path) -> None:
    found = summaries(shared_data / "dicom" / "ct-secondary-captures")
    assert sum(one.shape[0] for one in found) == 6
    assert not any(one.is_volume for one in found)
    assert sum(one.quantity is Quantity.COLOUR for one in found) == 2


def test_acquisitions_a_hair_apart_are_not_shuffled_into_one(tmp_path: Path) -> None:
    """The table came back 0.2 mm off: no position repeats, and still these are two volumes."""
    for number in (1, 2):
        write_series(
            tmp_path,
            [i * 3 + 0.2 * number for i in range(5)],
            prefix=f"{number}-",
            shuffle=number,
            AcquisitionNumber=number,
        )
    found = summaries(tmp_path)
    assert [one.shape[0] for one in found] == [5, 5]
    assert all(codes(one) == set() for one in found)


def test_stations_one_behind_the_other_stay_one_series(tmp_path: Path) -> None:
    write_series(tmp_path, [0, 3, 6, 9], prefix="1-", AcquisitionNumber=1)
    write_series(tmp_path, [12, 15, 19, 22], prefix="2-", AcquisitionNumber=2)
    summary = only(tmp_path)
    assert summary.shape[0] == 8
    assert codes(summary) == {"uneven-spacing"}


@pytest.mark.parametrize(
    ("tag", "value", "apart"),
    [
        ("PatientName", "Else^Somebody", True),
        ("PatientName", "TEST^ONE^^", False),  # the same, written otherwise
        ("PatientName", "", False),  # silent
        ("PatientBirthDate", "19400101", True),
        ("PatientSex", "F", True),
        ("PatientID", "P2", True),
    ],
)
def test_a_slice_of_another_patient_is_told_by_any_contradiction(
    tmp_path: Path, tag: str, value: str, apart: bool
) -> None:
    told = {"PatientBirthDate": "19700101", "PatientSex": "M"}
    write_series(tmp_path, [0, 2, 4, 6], **told)
    stray = ct_slice(ImagePositionPatient=[0, 0, 8], **(told | {tag: value}))
    save(stray, tmp_path / "stray")
    found = summaries(tmp_path)
    assert sorted(one.shape[0] for one in found) == ([1, 4] if apart else [5])
    assert all(("several-patients" in codes(one)) == apart for one in found)
