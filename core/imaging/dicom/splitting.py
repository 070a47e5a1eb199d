"""Which frames belong into one stack: a series is split wherever stacking would mix.

First by what cannot share a grid (size, kind of pixels, orientation, spacing, patient), then,
where several frames stand at one position, by the attribute that tells them apart: echo,
b-value, phase, acquisition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from core.imaging.dicom import tags
from core.imaging.dicom.frames import Frame
from core.imaging.dicom.headers import double_values, integer_value, plain_text
from core.imaging.dicom.stacking import SAME_PLACE_MM, depth
from core.imaging.volume import ImageWarning

_SAME_DIRECTION = 0.01
"""Largest difference of direction cosines within one orientation (0.6°)."""


@dataclass
class Part:
    """Frames that can be stacked, with what sets them apart from the rest of their series.

    marks: stable pieces of an identifier, such as "echo-2"; words: the same for a person.
    """

    frames: list[Frame]
    marks: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    warnings: list[ImageWarning] = field(default_factory=list)


def split(frames: Sequence[Frame]) -> list[Part]:
    """Split the frames of one Series Instance UID into stackable parts, in a stable order."""
    parts = [Part(list(frames))]
    if _uniform(frames):
        return _by_repeats(parts[0])
    parts = _by(parts, _size, _size_words, "mixed-size", "images of different sizes")
    parts = _by(parts, _pixel_kind, _kind_words, "mixed-kind", "grey and colour images")
    parts = _by(parts, _is_localiser, _localiser_words, None, "")
    parts = _by_orientation(parts)
    parts = _by(parts, _spacing, _spacing_words, "mixed-spacing", "images of different pixel size")
    return [piece for part in parts for piece in _by_repeats(part)]


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


def is_localiser(frame: Frame) -> bool:
    """Whether the image says of itself that it is a localiser (scout, topogram)."""
    kinds = frame.header.text(tags.ImageType).upper().split("\\")
    return any(kind in ("LOCALIZER", "SCOUT", "TOPOGRAM", "REF_SURVIEW") for kind in kinds)


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


# ---------------------------------------------------------------- repeated positions


def _text_key(tag: int) -> Callable[[Frame], Hashable]:
    def key(frame: Frame) -> Hashable:
        return frame.header.raw.get(tag, b"").strip(b" \0")

    return key


def _b_value(frame: Frame) -> Hashable:
    raw = frame.header.raw
    if tags.DiffusionBValue in raw:
        values = double_values(raw[tags.DiffusionBValue], frame.header.encoding.big_endian)
        return round(values[0]) if values else None
    if tags.SiemensBValue in raw:
        return integer_value(raw[tags.SiemensBValue])
    if tags.GEBValue in raw:
        value = integer_value(raw[tags.GEBValue])
        return None if value is None else value % 100_000
    return None


def _direction(frame: Frame) -> Hashable:
    raw = frame.header.raw
    found = raw.get(tags.DiffusionGradientOrientation) or raw.get(tags.SiemensGradientDirection)
    if found is None:
        return None
    return tuple(round(v, 3) for v in double_values(found, frame.header.encoding.big_endian))


def _echo_time(frame: Frame) -> Hashable:
    raw = frame.header.raw
    if tags.EffectiveEchoTime in raw:
        values = double_values(raw[tags.EffectiveEchoTime], frame.header.encoding.big_endian)
        return round(values[0], 3) if values else None
    return frame.header.number(tags.EchoTime)


_KEYS: tuple[tuple[str, str, Callable[[Frame], Hashable]], ...] = (
    ("patient", "another patient", _text_key(tags.PatientID)),
    ("echo", "echo", _text_key(tags.EchoNumbers)),
    ("te", "echo time", _echo_time),
    ("b", "b", _b_value),
    ("direction", "direction", _direction),
    ("phase", "phase", _text_key(tags.TemporalPositionIdentifier)),
    ("time", "phase", _text_key(tags.TemporalPositionIndex)),
    ("type", "", _text_key(tags.ImageType)),
    ("frametype", "", _text_key(tags.FrameType)),
    ("stack", "stack", _text_key(tags.StackID)),
    ("ti", "inversion time", _text_key(tags.InversionTime)),
    ("fa", "flip angle", _text_key(tags.FlipAngle)),
    ("kernel", "kernel", _text_key(tags.ConvolutionKernel)),
    ("kvp", "kVp", _text_key(tags.KVP)),
    ("acquisition", "acquisition", _text_key(tags.AcquisitionNumber)),
    ("trigger", "trigger time", _text_key(tags.TriggerTime)),
    ("seriesnumber", "series number", _text_key(tags.SeriesNumber)),
    ("acquired", "acquired at", _text_key(tags.AcquisitionTime)),
    ("content", "content time", _text_key(tags.ContentTime)),
)
"""What may tell apart frames at one position, the most meaningful first."""


def _places(frames: Sequence[Frame]) -> list[list[Frame]] | None:
    """Frames by position along their normal, in order; None if any has no position."""
    depths = [depth(frame) for frame in frames]
    if any(value is None for value in depths):
        return None
    order = sorted(range(len(frames)), key=lambda i: depths[i] or 0.0)
    places: list[list[Frame]] = []
    before = -1e30
    for i in order:
        value = depths[i] or 0.0
        if value - before > SAME_PLACE_MM:
            places.append([])
            before = value
        places[-1].append(frames[i])
    return places


def _by_repeats(part: Part) -> list[Part]:
    first = part.frames[0]
    if len(part.frames) < 2 or first.format.is_colour or is_localiser(first):
        return [part]  # no volumes: nothing is mixed by keeping them together
    places = _places(part.frames)
    if places is None or len(places) == len(part.frames):
        return [part]
    most = max(len(place) for place in places)
    if len(places) == 1 and all(
        f.header is first.header or f.header.file == first.header.file for f in part.frames
    ):
        return [part]  # one file's frames at one place: a cine, kept together
    for name, word, key in _KEYS:
        groups: dict[Hashable, list[Frame]] = defaultdict(list)
        for frame in part.frames:
            groups[key(frame)].append(frame)
        if not 1 < len(groups) <= most:
            continue
        apart = any(len({key(f) for f in place}) > 1 for place in places if len(place) > 1)
        # Each group must be a stack of its own, or it is only a stray copy of one slice.
        least = 2 if len(places) > 2 else 1
        if not apart or min(map(len, groups.values())) < least:
            continue
        result: list[Part] = []
        for value in sorted(groups, key=_order):
            shown = _shown(value)
            mark = f"{name}-{shown}"
            said = f"{word} {shown}".strip() if name != "patient" else word
            piece = Part(
                groups[value], (*part.marks, mark), (*part.words, said), list(part.warnings)
            )
            result += _by_repeats(piece)
        return result
    return _by_rank(part, places)


def _order(value: Hashable) -> tuple[int, float, str]:
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, int | float):
        return (1, float(value), "")
    if isinstance(value, bytes):
        number = integer_value(value)
        return (2, float(number) if number is not None else 0.0, repr(value))
    return (3, 0.0, repr(value))


def _shown(value: Hashable) -> str:
    if isinstance(value, bytes):
        return plain_text(value).replace("\\", "/") or "none"
    if isinstance(value, tuple):
        return "/".join(f"{v:g}" for v in value) or "none"
    return "none" if value is None else f"{value}"


def _by_rank(part: Part, places: list[list[Frame]]) -> list[Part]:
    """Nothing tells the repeats apart: the n-th frame of each position goes into stack n."""
    most = max(len(place) for place in places)
    ranks: list[list[Frame]] = [[] for _ in range(most)]
    for place in places:
        place.sort(key=lambda f: (f.header.whole(tags.InstanceNumber) or 0, f.number, f.slice_id))
        for rank, frame in enumerate(place):
            ranks[rank].append(frame)
    repeated = tuple(i for i, place in enumerate(places) if len(place) > 1)
    complete = all(len(place) == most for place in places) and len(places) > 1
    result: list[Part] = []
    for number, frames in enumerate(ranks, 1):
        warnings = list(part.warnings)
        if not complete and number == 1:
            warnings.append(
                ImageWarning(
                    "duplicate-positions",
                    f"{len(part.frames) - len(places)} more images stand at positions that are "
                    "taken already: they are shown as a series of their own.",
                    repeated,
                )
            )
        mark = () if number == 1 and not complete else (f"volume-{number}",)
        word = (f"volume {number} of {most}",) if complete else (f"repeat {number}",)
        result.append(
            Part(
                frames,
                (*part.marks, *mark),
                (*part.words, *(word if mark else ())),
                warnings,
            )
        )
    return result
