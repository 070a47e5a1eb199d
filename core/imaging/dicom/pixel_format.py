"""How the pixels of a file are stored: read from its Image Pixel module, and checked."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from functools import lru_cache

from core.errors import UnreadableImageError
from core.imaging.dicom import tags
from core.imaging.dicom.headers import Header
from core.imaging.dicom.walk import UNDEFINED, PixelElement

PACKED = 12
"""Bits Allocated of pixels that share bytes, as ACR-NEMA and early DICOM allowed."""


@dataclass(frozen=True)
class PixelFormat:
    """How the pixels of a frame are stored. Attribute names as in DICOM's Image Pixel module.

    kind: "i" for integers, "f" for Float Pixel Data, "d" for Double Float Pixel Data.
    stray: bit pattern of a Pixel Padding Value that does not fit into the stored bits, or None.
    """

    rows: int
    columns: int
    samples: int
    photometric: str
    planar: bool
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    kind: str
    stray: int | None = None

    @property
    def is_colour(self) -> bool:
        """Whether the picture becomes RGB."""
        return self.samples >= 3 or self.photometric == "PALETTE COLOR"

    @property
    def is_packed(self) -> bool:
        """Whether pixels follow each other without a gap, two of them in three bytes."""
        return self.allocated == PACKED

    @property
    def unpacked(self) -> PixelFormat:
        """The same pixels, each in a word of its own."""
        return replace(self, allocated=16)

    @property
    def frame_bits(self) -> int:
        """Bits of one uncompressed frame."""
        pixels = self.rows * self.columns
        if self.photometric == "YBR_FULL_422" and self.samples == 3:
            return pixels * 2 * self.allocated
        return pixels * self.samples * self.allocated


def format_of(header: Header, pixels: PixelElement) -> PixelFormat:
    """The format that a header states. Raises UnreadableImageError if it states none."""
    raw = header.raw
    layout = _format_from(
        header.encoding.big_endian,
        pixels.tag,
        tuple(raw.get(tag) for tag in _FORMAT_TAGS),
    )
    if isinstance(layout, str):
        raise UnreadableImageError(header.path, layout)
    if layout.is_packed and pixels.length == UNDEFINED:  # a codec gives whole words
        return layout.unpacked
    return layout


_FORMAT_TAGS = (
    tags.Rows,
    tags.Columns,
    tags.SamplesPerPixel,
    tags.PlanarConfiguration,
    tags.BitsAllocated,
    tags.BitsStored,
    tags.HighBit,
    tags.PixelRepresentation,
    tags.PixelPaddingValue,
    tags.PhotometricInterpretation,
)


@lru_cache(maxsize=512)
def _format_from(
    big_endian: bool, pixel_tag: int, raw: tuple[bytes | None, ...]
) -> PixelFormat | str:
    """The format, or the clause that says why there is none."""
    unpack = struct.Struct(">H" if big_endian else "<H").unpack_from
    numbers = [unpack(v)[0] if v is not None and len(v) >= 2 else None for v in raw[:9]]
    rows, columns, samples, planar, allocated, stored, high, sign, padding = numbers
    if not rows or not columns:
        return "its header states no rows and columns"
    kind = {0x7FE00008: "f", 0x7FE00009: "d"}.get(pixel_tag, "i")
    allocated = {"f": 32, "d": 64}.get(kind, allocated) or 0
    if allocated not in ((32, 64) if kind != "i" else (1, 8, PACKED, 16, 32)):
        return f"its header states {allocated or 'no'} bits for each pixel"
    stored = stored if stored and stored <= allocated else allocated
    high = high if high is not None and stored - 1 <= high < allocated else stored - 1
    samples = samples or 1
    if samples not in (1, 3, 4) or (samples > 1 and allocated == PACKED):
        return f"its header states {samples} samples for each pixel"
    photometric = (raw[9] or b"").decode("latin-1").strip(" \0").upper()
    if not photometric:
        photometric = "RGB" if samples >= 3 else "MONOCHROME2"
    if samples == 1 and photometric not in ("MONOCHROME1", "PALETTE COLOR"):
        photometric = "MONOCHROME2"
    return PixelFormat(
        rows=rows,
        columns=columns,
        samples=samples,
        photometric=photometric,
        planar=bool(planar) and samples > 1,
        allocated=allocated,
        stored=stored,
        high_bit=high,
        signed=sign == 1 and kind == "i",
        kind=kind,
        stray=_stray(padding, stored, allocated, sign == 1) if kind == "i" else None,
    )


def _stray(padding: int | None, stored: int, allocated: int, signed: bool) -> int | None:
    """The padding's 16 bits if it is beyond what the stored bits can say, else None."""
    if padding is None or allocated != 16 or stored == 16:
        return None
    value = padding - (1 << 16) if signed and padding >= 1 << 15 else padding
    low, high = (-(1 << stored - 1), 1 << stored - 1) if signed else (0, 1 << stored)
    return None if low <= value < high else padding
