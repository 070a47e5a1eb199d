"""What the phantom is made of: Hounsfield units where they belong, blood only where it is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from core.imaging.geometry import Geometry, Plane
from core.sample import SampleTruth
from core.sample.acquisition import Scanner, Slice
from core.sample.patient import SUBTYPES, Patient, draw_patient

MIDDLE = 12  # a slice through the bodies of the lateral ventricles


def scan(patient: Patient, *, slices: int = 24, size: int = 128, seed: int = 7) -> list[Slice]:
    return list(Scanner(patient, size=size, count=slices, seed=seed).slices())


@pytest.fixture(scope="module")
def plain() -> list[Slice]:
    """A straight head without findings and almost without noise."""
    patient = replace(
        draw_patient(5, 7), turn=0, roll=0, pitch=0, shift=(0, 0, 0), noise=0.2, findings=()
    )
    return scan(patient, size=256)


def test_the_same_patient_every_time() -> None:
    assert draw_patient(4, 7) == draw_patient(4, 7)
    assert draw_patient(4, 7) != draw_patient(4, 8)
    assert draw_patient(4, 7) != draw_patient(10, 7)


def test_six_patients_hold_every_kind_of_hemorrhage_and_some_hold_none() -> None:
    kinds = [{f.kind for f in draw_patient(n, 7).findings if f.is_blood} for n in range(1, 7)]
    assert set().union(*kinds) == set(SUBTYPES)
    assert sum(not kind for kind in kinds) == 2


def test_air_is_air_and_bone_is_bone(plain: list[Slice]) -> None:
    image = plain[MIDDLE].hounsfield
    assert np.median(image[:10, :10]) == pytest.approx(-1000, abs=5)
    assert np.percentile(image, 99) > 1000
    assert image.max() < 2200


def test_tissues_have_their_densities(plain: list[Slice]) -> None:
    brain = np.concatenate([s.hounsfield[70:190, 85:170].ravel() for s in plain[9:18]])
    counts, edges = np.histogram(brain, bins=np.arange(-10, 70))
    assert 25 <= edges[counts.argmax()] <= 40
    within = (brain > 20) & (brain < 45)
    assert within.mean() > 0.75, "most of it is brain"
    fluid = ((brain > 2) & (brain < 14)).mean()
    assert 0.005 < fluid < 0.15, "ventricles and sulci"
    assert (brain > 52).mean() < 0.002, "no blood in a healthy head"


def test_scalp_fat_lies_outside_a_skull_of_two_tables(plain: list[Slice]) -> None:
    image = plain[MIDDLE].hounsfield.astype(int)
    row = image[128]
    first_bone = int(np.argmax(row > 500))
    scalp = row[:first_bone]
    assert scalp.min() < -900
    assert ((scalp > -140) & (scalp < -50)).any(), "fat"
    assert ((scalp > 0) & (scalp < 90)).any(), "skin or muscle"
    front = image[:, 128]
    start = int(np.argmax(front > 700))
    bone = front[start : start + 16]
    bone = bone[: int(np.argmax(bone < 300)) or None]
    assert bone.max() > 900
    middle = bone[2:-2]
    assert middle.size and middle.min() < bone.max() - 200, "diploë between the tables"


def test_low_slices_show_eyes_and_air_cells_and_high_ones_do_not(plain: list[Slice]) -> None:
    low = np.stack([s.hounsfield for s in plain[1:5]])[:, 20:110, 60:200]
    assert ((low > -2) & (low < 18)).sum() > 800, "vitreous"
    assert (low < -800).sum() > 500, "ethmoid air"
    high = plain[18].hounsfield[90:170, 90:170]
    assert high.min() > -60


def test_the_head_narrows_to_the_vertex(plain: list[Slice]) -> None:
    area = [(s.hounsfield > 300).sum() + (np.abs(s.hounsfield - 30) < 40).sum() for s in plain]
    assert area[23] < area[18] < area[12]


def test_noise_is_correlated_as_after_reconstruction() -> None:
    patient = replace(draw_patient(5, 7), findings=(), noise=4.0)
    noisy = scan(patient, slices=1, size=256)[0].hounsfield.astype(float)
    quiet = scan(replace(patient, noise=0.0), slices=1, size=256)[0].hounsfield.astype(float)
    noise = (noisy - quiet)[110:180, 90:170]
    assert 2.5 < noise.std() < 6.5
    neighbour = np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]
    assert 0.15 < neighbour < 0.9


def test_blood_is_only_where_it_is_told(sample: SampleTruth) -> None:
    for number, patient_id in enumerate(sample.patients, 1):
        patient = draw_patient(number, 7)
        kinds = {finding.kind for finding in patient.findings if finding.is_blood}
        told = {kind for item in sample.of_patient(patient_id) for kind in item.subtypes}
        assert told == kinds


def _pixels(sample: SampleTruth, file: str) -> NDArray[np.int32]:
    image = pydicom.dcmread(sample.folder / file)
    return image.pixel_array.astype(np.int32) + int(image.RescaleIntercept)


def test_boxes_lie_around_dense_blood(sample: SampleTruth) -> None:
    boxed = [item for item in sample.slices if item.box]
    assert len(boxed) >= 30
    for item in boxed:
        assert item.box is not None
        top, left, height, width = item.box
        inside = _pixels(sample, item.file)[top : top + height, left : left + width]
        assert ((inside > 40) & (inside < 95)).sum() * (232 / 128) ** 2 > 15


def test_patients_without_hemorrhage_have_look_alikes() -> None:
    looks = {f.kind for n in (3, 5) for f in draw_patient(n, 7).findings}
    assert looks == {"choroid-plexus", "pineal", "falx", "beam-hardening"}


def test_blood_changes_the_brain_around_it_and_no_bone() -> None:
    calm = replace(draw_patient(4, 7), noise=0.0)
    pairs = list(zip(scan(calm), scan(replace(calm, findings=())), strict=True))
    changed = [int(np.abs(a.hounsfield - b.hounsfield).max()) for a, b in pairs]
    assert max(changed) > 30
    assert max(changed[-3:]) < 20, "far away only the mass effect is left"
    for with_blood, without in pairs[8:]:
        bone = without.hounsfield > 900
        moved = np.abs(with_blood.hounsfield - without.hounsfield)[bone]
        assert moved.max() < 30, "only what the blur carries over from the brain"


def test_the_series_opens_sorted_synthetic_and_without_warnings(sample: SampleTruth) -> None:
    from core.imaging.opening import open_path

    opened = open_path(sample.images)
    assert len(opened.series) == 6
    assert not opened.skipped
    for series in opened.series:
        summary = series.summary
        assert summary.is_synthetic
        assert summary.modality == "CT"
        assert summary.shape == (24, 128, 128)
        assert not summary.warnings
        ids = tuple(item.slice_id for item in sample.of_patient(summary.patient_id))
        assert summary.slice_ids in (ids, ids[::-1])
        geometry: Geometry = summary.geometry
        assert geometry.spacing == pytest.approx((5, 232 / 128, 232 / 128))
        assert geometry.letters(Plane.SLICE) == ("R", "L", "A", "P")
