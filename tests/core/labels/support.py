"""What the label tests share: a series, a label set, a clock that can be set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.labels.schema import Action, LabelClass, LabelDraft, LabelSet, ModelOpinion

HEMORRHAGE = LabelSet(
    "hemorrhage",
    {"en": "Hemorrhage"},
    (
        LabelClass("no_hemorrhage", {"en": "No hemorrhage"}, False, "#3fb950", 2),
        LabelClass("hemorrhage", {"en": "Hemorrhage"}, True, "#f85149", 1),
    ),
)
SUBTYPES = LabelSet(
    "subtypes",
    {"en": "Subtypes"},
    (
        LabelClass("no_hemorrhage", {"en": "No hemorrhage"}, False, "#3fb950", 1),
        LabelClass("subdural", {"en": "Subdural"}, True, "#db6d28", 2),
    ),
)
"""Another question about the same slices; one of its classes is named as one of HEMORRHAGE is."""
SETS = {item.id: item for item in (HEMORRHAGE, SUBTYPES)}
CLASSES = tuple(item.id for item in HEMORRHAGE.classes)
OPINION = ModelOpinion("head-ct-hemorrhage", "ab" * 32, "hemorrhage", 0.83)


@dataclass(frozen=True)
class Series:
    case_id: str = "case-1"
    patient_id: str = "patient-1"
    slice_ids: tuple[str, ...] = tuple(f"1.2.3.{index}" for index in range(6))


SERIES = Series()
OTHER = Series("case-2", "patient-2", tuple(f"1.2.4.{index}" for index in range(4)))


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


def draft(index: int = 0, new: str | None = "hemorrhage", **changes: object) -> LabelDraft:
    fields: dict[str, object] = {
        "action": Action.LABEL,
        "case_id": SERIES.case_id,
        "patient_id": SERIES.patient_id,
        "slice_id": f"1.2.3.{index}",
        "slice_index": index,
        "label_set": "hemorrhage",
        "old": None,
        "new": new,
    }
    return LabelDraft(**{**fields, **changes})  # type: ignore[arg-type]
