"""Several frames at one position: echoes, phases, b-values, acquisitions, told apart.

Splits by the first attribute that explains the repeats, else by rank.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

from core.imaging.dicom import tags
from core.imaging.dicom.frames import Frame
from core.imaging.dicom.part import Part, is_localiser
from core.imaging.dicom.stacking import SAME_PLACE_MM, depths
from core.imaging.dicom.values import double_values, integer_value, plain_text
from core.imaging.volume import ImageWarning


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


def _double_key(tag: int) -> Callable[[Frame], Hashable]:
    def key(frame: Frame) -> Hashable:
        raw = frame.header.raw.get(tag)
        if raw is None:
            return None
        values = double_values(raw, frame.header.encoding.big_endian)
        return round(values[0], 3) if values else None

    return key


def _index_key(tag: int) -> Callable[[Frame], Hashable]:
    """An unsigned 32-bit value."""

    def key(frame: Frame) -> Hashable:
        raw = frame.header.raw.get(tag, b"")
        if len(raw) < 4:
            return None
        return int.from_bytes(raw[:4], "big" if frame.header.encoding.big_endian else "little")

    return key


_KEYS: tuple[tuple[str, str, Callable[[Frame], Hashable]], ...] = (
    ("patient", "another patient", _text_key(tags.PatientID)),
    ("echo", "echo", _text_key(tags.EchoNumbers)),
    ("te", "echo time", _echo_time),
    ("b", "b", _b_value),
    ("direction", "direction", _direction),
    ("phase", "phase", _text_key(tags.TemporalPositionIdentifier)),
    ("time", "phase", _index_key(tags.TemporalPositionIndex)),
    ("offset", "phase at", _double_key(tags.TemporalPositionTimeOffset)),
    ("delay", "trigger delay", _double_key(tags.NominalCardiacTriggerDelayTime)),
    ("part", "", _text_key(tags.ComplexImageComponent)),
    ("type", "", _text_key(tags.ImageType)),
    ("frametype", "", _text_key(tags.FrameType)),
    ("stack", "stack", _text_key(tags.StackID)),
    ("ti", "inversion time", _text_key(tags.InversionTime)),
    ("tis", "inversion time", _double_key(tags.InversionTimes)),
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
    along = depths(frames)
    if along is None:
        return None
    order = sorted(range(len(frames)), key=along.__getitem__)
    places: list[list[Frame]] = []
    before = -1e30
    for i in order:
        value = along[i]
        if value - before > SAME_PLACE_MM:
            places.append([])
            before = value
        places[-1].append(frames[i])
    return places


def by_repeats(part: Part) -> list[Part]:
    """Split frames that stand several at one position by what tells them apart."""
    first = part.frames[0]
    if len(part.frames) < 2 or first.format.is_colour or is_localiser(first):
        return [part]  # no volumes: nothing is mixed by keeping them together
    places = _places(part.frames)
    if places is None:
        return [part]
    if len(places) == len(part.frames):
        return _by_near_places(part, [place[0] for place in places])
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
            result += by_repeats(piece)
        return result
    return _by_rank(part, places)


def _by_near_places(part: Part, frames: list[Frame]) -> list[Part]:
    """Two acquisitions through one another: even alone, uneven together, over the same range.

    frames: in their order along the normal. Positions do not repeat exactly here, as when the
    table came back a tenth of a millimetre off.
    """
    along = depths(frames)
    if along is None or len(along) < 4 or _is_even(along):
        return [part]
    for name, word, key in _KEYS:
        groups: dict[Hashable, list[float]] = defaultdict(list)
        members: dict[Hashable, list[Frame]] = defaultdict(list)
        for frame, where in zip(frames, along, strict=True):
            value = key(frame)
            groups[value].append(where)
            members[value].append(frame)
        if len(groups) < 2 or min(map(len, groups.values())) < 2:
            continue
        shared = min(g[-1] for g in groups.values()) - max(g[0] for g in groups.values())
        longest = max(g[-1] - g[0] for g in groups.values())
        if shared < 0.5 * longest or not all(map(_is_even, groups.values())):
            continue
        return [
            Part(
                members[value],
                (*part.marks, f"{name}-{_shown(value)}"),
                (*part.words, f"{word} {_shown(value)}".strip()),
                list(part.warnings),
            )
            for value in sorted(members, key=_order)
        ]
    return [part]


def _is_even(along: Sequence[float]) -> bool:
    gaps = [b - a for a, b in itertools.pairwise(along)]
    return max(gaps) - min(gaps) <= max(0.1 * max(gaps), 0.02)


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
