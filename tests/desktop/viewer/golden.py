"""Golden pictures: scenes of our own making, drawn by the product, kept as small PNG files.

python -m tests.desktop.viewer.golden    draws them anew into tests/desktop/viewer/golden_pictures

Look at each one before it is committed; what to look for stands with its scene. Fonts are those
that travel with the program, so that another machine's do not matter.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from core.case import Case
from core.imaging.geometry import Plane
from core.imaging.intensity import CT_PRESETS, Window, WindowFunction
from core.models.answers import HeatMap, SlicePrediction
from desktop import appearance
from desktop.viewer.camera import Camera, Viewpoint, upright
from desktop.viewer.slice_view import SliceView
from desktop.viewer.strip import PredictionStrip
from tests.desktop.viewer.making import LABELS, grab, make_case, predict

FOLDER = Path(__file__).parent / "golden_pictures"

Picture = NDArray[np.uint8]
Scene = Callable[[], Picture]


def _view(
    case: Case, size: tuple[int, int], camera: Camera | None = None, plane: Plane = Plane.SLICE
) -> Picture:
    view = SliceView(plane, viewpoint=Viewpoint(camera))
    view.resize(*size)
    view.show()
    view.set_case(case)
    picture = grab(view)
    view.set_case(None)
    view.close()
    view.deleteLater()
    return picture


def _ramp() -> NDArray[np.int16]:
    """From −1,000 to 1,000 from left to right, with a step of 20 in its lower half."""
    row = np.linspace(-1000, 1000, 64)
    rows = np.tile(row, (48, 1))
    rows[24:] = np.round(rows[24:] / 250) * 250
    return rows.astype(np.int16)[None]


def windows() -> Picture:
    """Four times one ramp, steps in its lower half.

    From left to right: a brain window (all change within a narrow band), a bone window (grey
    nearly everywhere), a sigmoid (soft ends), and the bone window inverted (white to black).
    """
    case = make_case(_ramp(), intercept=0.0)
    case.show(annotations=False, smooth=False)
    sigmoid = Window(0, 600, "", WindowFunction.SIGMOID)
    bone = Window(300, 1500)
    shown = []
    for window, inverted in ((CT_PRESETS[0], False), (bone, False), (sigmoid, False), (bone, True)):
        case.show(window=window, inverted=inverted)
        shown.append(_view(case, (128, 96)))
    return np.concatenate(shown, axis=1)


def letters() -> Picture:
    """One axial slice, brighter to the patient's left and back.

    Upright: R at the left, A at the top. Turned clockwise: P at the left, R at the top. Mirrored:
    L at the left. Then the coronal plane: R at the left, H at the top, slices as flat bands.
    """
    rows, columns = np.mgrid[:40, :40]
    slices = np.stack([40 + 2 * rows + columns + 6 * k for k in range(8)]).astype(np.int16)
    case = make_case(slices)
    of_rows = case.summary.geometry.letters(Plane.ROW)
    case.show(smooth=False)
    shown = [
        _view(case, (220, 220)),
        _view(case, (220, 220), Camera().rotated(1)),
        _view(case, (220, 220), Camera().flipped(horizontally=True)),
        _view(case, (220, 220), upright(of_rows, Plane.ROW), Plane.ROW),
    ]
    return np.concatenate(shown, axis=1)


def overlay() -> Picture:
    """A lesion of one pixel in a grey square, with evidence on that pixel alone.

    In all four the coloured pixel is the lesion's and nothing beside it is coloured: fitted,
    enlarged six times, mirrored top to bottom while enlarged, and cut by a row.
    """
    voxels = np.full((5, 32, 32), 60, np.int16)
    voxels[2, 11, 9] = 255
    values = np.zeros((32, 32), np.float32)
    values[11, 9] = 1.0
    case = make_case(voxels, spacing=(2.0, 1.0, 1.0))
    predict(case, [0.1, 0.2, 0.9, 0.2, 0.1],
            {2: HeatMap(values, (0.0, 0.0, 32.0, 32.0), "hemorrhage")})  # fmt: skip
    case.show(annotations=False, smooth=False, heat_map=True, opacity=0.6)
    case.navigation.go(2)
    case.navigation.go(11, Plane.ROW)
    near = Camera(zoom=6.0, pan=(-5.0, -4.5))
    cameras = (Camera(), near, near.flipped(horizontally=False))
    shown = [_view(case, (240, 200), camera) for camera in cameras]
    hung = upright(case.summary.geometry.letters(Plane.ROW), Plane.ROW)
    shown.append(_view(case, (240, 200), hung, Plane.ROW))
    return np.concatenate(shown, axis=1)


def strip() -> Picture:
    """Twelve slices: bars as high as the probability, red from the dashed threshold on.

    A pale band on the seventh (members disagreed); a red triangle above the fourth (labelled a
    finding), a green square above the ninth (labelled none); the frame around the sixth; two
    without an answer at the end, flat; at the right “4 of 12”, still being answered.
    """
    case = make_case(np.zeros((12, 8, 8), np.int16))
    prediction = predict(
        case, [0.05, 0.1, 0.3, 0.7, 0.9, 0.85, 0.6, 0.3, 0.2, 0.05, None, None], threshold=0.4
    )
    found = prediction.slices[6]
    prediction.slices[6] = SlicePrediction(6, found.probabilities, None, (0.35, 0.8))
    case.relabel({"slice-3": LABELS.classes[0].id, "slice-8": LABELS.classes[1].id})
    case.navigation.go(5)
    made = PredictionStrip()
    made.resize(560, 60)
    made.set_case(case)
    made.show()
    picture = grab(made)
    made.set_case(None)
    made.close()
    made.deleteLater()
    return picture


SCENES: dict[str, Scene] = {
    "windows": windows,
    "letters": letters,
    "overlay": overlay,
    "strip": strip,
}


def load(name: str) -> Picture:
    """A golden picture as it was kept: (rows, columns, 3) uint8."""
    image = QImage(str(FOLDER / f"{name}.png")).convertToFormat(QImage.Format.Format_RGB888)
    flat = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return flat[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()


def save(name: str, picture: Picture, folder: Path = FOLDER) -> Path:
    """Keep a picture as NAME.png."""
    folder.mkdir(exist_ok=True)
    rows, columns, _ = picture.shape
    data = np.ascontiguousarray(picture)
    file = folder / f"{name}.png"
    QImage(data.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888).save(str(file))
    return file


def main() -> int:
    """Draw all anew."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    app = QApplication([])
    appearance.PREFERRED_FAMILIES = ("DejaVu Sans",)
    appearance.apply(app)
    for name, scene in SCENES.items():
        sys.stdout.write(f"{save(name, scene())}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
