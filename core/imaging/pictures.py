"""Pictures (PNG, JPEG, TIFF, WebP, GIF, BMP): single ones, numbered stacks, multi-page files."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import CancelledError, CoreError, UnreadableImageError
from core.imaging.decoding import Job, decode_all, decode_one
from core.imaging.geometry import Geometry
from core.imaging.intensity import Quantity, Window, WindowFunction
from core.imaging.loading import allocate, check_frame, outward, single_slice
from core.imaging.picture_codecs import GreyProbe, PictureTask, plain_tiff, to_voxels
from core.imaging.picture_headers import Picture, read_pictures
from core.imaging.volume import Cancelled, ImageWarning, Looks, SeriesSummary, Skipped, Volume

_NAMES = {
    "png": "PNG",
    "jpeg": "JPEG",
    "tiff": "TIFF",
    "webp": "WebP",
    "gif": "GIF",
    "bmp": "BMP",
}
_PROBES_A_TASK = 24


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which “slice 2” comes before “slice 10”."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part.casefold())
        for part in re.split(r"(\d+)", text)
        if part
    )


def fingerprint(path: Path) -> str:
    """A short hash of a file's content that stays when it is moved or renamed.

    Whole files up to 1 MB; of larger ones the size and three pieces.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        if size <= 1 << 20:
            digest.update(stream.read())
        else:
            for offset in (0, size // 2, size - (1 << 18)):
                stream.seek(offset)
                digest.update(stream.read(1 << 18))
    return digest.hexdigest()[:24]


@dataclass(frozen=True)
class _Numbered:
    """A picture file: the stack that its name puts it into, and its number there."""

    path: Path
    pictures: tuple[Picture, ...]
    stem: str
    number: int | None


def _numbered(path: Path, pictures: Sequence[Picture]) -> _Numbered:
    match = re.fullmatch(r"(.*?)(\d+)(\D*)", path.stem)
    if match is None:
        return _Numbered(path, tuple(pictures), path.stem, None)
    prefix, number, rest = match.groups()
    return _Numbered(path, tuple(pictures), f"{prefix}#{rest}", int(number))


def find_pictures(paths: Iterable[Path]) -> tuple[list[PictureStack], list[Skipped]]:
    """Group picture files into stacks: by folder, name before the last number, size, kind."""
    skipped: list[Skipped] = []
    groups: dict[tuple[object, ...], list[_Numbered]] = defaultdict(list)
    for path in paths:
        try:
            pictures = read_pictures(path)
        except CoreError as error:
            skipped.append(Skipped(path, getattr(error, "reason", str(error))))
            continue
        one = _numbered(path, pictures)
        first = pictures[0]
        key: tuple[object, ...] = (path.parent, one.stem, first.shape, first.samples, first.dtype)
        if len(pictures) > 1:
            key = (path,)  # a multi-page file is a stack of its own
        groups[key].append(one)
    stacks: list[tuple[list[Picture], str, list[int | None]]] = []
    for members in groups.values():
        members.sort(key=lambda one: natural_key(one.path.name))
        if len(members) == 1 and len(members[0].pictures) > 1:
            stacks += _pages(members[0])
            continue
        pages = [one.pictures[0] for one in members]
        name = members[0].stem.replace("#", "") if len(members) > 1 else members[0].path.stem
        stacks.append((pages, name.strip(" _-."), [one.number for one in members]))
    stacks.sort(key=lambda stack: natural_key(str(stack[0][0].path)))
    grey = _grey_stacks([pages for pages, _, _ in stacks])
    namesakes = Counter((pages[0].path.parent, name) for pages, name, _ in stacks)
    found: list[PictureStack] = []
    for (pages, name, numbers), is_grey in zip(stacks, grey, strict=True):
        path = pages[0].path
        told = path.stem if namesakes[path.parent, name] > 1 else name
        try:
            found.append(PictureStack(pages, told or "pictures", numbers, is_grey))
        except OSError as error:
            skipped.append(Skipped(pages[0].path, (error.strerror or "unreadable").lower()))
    return found, skipped


def _pages(one: _Numbered) -> list[tuple[list[Picture], str, list[int | None]]]:
    """Pages of a multi-page TIFF, split where size or kind changes."""
    groups: dict[tuple[object, ...], list[Picture]] = defaultdict(list)
    for page in one.pictures:
        groups[(page.shape, page.samples, page.dtype[1:])].append(page)
    return [(pages, one.path.stem, [None] * len(pages)) for pages in groups.values()]


def _grey_stacks(stacks: list[list[Picture]]) -> list[bool]:
    """Whether each stack is grey; colour files whose channels are equal are."""
    asked: list[Picture] = []
    owner: list[int] = []
    for i, pages in enumerate(stacks):
        if pages[0].may_be_grey:
            for page in dict.fromkeys((pages[0], pages[len(pages) // 2], pages[-1])):
                asked.append(page)
                owner.append(i)
    grey = [not pages[0].may_be_grey for pages in stacks]
    if not asked:
        return grey
    answers = np.zeros(len(asked), np.uint8)
    starts = range(0, len(asked), _PROBES_A_TASK)
    jobs = [
        Job(begin, str(asked[begin].path), GreyProbe(tuple(asked[begin : begin + _PROBES_A_TASK])))
        for begin in starts
        if _fits(asked[begin : begin + _PROBES_A_TASK])
    ]

    def ask(job: Job) -> None:
        size = job.task.shape[0]
        try:
            answers[job.index : job.index + size] = decode_one(job.path, job.task)
        except CoreError:
            answers[job.index : job.index + size] = 0  # in doubt, in colour

    with ThreadPoolExecutor(os.cpu_count() or 1) as executor:
        list(executor.map(ask, jobs))
    for i in set(owner):
        mine = [int(answers[k]) for k, one in enumerate(owner) if one == i]
        grey[i] = all(answer != 0 for answer in mine) and 1 in mine
    return grey


def _fits(pictures: list[Picture]) -> bool:
    return all(p.rows * p.columns * p.samples <= 1 << 28 for p in pictures)


class PictureStack:
    """Pictures of one size, in natural order. No patient, no millimetres unless stated."""

    def __init__(
        self, pages: Sequence[Picture], name: str, numbers: Sequence[int | None], is_grey: bool
    ) -> None:
        self._pages = tuple(pages)
        self._grey = is_grey
        first = self._pages[0]
        self._dtype = np.dtype(first.dtype).newbyteorder("=") if is_grey else np.dtype(np.uint8)
        if self._dtype == np.dtype(bool):
            self._dtype = np.dtype(np.uint8)
        if first.is_palette:
            self._dtype = np.dtype(np.uint8)
        shape = (len(self._pages), *first.shape)
        ids, key = _identities(self._pages)
        if not is_grey:
            quantity = Quantity.COLOUR
        elif self._dtype == np.dtype(np.uint8):
            quantity = Quantity.GREY
        else:
            quantity = Quantity.SIGNAL
        warnings: list[ImageWarning] = []
        geometry = _geometry(shape, first)
        if not geometry.has_spacing:
            warnings.append(
                ImageWarning(
                    "no-spacing",
                    "Pictures state no pixel spacing: lengths are in pixels, not millimetres.",
                )
            )
        if is_grey:
            warnings += _gaps(numbers)
        full = Window(127.5, 255.0, "Full range", WindowFunction.LINEAR_EXACT)
        self._summary = SeriesSummary(
            uid=f"file-{key}",
            case_id=f"picture-{key}",
            modality="",
            description=name,
            geometry=geometry,
            quantity=quantity,
            transfer_syntax=_NAMES[first.kind],
            slice_ids=ids,
            warnings=tuple(warnings),
            windows=(full,) if quantity is Quantity.GREY else (),
            is_volume=is_grey and len(self._pages) > 1,
            path=first.path if len({p.path for p in self._pages}) == 1 else first.path.parent,
        )

    @property
    def summary(self) -> SeriesSummary:
        """What the headers say."""
        return self._summary

    @property
    def pages(self) -> tuple[Picture, ...]:
        """What the file behind each slice says of it."""
        return self._pages

    @property
    def files(self) -> tuple[Path, ...]:
        """The file behind each slice."""
        return tuple(page.path for page in self._pages)

    def load(
        self,
        *,
        first: int | None = None,
        on_slice: Callable[[Volume, int], None] | None = None,
        cancelled: Cancelled | None = None,
        looks: Looks | None = None,
    ) -> Volume:
        """Read all voxels, from slice `first` (default: the middle) outwards; see Series."""
        count = len(self._pages)
        tasks = {i: self._task(page) for i, page in enumerate(self._pages) if not page.strips}
        slice_shape = self._pages[0].shape if self._grey else (*self._pages[0].shape, 3)
        voxels = allocate(self._summary.path, (count, *slice_shape), self._dtype)
        volume = Volume(self._summary, voxels, np.ones(count), np.zeros(count))

        def done(index: int) -> None:
            if on_slice is not None:
                on_slice(volume, index)

        jobs: list[Job] = []
        for index in outward(count, first):
            page = self._pages[index]
            if index in tasks:
                jobs.append(Job(index, str(page.path), tasks[index]))
                continue
            if cancelled is not None and cancelled():
                raise CancelledError("loading")
            voxels[index] = self._plain(page)
            done(index)
        if jobs:
            decode_all(jobs, lambda index: voxels[index], done, cancelled, looks)
        return volume

    def read_slice(self, index: int) -> Volume:
        """Read one slice alone, as a volume of one slice."""
        page = self._pages[index]
        voxels = self._plain(page) if page.strips else decode_one(page.path, self._task(page))
        return single_slice(self._summary, index, voxels, 1.0, 0.0)

    def _task(self, page: Picture) -> PictureTask:
        check_frame(str(page.path), page.rows, page.columns, page.samples * self._dtype.itemsize)
        return PictureTask(page, self._grey, self._dtype.str)

    def _plain(self, page: Picture) -> NDArray[np.generic]:
        try:
            voxels = to_voxels(plain_tiff(page), page, self._grey)
        except ValueError as error:
            raise UnreadableImageError(page.path, str(error)) from error
        except OSError as error:
            raise UnreadableImageError(
                page.path, (error.strerror or "unreadable").lower()
            ) from error
        return np.ascontiguousarray(voxels.astype(self._dtype, copy=False))


def _geometry(shape: tuple[int, int, int], first: Picture) -> Geometry:
    if first.spacing is None:
        return Geometry.unknown(shape)
    between, down, across = first.spacing
    affine = np.zeros((4, 4))
    affine[0, 2], affine[1, 1], affine[2, 0], affine[3, 3] = across, down, between, 1.0
    return Geometry(shape, affine, has_orientation=False)


def _identities(pages: Sequence[Picture]) -> tuple[tuple[str, ...], str]:
    """One identifier a slice, and one for the stack, from the files' contents."""
    marks: dict[Path, str] = {}
    ids: list[str] = []
    seen: dict[str, int] = {}
    many = len({page.path for page in pages}) < len(pages)
    for number, page in enumerate(pages):
        if page.path not in marks:
            marks[page.path] = fingerprint(page.path)
        name = f"{marks[page.path]}#{number + 1}" if many else marks[page.path]
        seen[name] = seen.get(name, 0) + 1
        ids.append(name if seen[name] == 1 else f"{name}~{seen[name]}")
    shape = "x".join(map(str, pages[0].shape))
    key = hashlib.sha256("|".join([shape, *sorted(ids)]).encode()).hexdigest()[:24]
    return tuple(ids), key


def _gaps(numbers: Sequence[int | None]) -> list[ImageWarning]:
    """A warning where the numbers of a stack's file names skip some."""
    known = [number for number in numbers if number is not None]
    if len(known) != len(numbers) or len(known) < 3:
        return []
    steps = np.diff(known)
    usual = int(np.median(steps))
    if usual < 1:
        return []
    gaps = np.flatnonzero((steps > usual) & (steps % usual == 0))
    if not len(gaps) or len(gaps) * 3 > len(steps):
        return []
    lost = int((steps[gaps] // usual - 1).sum())
    return [
        ImageWarning(
            "missing-slices",
            f"The file names skip {lost} {'number' if lost == 1 else 'numbers'}, first after "
            f"slice {int(gaps[0]) + 1}: slices may be missing.",
            tuple(int(i) for i in gaps),
        )
    ]
