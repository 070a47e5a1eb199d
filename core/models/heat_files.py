"""The heat map of a volume as a file that other programs lay over the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.imaging.geometry import Geometry
from core.imaging.nifti_writing import write_nifti
from core.models import heat
from core.models.answers import SlicePrediction


def evidence_volume(
    answers: Sequence[SlicePrediction], shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Evidence at each voxel, (slices, rows, columns); NaN where the maps say nothing."""
    found = np.full(shape, np.nan, np.float32)
    for answer in answers:
        if answer.heat_map is not None:
            values = heat.on_slice(answer.heat_map, shape[1:])
            found[answer.index] = np.where(np.isfinite(values), values, np.nan)
    return found


def write_evidence(path: Path, evidence: NDArray[np.float32], geometry: Geometry) -> None:
    """Write evidence on the voxels of its series, as NIfTI: the same grid, the same place.

    Cut in any plane it lies on the images. path: ends in .nii.gz.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(path, evidence, geometry.affine)
