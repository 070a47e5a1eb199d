"""A piece of a series: frames that can be stacked, and what sets them apart from the rest."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.imaging.dicom import tags
from core.imaging.dicom.frames import Frame
from core.imaging.dicom.values import words
from core.imaging.volume import ImageWarning

_LOCALISERS = frozenset({"LOCALIZER", "SCOUT", "TOPOGRAM", "REF_SURVIEW"})


@dataclass
class Part:
    """Frames that can be stacked, with what sets them apart from the rest of their series.

    marks: stable pieces of an identifier, such as "echo-2"; words: the same for a person.
    """

    frames: list[Frame]
    marks: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    warnings: list[ImageWarning] = field(default_factory=list)


def is_localiser(frame: Frame) -> bool:
    """Whether the image says of itself that it is a localiser (scout, topogram)."""
    return says_localiser(frame.header.raw.get(tags.ImageType, b""))


def says_localiser(image_type: bytes) -> bool:
    """The same of an Image Type value."""
    return not _LOCALISERS.isdisjoint(words(image_type))
