"""What to look at next: slices whose label or prediction deserves a second look, and why.

Pure functions on small frozen values: what a model said about a slice and what its label is.
Each item says why it is there by a code and the numbers behind it, so that a reader can judge
the reason; an item without a reason is not listed. The random audit is what keeps the queue
honest: it samples slices that no rule suspects, labelled or not.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby, islice

from core.labels.schema import LabelSet


class Why(Enum):
    """Reason codes, the most pressing first."""

    LABEL_ERROR = "label-error"
    MODEL_AGAINST_LABEL = "model-against-label"
    SLICE_AGAINST_SERIES = "slice-against-series"
    MODEL_AGAINST_MODEL = "model-against-model"
    NEIGHBOURS_DIFFER = "neighbours-differ"
    UNCERTAIN = "uncertain"
    RANDOM_AUDIT = "random-audit"


@dataclass(frozen=True)
class SliceState:
    """What is known about one slice.

    probability: the model's probability of a finding (any positive class), or None where no
        model answered.
    label: the current class id, or None. finding: whether that class stands for a finding;
        None where there is no label.
    audited: whether a person has confirmed this slice in an audit since it was labelled.
    other: what another model says, as its `margin` against its own threshold, −1…1.
    left_out: probability of a finding by a model that had not learnt from this patient, as a
        cross-validated training leaves it behind.
    series: probability of a finding for the series as a whole, the same on all its slices.
    """

    case_id: str
    slice_id: str
    slice_index: int
    probability: float | None = None
    label: str | None = None
    finding: bool | None = None
    audited: bool = False
    other: float | None = None
    left_out: float | None = None
    series: float | None = None


@dataclass(frozen=True)
class QueueItem:
    """One slice to look at.

    score: 0…1, how strongly the reason holds; comparable within one reason only.
    facts: the numbers behind it, by name.
    """

    case_id: str
    slice_id: str
    slice_index: int
    why: Why
    score: float
    facts: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class QueueRules:
    """What makes a slice worth a look.

    threshold: operating threshold of the model. against_label: how far, on the scale of
        `margin`, a probability must lie on the other side of the threshold than the label.
    uncertain: how near the threshold counts as undecided, on the same scale.
    neighbour_gap: how far a slice's probability must lie from the line between its two
        neighbours', on the logit scale. model_gap: how far two models must be apart, each from
        its own threshold on the scale of `margin`.
    audit_share: part of the queue given to the audit. seed: another seed draws another audit.
    """

    threshold: float = 0.5
    against_label: float = 0.2
    uncertain: float = 0.25
    neighbour_gap: float = 2.0
    model_gap: float = 0.2
    audit_share: float = 0.1
    seed: int = 0


def of_slice(
    case_id: str,
    slice_id: str,
    slice_index: int,
    *,
    probability: float | None,
    label: str | None,
    label_set: LabelSet,
) -> SliceState:
    """The state of one slice. Raises KeyError if the label is not of the label set."""
    finding = None if label is None else label_set.find(label).positive
    return SliceState(case_id, slice_id, slice_index, probability, label, finding)


def margin(probability: float, threshold: float) -> float:
    """Where a probability lies against the operating threshold: −1 at 0, 0 at it, +1 at 1.

    Linear on each side: a threshold of 0.1 does not make all negatives look undecided.
    """
    if probability >= threshold:
        return (probability - threshold) / (1 - threshold) if threshold < 1 else 0.0
    return (probability - threshold) / threshold


def against_label(slices: Iterable[SliceState], rules: QueueRules) -> list[QueueItem]:
    """Labelled slices whose label the model contradicts, the strongest contradiction first.

    score: 1 − the probability that the model gives the label (self-confidence), after
    Northcutt, Jiang, Chuang, *Confident Learning*, JAIR 2021. The model should not have
    learnt from these very labels: use cross-validated predictions where there are some.
    """
    items = []
    for state in slices:
        if state.probability is None or state.finding is None:
            continue
        side = margin(state.probability, rules.threshold)
        contradiction = -side if state.finding else side
        if contradiction >= rules.against_label:
            doubt = 1 - state.probability if state.finding else state.probability
            facts = (
                ("probability", state.probability),
                ("threshold", rules.threshold),
                ("labelled as finding", float(state.finding)),
            )
            items.append(_item(state, Why.MODEL_AGAINST_LABEL, doubt, facts))
    return _ordered(items)


def uncertain(slices: Iterable[SliceState], rules: QueueRules) -> list[QueueItem]:
    """Unlabelled slices that the model cannot decide, the most undecided first.

    score: 1 at the operating threshold, 0 where a slice stops counting as undecided.
    """
    items = []
    for state in slices:
        if state.probability is None or state.label is not None:
            continue
        distance = abs(margin(state.probability, rules.threshold))
        if distance < rules.uncertain:
            facts = (("probability", state.probability), ("threshold", rules.threshold))
            score = 1 - distance / rules.uncertain
            items.append(_item(state, Why.UNCERTAIN, score, facts))
    return _ordered(items)


def neighbours_differ(slices: Iterable[SliceState], rules: QueueRules) -> list[QueueItem]:
    """Slices that do not fit between the slices before and after them.

    Two ways: the label says one thing and both labelled neighbours say the other (score 1);
    or the model's probability jumps off the line between its neighbours' by at least
    `neighbour_gap` logits and falls on the other side of the threshold than both. Anatomy is
    continuous and most findings reach over several slices: a single one that differs is
    either small or a mistake.
    """
    items = []
    for before, state, after in _triples(slices):
        findings = (before.finding, state.finding, after.finding)
        if None not in findings and before.finding == after.finding != state.finding:
            labelled = ("labelled as finding", float(bool(state.finding)))
            items.append(_item(state, Why.NEIGHBOURS_DIFFER, 1.0, (labelled,)))
            continue
        if before.probability is None or state.probability is None or after.probability is None:
            continue
        around = (before.probability, after.probability)
        is_high = state.probability >= rules.threshold
        alone = all((p >= rules.threshold) != is_high for p in around)
        expected = (_logit(around[0]) + _logit(around[1])) / 2
        gap = abs(_logit(state.probability) - expected)
        if alone and gap >= rules.neighbour_gap:
            facts = (
                ("probability", state.probability),
                ("slice before", around[0]),
                ("slice after", around[1]),
            )
            items.append(
                _item(
                    state,
                    Why.NEIGHBOURS_DIFFER,
                    1 - rules.neighbour_gap / (gap + rules.neighbour_gap),
                    facts,
                )
            )
    return _ordered(items)


def label_errors(slices: Iterable[SliceState], rules: QueueRules) -> list[QueueItem]:
    """Labels that are probably mistakes, by confident learning on left-out probabilities.

    A slice is suspected where a model that had not learnt from its patient gives the *other*
    class at least the mean probability that it gives to slices labelled so. score: 1 − the
    probability of the label given. Needs both kinds of labels among the slices.
    Source: Northcutt, Jiang, Chuang, *Confident Learning*, JAIR 2021, section 3.1.
    """
    known = [s for s in slices if s.left_out is not None and s.finding is not None]
    with_it = [s.left_out for s in known if s.finding and s.left_out is not None]
    without = [1 - s.left_out for s in known if not s.finding and s.left_out is not None]
    if not with_it or not without:
        return []
    typical = {True: sum(with_it) / len(with_it), False: sum(without) / len(without)}
    items = []
    for state in known:
        given, said = bool(state.finding), float(state.left_out or 0.0)
        other = 1 - said if given else said
        if other >= typical[not given] and other > 0.5:
            facts = (
                ("probability", said),
                ("typical of the other class", typical[not given]),
                ("labelled as finding", float(given)),
            )
            items.append(_item(state, Why.LABEL_ERROR, other, facts))
    return _ordered(items)


def against_series(slices: Iterable[SliceState], rules: QueueRules) -> list[QueueItem]:
    """One slice of each series whose slices and whole are on different sides of the threshold.

    The one with the highest probability: either the flag that the whole does not bear out, or
    the best candidate for the finding that no slice shows. score: how far the two are apart.
    """
    items = []
    for _, group in groupby(sorted(slices, key=lambda s: s.case_id), key=lambda s: s.case_id):
        answered = [s for s in group if s.probability is not None and s.series is not None]
        if not answered:
            continue
        top = max(answered, key=lambda s: (s.probability or 0.0, -s.slice_index))
        slice_says, series_says = float(top.probability or 0.0), float(top.series or 0.0)
        if (slice_says >= rules.threshold) != (series_says >= rules.threshold):
            facts = (
                ("probability", slice_says),
                ("series", series_says),
                ("threshold", rules.threshold),
            )
            apart = abs(margin(slice_says, rules.threshold) - margin(series_says, rules.threshold))
            items.append(_item(top, Why.SLICE_AGAINST_SERIES, apart / 2, facts))
    return _ordered(items)


def against_model(slices: Iterable[SliceState], rules: QueueRules) -> list[QueueItem]:
    """Slices that two models put on different sides of their thresholds.

    score: how far apart, each measured from its own threshold; differences below
    `model_gap` on that scale are left out, as both are then undecided.
    """
    items = []
    for state in slices:
        if state.probability is None or state.other is None:
            continue
        here = margin(state.probability, rules.threshold)
        apart = abs(here - state.other)
        if (here >= 0) != (state.other >= 0) and apart >= rules.model_gap:
            facts = (("probability", state.probability), ("other model", state.other))
            items.append(_item(state, Why.MODEL_AGAINST_MODEL, apart / 2, facts))
    return _ordered(items)


def random_audit(slices: Iterable[SliceState], rules: QueueRules) -> list[QueueItem]:
    """All slices that were not audited, in an order drawn by lot.

    The lot depends on the seed and the slice alone: the order does not change when other
    slices come or go, and the same seed draws the same audit again.
    """
    items = [
        _item(state, Why.RANDOM_AUDIT, _lot(state, rules.seed))
        for state in slices
        if not state.audited
    ]
    return _ordered(items)


RULES = (
    label_errors,
    against_label,
    against_series,
    against_model,
    neighbours_differ,
    uncertain,
)
"""What makes a slice suspect, the most pressing first; the audit is drawn from all others."""


def work_queue(
    slices: Sequence[SliceState], rules: QueueRules, limit: int | None = None
) -> list[QueueItem]:
    """What to look at next: every slice once, under its most pressing reason.

    In the order of `RULES`; every n-th place (by `audit_share`) is a random audit.
    limit: at most so many items.
    """
    seen: set[tuple[str, str]] = set()
    suspected: list[QueueItem] = []
    for rule in RULES:
        for item in rule(slices, rules):
            if (item.case_id, item.slice_id) not in seen:
                seen.add((item.case_id, item.slice_id))
                suspected.append(item)
    audit = [
        item for item in random_audit(slices, rules) if (item.case_id, item.slice_id) not in seen
    ]
    merged = list(_interleaved(suspected, audit, rules.audit_share))
    return merged if limit is None else merged[:limit]


def _interleaved(
    suspected: list[QueueItem], audit: list[QueueItem], share: float
) -> Iterator[QueueItem]:
    """Suspected items with a share of audit items between them, at least one of these.

    Without suspects the audit is the whole queue.
    """
    if not suspected:
        yield from audit
        return
    waiting, owed = iter(audit), 0.0
    for item in suspected:
        yield item
        owed += share / (1 - share) if share < 1 else math.inf
        while owed >= 1:
            drawn = next(waiting, None)
            if drawn is None:
                break
            yield drawn
            owed -= 1
    if owed > 0:
        yield from islice(waiting, 1)


def _triples(
    slices: Iterable[SliceState],
) -> Iterator[tuple[SliceState, SliceState, SliceState]]:
    """(before, slice, after) for each slice with both neighbours, case by case."""
    ordered = sorted(slices, key=lambda s: (s.case_id, s.slice_index, s.slice_id))
    for _, group in groupby(ordered, key=lambda state: state.case_id):
        case = list(group)
        for before, state, after in zip(case, case[1:], case[2:], strict=False):
            # A missing slice is no neighbour.
            if after.slice_index - before.slice_index == 2:
                yield before, state, after


def _logit(probability: float) -> float:
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))


def _lot(state: SliceState, seed: int) -> float:
    text = f"{seed}\0{state.case_id}\0{state.slice_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:6], "big") / 2**48


def _item(
    state: SliceState, why: Why, score: float, facts: tuple[tuple[str, float], ...] = ()
) -> QueueItem:
    return QueueItem(state.case_id, state.slice_id, state.slice_index, why, score, facts)


def _place(item: QueueItem) -> tuple[float, str, int, str]:
    return (-item.score, item.case_id, item.slice_index, item.slice_id)


def _ordered(items: list[QueueItem]) -> list[QueueItem]:
    return sorted(items, key=_place)
