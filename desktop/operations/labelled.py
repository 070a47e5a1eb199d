"""What stands about the slices of a series, and what model and classes say beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.labels.history import HistoryEntry
from core.labels.labelling import Labelling
from core.labels.schema import Action, LabelSet, ModelOpinion
from core.session import Reading


@dataclass(frozen=True)
class LabelledSlice:
    """What stands about one slice, for the list to jump from.

    class_id: its label, or None if it has regions or a note alone. regions: how many are drawn.
    reader, at: who stated the label (else regions or note) last, and when; "" if not known.
    """

    slice_id: str
    index: int
    class_id: str | None = None
    regions: int = 0
    note: str = ""
    reader: str = ""
    at: str = ""


def labelled_slices(reading: Reading, labelling: Labelling) -> list[LabelledSlice]:
    """The slices of a series about which something stands: label, regions or note; in order.

    Labels and regions are those of the label set that is read for.
    """
    case_id = reading.summary.case_id
    labels, notes = reading.case.labels, labelling.notes(case_id)
    regions = labelling.regions(case_id, reading.case.label_set.id)
    stated: dict[str, HistoryEntry] = {}
    for entry in labelling.history(case_id, reading.case.label_set.id):
        for change in entry.changes:
            if entry.stands:
                stated[change.slice_id] = entry
    found = []
    for index, slice_id in enumerate(reading.summary.slice_ids):
        if slice_id in labels or slice_id in notes or slice_id in regions:
            last = stated.get(slice_id)
            found.append(
                LabelledSlice(
                    slice_id,
                    index,
                    labels.get(slice_id),
                    len(regions.get(slice_id, ())),
                    notes.get(slice_id, ""),
                    last.reader if last is not None else "",
                    last.at if last is not None else "",
                )
            )
    return found


def next_of(indices: Iterable[int], here: int, direction: int) -> int | None:
    """The next of some slices in a direction, wrapping around; None if there is none but this."""
    others = [index for index in indices if index != here]
    onward = [index for index in others if (index - here) * direction > 0] or others
    if not onward:
        return None
    return min(onward) if direction > 0 else max(onward)


def said_of(slice_id: str, history: Sequence[HistoryEntry]) -> dict[str, str]:
    """Reader → class that this reader last gave a slice, where it stands; own alone if blind.

    history: the last step first. What settled it counts as said by who settled it.
    """
    said: dict[str, str | None] = {}
    for entry in reversed(history):
        if entry.stands and entry.action in (Action.LABEL, Action.CLEAR, Action.ADJUDICATE):
            for change in entry.changes:
                if change.slice_id == slice_id:
                    said[entry.reader] = change.new
    return {reader: class_id for reader, class_id in said.items() if class_id is not None}


def is_settled(slice_id: str, history: Iterable[HistoryEntry]) -> bool:
    """Whether somebody has settled what a slice counts as between all readers."""
    return any(
        entry.stands
        and entry.action is Action.ADJUDICATE
        and any(change.slice_id == slice_id for change in entry.changes)
        for entry in history
    )


def opposite_of(label_set: LabelSet, class_id: str) -> str | None:
    """The one class on the other side of finding or none; None if there are several."""
    positive = label_set.find(class_id).positive
    others = [item.id for item in label_set.classes if item.positive is not positive]
    return others[0] if len(others) == 1 else None


def opinion_of(reading: Reading, index: int) -> ModelOpinion | None:
    """What the model says about a slice now, to be kept beside the label."""
    prediction = reading.case.prediction
    answer = prediction.slices.get(index) if prediction is not None else None
    if prediction is None or answer is None:
        return None
    says = max(answer.probabilities, key=answer.probabilities.__getitem__)
    if reading.case.is_suspicious(index):
        says = prediction.positive
    return ModelOpinion(
        prediction.model.id,
        prediction.model.weights_sha256,
        says,
        answer.probabilities[says],
    )
