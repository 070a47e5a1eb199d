"""What is measured on real series agrees with pydicom's own pixels and geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from PySide6.QtCore import QEvent

from core.case import Case
from core.imaging.geometry import Plane
from core.imaging.intensity import CT_PRESETS
from core.imaging.opening import open_path
from core.reading.layout import Tool
from core.reading.measurements import length, statistics
from desktop.viewer.slice_view import SliceView
from tests.desktop.viewer.making import LABELS, drag, mouse, settle


def opened(folder: Path) -> tuple[Case, list[pydicom.Dataset]]:
    """The largest series of a folder as a case, and its slices as pydicom has them, in order."""
    series = max(open_path(folder).series, key=lambda item: item.summary.shape[0])
    case = Case(series.summary, LABELS, CT_PRESETS[0])
    volume = series.load()
    for index in range(volume.slices):
        case.slice_arrived(volume, index)
    found = {}
    for file in folder.rglob("*"):
        if file.is_file():
            try:
                dataset = pydicom.dcmread(file)
            except pydicom.errors.InvalidDicomError:
                continue
            found[str(dataset.get("SOPInstanceUID", ""))] = dataset
    return case, [found[uid] for uid in series.summary.slice_ids]


@pytest.fixture(params=["ct-phantom-5mm", "ct-phantom-tilted", "mr-sagittal-hfs"])
def real(request, shared_data):
    return opened(shared_data / "dicom" / request.param)


@pytest.fixture
def view(qtbot, real):
    made = SliceView()
    qtbot.addWidget(made)
    made.resize(640, 640)
    made.show()
    made.set_case(real[0])
    settle()
    return made


def modality_values(dataset):
    slope = float(dataset.get("RescaleSlope", 1))
    return dataset.pixel_array * slope + float(dataset.get("RescaleIntercept", 0))


def patient(dataset, column, row):
    """DICOM PS3.3 C.7.6.2.1.1: the patient position of a pixel's centre."""
    x, y = np.array(dataset.ImageOrientationPatient, float).reshape(2, 3)
    down, across = (float(part) for part in dataset.PixelSpacing)
    return np.array(dataset.ImagePositionPatient, float) + x * across * column + y * down * row


def pull(view, start, end):
    a, b = view.to_screen(*start), view.to_screen(*end)
    drag(view, (a.x(), a.y()), (b.x() - a.x(), b.y() - a.y()))
    settle()


def test_the_probe_says_pydicoms_value_and_position(view, real):
    case, datasets = real
    rng = np.random.default_rng(1)
    for index in rng.integers(0, len(datasets), 4):
        case.navigation.go(int(index))
        settle()
        values = modality_values(datasets[index])
        for _ in range(5):
            row, column = (int(rng.integers(0, size)) for size in values.shape)
            at = view.to_screen(column + 0.5, row + 0.5)
            mouse(view, QEvent.Type.MouseMove, (at.x(), at.y()))
            said = [line.text for line in view.furniture.bottom_right]
            number = float(said[0].split()[0].replace("−", "-"))
            assert number == pytest.approx(values[row, column], abs=0.06)
            position = patient(datasets[index], column, row)
            told = said[1].removesuffix(" mm").split()
            for axis, (letter, amount) in enumerate(zip(told[::2], told[1::2], strict=True)):
                sign = 1 if letter in "LPH" else -1
                assert sign * float(amount) == pytest.approx(position[axis], abs=0.051)


def test_lengths_are_those_between_patient_positions(view, real):
    case, datasets = real
    index = len(datasets) // 2
    case.navigation.go(index)
    settle()
    view.tool = Tool.LENGTH
    for start, end in (((40.5, 60.5), (180.5, 200.5)), ((100.5, 30.5), (100.5, 190.5))):
        case.measurements.clear()
        pull(view, start, end)
        (item,) = case.measurements
        ends = [patient(datasets[index], x - 0.5, y - 0.5) for x, y in (start, end)]
        assert np.allclose(item.points, ends, atol=1e-3)
        assert length(*item.points) == pytest.approx(np.linalg.norm(ends[1] - ends[0]), abs=1e-3)


def test_statistics_are_those_of_pydicoms_pixels(view, real):
    case, datasets = real
    index = len(datasets) // 2
    case.navigation.go(index)
    settle()
    view.tool = Tool.RECTANGLE
    pull(view, (50, 70), (90, 120))
    (item,) = case.measurements
    found = statistics(case.volume, item)
    expected = modality_values(datasets[index])[70:120, 50:90]
    assert found is not None and found.count == expected.size
    assert found.mean == pytest.approx(expected.mean(), abs=1e-3)
    assert found.deviation == pytest.approx(expected.std(ddof=1), abs=1e-3)
    assert (found.minimum, found.maximum) == (expected.min(), expected.max())
    down, across = (float(part) for part in datasets[index].PixelSpacing)
    assert found.area == pytest.approx(40 * 50 * down * across, rel=1e-6)


def test_a_length_across_slices_is_that_between_their_positions(qtbot, real):
    case, datasets = real
    cut = SliceView(Plane.ROW)
    qtbot.addWidget(cut)
    cut.resize(640, 640)
    cut.show()
    row = case.summary.shape[1] // 2
    case.navigation.go(row, Plane.ROW)
    cut.set_case(case)
    settle()
    cut.tool = Tool.LENGTH
    last = len(datasets) - 1
    pull(cut, (60.5, 0.5), (120.5, last + 0.5))
    (item,) = case.measurements
    ends = [patient(datasets[0], 60, row), patient(datasets[last], 120, row)]
    gap = np.linalg.norm(ends[1] - ends[0])
    assert length(*item.points) == pytest.approx(gap, rel=2e-3)
