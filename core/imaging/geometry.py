"""Where the voxels lie: one frozen value, LPS millimetres, index order (slice, row, column)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


class Plane(Enum):
    """The three index planes of a volume, named by the index that is held still."""

    SLICE = 0
    ROW = 1
    COLUMN = 2


@dataclass(frozen=True, eq=False)
class Geometry:
    """Shape of the grid and its affine from (slice, row, column) to patient (x, y, z).

    shape: (slices, rows, columns).
    affine: 4 × 4 float64; column k is the millimetre step of index k; patient axes are LPS
        (x to the patient's left, y to posterior, z to head).
    has_spacing: False where the source states no pixel spacing; the affine then counts pixels.
    has_orientation: False where the source states no orientation; letters are then unknown.
    """

    shape: tuple[int, int, int]
    affine: Matrix
    has_spacing: bool = True
    has_orientation: bool = True

    def __post_init__(self) -> None:
        self.affine.flags.writeable = False

    @classmethod
    def unknown(cls, shape: tuple[int, int, int]) -> Geometry:
        """A grid of unit pixels for pictures that say nothing about space."""
        affine = np.zeros((4, 4))
        affine[0, 2] = affine[1, 1] = affine[2, 0] = affine[3, 3] = 1.0
        return cls(shape, affine, has_spacing=False, has_orientation=False)

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between neighbours along (slice, row, column); the slice step's length.

        For a tilted series the first number is the length of the true step between positions,
        which is longer than the distance between the planes (`plane_distance`).
        """
        lengths = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(lengths[0]), float(lengths[1]), float(lengths[2])

    @cached_property
    def normal(self) -> Matrix:
        """Unit normal of the slice plane: column direction × row direction, in LPS."""
        across = self.affine[:3, 2] / np.linalg.norm(self.affine[:3, 2])
        down = self.affine[:3, 1] / np.linalg.norm(self.affine[:3, 1])
        normal: Matrix = np.cross(across, down)
        return normal / np.linalg.norm(normal)

    @cached_property
    def plane_distance(self) -> float:
        """Millimetres between neighbouring slice planes, along the slice normal."""
        return float(abs(self.affine[:3, 0] @ self.normal))

    @cached_property
    def tilt_degrees(self) -> float:
        """Angle between the step from slice to slice and the slice normal; 0 if rectangular."""
        step = self.affine[:3, 0]
        across = np.linalg.norm(np.cross(step, self.normal))
        return float(np.degrees(np.arctan2(across, abs(step @ self.normal))))

    @property
    def is_sheared(self) -> bool:
        """Whether the grid is not rectangular, as under a tilted gantry (over half a degree)."""
        return self.shape[0] > 1 and self.tilt_degrees > 0.5

    def to_patient(self, index: Matrix) -> Matrix:
        """Map (…, 3) indices (slice, row, column) to (…, 3) LPS millimetres."""
        patient: Matrix = np.asarray(index, float) @ self.affine[:3, :3].T + self.affine[:3, 3]
        return patient

    def to_index(self, patient: Matrix) -> Matrix:
        """Map (…, 3) LPS millimetres to (…, 3) fractional indices (slice, row, column)."""
        offset = np.asarray(patient, float) - self.affine[:3, 3]
        return np.asarray(offset @ self._inverse.T, np.float64)

    @cached_property
    def _inverse(self) -> Matrix:
        inverse: Matrix = np.asarray(np.linalg.inv(self.affine[:3, :3]), np.float64)
        return inverse

    def letters(self, plane: Plane) -> tuple[str, str, str, str] | None:
        """Patient letters at the (left, right, top, bottom) edge of a plane as displayed.

        Oblique directions give two letters, the larger part first. None if unknown.
        """
        if not self.has_orientation:
            return None
        down, across = [axis for axis in range(3) if axis != plane.value]
        right, bottom = self.affine[:3, across], self.affine[:3, down]
        return _letters(-right), _letters(right), _letters(-bottom), _letters(bottom)


def _letters(direction: Matrix) -> str:
    unit = direction / np.linalg.norm(direction)
    names = ("LR", "PA", "HF")
    found = sorted(
        (
            (abs(part), pair[0] if part > 0 else pair[1])
            for part, pair in zip(unit, names, strict=True)
        ),
        reverse=True,
    )
    return "".join(letter for size, letter in found if size > 0.35)[:2]
