"""What a picture file says of its pictures, read without any codec: PNG, JPEG, TIFF.

WebP, GIF and BMP stand in `web_headers`.
"""

from __future__ import annotations

import logging
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UnreadableImageError

LARGEST_SIDE = 1 << 17
"""No picture that a person looks at is wider; a header that says so is damaged."""


@dataclass(frozen=True)
class Picture:
    """One picture of a file.

    kind: "png", "jpeg", "tiff", "webp", "gif" or "bmp".
    dtype: numpy's short form of the stored type, such as "u1", "u2", "f4".
    samples: channels as stored: 1 grey, 2 grey + alpha, 3 colour, 4 colour + alpha or CMYK.
    orientation: EXIF orientation 1–8; 5–8 swap rows and columns.
    page: TIFF: byte offset of its directory. strips: offsets and lengths of uncompressed TIFF
        data that can be read as they stand; () if a codec is needed.
    photometric: TIFF: its photometric interpretation, else "".
    """

    path: Path
    kind: str
    rows: int
    columns: int
    samples: int
    dtype: str
    orientation: int = 1
    page: int = 0
    strips: tuple[tuple[int, int], ...] = ()
    photometric: str = ""
    is_palette: bool = False
    spacing: tuple[float, float, float] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) as displayed."""
        return (self.columns, self.rows) if self.orientation >= 5 else (self.rows, self.columns)

    @property
    def may_be_grey(self) -> bool:
        """Whether only the pixels tell if this is a grey picture stored as colour."""
        return self.samples >= 3 or self.is_palette


def kind_of(start: bytes) -> str:
    """The kind of picture file that begins with these bytes, or ""."""
    if start[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if start[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    from core.imaging.web_headers import kind_of_web_picture

    return kind_of_web_picture(start)


def read_pictures(path: Path) -> list[Picture]:
    """The pictures of one file: one, or the pages of a TIFF.

    Raises UnreadableImageError.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(1 << 16)
            kind = kind_of(start)
            if kind == "png":
                found = [_png(path, start)]
            elif kind == "jpeg":
                if len(start) == 1 << 16:
                    start += stream.read(1 << 22)  # thumbnails and profiles come before the frame
                found = [_jpeg(path, start)]
            elif kind == "tiff":
                found = _tiff(path)
            elif kind:
                from core.imaging.web_headers import read_web_picture

                found = [read_web_picture(path, stream, start)]
            else:
                raise UnreadableImageError(path, "it is not a picture file")
    except OSError as error:
        raise UnreadableImageError(
            path, (error.strerror or "it cannot be opened").lower(), "Check that it is readable."
        ) from error
    for picture in found:
        if not (0 < picture.rows <= LARGEST_SIDE and 0 < picture.columns <= LARGEST_SIDE):
            raise UnreadableImageError(path, "its header states an impossible size")
    return found


def _png(path: Path, start: bytes) -> Picture:
    if len(start) < 33 or start[12:16] != b"IHDR":
        raise UnreadableImageError(path, "it ends inside its header")
    columns, rows, bits, colour = struct.unpack(">IIBB", start[16:26])
    samples = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}.get(colour)
    if samples is None or bits not in (1, 2, 4, 8, 16):
        raise UnreadableImageError(path, "its header is damaged")
    return Picture(
        path,
        "png",
        rows,
        columns,
        samples,
        "u2" if bits == 16 else "u1",
        _png_orientation(start),
        is_palette=colour == 3,
    )


def _png_orientation(start: bytes) -> int:
    """The EXIF orientation that a chunk before the pixels states; 1 if none does."""
    at = 8
    while at + 8 <= len(start):
        (length,) = struct.unpack_from(">I", start, at)
        name = start[at + 4 : at + 8]
        if name == b"eXIf":
            return exif_orientation(start[at + 8 : at + 8 + length])
        if name == b"IDAT":
            break
        at += 12 + length
    return 1


_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _jpeg(path: Path, start: bytes) -> Picture:
    at, orientation = 2, 1
    while at + 9 < len(start):
        if start[at] != 0xFF:
            raise UnreadableImageError(path, "its header is damaged")
        marker = start[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        length = struct.unpack_from(">H", start, at + 2)[0]
        if marker == 0xE1 and start[at + 4 : at + 10] == b"Exif\0\0":
            orientation = exif_orientation(start[at + 10 : at + 2 + length])
        if marker in _FRAMES:
            bits, rows, columns, samples = struct.unpack_from(">BHHB", start, at + 4)
            if samples not in (1, 3, 4):
                raise UnreadableImageError(path, f"it has {samples} colour channels")
            return Picture(
                path, "jpeg", rows, columns, samples, "u1" if bits == 8 else "u2", orientation
            )
        if marker == 0xDA or length < 2:
            break
        at += 2 + length
    raise UnreadableImageError(path, "it ends inside its header")


def exif_orientation(exif: bytes) -> int:
    """Orientation 1–8 of an EXIF block (a TIFF directory); 1 if it states none."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 16:
        return 1
    at = struct.unpack_from(order + "I", exif, 4)[0]
    if at + 2 > len(exif):
        return 1
    count = struct.unpack_from(order + "H", exif, at)[0]
    for i in range(min(count, 256)):
        entry = at + 2 + 12 * i
        if entry + 12 > len(exif):
            break
        tag, _, _, value = struct.unpack_from(order + "HHIH", exif, entry)
        if tag == 0x0112:
            return value if 1 <= value <= 8 else 1
    return 1


_PLAIN = frozenset({"MINISBLACK", "MINISWHITE", "RGB"})
_PHOTOMETRICS = _PLAIN | {"PALETTE", "SEPARATED", "YCBCR"}


def _tiff(path: Path) -> list[Picture]:
    # tifffile parses directories in Python; it decodes nothing here.
    import tifffile

    # What it complains of in its log is said here as an error, or does not matter.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        with tifffile.TiffFile(path) as file:
            size = file.filehandle.size
            spacing = _tiff_spacing(file)
            found: list[Picture] = []
            last: Any = None
            for listed in file.pages:
                page: Any = listed.aspage()
                last = page
                if page.subfiletype & 1 and found:
                    continue  # a reduced copy of another page
                found.append(_tiff_page(path, page, size, spacing))
            if last is not None and _next_directory(file, last):
                raise UnreadableImageError(path, "the file ends before its last page")
            stacked = _one_directory(file, found, size)
    except UnreadableImageError:
        raise
    except Exception as error:  # tifffile raises classes of many kinds
        raise UnreadableImageError(path, "its directory is damaged") from error
    if not found:
        raise UnreadableImageError(path, "it holds no picture")
    return stacked or found


def _tiff_page(
    path: Path, page: object, size: int, spacing: tuple[float, float, float] | None
) -> Picture:
    get = page.__getattribute__
    dtype = get("dtype")
    if dtype is None or get("imagedepth") != 1:
        raise UnreadableImageError(path, "its pixels are of a kind that is not supported")
    photometric = getattr(get("photometric"), "name", str(get("photometric")))
    if photometric not in _PHOTOMETRICS:
        raise UnreadableImageError(
            path, f"its colours are stored as {photometric}", "Save it again as RGB or grey."
        )
    segments = tuple(zip(get("dataoffsets"), get("databytecounts"), strict=False))
    if any(offset + length > size for offset, length in segments):
        raise UnreadableImageError(path, "the file ends before its pixel data are complete")
    samples = int(get("samplesperpixel"))
    rows, columns = int(get("imagelength")), int(get("imagewidth"))
    plain = (
        int(get("compression")) == 1
        and not get("is_tiled")
        and photometric in _PLAIN
        and int(get("planarconfig")) == 1
        and int(get("bitspersample")) in (8, 16, 32, 64)
        and int(get("fillorder")) == 1
        and sum(length for _, length in segments) >= rows * columns * samples * dtype.itemsize
    )
    tag = get("tags").get(274)
    orientation = int(tag.value) if tag is not None and tag.value in range(1, 9) else 1
    return Picture(
        path=path,
        kind="tiff",
        rows=rows,
        columns=columns,
        samples=samples,
        dtype=(get("parent").byteorder if plain else "=") + dtype.str[1:],
        orientation=orientation,
        page=int(get("offset")),
        strips=tuple((int(o), int(n)) for o, n in segments) if plain else (),
        photometric=photometric,
        is_palette=photometric == "PALETTE",
        spacing=spacing,
    )


def _next_directory(file: Any, page: Any) -> int:
    """Offset of the directory behind the last that could be read: 0 in a whole file."""
    kind, handle = file.tiff, file.filehandle
    handle.seek(page.offset)
    (count,) = struct.unpack(kind.tagnoformat, handle.read(kind.tagnosize))
    handle.seek(page.offset + kind.tagnosize + count * kind.tagsize)
    return int(struct.unpack(kind.offsetformat, handle.read(kind.offsetsize))[0])


def _one_directory(file: object, found: list[Picture], size: int) -> list[Picture]:
    """ImageJ writes large stacks behind one directory: the pages it does not list."""
    about = getattr(file, "imagej_metadata", None) or {}
    count = about.get("images", 0)
    if len(found) != 1 or not isinstance(count, int) or count < 2 or not found[0].strips:
        return []
    first = found[0]
    import numpy as np

    step = first.rows * first.columns * first.samples * np.dtype(first.dtype).itemsize
    begin = first.strips[0][0]
    if begin + step * count > size:
        raise UnreadableImageError(first.path, "the file ends before its pixel data are complete")
    from dataclasses import replace

    return [replace(first, strips=((begin + i * step, step),)) for i in range(count)]


_MILLIMETRES = {
    "mm": 1.0,
    "millimeter": 1.0,
    "micron": 1e-3,
    "microns": 1e-3,
    "um": 1e-3,
    "µm": 1e-3,
    "μm": 1e-3,
    "\\u00b5m": 1e-3,
    "nm": 1e-6,
    "cm": 10.0,
}


def _tiff_spacing(file: object) -> tuple[float, float, float] | None:
    """Millimetres between (pages, rows, columns), where ImageJ wrote a real unit.

    Plain TIFF resolution tags are print resolutions and say nothing about the object.
    """
    about = getattr(file, "imagej_metadata", None) or {}
    scale = _MILLIMETRES.get(str(about.get("unit", "")).lower())
    if scale is None:
        return None
    tags = file.pages[0].tags  # type: ignore[attr-defined]
    steps: list[float] = []
    for number in (283, 282):  # YResolution, XResolution: pixels per unit
        tag = tags.get(number)
        if tag is None or not isinstance(tag.value, tuple) or 0 in tag.value:
            return None
        steps.append(tag.value[1] / tag.value[0] * scale)
    between = about.get("spacing")
    between = float(between) * scale if isinstance(between, int | float) and between else steps[0]
    return abs(between), steps[0], steps[1]
