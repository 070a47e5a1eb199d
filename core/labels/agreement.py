"""How far readers agree: Cohen's and Fleiss' kappa with intervals, and what is in dispute.

Slices of one patient resemble each other, so intervals come from a bootstrap that draws whole
patients; with one patient there is none. Kappa alone misleads where a finding is rare (a high
agreement can give a low kappa), so the agreement on each class stands beside it.

Sources: Cohen, *Educ Psychol Meas* 1960;20:37. Fleiss, *Psychol Bull* 1971;76:378, for items
with different numbers of readers as in Fleiss, Levin, Paik, *Statistical Methods for Rates and
Proportions*, 3rd ed., 18.3. Class-specific agreement: Cicchetti, Feinstein, *J Clin Epidemiol*
1990;43:551.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from core.labels.history import History

RESAMPLES = 2000
SEED = 20260301

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """The classes of one label set that readers gave to one slice.

    patient: what its slices have in common.
    """

    case_id: str
    slice_id: str
    slice_index: int
    patient: str
    said: Mapping[str, str]
    """Reader → class id."""
    adjudicated: str | None = None
    """The class that settled it, if somebody did."""

    @property
    def is_disputed(self) -> bool:
        """Whether readers gave different classes and nobody has settled it."""
        return self.adjudicated is None and len(set(self.said.values())) > 1


@dataclass(frozen=True)
class Agreement:
    """Agreement between readers on the slices that they all, or at least two of them, labelled.

    kappa: 1 perfect, 0 as by chance; None where it is not defined (one class only).
    kappa_ci95: bounds from the bootstrap over patients; None where there is one patient, or
        where resamples too often leave it undefined.
    observed: share of agreeing pairs. by_class: class id → agreement on that class.
    """

    readers: tuple[str, ...]
    slices: int
    patients: int
    kappa: float | None
    kappa_ci95: tuple[float, float] | None
    observed: float
    by_class: Mapping[str, float]


def readings(history: History, label_set: str) -> list[Reading]:
    """What each reader says now about each slice that anybody labelled in a label set (its id)."""
    found = []
    for case_id in history.cases():
        settled = history.adjudicated(case_id, label_set)
        for slice_id, said in history.ratings(case_id, label_set).items():
            first = next(iter(said.values())).draft
            found.append(
                Reading(
                    case_id,
                    slice_id,
                    first.slice_index,
                    first.patient_id or case_id,
                    {reader: str(event.draft.new) for reader, event in said.items()},
                    settled.get(slice_id),
                )
            )
    return found


def disputes(items: Iterable[Reading]) -> list[Reading]:
    """Slices on which readers differ and that nobody has adjudicated."""
    return [item for item in items if item.is_disputed]


def pairwise(items: Sequence[Reading]) -> list[Agreement]:
    """Cohen's kappa of every two readers who labelled slices in common."""
    readers = sorted({reader for item in items for reader in item.said})
    found = []
    for one, other in combinations(readers, 2):
        common = [item for item in items if one in item.said and other in item.said]
        if common:
            found.append(cohen(common, one, other))
    return found


def cohen(items: Sequence[Reading], one: str, other: str) -> Agreement:
    """Cohen's kappa of two readers, over items that both labelled (at least one)."""
    classes = sorted({item.said[reader] for item in items for reader in (one, other)})
    place = {class_id: index for index, class_id in enumerate(classes)}
    patients, rows = _clusters(items)
    joint = np.zeros((len(patients), len(classes), len(classes)))
    for row, item in zip(rows, items, strict=True):
        joint[row, place[item.said[one]], place[item.said[other]]] += 1
    table = joint.sum(axis=0)
    margins = table.sum(axis=0) + table.sum(axis=1)
    return Agreement(
        (one, other),
        len(items),
        len(patients),
        *_with_interval(joint.reshape(len(patients), -1), lambda s: _cohen(s, len(classes))),
        float(np.trace(table) / table.sum()),
        {c: float(2 * table[i, i] / margins[i]) for c, i in place.items()},
    )


def fleiss(items: Sequence[Reading]) -> Agreement | None:
    """Fleiss' kappa over all items that at least two readers labelled; None if there is none.

    With two readers it is Scott's pi, which is not Cohen's kappa: it takes the readers for
    drawn from one pool.
    """
    rated = [item for item in items if len(item.said) > 1]
    if not rated:
        return None
    classes = sorted({class_id for item in rated for class_id in item.said.values()})
    patients, rows = _clusters(rated)
    # Sums a patient: [agreeing share, items, readings of each class …], all additive.
    sums = np.zeros((len(patients), 2 + len(classes)))
    same, chances = np.zeros(len(classes)), np.zeros(len(classes))
    for row, item in zip(rows, rated, strict=True):
        said = list(item.said.values())
        counts = np.array([said.count(class_id) for class_id in classes], dtype=float)
        pairs = len(said) * (len(said) - 1)
        sums[row] += [float((counts * (counts - 1)).sum() / pairs), 1, *counts]
        # Agreement on a class: of the pairs with one reading of it, how many have two.
        same += counts * (counts - 1) / (len(said) - 1)
        chances += counts
    total = sums.sum(axis=0)
    return Agreement(
        tuple(sorted({reader for item in rated for reader in item.said})),
        len(rated),
        len(patients),
        *_with_interval(sums, _fleiss),
        float(total[0] / total[1]),
        {class_id: float(same[i] / chances[i]) for i, class_id in enumerate(classes)},
    )


def _cohen(sums: Floats, classes: int) -> Floats:
    """Kappa of each row of flattened (classes × classes) tables; NaN where undefined."""
    tables = sums.reshape(len(sums), classes, classes)
    count = tables.sum(axis=(1, 2))
    observed = np.trace(tables, axis1=1, axis2=2) / count
    expected = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / count**2
    return _beyond_chance(observed, expected)


def _fleiss(sums: Floats) -> Floats:
    """Kappa of each row of [agreeing share, items, readings of each class …]."""
    observed = sums[:, 0] / sums[:, 1]
    shares = sums[:, 2:] / sums[:, 2:].sum(axis=1, keepdims=True)
    return _beyond_chance(observed, (shares**2).sum(axis=1))


def _beyond_chance(observed: Floats, expected: Floats) -> Floats:
    room = 1 - expected
    undefined = room < 1e-12
    kappa: Floats = np.where(
        undefined, np.nan, (observed - expected) / np.where(undefined, 1, room)
    )
    return kappa


def _with_interval(
    sums: Floats, kappa: Callable[[Floats], Floats]
) -> tuple[float | None, tuple[float, float] | None]:
    """Kappa of all patients, and its percentile interval when whole patients are redrawn."""
    value = float(kappa(sums.sum(axis=0, keepdims=True))[0])
    if np.isnan(value):
        return None, None
    patients = len(sums)
    if patients < 2:
        return value, None
    chance = np.random.default_rng(SEED)
    drawn = chance.multinomial(patients, np.full(patients, 1 / patients), size=RESAMPLES)
    found = kappa(drawn @ sums)
    found = found[~np.isnan(found)]
    if len(found) < RESAMPLES / 2:
        return value, None
    low, high = np.quantile(found, [0.025, 0.975])
    return value, (float(low), float(high))


def _clusters(items: Sequence[Reading]) -> tuple[list[str], list[int]]:
    """Patients, and for each item the place of its own among them."""
    patients = sorted({item.patient for item in items})
    place = {patient: index for index, patient in enumerate(patients)}
    return patients, [place[item.patient] for item in items]
