"""Volumes in one file (NIfTI, NRRD, MetaImage): from a checked header to voxels.

What the formats have in common: sizes are checked against memory before anything is allocated,
inflation stops at the declared size and must reach it, and voxels are turned so that a plane
stands on the screen as readers know it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import CancelledError, CoreError, UnreadableImageError
from core.imaging.decoder_process import Task
from core.imaging.decoding import Job, decode_in_turn
from core.imaging.geometry import Geometry
from core.imaging.hounsfield import SAMPLE, are_hounsfield
from core.imaging.inflation import PIECE, Source, inflated, passed
from core.imaging.intensity import Quantity
from core.imaging.loading import allocate, check_memory, outward, single_slice
from core.imaging.pictures import fingerprint
from core.imaging.together import Shared
from core.imaging.volume import Cancelled, ImageWarning, Looks, SeriesSummary, Volume
from core.imaging.volume_files import VolumeFile

Array = NDArray[np.generic]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class InflatedSlices:
    """Some stored slices of a compressed volume, as a task for a decoder process.

    begin: their first byte in the inflated data. stored: (slices, rows, columns, components).
    """

    source: Source
    begin: int
    dtype: str
    stored: tuple[int, int, int, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """(slices, rows, columns), and 3 where there are colours."""
        return self.stored[:3] if self.stored[3] == 1 else (*self.stored[:3], 3)

    def run(self) -> Array:
        """Inflate them. Called in a decoder process."""
        size = math.prod(self.stored) * np.dtype(self.dtype).itemsize
        raw = self.source.at(self.begin).exactly(size)
        array = np.frombuffer(raw, self.dtype).reshape(self.stored)
        return array[..., 0] if self.stored[3] == 1 else np.ascontiguousarray(array[..., :3])


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
        quantity = Quantity.COLOUR if colour else _quantity(file)
        if quantity is Quantity.HU and not file.modality:
            warnings.append(
                ImageWarning(
                    "assumed-hounsfield",
                    "The file does not state what its values are. They look like those of a CT "
                    "(air near −1000) and are taken as Hounsfield units.",
                )
            )
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
            modality=file.modality,
            description=name,
            geometry=geometry,
            quantity=quantity,
            transfer_syntax=file.format,
            slice_ids=tuple(f"{key}#{self._turn.stored(i) + 1}" for i in range(slices)),
            warnings=tuple(warnings),
            windows=file.windows,
            is_volume=slices > 1 and not colour,
            path=file.path,
        )

    @property
    def is_compressed(self) -> bool:
        """Whether its data are inflated in a decoder process."""
        return bool(self._file.compression)

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
        looks: Looks | None = None,  # one file, which is read in its own order
    ) -> Volume:
        """Read all voxels; compressed files come in their stored order; see Series."""
        file, turn = self._file, self._turn
        shape = turn.geometry.shape
        dtype = np.dtype(np.uint8) if file.components >= 3 else file.dtype.newbyteorder("=")
        voxels = allocate(file.path, (*shape, 3) if file.components >= 3 else shape, dtype)
        count = shape[0]
        slope, intercept = np.full(count, file.slope), np.full(count, file.intercept)
        volume = Volume(self._summary, voxels, slope, intercept)

        def done(index: int) -> None:
            if on_slice is not None:
                on_slice(volume, index)

        if file.compression:
            self._inflate(turn.as_stored(voxels), range(count), done, cancelled)
            return volume
        try:
            for stored, raw in self._plain(outward(count, first)):
                if cancelled is not None and cancelled():
                    raise CancelledError("loading")
                index = turn.shown(stored)
                voxels[index] = self._plane(raw)
                done(index)
        except (OSError, ValueError) as error:
            raise self._refused(error) from error
        return volume

    def read_slice(self, index: int) -> Volume:
        """Read one slice alone, as a volume of one slice."""
        file, stored = self._file, self._turn.stored(index)
        shape = self._turn.geometry.shape[1:]
        if file.compression:
            dtype = np.dtype(np.uint8) if file.components >= 3 else file.dtype.newbyteorder("=")
            plane = allocate(file.path, (*shape, 3) if file.components >= 3 else shape, dtype)
            one = self._turn.plane_as_stored(plane)[None]
            self._inflate(one, range(stored, stored + 1), lambda _: None, None)
        else:
            try:
                ((_, raw),) = self._plain(iter([index]))
                plane = np.ascontiguousarray(self._plane(raw))
            except (OSError, ValueError) as error:
                raise self._refused(error) from error
        return single_slice(self._summary, index, plane, file.slope, file.intercept)

    def _refused(self, error: OSError | ValueError) -> UnreadableImageError:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return UnreadableImageError(self._file.path, reason or "it cannot be read")

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

    def _inflate(
        self,
        target: Array,
        stored: range,
        done: Callable[[int], None],
        cancelled: Cancelled | None,
    ) -> None:
        """Fill (slices, rows, columns[, 3]) as they are stored, in a decoder process.

        Where all slices are wanted, the stream must end where the header says.
        """
        file, size = self._file, self._file.slice_bytes
        check_memory(file.path, 3 * size)
        source = Source.of(file.parts[0][0], file.parts[0][1], file.compression)
        columns, rows, count = file.sizes
        some = max(1, PIECE // size)
        begins = {begin: min(begin + some, stored.stop) for begin in stored[::some]}
        start, end = (file.skip + at * size for at in (stored.start, stored.stop))
        tasks: list[tuple[int, Task]] = [(-1, task) for task in passed(source, 0, start)]
        for begin, stop in begins.items():
            layout = (stop - begin, rows, columns, file.components)
            tasks.append(
                (begin, InflatedSlices(source, file.skip + begin * size, file.dtype.str, layout))
            )
        if len(stored) == count and file.number == file.volumes - 1:
            tasks += ((-1, task) for task in passed(source, end, max(file.total, end), True))

        def take(begin: int, result: Array) -> None:
            if begin < 0:
                return
            first = begin - stored.start
            target[first : first + len(result)] = result
            for one in range(begin, begins[begin]):
                done(self._turn.shown(one))

        decode_in_turn(Shared(Job(at, str(file.path), task) for at, task in tasks), take, cancelled)

    def _plain(self, shown: Iterator[int]) -> Iterator[tuple[int, bytes]]:
        """Stored slices with their index, in the order of showing."""
        file = self._file
        single = len(file.parts) == 1
        size = file.slice_bytes
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


def _quantity(file: VolumeFile) -> Quantity:
    """What a grey volume's values are: as its modality says, else as they look."""
    lowest = 0.0 if file.dtype.kind == "u" else -1e9
    if lowest * file.slope + file.intercept > _LEAST_AIR_VALUE or file.dtype.itemsize == 1:
        return Quantity.SIGNAL
    if file.modality not in ("", "CT"):
        return Quantity.SIGNAL
    try:
        at = file.parts[len(file.parts) // 2][0].stat()
    except OSError:
        return Quantity.SIGNAL
    key = (str(file.path), at.st_size, at.st_mtime_ns)
    if key not in _looked_at:
        if len(_looked_at) > _MOST_LOOKED_AT:
            _looked_at.clear()
        _looked_at[key] = are_hounsfield(_sample(file))
    return Quantity.HU if _looked_at[key] else Quantity.SIGNAL


_LEAST_AIR_VALUE = -900.0
_MOST_LOOKED_AT = 4096
_looked_at: dict[tuple[str, int, int], bool] = {}
"""Files whose values were looked at: all volumes of one file are of a kind."""


def _sample(file: VolumeFile) -> Array:
    """Some modality values: from the middle, or from the beginning of compressed data."""
    path, offset = file.parts[len(file.parts) // 2]
    itemsize = file.dtype.itemsize
    try:
        if file.compression:
            first = file.skip - file.number * file.size_bytes
            raw = inflated(path, offset, file.compression, first + SAMPLE)[first:]
        else:
            here = file.size_bytes if len(file.parts) == 1 else file.slice_bytes
            middle = max(here - SAMPLE, 0) // 2 // itemsize * itemsize
            with path.open("rb") as stream:
                stream.seek(offset + file.skip + middle)
                raw = stream.read(min(SAMPLE, here))
    except (OSError, CoreError):
        return np.empty(0)  # reading it will say why
    stored = np.frombuffer(raw[: len(raw) // itemsize * itemsize], file.dtype)
    values: Array = stored.astype(np.float64) * file.slope + file.intercept
    return values


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

    def plane_as_stored(self, array: Array) -> Array:
        """A shown (rows, columns[, channels]) slice as stored: a view."""
        if self.flip_columns:
            array = array[:, ::-1]
        if self.flip_rows:
            array = array[::-1]
        return array.swapaxes(0, 1) if self.swap else array

    def as_stored(self, voxels: Array) -> Array:
        """Shown (slices, rows, columns[, channels]) as stored: a view."""
        if self.flip_columns:
            voxels = voxels[:, :, ::-1]
        if self.flip_rows:
            voxels = voxels[:, ::-1]
        if self.flip_slices:
            voxels = voxels[::-1]
        return voxels.swapaxes(1, 2) if self.swap else voxels
