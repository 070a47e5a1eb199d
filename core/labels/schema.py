"""Classes a reader can give, and the events by which they are given."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


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


class Action(Enum):
    """What a label event does."""

    LABEL = "label"
    CLEAR = "clear"
    UNDO = "undo"
    REDO = "redo"


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
    old, new: class ids; None means unlabelled.
    target: sequence number that an UNDO or REDO refers to.
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


@dataclass(frozen=True)
class LabelEvent:
    """A durable entry of the journal.

    sequence: 1, 2, 3 … without gaps. at: UTC, ISO 8601. reader: who.
    previous, digest: SHA-256 hex of the entry before and of this one (over all fields).
    """

    sequence: int
    at: str
    reader: str
    draft: LabelDraft
    previous: str
    digest: str
