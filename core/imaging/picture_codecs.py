"""Decoding one picture into voxels: colours, alpha, rotation.

Runs in a decoder process; only uncompressed TIFF data are read without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.imaging.picture_headers import Picture

Array = NDArray[np.generic]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601, as in every image library's grey conversion."""


@dataclass(frozen=True)
class PictureTask:
    """One picture to decode, as grey or as RGB."""

    picture: Picture
    grey: bool
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        return self.picture.shape if self.grey else (*self.picture.shape, 3)

    def run(self) -> Array:
        """Decode. Called in a decoder process."""
        array = to_voxels(decode(self.picture), self.picture, self.grey)
        return np.ascontiguousarray(array.astype(self.dtype, copy=False))


@dataclass(frozen=True)
class GreyProbe:
    """Which of some pictures stored as colour are grey: 1 yes, 0 no, 2 unreadable."""

    pictures: tuple[Picture, ...]
    dtype: str = "u1"

    @property
    def shape(self) -> tuple[int, ...]:
        """One answer a picture."""
        return (len(self.pictures),)

    def run(self) -> Array:
        """Decode and compare channels. Called in a decoder process."""
        return np.array([self._is_grey(picture) for picture in self.pictures], np.uint8)

    @staticmethod
    def _is_grey(picture: Picture) -> int:
        try:
            array = to_voxels(decode(picture), picture, grey=False)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - codecs raise classes of their own
            return 2
        first = array[..., :1]
        return int(bool((first == array[..., 1:]).all()))


def decode(picture: Picture) -> Array:
    """The stored picture: (rows, columns) or (rows, columns, channels), palettes resolved."""
    array = _DECODERS[picture.kind](picture)
    if array.shape[:2] != (picture.rows, picture.columns):
        raise ValueError("its picture is not the one that its header describes")
    return array


def _png(picture: Picture) -> Array:
    import imagecodecs

    array: Array = imagecodecs.png_decode(picture.path.read_bytes())
    return array


def _jpeg(picture: Picture) -> Array:
    import imagecodecs

    if picture.samples == 4:
        return _with_pillow(picture.path)
    data = picture.path.read_bytes()
    array: Array = imagecodecs.jpeg8_decode(data)
    return array


def _with_pillow(path: Path) -> Array:
    # Pillow knows which CMYK files are stored inverted (Adobe's) and turns them round.
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = 1 << 31
    with Image.open(path, formats=["JPEG", "TIFF"]) as image:
        return np.asarray(image.convert("RGB"))


def _from_the_web(picture: Picture) -> Array:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = 1 << 31
    with Image.open(picture.path, formats=[picture.kind.upper()]) as image:
        return np.asarray(image.convert("RGBA" if picture.samples == 4 else "RGB"))


def _tiff(picture: Picture) -> Array:
    if picture.strips:
        return plain_tiff(picture)
    if picture.photometric == "SEPARATED":
        return _with_pillow(picture.path)
    import tifffile

    with tifffile.TiffFile(picture.path) as file:
        file.filehandle.seek(picture.page)
        page = tifffile.TiffPage(file, index=0)
        array: Array = page.asarray(maxworkers=1)
        if picture.is_palette:
            colours = np.asarray(page.colormap)  # (3, entries) uint16
            array = (colours[:, array] >> 8).astype(np.uint8).transpose(1, 2, 0)
        elif page.planarconfig == 2 and array.ndim == 3:
            array = array.transpose(1, 2, 0)
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    return array


def plain_tiff(picture: Picture) -> Array:
    """Uncompressed TIFF data: no codec, any process."""
    with picture.path.open("rb") as stream:
        parts = []
        for offset, length in picture.strips:
            stream.seek(offset)
            parts.append(stream.read(length))
    dtype = np.dtype(picture.dtype)
    count = picture.rows * picture.columns * picture.samples
    raw = b"".join(parts)
    if len(raw) < count * dtype.itemsize:
        raise ValueError("the file ends before its pixel data are complete")
    array = np.frombuffer(raw, dtype, count).astype(dtype.newbyteorder("="), copy=False)
    shape = (picture.rows, picture.columns)
    return array.reshape(shape if picture.samples == 1 else (*shape, picture.samples))


_DECODERS = {
    "png": _png,
    "jpeg": _jpeg,
    "tiff": _tiff,
    "webp": _from_the_web,
    "gif": _from_the_web,
    "bmp": _from_the_web,
}


def to_voxels(array: Array, picture: Picture, grey: bool) -> Array:
    """Grey in its stored type, or RGB uint8; alpha laid on white; turned as EXIF says."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim == 3 and array.shape[2] in (2, 4):
        array = _on_white(array)
    if picture.photometric == "MINISWHITE" and array.ndim == 2:
        array = _inverted(array)
    if grey and array.ndim == 3:
        array = _to_grey(array)
    elif not grey:
        array = _eight_bits(array)
        if array.ndim == 2:
            array = np.repeat(array[..., None], 3, axis=2)
    return turned(array, picture.orientation)


def _on_white(array: Array) -> Array:
    top = float(_top(array)) if array.dtype.kind in "iu" else 1.0
    alpha = array[..., -1:].astype(np.float32) / top
    if bool((alpha == 1).all()):
        colours: Array = array[..., :-1]
    else:
        mixed = array[..., :-1].astype(np.float32) * alpha + top * (1 - alpha)
        colours = (np.rint(mixed) if array.dtype.kind in "iu" else mixed).astype(array.dtype)
    return colours[..., 0] if colours.shape[2] == 1 else colours


def _top(array: Array) -> int:
    return (1 << 8 * array.dtype.itemsize - (array.dtype.kind == "i")) - 1


def _inverted(array: Array) -> Array:
    if array.dtype.kind == "u":
        return np.subtract(_top(array), array, dtype=array.dtype)
    return np.negative(array)


def _to_grey(array: Array) -> Array:
    array = array[..., :3]
    if bool((array[..., :1] == array[..., 1:]).all()):
        return array[..., 0]
    mixed = array.astype(np.float32) @ _LUMA
    return (np.rint(mixed) if array.dtype.kind in "iu" else mixed).astype(array.dtype)


def _eight_bits(array: Array) -> Array:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return (array >> 8).astype(np.uint8)  # type: ignore[operator,no-any-return]
    if array.dtype.kind == "f":
        return np.clip(np.rint(array.astype(np.float32) * 255), 0, 255).astype(np.uint8)
    raise ValueError("its colours are of a kind that is not supported")


def turned(array: Array, orientation: int) -> Array:
    """A picture as EXIF orientation 1–8 wants it shown."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array
