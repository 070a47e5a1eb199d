"""Classes a reader can give, and the events by which they are given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


@dataclass(frozen=True)
class LabelClass:
    """One class of a label set.

    id: stable key, such as "hemorrhage" or "no_hemorrhage".
    names: language code → name; "en" always there.
    positive: True for a finding (shown red), False for its absence (shown green).
    colour: "#rrggbb".
    key: digit that sets the class together with Ctrl; 0 for none.
    """

    id: str
    names: dict[str, str]
    positive: bool
    colour: str
    key: int = 0

    def name(self, language: str = "en") -> str:
        """Name in a language, English where it is missing."""
        return self.names.get(language, self.names["en"])


@dataclass(frozen=True)
class LabelSet:
    """The classes among which a reader chooses; shipped in resources/labels/<id>.yaml."""

    id: str
    names: dict[str, str]
    classes: tuple[LabelClass, ...]

    def find(self, class_id: str) -> LabelClass:
        """The class of that id; KeyError if there is none."""
        for item in self.classes:
            if item.id == class_id:
                return item
        raise KeyError(class_id)

    @property
    def positive(self) -> LabelClass:
        """The first class that stands for a finding."""
        return next(item for item in self.classes if item.positive)


class Labelled(Protocol):
    """What of a series a label needs; core.imaging.volume.SeriesSummary has it."""

    @property
    def case_id(self) -> str:
        """Stable identifier under which labels are kept."""

    @property
    def patient_id(self) -> str:
        """As stated, or empty."""

    @property
    def slice_ids(self) -> tuple[str, ...]:
        """One stable identifier a slice."""


class Action(Enum):
    """What a label event does.

    LABEL and CLEAR state a class or take it away; MARK states the regions of a slice, NOTE its
    comment; ADJUDICATE states the class that settles a disagreement between readers. UNDO and
    REDO name one earlier statement of these and end it, or make it stand again.
    """

    LABEL = "label"
    CLEAR = "clear"
    MARK = "mark"
    NOTE = "note"
    ADJUDICATE = "adjudicate"
    UNDO = "undo"
    REDO = "redo"


class Attention(Enum):
    """What a region tells the model."""

    LOOK_HERE = "look here"
    NOT_HERE = "not here"


class RegionShape(Enum):
    """How a region was drawn."""

    BOX = "box"
    ELLIPSE = "ellipse"
    POLYGON = "polygon"
    BRUSH = "brush"


@dataclass(frozen=True)
class Region:
    """An area of one slice that a reader drew to correct an explanation.

    box: (top, left, height, width) in pixels of the slice as stored, float, half-open: a box
        over the single pixel (r, c) is (r, c, 1, 1). Height and width are above zero. For every
        other shape it is the box around it.
    attention: whether the model should look here or not.
    class_id: the class that the region is about, or "" for whatever the model had said.
    shape: how it was drawn; an ellipse touches all four sides of its box.
    outline: corners (row, column) of a polygon, in the same coordinates as the box.
    runs: the pixels of every shape but a box, as lengths of runs over the whole slice in column
        order, zeros first (COCO's mask encoding).
    """

    box: tuple[float, float, float, float]
    attention: Attention
    class_id: str = ""
    shape: RegionShape = RegionShape.BOX
    outline: tuple[tuple[float, float], ...] = ()
    runs: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.box) != 4 or not all(math.isfinite(side) for side in self.box):
            raise ValueError("a region's box is four finite numbers")
        if self.box[2] <= 0 or self.box[3] <= 0:
            raise ValueError("a region's height and width are above zero")
        if not all(math.isfinite(part) for corner in self.outline for part in corner):
            raise ValueError("a region's corners are finite numbers")
        if any(run < 0 for run in self.runs):
            raise ValueError("a region's runs are not negative")


@dataclass(frozen=True)
class ModelOpinion:
    """What the model had said about the slice when the person decided."""

    model: str
    weights_sha256: str
    class_id: str
    probability: float


@dataclass(frozen=True)
class LabelDraft:
    """A label event before the journal accepts it.

    case_id, slice_id: from SeriesSummary. slice_index: position at that time, for people.
    label_set: id of the one that was read for; old and new are of it, and classes and regions
        that are given or taken away count within it alone.
    old, new: class ids as the reader saw the slice before and after; None means unlabelled.
    target: sequence number that an UNDO or REDO refers to.
    regions: all regions of the slice in this label set after a MARK.
    note: the slice's comment after a NOTE.
    blind: whether what other readers had said was hidden from this one.
    """

    action: Action
    case_id: str
    patient_id: str
    slice_id: str
    slice_index: int
    label_set: str
    old: str | None
    new: str | None
    reason: str = ""
    opinion: ModelOpinion | None = None
    target: int | None = None
    regions: tuple[Region, ...] = ()
    note: str = ""
    blind: bool = False


@dataclass(frozen=True)
class LabelEvent:
    """A durable entry of the journal.

    sequence: 1, 2, 3 … without gaps; the only order. at: UTC, ISO 8601, as the clock said.
    reader: who. batch: sequence of the first event that was written in the same step; events
        of one batch are undone together. session: one start of the program by one reader.
    machine, program: host name and version, for the audit; never exported.
    previous, digest: SHA-256 hex of the entry before and of this one (over all fields).
    """

    sequence: int
    at: str
    reader: str
    draft: LabelDraft
    previous: str
    digest: str
    batch: int = 0
    session: str = ""
    machine: str = ""
    program: str = ""
