"""How slices stack: sorted along their normal, the true step between them, and what is odd.

Source: DICOM PS3.3 C.7.6.2.1.1 (the mapping from pixels to the patient).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.imaging.dicom import tags
from core.imaging.dicom.frames import Frame, cross
from core.imaging.geometry import Geometry
from core.imaging.volume import ImageWarning

Floats = NDArray[np.float64]

SAME_PLACE_MM = 0.005
"""Two slices nearer than this along the normal stand at one position."""


@dataclass(frozen=True)
class Stack:
    """Frames in their order along the normal, where they lie, and what to warn of."""

    frames: tuple[Frame, ...]
    geometry: Geometry
    is_volume: bool
    warnings: tuple[ImageWarning, ...]


def depth(frame: Frame) -> float | None:
    """Millimetres of a frame's origin along its slice normal; None without a position."""
    if frame.position is None or frame.orientation is None:
        return None
    normal = cross(frame.orientation[:3], frame.orientation[3:])
    return sum(p * n for p, n in zip(frame.position, normal, strict=True))


def depths(frames: Sequence[Frame]) -> list[float] | None:
    """`depth` of frames that share one orientation; None if any has no position."""
    turn = frames[0].orientation
    if turn is None:
        return None
    x, y, z = cross(turn[:3], turn[3:])
    found: list[float] = []
    for frame in frames:
        place = frame.position
        if place is None:
            return None
        if frame.orientation is turn:
            found.append(place[0] * x + place[1] * y + place[2] * z)
        else:
            own = depth(frame)
            if own is None:
                return None
            found.append(own)
    return found


def stack(frames: Sequence[Frame]) -> Stack:
    """Sort frames of one size and orientation and describe their grid."""
    rows, columns = frames[0].shape
    orientation = frames[0].orientation
    if orientation is not None and all(f.position is not None for f in frames):
        return _placed(frames, orientation, rows, columns)
    return _unplaced(frames, rows, columns)


def _instance(frame: Frame) -> tuple[int, int, str]:
    number = frame.header.whole(tags.InstanceNumber)
    return (number if number is not None else 1 << 31, frame.number, frame.slice_id)


def _grid(frames: Sequence[Frame], warnings: list[ImageWarning]) -> tuple[float, float, bool]:
    """Millimetres between (rows, columns), and whether the header gives them."""
    first = frames[0]
    if first.spacing is None:
        aspect = first.header.floats(tags.PixelAspectRatio)
        if len(aspect) == 2 and min(aspect) > 0 and aspect[0] != aspect[1]:
            warnings.append(_non_square(aspect[0], aspect[1]))
            warnings.append(_no_spacing())
            return aspect[0] / aspect[1], 1.0, False
        warnings.append(_no_spacing())
        return 1.0, 1.0, False
    down, across = first.spacing
    if first.spacing_source == "ImagerPixelSpacing":
        warnings.append(
            ImageWarning(
                "detector-spacing",
                "Millimetres are measured at the detector (ImagerPixelSpacing): objects in the "
                "patient are smaller than they measure here.",
            )
        )
    if abs(down - across) > 0.01 * max(down, across):
        warnings.append(_non_square(down, across))
    return down, across, True


def _no_spacing() -> ImageWarning:
    return ImageWarning(
        "no-spacing", "The header states no pixel spacing: lengths are in pixels, not millimetres."
    )


def _non_square(down: float, across: float) -> ImageWarning:
    return ImageWarning(
        "non-square-pixels",
        f"Pixels are not square: {down:g} between rows to {across:g} between columns.",
    )


def _placed(
    frames: Sequence[Frame], orientation: tuple[float, ...], rows: int, columns: int
) -> Stack:
    warnings: list[ImageWarning] = []
    normal = np.array(cross(orientation[:3], orientation[3:]))
    positions: Floats = np.array([f.position for f in frames], float)
    along = positions @ normal
    places = np.round(along, 4).tolist()
    order = sorted(range(len(frames)), key=places.__getitem__)
    if len(set(places)) < len(places):
        # Equal depths keep a stable order that does not depend on file names.
        order.sort(key=lambda i: (places[i], _instance(frames[i])))
    ordered = tuple(frames[i] for i in order)
    positions, along = positions[order], along[order]
    down, across, has_spacing = _grid(ordered, warnings)
    thickness = ordered[0].header.number(tags.SliceThickness)
    stated = ordered[0].header.number(tags.SpacingBetweenSlices)
    is_volume = len(ordered) > 1
    if is_volume:
        step, is_volume = _step(ordered, positions, along, normal, warnings)
    else:
        lengths = [v for v in (thickness, stated) if v is not None and 0 < v < 1e3]
        step = normal * (lengths[0] if lengths else 1.0)
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = np.array(orientation[3:]) * down
    affine[:3, 2] = np.array(orientation[:3]) * across
    affine[:3, 3] = positions[0]
    geometry = Geometry((len(ordered), rows, columns), affine, has_spacing=has_spacing)
    if is_volume:
        _tilt(ordered, geometry, warnings)
        _stated_spacing(geometry, stated, warnings)
    return Stack(ordered, geometry, is_volume, tuple(warnings))


def _step(
    frames: tuple[Frame, ...],
    positions: Floats,
    along: Floats,
    normal: Floats,
    warnings: list[ImageWarning],
) -> tuple[Floats, bool]:
    """The step between neighbouring slices, and whether the slices form a volume."""
    gaps = np.diff(along)
    here = np.flatnonzero(gaps <= SAME_PLACE_MM)
    if len(here) == len(gaps):
        warnings.append(
            ImageWarning("not-a-volume", "All images of this series stand at the same position.")
        )
        return normal.copy(), False
    if len(here):
        warnings.append(_duplicates(here + 1))
    real = gaps[gaps > SAME_PLACE_MM]
    unit = _unit_gap(real)
    tolerance = max(0.05 * unit, 0.02)
    even = bool(np.all(np.abs(gaps - unit) <= tolerance))
    if not even:
        _uneven(frames, gaps, unit, tolerance, warnings)
    # The lateral part of the step: how far the origin moves sideways for each mm of depth.
    depths = along - along[0]
    offsets = positions - positions[0] - depths[:, None] * normal
    slope = (depths @ offsets) / float(depths @ depths)
    stray = float(
        np.abs(
            offsets - depths[:, None] * slope - np.mean(offsets - depths[:, None] * slope, axis=0)
        ).max()
    )
    length = float(depths[-1]) / len(gaps) if even else unit
    step = (normal + slope) * length
    pixel = frames[0].spacing or (1.0, 1.0)
    if stray > max(0.5 * max(pixel), 0.5):
        warnings.append(
            ImageWarning(
                "not-a-volume",
                f"The slices are shifted against each other sideways by up to {stray:.1f} mm: "
                "planes and measurements across slices are off.",
            )
        )
        return normal * length, False
    return step, True


def _unit_gap(gaps: Floats) -> float:
    """The usual distance between neighbours: the commonest gap, the smaller one in a tie."""
    rounded = np.round(gaps / 0.02).astype(np.int64)
    values, counts = np.unique(rounded, return_counts=True)
    common = values[np.argmax(counts)] if counts.max() > 1 else None
    if common is None or counts.max() * 3 < len(gaps):
        return float(np.median(gaps))
    return float(np.median(gaps[np.abs(rounded - common) <= 1]))


def _duplicates(slices: NDArray[np.intp]) -> ImageWarning:
    count = len(slices)
    return ImageWarning(
        "duplicate-positions",
        f"{_count(count, 'slice stands', 'slices stand')} at the position of the slice before.",
        tuple(int(i) for i in slices),
    )


def _uneven(
    frames: tuple[Frame, ...],
    gaps: Floats,
    unit: float,
    tolerance: float,
    warnings: list[ImageWarning],
) -> None:
    times = np.round(gaps / unit).astype(int)
    whole = (times >= 2) & (np.abs(gaps - times * unit) <= np.maximum(tolerance, 0.05 * gaps))
    # A wider gap between thicker slices is a change of collimation, not a hole.
    thick = np.array([f.header.number(tags.SliceThickness) or 0.0 for f in frames])
    grown = np.minimum(thick[1:], thick[:-1]) > 1.5 * max(float(np.median(thick)), 1e-6)
    grown |= np.minimum(thick[1:], thick[:-1]) >= 0.95 * gaps
    grown &= float(np.ptp(thick)) > 0.01
    missing = whole & ~grown
    if missing.any() and int(missing.sum()) * 3 <= len(gaps):
        lost = int((times[missing] - 1).sum())
        after = tuple(int(i) for i in np.flatnonzero(missing))
        places = ", ".join(f"{i + 1} and {i + 2}" for i in after[:3])
        more = "" if len(after) <= 3 else f" and at {len(after) - 3} other places"
        warnings.append(
            ImageWarning(
                "missing-slices",
                f"{_count(lost, 'slice is', 'slices are')} missing: between slices {places}{more}.",
                after,
            )
        )
    else:
        missing[:] = False
    odd = (np.abs(gaps - unit) > tolerance) & ~missing & (gaps > SAME_PLACE_MM)
    if odd.any():
        real = gaps[gaps > SAME_PLACE_MM]
        warnings.append(
            ImageWarning(
                "uneven-spacing",
                f"Slices are not evenly spaced: from {real.min():.2f} to {real.max():.2f} mm. "
                "Lengths across slices are not to be trusted.",
                tuple(int(i) for i in np.flatnonzero(odd)),
            )
        )


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _tilt(frames: tuple[Frame, ...], geometry: Geometry, warnings: list[ImageWarning]) -> None:
    stated = frames[0].header.number(tags.GantryDetectorTilt)
    angle = geometry.tilt_degrees
    if geometry.is_sheared:
        signed = f"{stated:+.1f}° in the header, " if stated and abs(stated) > 0.1 else ""
        if frames[0].header.text(tags.Modality) == "CT":
            warnings.append(
                ImageWarning(
                    "gantry-tilt",
                    f"The gantry was tilted ({signed}{angle:.1f}° by the positions): slices are "
                    "sheared against each other.",
                )
            )
        else:
            warnings.append(
                ImageWarning(
                    "sheared-grid",
                    f"Slices are shifted sideways step by step ({angle:.1f}°): the grid is not "
                    "rectangular.",
                )
            )
        if stated is not None and abs(stated) > 0.1 and abs(abs(stated) - angle) > 1.0:
            warnings.append(
                ImageWarning(
                    "contradicting-tags",
                    f"The header states a gantry tilt of {stated:.1f}°, the positions show "
                    f"{angle:.1f}°.",
                )
            )
    elif stated is not None and 1.0 < abs(stated) < 60:
        warnings.append(
            ImageWarning(
                "contradicting-tags",
                f"The header states a gantry tilt of {stated:.1f}°, but the positions are not "
                "tilted.",
            )
        )


def _stated_spacing(geometry: Geometry, stated: float | None, warnings: list[ImageWarning]) -> None:
    if stated is None or stated <= 0:
        return
    step, distance = geometry.spacing[0], geometry.plane_distance
    if min(abs(stated - step), abs(stated - distance)) > 0.05 * max(stated, distance):
        warnings.append(
            ImageWarning(
                "contradicting-tags",
                f"The header states {stated:g} mm between slices, the positions show "
                f"{distance:.2f} mm.",
            )
        )


def _unplaced(frames: Sequence[Frame], rows: int, columns: int) -> Stack:
    """Frames without a position: by slice location if they have one, else by number."""
    warnings: list[ImageWarning] = []
    locations = [f.header.number(tags.SliceLocation) for f in frames]
    located = len(frames) > 1 and len(set(locations)) == len(frames) and None not in locations
    order = sorted(
        range(len(frames)),
        key=lambda i: ((locations[i] or 0.0) if located else 0.0, _instance(frames[i])),
    )
    ordered = tuple(frames[i] for i in order)
    down, across, has_spacing = _grid(ordered, warnings)
    between = ordered[0].header.number(tags.SpacingBetweenSlices) or 0.0
    gap = between if 0 < between < 1e3 else 1.0
    if located:
        gap = float(np.median(np.diff(np.array([locations[i] for i in order], float))))
    affine = np.zeros((4, 4))
    affine[0, 2], affine[1, 1], affine[2, 0], affine[3, 3] = across, down, gap, 1.0
    if len(frames) > 1:
        how = "their slice location" if located else "their instance number"
        warnings.append(
            ImageWarning(
                "no-position",
                f"The header states no position and orientation: slices are sorted by {how}, and "
                "right, left, front and back are unknown.",
            )
        )
    else:
        warnings.append(
            ImageWarning(
                "no-orientation",
                "The header states no orientation: right, left, front and back are unknown.",
            )
        )
    if len(frames) > 1 and not located:
        warnings.append(
            ImageWarning("not-a-volume", "Without positions these images do not form a volume.")
        )
    geometry = Geometry(
        (len(ordered), rows, columns), affine, has_spacing=has_spacing, has_orientation=False
    )
    return Stack(ordered, geometry, located, tuple(warnings))
