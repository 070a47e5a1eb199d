"""Volumes in one file (NIfTI, NRRD, MetaImage): from a checked header to voxels.

Each format's module parses its header in Python and gives a `VolumeFile`; what is common
stands here: declared sizes are checked against the file and against memory before anything is
allocated, inflation stops at the declared size and must reach it, and voxels are turned so
that a plane stands on the screen as readers know it.
"""

from __future__ import annotations

import bz2
import hashlib
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import CancelledError, TooLargeError, UnreadableImageError
from core.imaging.geometry import Geometry
from core.imaging.intensity import Quantity, Window
from core.imaging.loading import allocate, check_memory, outward, single_slice
from core.imaging.pictures import fingerprint
from core.imaging.volume import Cancelled, ImageWarning, SeriesSummary, Volume

Array = NDArray[np.generic]
Matrix = NDArray[np.float64]

_BEST_RATIO = 1040
"""Deflate cannot shrink anything further than about 1032 : 1."""


@dataclass(frozen=True, eq=False)
class VolumeFile:
    """One volume as its header describes it.

    path: the header's file. parts: (file, offset) of the data: one, or one a slice.
    sizes: (columns, rows, slices) as stored: the first runs fastest.
    components: 1, or 3 or 4 for colours that stand side by side.
    axes: 3 × 3, column k is the millimetre step (LPS) along stored axis k.
    skip: bytes of (inflated) data that come before this volume's voxels.
    total: bytes that the (inflated) data must have in all, all volumes of the file together.
    """

    path: Path
    name: str
    format: str
    parts: tuple[tuple[Path, int], ...]
    compression: str
    dtype: np.dtype[np.generic]
    sizes: tuple[int, int, int]
    components: int
    axes: Matrix
    origin: Matrix
    has_spacing: bool = True
    has_orientation: bool = True
    slope: float = 1.0
    intercept: float = 0.0
    skip: int = 0
    total: int = 0
    number: int = 0
    volumes: int = 1
    windows: tuple[Window, ...] = ()
    warnings: tuple[ImageWarning, ...] = field(default=())

    @property
    def slice_bytes(self) -> int:
        """Bytes of one stored slice."""
        return self.sizes[0] * self.sizes[1] * self.components * self.dtype.itemsize

    @property
    def size_bytes(self) -> int:
        """Bytes of all voxels."""
        return self.slice_bytes * self.sizes[2]


def data_file(header: Path, named: str) -> Path:
    """The data file that a header names, if it lies in the header's folder; else refused.

    Raises UnreadableImageError for absolute paths, drive letters, "..", and links that lead out.
    """
    outside = UnreadableImageError(
        header,
        "its header points to a data file outside of its folder",
        "Put header and data into one folder, and only if you trust their source.",
    )
    plain = named.replace("\\", "/")
    if plain.startswith("/") or "\0" in plain or (len(plain) > 1 and plain[1] == ":"):
        raise outside
    folder = header.parent.resolve()
    path = (folder / plain).resolve()
    if ".." in plain.split("/") or not path.is_relative_to(folder):
        raise outside
    if not path.is_file():
        raise UnreadableImageError(
            header, f"its data file {path.name} is missing", "Put the two files into one folder."
        )
    return path


def checked_sizes(header: Path, sizes: list[int]) -> None:
    """Raise UnreadableImageError unless all sizes are positive and of this world."""
    if not sizes or any(size < 1 or size > 1 << 24 for size in sizes):
        raise UnreadableImageError(header, "its header states an impossible size")
    if math.prod(sizes) > 1 << 44:
        raise TooLargeError(header, math.prod(sizes), 1 << 44)


def check_length(volume: VolumeFile) -> None:
    """Compare the declared size with the files, before anything is allocated.

    Raises UnreadableImageError or TooLargeError.
    """
    total = volume.total or volume.skip + volume.size_bytes
    try:
        sizes = [path.stat().st_size for path, _ in volume.parts]
    except OSError as error:
        raise UnreadableImageError(volume.path, (error.strerror or "unreadable").lower()) from error
    have = sum(max(size - offset, 0) for size, (_, offset) in zip(sizes, volume.parts, strict=True))
    if volume.compression:
        ratio = _BEST_RATIO if volume.compression != "bz2" else 50_000
        if total > have * ratio + 4096:
            raise UnreadableImageError(
                volume.path, "its header states more data than its compressed data can hold"
            )
    elif have < total:
        raise UnreadableImageError(
            volume.path,
            f"the file ends before its pixel data are complete ({have:,} of {total:,} bytes)",
        )


class _Stream(Protocol):
    def read(self, count: int) -> bytes:
        """Exactly `count` bytes, or fewer at the end."""


class _Inflating:
    """Bounded inflation of a part of a file: never more than what is asked for."""

    def __init__(self, path: Path, offset: int, compression: str) -> None:
        self._file = path.open("rb")
        self._file.seek(offset)
        self._kind = compression
        self._engine: zlib._Decompress | bz2.BZ2Decompressor = (
            bz2.BZ2Decompressor() if compression == "bz2" else zlib.decompressobj(47)
        )
        self._pending = b""

    def read(self, count: int) -> bytes:
        parts: list[bytes] = []
        have = 0
        try:
            while have < count and not self._engine.eof:
                part = self._some(count - have)
                if part is None:
                    break
                parts.append(part)
                have += len(part)
        except (zlib.error, OSError, EOFError) as error:
            raise ValueError("its compressed data are damaged") from error
        return b"".join(parts)

    def _some(self, most: int) -> bytes | None:
        if isinstance(self._engine, bz2.BZ2Decompressor):
            fed = self._file.read(1 << 18) if self._engine.needs_input else b""
            if self._engine.needs_input and not fed:
                return None
            return self._engine.decompress(fed, most)
        if not self._pending:
            self._pending = self._file.read(1 << 18)
            if not self._pending:
                # Nothing more to feed, though the engine may hold output back.
                return self._engine.decompress(b"", most) or None
        out = self._engine.decompress(self._pending, most)
        self._pending = self._engine.unconsumed_tail
        return out

    def finish(self) -> None:
        """Raise ValueError if there are more data, or the check sum is wrong."""
        if self.read(1):
            raise ValueError("its compressed data hold more than its header says")
        if not self._engine.eof:
            raise ValueError("its compressed data end too early")

    def close(self) -> None:
        self._file.close()


class MedicalVolume:
    """One volume of a NIfTI, NRRD or MetaImage file."""

    def __init__(self, file: VolumeFile) -> None:
        self._file = file
        self._turn = _Turn.of(file)
        mark = fingerprint(file.path)
        if file.parts[0][0] != file.path:
            both = mark + "".join(fingerprint(path) for path, _ in file.parts)
            mark = hashlib.sha256(both.encode()).hexdigest()[:24]
        key = mark if file.volumes == 1 else f"{mark}-{file.number + 1}"
        slices = file.sizes[2]
        colour = file.components >= 3
        warnings = list(file.warnings)
        if not file.has_spacing:
            warnings.append(
                ImageWarning(
                    "no-spacing",
                    "The header states no spacing: lengths are in voxels, not millimetres.",
                )
            )
        if not file.has_orientation:
            warnings.append(
                ImageWarning(
                    "no-orientation",
                    "The header states no orientation: right, left, front and back are unknown.",
                )
            )
        geometry = self._turn.geometry
        if geometry.is_sheared:
            warnings.append(
                ImageWarning(
                    "sheared-grid",
                    f"Slices are shifted sideways step by step ({geometry.tilt_degrees:.1f}°): "
                    "the grid is not rectangular.",
                )
            )
        name = file.name
        if file.volumes > 1:
            name = f"{name} (volume {file.number + 1} of {file.volumes})"
        self._summary = SeriesSummary(
            uid=f"file-{key}",
            case_id=f"volume-{key}",
            modality="",
            description=name,
            geometry=geometry,
            quantity=Quantity.COLOUR if colour else Quantity.SIGNAL,
            transfer_syntax=file.format,
            slice_ids=tuple(f"{key}#{self._turn.stored(i) + 1}" for i in range(slices)),
            warnings=tuple(warnings),
            windows=file.windows,
            is_volume=slices > 1 and not colour,
            path=file.path,
        )

    @property
    def summary(self) -> SeriesSummary:
        """What the header says."""
        return self._summary

    @property
    def files(self) -> tuple[Path, ...]:
        """The file behind each slice."""
        return (self._file.path,) * self._file.sizes[2]

    def load(
        self,
        *,
        first: int | None = None,
        on_slice: Callable[[Volume, int], None] | None = None,
        cancelled: Cancelled | None = None,
    ) -> Volume:
        """Read all voxels; compressed files come in their stored order; see Series."""
        file, turn = self._file, self._turn
        shape = turn.geometry.shape
        dtype = np.dtype(np.uint8) if file.components >= 3 else file.dtype.newbyteorder("=")
        voxels = allocate(file.path, (*shape, 3) if file.components >= 3 else shape, dtype)
        count = shape[0]
        slope, intercept = np.full(count, file.slope), np.full(count, file.intercept)
        volume = Volume(self._summary, voxels, slope, intercept)
        try:
            for stored, raw in self._slices(first):
                if cancelled is not None and cancelled():
                    raise CancelledError("loading")
                index = turn.shown(stored)
                voxels[index] = self._plane(raw)
                if on_slice is not None:
                    on_slice(volume, index)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UnreadableImageError(file.path, (reason or "it cannot be read")) from error
        return volume

    def read_slice(self, index: int) -> Volume:
        """Read one slice alone, as a volume of one slice."""
        wanted = self._turn.stored(index)
        try:
            for stored, raw in self._slices(index, only=wanted):
                if stored == wanted:
                    plane = np.ascontiguousarray(self._plane(raw))
                    return single_slice(
                        self._summary, index, plane, self._file.slope, self._file.intercept
                    )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UnreadableImageError(self._file.path, reason or "it cannot be read") from error
        raise UnreadableImageError(self._file.path, "its data end too early")

    def _plane(self, raw: bytes) -> Array:
        """One stored slice as it is shown."""
        file = self._file
        columns, rows, _ = file.sizes
        array = np.frombuffer(raw, file.dtype)
        if file.components >= 3:
            plane = array.reshape(rows, columns, file.components)[..., :3]
        else:
            plane = array.reshape(rows, columns)
        return self._turn.plane(plane)

    def _slices(self, first: int | None, only: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Stored slices with their index: in the order of showing, or of the file."""
        file = self._file
        count, size = file.sizes[2], file.slice_bytes
        if not file.compression:
            shown = [first or 0] if only is not None else outward(count, first)
            yield from self._plain(shown, count, size)
            return
        check_memory(file.path, size)
        stream = _Inflating(file.parts[0][0], file.parts[0][1], file.compression)
        try:
            skip = file.skip
            while skip:
                piece = stream.read(min(skip, 1 << 22))
                if not piece:
                    raise ValueError("its compressed data end too early")
                skip -= len(piece)
            for stored in range(count):
                raw = stream.read(size)
                if len(raw) < size:
                    raise ValueError("its compressed data end too early")
                if only is None or only == stored:
                    yield stored, raw
                if only == stored:
                    return
            if file.number == file.volumes - 1:
                rest = file.total - file.skip - file.size_bytes if file.total else 0
                while rest > 0:
                    piece = stream.read(min(rest, 1 << 22))
                    if not piece:
                        raise ValueError("its compressed data end too early")
                    rest -= len(piece)
                stream.finish()
        finally:
            stream.close()

    def _plain(
        self, shown: list[int] | Iterator[int], count: int, size: int
    ) -> Iterator[tuple[int, bytes]]:
        file = self._file
        single = len(file.parts) == 1
        handles = {path: path.open("rb", buffering=0) for path, _ in file.parts}
        try:
            for index in shown:
                stored = self._turn.stored(index)
                path, offset = file.parts[0 if single else stored]
                handle = handles[path]
                handle.seek(offset + file.skip + (stored * size if single else 0))
                raw = bytearray(size)
                view, done = memoryview(raw), 0
                while done < size:
                    got = handle.readinto(view[done:])
                    if not got:
                        raise ValueError("the file ends before its pixel data are complete")
                    done += got
                yield stored, raw  # type: ignore[misc]
        finally:
            for handle in handles.values():
                handle.close()


@dataclass(frozen=True, eq=False)
class _Turn:
    """How stored axes become (slice, row, column) so that a plane stands as readers know it.

    Axial: front up, the patient's left at the right; sagittal and coronal: head up.
    """

    geometry: Geometry
    swap: bool
    flip_rows: bool
    flip_columns: bool
    flip_slices: bool

    @classmethod
    def of(cls, file: VolumeFile) -> _Turn:
        sizes = file.sizes
        across, down, step = (file.axes[:, k].copy() for k in range(3))
        swap = flips = False
        flip_rows = flip_columns = flip_slices = False
        columns, rows, slices = sizes
        origin = file.origin.copy()
        if file.has_orientation:
            plane = int(np.argmax(np.abs(np.cross(across, down))))
            right, bottom = ((1, 2), (0, 2), (0, 1))[plane]
            units = across / np.linalg.norm(across), down / np.linalg.norm(down)
            as_is = abs(units[0][right]) + abs(units[1][bottom])
            swap = abs(units[1][right]) + abs(units[0][bottom]) > as_is + 1e-6
            if swap:
                across, down, columns, rows = down, across, rows, columns
            flip_columns = bool(across[right] < 0)
            wants_down = 1.0 if bottom == 1 else -1.0  # to the back, or to the feet
            flip_rows = bool(down[bottom] * wants_down < 0)
            if flip_columns:
                origin, across = origin + across * (columns - 1), -across
            if flip_rows:
                origin, down = origin + down * (rows - 1), -down
            flip_slices = bool(step @ np.cross(across, down) < 0)
            if flip_slices:
                origin, step = origin + step * (slices - 1), -step
        del flips
        affine = np.eye(4)
        affine[:3, 0], affine[:3, 1], affine[:3, 2], affine[:3, 3] = step, down, across, origin
        geometry = Geometry((slices, rows, columns), affine, file.has_spacing, file.has_orientation)
        return cls(geometry, swap, flip_rows, flip_columns, flip_slices)

    def shown(self, stored: int) -> int:
        """Index at which a stored slice is shown."""
        return self.geometry.shape[0] - 1 - stored if self.flip_slices else stored

    def stored(self, shown: int) -> int:
        """Index in the file of the slice shown at an index."""
        return self.shown(shown)

    def plane(self, array: Array) -> Array:
        """A stored (rows, columns[, channels]) slice as shown: a view."""
        if self.swap:
            array = array.swapaxes(0, 1)
        if self.flip_rows:
            array = array[::-1]
        if self.flip_columns:
            array = array[:, ::-1]
        return array
