"""A comparison of two models as the window draws it: words and numbers, no core objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.imaging.deidentify import pseudonym, site_key
from core.labels.schema import LabelSet
from core.session import Session
from desktop.language import current

if TYPE_CHECKING:
    from core.retraining import comparison


@dataclass(frozen=True)
class Contender:
    """One model's figures on the test patients, ready to be drawn.

    confusion: ((true negative, false positive), (false negative, true positive)) at `threshold`.
    figures: name → value with its 95 % interval in words.
    """

    id: str
    title: str
    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]
    threshold: float
    confusion: tuple[tuple[int, int], tuple[int, int]]
    figures: dict[str, str]


@dataclass(frozen=True)
class ChangedCase:
    """A test slice whose answer changed from one model to the other.

    slice_id: of the slice, or "" if it is not open. is_worse: the champion was right and the
    challenger is not. picture: PNG of the slice beside what both models looked at, if it was drawn.
    """

    name: str
    slice_index: int
    reference: str
    champion: float
    challenger: float
    is_worse: bool
    slice_id: str = ""
    picture: Path | None = None


@dataclass(frozen=True)
class ComparisonView:
    """Everything that the page shows. verdict: one sentence with the paired difference.

    advises_promotion: whether the gate of the recipe is passed. remarks: what else to know.
    """

    champion: Contender
    challenger: Contender
    slices: int
    patients: int
    negative: str
    positive: str
    verdict: str
    advises_promotion: bool
    remarks: tuple[str, ...] = ()
    changed: tuple[ChangedCase, ...] = ()


def view_of(
    found: comparison.Comparison, session: Session, pictures: Mapping[str, Path]
) -> ComparisonView:
    """A comparison as the page draws it; slices of open series can be gone to.

    pictures: slice key → what `core.retraining.changed_pictures` drew.
    """
    places = open_slices(session)
    label_set = session.label_set
    changed = []
    for case in found.changed:
        slice_id, index = places.get(case.key, ("", case.order))
        changed.append(
            ChangedCase(
                name=case.group,
                slice_index=index,
                reference=_name(label_set, case.label),
                champion=case.champion,
                challenger=case.challenger,
                is_worse=case.is_worse,
                slice_id=slice_id,
                picture=pictures.get(case.key),
            )
        )
    return ComparisonView(
        champion=_contender(found.champion),
        challenger=_contender(found.challenger),
        slices=found.slices,
        patients=found.patients,
        negative=_name(label_set, found.negative).lower(),
        positive=_name(label_set, found.positive).lower(),
        verdict=found.gate.sentence,
        advises_promotion=found.gate.passed,
        remarks=(*found.gate.reasons, *found.remarks),
        changed=tuple(changed),
    )


def _contender(side: comparison.Contender) -> Contender:
    from core.retraining.comparison import figures_in_words

    false_positive, true_positive = side.roc
    return Contender(
        id=side.id,
        title=side.title,
        false_positive_rate=false_positive,
        true_positive_rate=true_positive,
        threshold=side.threshold,
        confusion=side.outcomes,
        figures=figures_in_words(side.figures),
    )


def _name(label_set: LabelSet, class_id: str) -> str:
    try:
        return label_set.find(class_id).name(current())
    except KeyError:
        return class_id.replace("_", " ")


def open_slices(session: Session) -> dict[str, tuple[str, int]]:
    """Key of a training set's slice → (slice id, index) where it can be looked at now."""
    key = site_key()
    return {
        pseudonym(key, f"slice:{slice_id}"): (slice_id, index)
        for reading in session
        for index, slice_id in enumerate(reading.summary.slice_ids)
    }
