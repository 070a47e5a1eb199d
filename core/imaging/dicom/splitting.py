"""Which frames belong into one stack: a series is split wherever stacking would mix.

First by what cannot share a grid (size, kind of pixels, orientation, spacing, patient), then,
where several frames stand at one position, by the attribute that tells them apart: echo,
b-value, phase, acquisition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

from core.imaging.dicom import tags
from core.imaging.dicom.frames import Frame
from core.imaging.dicom.part import Part, is_localiser
from core.imaging.dicom.repeats import by_repeats
from core.imaging.volume import ImageWarning

_SAME_DIRECTION = 0.01
"""Largest difference of direction cosines within one orientation (0.6°)."""


def split(frames: Sequence[Frame]) -> list[Part]:
    """Split the frames of one Series Instance UID into stackable parts, in a stable order."""
    parts = [Part(list(frames))]
    if _uniform(frames):
        return by_repeats(parts[0])
    parts = _by(parts, _size, _size_words, "mixed-size", "images of different sizes")
    parts = _by(parts, _pixel_kind, _kind_words, "mixed-kind", "grey and colour images")
    parts = _by(parts, _is_localiser, _localiser_words, None, "")
    parts = _by_orientation(parts)
    parts = _by(parts, _spacing, _spacing_words, "mixed-spacing", "images of different pixel size")
    return [piece for part in parts for piece in by_repeats(part)]


def _uniform(frames: Sequence[Frame]) -> bool:
    """Whether all frames share what the splits below look at: the usual case, told quickly."""
    first = frames[0]
    kind = first.header.raw.get(tags.ImageType)
    return all(
        frame.format is first.format
        and frame.orientation is first.orientation
        and frame.spacing == first.spacing
        and frame.header.raw.get(tags.ImageType) == kind
        and frame.tile is None
        for frame in frames
    )


def _is_localiser(frame: Frame) -> Hashable:
    return is_localiser(frame)


def _localiser_words(key: Hashable) -> tuple[str, str]:
    return ("localiser", "localiser") if key else ("images", "")


def _size(frame: Frame) -> Hashable:
    return frame.shape


def _size_words(key: Hashable) -> tuple[str, str]:
    rows, columns = key if isinstance(key, tuple) else (0, 0)
    return f"{rows}x{columns}", f"{rows} × {columns}"


def _pixel_kind(frame: Frame) -> Hashable:
    return frame.format.is_colour


def _kind_words(key: Hashable) -> tuple[str, str]:
    return ("colour", "colour") if key else ("grey", "grey")


def _spacing(frame: Frame) -> Hashable:
    if frame.spacing is None:
        return None
    return tuple(float(f"{value:.3g}") for value in frame.spacing)


def _spacing_words(key: Hashable) -> tuple[str, str]:
    if not isinstance(key, tuple):
        return "spacing-none", "no pixel spacing"
    return f"spacing-{key[0]:g}", f"{key[0]:g} mm pixels"


def _by(
    parts: list[Part],
    key: Callable[[Frame], Hashable],
    words: Callable[[Hashable], tuple[str, str]],
    code: str | None,
    what: str,
) -> list[Part]:
    result: list[Part] = []
    for part in parts:
        groups: dict[Hashable, list[Frame]] = defaultdict(list)
        for frame in part.frames:
            groups[key(frame)].append(frame)
        if len(groups) == 1:
            result.append(part)
            continue
        for value in sorted(groups, key=lambda value: (-len(groups[value]), repr(value))):
            mark, word = words(value)
            result.append(_piece(part, groups[value], mark, word, code, what, len(groups)))
    return result


def _piece(
    part: Part, frames: list[Frame], mark: str, word: str, code: str | None, what: str, of: int
) -> Part:
    warnings = list(part.warnings)
    if code is not None:
        warnings.append(
            ImageWarning(
                code,
                f"The series mixes {what}: it is shown as {of} stacks, this one has "
                f"{len(frames)} of {len(part.frames)} images.",
            )
        )
    return Part(frames, (*part.marks, mark), (*part.words, word) if word else part.words, warnings)


def _by_orientation(parts: list[Part]) -> list[Part]:
    result: list[Part] = []
    for part in parts:
        groups: list[tuple[tuple[float, ...] | None, list[Frame]]] = []
        for frame in part.frames:
            for known, members in groups:
                if known is frame.orientation or _same(known, frame.orientation):
                    members.append(frame)
                    break
            else:
                groups.append((frame.orientation, [frame]))
        if len(groups) == 1:
            result.append(part)
            continue
        groups.sort(key=lambda g: (-len(g[1]), repr(g[0])))
        for known, members in groups:
            mark, word = _orientation_words(known)
            same = sum(1 for other, _ in groups if _orientation_words(other)[0] == mark)
            if same > 1 and known is not None:
                mark += "-" + "_".join(f"{round(v * 50)}" for v in known)
            result.append(
                _piece(
                    part,
                    members,
                    mark,
                    word,
                    "mixed-orientation",
                    "images of different orientation",
                    len(groups),
                )
            )
    return result


def _same(a: tuple[float, ...] | None, b: tuple[float, ...] | None) -> bool:
    if a is None or b is None:
        return False
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) <= _SAME_DIRECTION


def _orientation_words(orientation: tuple[float, ...] | None) -> tuple[str, str]:
    if orientation is None:
        return "unplaced", "without position"
    row, column = orientation[:3], orientation[3:]
    normal = (
        abs(row[1] * column[2] - row[2] * column[1]),
        abs(row[2] * column[0] - row[0] * column[2]),
        abs(row[0] * column[1] - row[1] * column[0]),
    )
    name = ("sagittal", "coronal", "axial")[normal.index(max(normal))]
    return name, name
