"""The synthetic scanner: cuts a patient into slices as a CT would, with blur and noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from core.sample import brain, lesions, skull
from core.sample.patient import Patient
from core.sample.shapes import Field, Noise, Plane

FIELD_OF_VIEW = 232.0
"""Millimetres across the image."""
SLICE_STEP = 5.0
"""Millimetres from slice to slice, and thickness of each."""
FIRST_LEVEL = -46.0
"""Head z of the lowest slice's middle, in mm."""
SAMPLES_PER_SLICE = 2
"""Thin planes averaged into one slice: partial volume along z."""
VISIBLE_BLOOD = (46.0, 100.0)
"""Hounsfield units between which a voxel with blood in it looks like blood."""
HEAD_CENTRE = (0.0, 14.0)
"""Head (x, y) that stands in the middle of the image."""


@dataclass(frozen=True, eq=False)
class Slice:
    """One reconstructed slice.

    hounsfield: (rows, columns) int16. blood: kind → coverage in [0, 1], (rows, columns), 0 where
    so much else is in the voxel that nobody could see it.
    """

    hounsfield: NDArray[np.int16]
    blood: dict[str, Field]


class Scanner:
    """One patient in the scanner; `slices()` gives the slices from the neck upwards."""

    def __init__(self, patient: Patient, *, size: int, count: int, seed: int) -> None:
        """size: pixels along an edge; count: slices."""
        self._patient = patient
        self._count = count
        self._pixel = FIELD_OF_VIEW / size
        self._rng = np.random.default_rng((seed, patient.number, 1))
        half = (size - 1) / 2
        self._down, self._across = np.meshgrid(
            *[(np.arange(size, dtype=np.float32) - np.float32(half)) * np.float32(self._pixel)] * 2,
            indexing="ij",
        )
        depth = count * SLICE_STEP
        grains = (44.0, 22.0, 14.0, 8.0, 3.2)
        self._noises = tuple(
            Noise(self._rng, grain=grain, extent=FIELD_OF_VIEW, size=size, depth=depth)
            for grain in (*grains, 44.0)
        )
        self._rotation = _rotation(patient)
        frequency = np.hypot(
            fft.fftfreq(size, self._pixel)[:, None], fft.rfftfreq(size, self._pixel)[None, :]
        ).astype(np.float32)
        # The noise of filtered back-projection: rises with frequency, cut by the soft kernel.
        spectrum = np.sqrt(frequency) * np.exp(-((frequency / 0.30) ** 2))
        self._spectrum = (spectrum / np.sqrt(np.mean(spectrum**2))).astype(np.float32)

    def slices(self) -> Iterator[Slice]:
        """Scan upwards: one slice after the other."""
        for index in range(self._count):
            yield self._slice(index)

    def _slice(self, index: int) -> Slice:
        middle = (index - (self._count - 1) / 2) * SLICE_STEP
        total = np.zeros_like(self._across)
        blood: dict[str, Field] = {}
        share = np.float32(1 / SAMPLES_PER_SLICE)
        for sample in range(SAMPLES_PER_SLICE):
            offset = ((sample + 0.5) / SAMPLES_PER_SLICE - 0.5) * SLICE_STEP
            thin, bled = self._thin_plane(middle + offset, index * SLICE_STEP + offset)
            total += thin * share
            for kind, cover in bled.items():
                blood[kind] = blood.get(kind, np.zeros_like(cover)) + cover * share
        seen = (total > VISIBLE_BLOOD[0]) & (total < VISIBLE_BLOOD[1])
        return Slice(
            self._reconstruct(total), {kind: cover * seen for kind, cover in blood.items()}
        )

    def _thin_plane(self, scanner_z: float, height: float) -> tuple[Field, dict[str, Field]]:
        """The head without noise on an infinitely thin plane."""
        patient = self._patient
        warp_x, folds, grooves, wrinkles, fine, warp_y = (
            noise.plane(scanner_z) for noise in self._noises
        )
        x = self._across - np.float32(patient.shift[0])
        y = self._down - np.float32(patient.shift[1])
        lift = FIRST_LEVEL + height + patient.shift[2]
        r = self._rotation
        head = [
            (r[k, 0] * x + r[k, 1] * y + r[k, 2] * np.float32(lift)) / np.float32(patient.scale[k])
            for k in range(3)
        ]
        head[1] = head[1] + np.float32(HEAD_CENTRE[1])
        head[0] = head[0] + warp_x * np.float32(0.9)
        head[1] = head[1] + warp_y * np.float32(0.9)
        plane = Plane(head[0], head[1], head[2], lift, self._pixel)

        image = np.full_like(x, skull.AIR)
        inner = skull.cavity(plane)
        skin = skull.paint_outside(image, plane, inner, patient, wrinkles)
        bled: dict[str, Field] = {}
        box = _bounds(inner < 3)
        if box is not None:
            within, near = plane.crop(box), inner[box]
            noises = (folds[box], grooves[box], wrinkles[box])
            push_x, push_y = lesions.push(within, patient)
            moved = Plane(within.x - push_x, within.y - push_y, within.z, lift, self._pixel)
            spaces = brain.paint_brain(image[box], moved, near, patient, noises)
            found = lesions.paint_findings(image[box], within, moved, near, patient, spaces, noises)
            for kind, cover in found.items():
                bled[kind] = np.zeros_like(image)
                bled[kind][box] = cover
        skull.paint_base(image, plane, inner, skin, patient, (wrinkles, fine))
        return image, bled

    def _reconstruct(self, image: Field) -> NDArray[np.int16]:
        """Blur, harden and add the noise of a reconstruction; then the headrest's place."""
        skull.paint_table(image, self._across, self._down, self._pixel)
        image = ndimage.gaussian_filter(image, 0.55, mode="nearest")
        coarse = ndimage.gaussian_filter(
            np.clip(image[::8, ::8] + 1000, 0, 2200), 28 / self._pixel / 8
        )
        head = coarse.repeat(8, 0).repeat(8, 1)[: image.shape[0], : image.shape[1]]
        level = np.float32(self._patient.noise) * (np.float32(0.35) + head * np.float32(0.0007))
        white = self._rng.standard_normal(image.shape, np.float32)
        grain = fft.irfft2(fft.rfft2(white) * self._spectrum, s=image.shape)
        image = image + grain * level
        return np.clip(np.rint(image), -1024, 3071).astype(np.int16)


def _bounds(mask: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """The smallest box of rows and columns around what is true."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _rotation(patient: Patient) -> NDArray[np.float32]:
    turn, roll, pitch = np.radians((patient.turn, patient.roll, patient.pitch))
    ct, st, cr, sr = np.cos(turn), np.sin(turn), np.cos(roll), np.sin(roll)
    cp, sp = np.cos(pitch), np.sin(pitch)
    about_z = np.array([[ct, st, 0], [-st, ct, 0], [0, 0, 1]])
    about_y = np.array([[cr, 0, -sr], [0, 1, 0], [sr, 0, cr]])
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    rotation: NDArray[np.float32] = (about_x @ about_y @ about_z).astype(np.float32)
    return rotation
