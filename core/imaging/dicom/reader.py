"""A DICOM series that can be loaded, from the middle outwards.

Native pixels are read straight into the volume; compressed ones are decoded in decoder
processes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import MissingCodecError, UnreadableImageError
from core.imaging.decoding import Job, decode_all, decode_one, processes
from core.imaging.dicom import codecs, tags
from core.imaging.dicom.describing import DicomStack, rescale
from core.imaging.dicom.encapsulated import Fragment
from core.imaging.dicom.frame_task import FrameTask, alone, cut, fragments_by_frame, native_cells
from core.imaging.dicom.frames import Frame
from core.imaging.dicom.headers import NATIVE, FileReader, deflated_body
from core.imaging.dicom.overlays import Overlay, overlays_of
from core.imaging.dicom.pixels import (
    Lookup,
    clear_unused_bits,
    finish,
    is_direct,
    modality_lut_of,
    padding_of,
    palette_of,
    voxel_type,
)
from core.imaging.dicom.walk import UNDEFINED, PixelElement
from core.imaging.inflation import Source
from core.imaging.loading import (
    SLOW_READ,
    allocate,
    check_frame,
    outward,
    read_each,
    single_slice,
)
from core.imaging.volume import Cancelled, Looks, SeriesSummary, Volume

Array = NDArray[np.generic]


def _bytes_of(frame: Frame) -> tuple[int, int, int]:
    """Where a frame's native bytes begin and end in the pixel data, and its first bit."""
    layout = frame.format
    first = layout.frame_bits * (frame.number if frame.tile is None else 0)
    return first // 8, -(-(first + layout.frame_bits) // 8), first % 8


class DicomSeries:
    """One stack of DICOM frames."""

    def __init__(self, stack: DicomStack) -> None:
        self._summary = stack.summary
        self._frames = stack.frames
        self._per_file: dict[Path, list[tuple[Fragment, ...]]] = {}
        self._streams: dict[str, Source] = {}

    @property
    def summary(self) -> SeriesSummary:
        """What the headers say."""
        return self._summary

    @property
    def files(self) -> tuple[Path, ...]:
        """The file behind each slice."""
        return tuple(frame.header.path for frame in self._frames)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The frame behind each slice."""
        return self._frames

    @property
    def is_compressed(self) -> bool:
        """Whether any frame needs a decoder process."""
        return any(map(_needs_decoder, self._frames))

    @cached_property
    def _scale(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        pairs = np.array([rescale(frame.header) for frame in self._frames], float)
        return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])

    @cached_property
    def _padding(self) -> tuple[float, float] | None:
        """The padding that all slices state alike, or None."""
        found = {padding_of(frame.header, frame.format) for frame in self._frames}
        return found.pop() if len(found) == 1 else None

    @cached_property
    def _dtype(self) -> np.dtype[np.generic]:
        return np.result_type(*{_type(frame) for frame in self._frames})

    def _slice_shape(self) -> tuple[int, ...]:
        rows_columns = self._frames[0].shape
        return (*rows_columns, 3) if self._frames[0].format.is_colour else rows_columns

    def load(
        self,
        *,
        first: int | None = None,
        on_slice: Callable[[Volume, int], None] | None = None,
        cancelled: Cancelled | None = None,
        looks: Looks | None = None,
    ) -> Volume:
        """Read all voxels, from slice `first` (default: the middle) outwards; see Series.

        Of files whose frames share one compressed stream, `looks` is not asked: it is inflated
        from its beginning.
        """
        frames = self._frames
        self._check_codecs()
        self._streams.clear()
        # Tasks first: they refuse a header that lies before anything is allocated.
        tasks = {
            index: self._task(frame) for index, frame in enumerate(frames) if _needs_decoder(frame)
        }
        voxels = allocate(self._summary.path, (len(frames), *self._slice_shape()), self._dtype)
        volume = Volume(self._summary, voxels, *self._scale, self._padding)

        def done(index: int) -> None:
            if on_slice is not None:
                on_slice(volume, index)

        order = list(outward(len(frames), first))
        sources = _Sources()

        def read(index: int) -> None:
            self._read_native(sources.mine(), frames[index], voxels[index])

        try:
            native = [index for index in order if index not in tasks]
            read_each(native, read, done, cancelled, SLOW_READ, looks)
        finally:
            sources.close()
        if tasks:
            jobs = self._jobs(tasks, order)
            looks = None if self._share_streams(tasks) else looks
            decode_all(jobs, lambda index: voxels[index], done, cancelled, looks)
        return volume

    def _share_streams(self, indices: Iterable[int]) -> bool:
        """Whether some of these frames lie in one compressed stream with others."""
        return bool(self._streams) and any(self._frames[index].frames > 1 for index in indices)

    def _jobs(self, tasks: dict[int, FrameTask], order: list[int]) -> list[Job]:
        frames = self._frames
        order = [index for index in order if index in tasks]
        if self._share_streams(order):
            # Frames that share a stream come in its order: it is inflated once.
            order.sort(key=lambda index: (frames[index].header.file, frames[index].number))
        last = len(order) - processes()  # behind them, cores fall idle
        return [
            Job(
                index,
                frames[index].header.file,
                tasks[index] if place < last else alone(tasks[index]),
            )
            for place, index in enumerate(order)
        ]

    def read_slice(self, index: int) -> Volume:
        """Read one slice alone, as a volume of one slice."""
        frame = self._frames[index]
        self._check_codecs()
        if _needs_decoder(frame):
            voxels = decode_one(frame.header.path, alone(self._task(frame)))
        else:
            voxels = allocate(frame.header.path, self._slice_shape(), _type(frame))
            source = _Source()
            try:
                self._read_native(source, frame, voxels)
            finally:
                source.close()
        padding = padding_of(frame.header, frame.format)
        return single_slice(self._summary, index, voxels, *rescale(frame.header), padding)

    def overlays(self, index: int) -> tuple[Overlay, ...]:
        """The overlay planes of one slice: drawings that are no part of its voxels.

        Raises UnreadableImageError.
        """
        return overlays_of(self._frames[index])

    def _check_codecs(self) -> None:
        for frame in self._frames:
            syntax = frame.header.transfer_syntax
            if syntax not in NATIVE and syntax not in codecs.DECODABLE:
                raise MissingCodecError(frame.header.path, codecs.syntax_name(syntax))

    # ---- compressed

    def _task(self, frame: Frame) -> FrameTask:
        lookup = _lookup(frame)
        layout = frame.format
        # The decoder holds the whole frame, even where one tile of it is wanted.
        check_frame(
            frame.header.file, layout.rows, layout.columns, layout.samples * layout.allocated // 8
        )
        return FrameTask(
            path=frame.header.file,
            syntax=frame.header.transfer_syntax,
            layout=layout,
            fragments=() if frame.header.is_deflated else self._fragments(frame),
            lookup=(lookup.first, lookup.table.tobytes(), lookup.table.ndim == 2)
            if lookup
            else None,
            tile=frame.tile,
            dtype=_type(frame).str,
            shape=self._slice_shape(),
            stretch=self._stretch(frame) if frame.header.is_deflated else None,
        )

    def _stretch(self, frame: Frame) -> tuple[Source, int, int, int]:
        header = frame.header
        if header.file not in self._streams:
            try:
                with FileReader(header.file) as file:
                    body = deflated_body(file)
            except OSError as error:
                raise UnreadableImageError(header.path, _why(error)) from error
            self._streams[header.file] = Source.of(header.file, body, "deflate")
        begin, end, first_bit = _bytes_of(frame)
        offset = _pixels(frame).offset
        return self._streams[header.file], offset + begin, offset + end, first_bit

    def _fragments(self, frame: Frame) -> tuple[Fragment, ...]:
        header = frame.header
        if frame.frames == 1 or frame.tile is not None:
            return header.fragments
        if header.path not in self._per_file:
            self._per_file[header.path] = fragments_by_frame(header, frame.frames)
        return self._per_file[header.path][frame.number]

    # ---- native

    def _read_native(self, source: _Source, frame: Frame, target: Array) -> None:
        header, layout = frame.header, frame.format
        try:
            if frame.tile is None and is_direct(layout) and not _needs_work(frame):
                self._read_direct(source, frame, target)
                return
            raw, first_bit = source.frame_bytes(frame)
            array = native_cells(raw, first_bit, layout, header.encoding.big_endian)
            if layout.is_packed:
                layout = layout.unpacked
            voxels = finish(array, layout, layout.photometric, _lookup(frame))
            target[...] = cut(voxels, frame.tile)
        except (OSError, ValueError) as error:
            raise UnreadableImageError(header.path, _why(error)) from error

    def _read_direct(self, source: _Source, frame: Frame, target: Array) -> None:
        """Read native bytes to where they stay."""
        layout = frame.format
        own = target
        if target.dtype != voxel_type(layout) or not target.flags.c_contiguous:
            own = np.empty(target.shape, voxel_type(layout))
        size = own.nbytes
        file = source.open(frame.header.file)
        offset = _pixels(frame).offset + frame.number * size
        if file.read_into(offset, own.reshape(-1).view(np.uint8).data) < size:
            raise ValueError("the file ends before its pixel data are complete")
        if frame.header.encoding.big_endian:
            own.byteswap(inplace=True)
        clear_unused_bits(own, layout)
        if own is not target:
            target[...] = own


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or "it cannot be read").lower()
    return str(error)


def _pixels(frame: Frame) -> PixelElement:
    """Where a frame's file keeps its pixels; `frames_of` made sure that it has some."""
    pixels = frame.header.pixels
    if pixels is None or pixels.length == UNDEFINED:
        raise ValueError("it holds no native pixel data")
    return pixels


def _swaps_bytes(frame: Frame) -> bool:
    """Whether pixels were written as big-endian words that are not theirs: bytes stand reversed."""
    if not frame.header.encoding.big_endian:
        return False
    return frame.format.is_packed or (frame.format.allocated == 8 and _pixels(frame).vr == b"OW")


def _needs_work(frame: Frame) -> bool:
    return _swaps_bytes(frame) or tags.ModalityLUTSequence in frame.header.raw


def _needs_decoder(frame: Frame) -> bool:
    """Whether C code has to parse the frame's bytes."""
    return frame.header.transfer_syntax not in NATIVE or frame.header.is_deflated


def _lookup(frame: Frame) -> Lookup | None:
    if frame.format.photometric == "PALETTE COLOR":
        return palette_of(frame.header)
    return None if frame.format.is_colour else modality_lut_of(frame.header)


def _type(frame: Frame) -> np.dtype[np.generic]:
    """The type of a frame's voxels: the stored one, or that of its Modality LUT."""
    if not frame.format.is_colour and modality_lut_of(frame.header) is not None:
        return np.dtype(np.uint16)
    return voxel_type(frame.format)


class _Source:
    """The file being read now: frames of one file come one after the other."""

    def __init__(self) -> None:
        self._path = ""
        self._file: FileReader | None = None

    def open(self, path: str) -> FileReader:
        if self._path != path or self._file is None:
            self.close()
            self._file = FileReader(path)
            self._path = path
        return self._file

    def frame_bytes(self, frame: Frame) -> tuple[bytes, int]:
        """Native bytes of a frame, and the bit at which it begins (one-bit pixels only)."""
        begin, end, first_bit = _bytes_of(frame)
        if _swaps_bytes(frame):
            words = self._bytes(frame, begin // 2 * 2, -(-end // 2) * 2)
            swapped = np.frombuffer(words, ">u2").astype("<u2").tobytes()
            return swapped[begin % 2 : begin % 2 + end - begin], first_bit
        return self._bytes(frame, begin, end), first_bit

    def _bytes(self, frame: Frame, begin: int, end: int) -> bytes:
        header, pixels = frame.header, _pixels(frame)
        file = self.open(header.file)
        raw = file.read(pixels.offset + begin, end - begin)
        if len(raw) < end - begin:
            raise ValueError("the file ends before its pixel data are complete")
        return raw

    def close(self) -> None:
        if self._file is not None:
            self._file.__exit__()
        self._file = None
        self._path = ""


class _Sources:
    """One source a thread."""

    def __init__(self) -> None:
        self._known: dict[int, _Source] = {}

    def mine(self) -> _Source:
        """The source of the thread that asks."""
        return self._known.setdefault(threading.get_ident(), _Source())

    def close(self) -> None:
        for source in self._known.values():
            source.close()
