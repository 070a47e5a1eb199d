"""Where the eye is: zoom, pan, rotation and mirroring, and the maths from pixels to the screen.

Nothing here knows Qt, so the laws can be tested without a window. Three spaces:

- *pixels* (x, y) of a plane: pixel (row r, column c) covers [c, c + 1) × [r, r + 1), its centre
  is (c + 0.5, r + 0.5);
- *plane millimetres*: x along the plane's columns, y at right angles to it;
- *screen*: logical pixels of the widget, y downwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.events import Signal
from core.imaging.geometry import Geometry, Plane

Matrix = NDArray[np.float64]

MINIMUM_ZOOM, MAXIMUM_ZOOM = 0.1, 60.0


@dataclass(frozen=True, eq=False)
class PlaneFrame:
    """The metric of one index plane.

    rows, columns: its size in pixels. matrix: 2 × 2, pixel (x, y) steps to plane millimetres;
    its second column leans where the grid does, as in a sagittal cut of a tilted series.
    """

    rows: int
    columns: int
    matrix: Matrix

    @classmethod
    def of(cls, geometry: Geometry, plane: Plane) -> PlaneFrame:
        """The frame of a plane of a grid."""
        down_axis, across_axis = [axis for axis in range(3) if axis != plane.value]
        across = geometry.affine[:3, across_axis]
        down = geometry.affine[:3, down_axis]
        width = float(np.linalg.norm(across))
        along = across / width
        lean = float(down @ along)
        height = float(np.linalg.norm(down - lean * along))
        if abs(lean) < 1e-4 * height:
            lean = 0.0
        return cls(
            geometry.shape[down_axis],
            geometry.shape[across_axis],
            np.array([[width, lean], [0.0, height]]),
        )

    @cached_property
    def centre(self) -> Matrix:
        """Plane millimetres of the middle of the plane, with (0, 0) at its first corner."""
        middle: Matrix = self.matrix @ np.array([self.columns / 2, self.rows / 2])
        return middle

    @cached_property
    def extent(self) -> Matrix:
        """Width and height, in millimetres, of the upright box around the plane."""
        corners = np.array([[0, self.columns, 0, self.columns], [0, 0, self.rows, self.rows]])
        size: Matrix = np.ptp(self.matrix @ corners, axis=1)
        return size


@dataclass(frozen=True)
class Camera:
    """How a plane is looked at.

    zoom: relative to fitting into the widget. pan: plane millimetres from the plane's middle to
        the point in the middle of the widget.
    turns: quarter turns clockwise, 0–3. mirror_x, mirror_y: mirrored left-right or top-bottom,
        as seen on the screen.
    """

    zoom: float = 1.0
    pan: tuple[float, float] = (0.0, 0.0)
    turns: int = 0
    mirror_x: bool = False
    mirror_y: bool = False

    @cached_property
    def orientation(self) -> Matrix:
        """2 × 2 matrix of turns and mirrors: entries −1, 0 or 1."""
        turned = np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), self.turns % 4)
        mirror = np.diag([-1.0 if self.mirror_x else 1.0, -1.0 if self.mirror_y else 1.0])
        product: Matrix = mirror @ turned
        return product

    def scale(self, frame: PlaneFrame, size: tuple[float, float]) -> float:
        """Logical screen pixels to a millimetre in a widget of (width, height)."""
        across, down = frame.extent if self.turns % 2 == 0 else frame.extent[::-1]
        fit = min(size[0] / across, size[1] / down)
        return float(max(fit, 1e-9) * self.zoom)

    def transform(self, frame: PlaneFrame, size: tuple[float, float]) -> Matrix:
        """2 × 3 affine from pixels (x, y) of the plane to the screen."""
        linear = self.scale(frame, size) * self.orientation
        shift = np.asarray(size) / 2 - linear @ (frame.centre + self.pan)
        return np.column_stack([linear @ frame.matrix, shift])

    # ---- changes; each returns a new camera

    def rotated(self, turns: int = 1) -> Camera:
        """Turned clockwise by quarter turns, as seen on the screen."""
        # One mirror reverses the sense of the turn that happens before it.
        sense = -1 if self.mirror_x != self.mirror_y else 1
        return replace(self, turns=(self.turns + sense * turns) % 4)

    def flipped(self, *, horizontally: bool) -> Camera:
        """Mirrored left-right (horizontally) or top-bottom, as seen on the screen."""
        if horizontally:
            return replace(self, mirror_x=not self.mirror_x)
        return replace(self, mirror_y=not self.mirror_y)

    def zoomed(
        self,
        factor: float,
        frame: PlaneFrame,
        size: tuple[float, float],
        at: tuple[float, float] | None = None,
    ) -> Camera:
        """Zoomed by a factor; the point under `at` (screen) stays where it is."""
        zoom = float(np.clip(self.zoom * factor, MINIMUM_ZOOM, MAXIMUM_ZOOM))
        if at is None:
            return replace(self, zoom=zoom)
        offset = self.orientation.T @ (np.asarray(at, float) - np.asarray(size, float) / 2)
        before = offset / self.scale(frame, size)
        after = before * (self.zoom / zoom)
        pan = np.asarray(self.pan) + before - after
        return replace(self, zoom=zoom, pan=(float(pan[0]), float(pan[1])))

    def dragged(self, dx: float, dy: float, frame: PlaneFrame, size: tuple[float, float]) -> Camera:
        """Panned so that the image follows a drag of (dx, dy) screen pixels."""
        moved = self.orientation.T @ np.array([dx, dy]) / self.scale(frame, size)
        half = frame.extent / 2  # some of the image always stays in sight
        pan = np.clip(np.asarray(self.pan) - moved, -half, half)
        return replace(self, pan=(float(pan[0]), float(pan[1])))


def invert(transform: Matrix) -> Matrix:
    """The 2 × 3 affine that undoes another."""
    linear = np.linalg.inv(transform[:, :2])
    return np.column_stack([linear, -linear @ transform[:, 2]])


def edge_letters(
    letters: tuple[str, str, str, str] | None, camera: Camera
) -> tuple[str, str, str, str] | None:
    """Patient letters at the screen's (left, right, top, bottom), given those of the plane.

    letters: as `Geometry.letters` says for the plane with columns across and rows down.
    """
    if letters is None:
        return None
    by_direction = dict(zip(((-1, 0), (1, 0), (0, -1), (0, 1)), letters, strict=True))
    back = camera.orientation.T
    found = [
        by_direction[(round(x), round(y))]
        for x, y in (back @ np.array(d) for d in ((-1, 0), (1, 0), (0, -1), (0, 1)))
    ]
    return found[0], found[1], found[2], found[3]


def upright(letters: tuple[str, str, str, str] | None, plane: Plane) -> Camera:
    """The camera that shows a plane the way readers hang it.

    The plane of acquisition is shown as it was acquired. The other two have the head, else the
    front, at the top, and the patient's right, else the front, at the left.
    """
    camera = Camera()
    if letters is None or plane is Plane.SLICE:
        return camera
    tops = "HARLPF"
    turns = [camera.rotated(count) for count in range(4)]
    choices = turns + [item.flipped(horizontally=True) for item in turns]

    def rank(choice: Camera) -> tuple[int, int]:
        left, _, top, _ = edge_letters(letters, choice) or letters
        return tops.index(top[0]), "RALPHF".index(left[0])

    return min(choices, key=rank)


class Viewpoint:
    """The camera that one or several linked views look through; the one owner of it."""

    changed = Signal(object)
    """The new Camera; never when nothing changed."""

    def __init__(self, home: Camera | None = None) -> None:
        self._home = home or Camera()
        self._camera = self._home

    @property
    def camera(self) -> Camera:
        """The camera now."""
        return self._camera

    def look(self, camera: Camera) -> None:
        """Look through another camera."""
        if camera != self._camera:
            self._camera = camera
            self.changed.emit(camera)

    def set_home(self, home: Camera) -> None:
        """Set the camera that `reset` returns to, and look through it."""
        self._home = home
        self.look(home)

    def reset(self) -> None:
        """Fit, centre, upright."""
        self.look(self._home)

    def fit(self) -> None:
        """Fit and centre; rotation and mirroring stay."""
        self.look(replace(self._camera, zoom=1.0, pan=(0.0, 0.0)))
