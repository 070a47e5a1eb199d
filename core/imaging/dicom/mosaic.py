"""Siemens mosaics: a whole volume laid out as tiles of one image.

What a mosaic needs stands in a private "CSA" header. Sources: NiBabel's documentation
(nipy.org/nibabel/dicom/siemens_csa.html, dicom_mosaic.html).
"""

from __future__ import annotations

import math
import struct
from dataclasses import replace

from core.errors import UnreadableImageError
from core.imaging.dicom import tags
from core.imaging.dicom.frames import Frame, cross
from core.imaging.dicom.headers import Header
from core.imaging.dicom.values import words

_MOST_TAGS = 1000


def is_mosaic(header: Header) -> bool:
    """Whether an image says that it is a mosaic."""
    return "MOSAIC" in words(header.raw.get(tags.ImageType, b""))


def tiles(frame: Frame) -> list[Frame]:
    """The slices of a mosaic, each at its own place. Raises UnreadableImageError."""
    header = frame.header
    told = csa_values(header.raw.get(tags.SiemensImageHeader, b""))
    count = _count(header, told)
    side = math.ceil(math.sqrt(count))
    rows, columns = frame.format.rows // side, frame.format.columns // side
    if count < 1 or rows * side != frame.format.rows or columns * side != frame.format.columns:
        raise UnreadableImageError(header.path, "its mosaic cannot be cut into slices")
    position, orientation, spacing = frame.position, frame.orientation, frame.spacing
    step = header.number(tags.SpacingBetweenSlices) or header.number(tags.SliceThickness)
    placed = position is not None and orientation is not None and spacing is not None and step
    found: list[Frame] = []
    for number in range(count):
        where = None
        if placed and position and orientation and spacing and step:
            where = _place(frame, told, (rows, columns), number * step)
        found.append(
            replace(
                frame,
                number=number,
                frames=count,
                position=where,
                tile=(number // side * rows, number % side * columns, rows, columns),
            )
        )
    return found


def _count(header: Header, told: dict[str, tuple[str, ...]]) -> int:
    stated = told.get("NumberOfImagesInMosaic", ())
    if stated and stated[0].isdigit():
        return int(stated[0])
    return header.u16(tags.SiemensMosaicImages) or 0


def _place(
    frame: Frame, told: dict[str, tuple[str, ...]], tile: tuple[int, int], depth: float
) -> tuple[float, float, float] | None:
    """Where a tile's first pixel lies.

    The header's position is the corner that one picture of the mosaic's full size would have
    around the same centre.
    """
    if frame.position is None or frame.orientation is None or frame.spacing is None:
        return None
    across, down = frame.orientation[:3], frame.orientation[3:]
    normal = cross(across, down)
    try:
        stated = [float(part) for part in told.get("SliceNormalVector", ())[:3]]
    except ValueError:
        stated = []
    if len(stated) == 3 and sum(a * b for a, b in zip(stated, normal, strict=True)) < 0:
        normal = (-normal[0], -normal[1], -normal[2])
    right = (frame.format.columns - tile[1]) / 2 * frame.spacing[1]
    lower = (frame.format.rows - tile[0]) / 2 * frame.spacing[0]
    x, y, z = (
        p + a * right + d * lower + n * depth
        for p, a, d, n in zip(frame.position, across, down, normal, strict=True)
    )
    return (x, y, z)


def csa_values(raw: bytes) -> dict[str, tuple[str, ...]]:
    """The values of a Siemens CSA header by name; {} if it is damaged or of another kind."""
    found: dict[str, tuple[str, ...]] = {}
    second = raw[:4] == b"SV10"
    at = 8 if second else 0
    try:
        (count,) = struct.unpack_from("<I", raw, at)
        at += 8
        if not 0 < count <= _MOST_TAGS:
            return {}
        first_items = 0
        for _ in range(count):
            name, _, _, _, items, _ = struct.unpack_from("<64si4siii", raw, at)
            at += 84
            first_items = first_items or items
            values: list[str] = []
            if not 0 <= items <= _MOST_TAGS:
                return {}
            for _ in range(items):
                lengths = struct.unpack_from("<4i", raw, at)
                at += 16
                length = lengths[1] if second else lengths[0] - first_items
                if length < 0 or at + length > len(raw):
                    return found
                text = raw[at : at + length].split(b"\0")[0].decode("latin-1").strip()
                if text:
                    values.append(text)
                at += -(-length // 4) * 4
            found[name.split(b"\0")[0].decode("latin-1")] = tuple(values)
    except struct.error:
        return found
    return found
