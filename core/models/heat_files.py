"""The heat map of a volume as a file that other programs lay over the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.imaging.geometry import Geometry
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
    import SimpleITK

    image: Any = SimpleITK.GetImageFromArray(evidence)
    affine, spacing = geometry.affine, geometry.spacing
    # Index order (slice, row, column) is SimpleITK's (x, y, z) turned round; both are LPS.
    image.SetSpacing([float(spacing[axis]) for axis in (2, 1, 0)])
    image.SetOrigin([float(value) for value in affine[:3, 3]])
    steps = np.stack([affine[:3, axis] / spacing[axis] for axis in (2, 1, 0)], axis=1)
    image.SetDirection([float(value) for value in steps.ravel()])
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path), useCompression=True)
