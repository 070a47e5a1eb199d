"""A preview from the journal: labels, features and frozen parts put together. No torch here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.imaging.deidentify import pseudonym, site_key
from core.labels.schema import LabelEvent, LabelSet
from core.models.card import Card
from core.retraining.foretold import remember
from core.retraining.frozen import FrozenSplits
from core.retraining.preview import Decides, FeatureStore, Preview, Previewer
from core.retraining.sources import Sources


@dataclass(frozen=True)
class Missing:
    """A series whose features are not kept yet. path: where it lies, if anybody knows."""

    case_id: str
    path: Path | None


class Codes:
    """Codes of slices and series under this site's key, each worked out once."""

    def __init__(self) -> None:
        self._key = site_key()
        self._known: dict[str, str] = {}

    def slice(self, slice_id: str) -> str:
        """Code of a slice."""
        return self._code(f"slice:{slice_id}")

    def case(self, case_id: str) -> str:
        """Code of a series."""
        return self._code(f"case:{case_id}")

    def labels(self, standing: Iterable[LabelEvent], label_set: LabelSet) -> dict[str, bool]:
        """Code of a labelled slice → whether it shows the finding."""
        shows = {item.id: item.positive for item in label_set.classes}
        return {
            self.slice(event.draft.slice_id): shows[event.draft.new]
            for event in standing
            if event.draft.label_set == label_set.id and event.draft.new in shows
        }

    def _code(self, name: str) -> str:
        code = self._known.get(name)
        if code is None:
            code = self._known[name] = pseudonym(self._key, name)
        return code


def missing(
    card: Card, cases: Mapping[str, Path | None] | Iterable[str], codes: Codes
) -> list[Missing]:
    """Series without features: `core.retraining.worker features` makes them.

    cases: case ids, and where each lies if that is known; else where it was labelled.
    """
    store, sources = FeatureStore(card.weights_sha256), Sources()
    known = cases if isinstance(cases, Mapping) else dict.fromkeys(cases)
    return [
        Missing(case_id, path or sources.find(case_id))
        for case_id, path in known.items()
        if not store.has(codes.case(case_id))
    ]


class Foreteller:
    """Foretells what a retraining of one model would change, as labels come in.

    Reading the features takes a moment; `tell` is quick and may be called after each label.
    """

    def __init__(self, card: Card, *, splits: FrozenSplits | None = None) -> None:
        self._card = card
        self._store = FeatureStore(card.weights_sha256)
        self._splits = splits or FrozenSplits()
        self._previewer: Previewer | None = None

    def load(self) -> int:
        """Read what features there are; returns the number of slices."""
        head, cases = self._store.head(), self._store.cases()
        self._previewer = (
            None
            if head is None
            else Previewer(Decides.of(self._card), head, cases, self._splits.known())
        )
        return 0 if self._previewer is None else len(self._previewer)

    def tell(self, labels: Mapping[str, bool], *, keep: bool = True) -> Preview | None:
        """What a retraining on these labels would change; None where no features are kept.

        labels: as `Codes.labels` gives them. keep: remember it, so that the next retraining shows
        how right it was.
        """
        if self._previewer is None:
            return None
        found = self._previewer.preview(labels)
        if keep and found.learnt:
            remember(self._card.weights_sha256, self._previewer.decisions(labels))
        return found


def in_words(found: Preview, name: Callable[[str], str] = str) -> list[str]:
    """A preview as sentences. name: of a slice, by its code."""
    told = [
        f"If the model were retrained on the {found.learnt} labels that can be used now, "
        f"{len(found.flips)} of {found.looked_at} answers would change."
    ]
    wrong = [flip for flip in found.flips if flip.is_right is False]
    right = [flip for flip in found.flips if flip.is_right]
    if wrong or right:
        told.append(
            f"Of labelled slices {len(right)} would become right and {len(wrong)} would become "
            "wrong."
        )
    if found.change is not None and found.validation_before is not None:
        low, high = found.change.ci95
        moved = (
            f"AUROC on {found.validation_slices} slices of patients who validate: "
            f"{found.validation_before:.3f} to {found.validation_after:.3f}"
        )
        sure = (
            f"({low:+.3f} to {high:+.3f})" if not math.isnan(low) else "(one patient: no interval)"
        )
        told.append(f"{moved} {sure}.")
    told += [
        f"  {name(flip.key)}  {flip.before:.2f} → {flip.after:.2f}" for flip in found.flips[:20]
    ]
    return told
