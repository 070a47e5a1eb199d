"""What to look at next: each item with a reason that its numbers bear out."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.labels.queue import (
    QueueRules,
    SliceState,
    Why,
    against_label,
    margin,
    neighbours_differ,
    of_slice,
    random_audit,
    uncertain,
    work_queue,
)
from tests.core.labels.support import HEMORRHAGE

RULES = QueueRules(threshold=0.3)

probabilities = st.floats(0, 1)
states = st.lists(
    st.builds(
        SliceState,
        case_id=st.sampled_from(["a", "b"]),
        slice_id=st.uuids().map(str),
        slice_index=st.integers(0, 30),
        probability=st.none() | probabilities,
        finding=st.none(),
    )
    | st.builds(
        SliceState,
        case_id=st.sampled_from(["a", "b"]),
        slice_id=st.uuids().map(str),
        slice_index=st.integers(0, 30),
        probability=st.none() | probabilities,
        label=st.just("x"),
        finding=st.booleans(),
    ),
    max_size=40,
)


def case(*values: float | None, labels: str = "") -> list[SliceState]:
    """Slices of one case; labels: one letter a slice, + finding, - none, . unlabelled."""
    classes = {"+": "hemorrhage", "-": "no_hemorrhage", ".": None}
    return [
        of_slice(
            "c",
            f"s{index}",
            index,
            probability=value,
            label=classes[labels[index] if labels else "."],
            label_set=HEMORRHAGE,
        )
        for index, value in enumerate(values)
    ]


@given(probabilities, st.floats(0.01, 0.99))
def test_the_margin_is_zero_at_the_threshold_and_one_at_the_ends(p: float, t: float) -> None:
    assert margin(t, t) == 0
    assert margin(1.0, t) == 1
    assert margin(0.0, t) == -1
    assert -1 <= margin(p, t) <= 1
    assert (margin(p, t) >= 0) == (p >= t)


def test_the_model_against_the_label() -> None:
    found = against_label(case(0.9, 0.9, 0.05, 0.05, 0.35, labels="+--++"), RULES)
    assert [item.slice_index for item in found] == [3, 1]
    assert found[0].score == pytest.approx(0.95)
    assert dict(found[0].facts)["probability"] == 0.05


def test_the_undecided_and_unlabelled() -> None:
    found = uncertain(case(0.31, 0.9, 0.28, 0.3, labels="...+"), RULES)
    assert [item.slice_index for item in found] == [0, 2]
    assert all(0 <= item.score <= 1 for item in found)


def test_a_slice_unlike_both_neighbours() -> None:
    found = neighbours_differ(case(0.02, 0.95, 0.03, 0.02), RULES)
    assert [(item.slice_index, item.why) for item in found] == [(1, Why.NEIGHBOURS_DIFFER)]
    assert neighbours_differ(case(0.02, 0.95, 0.9, 0.02), RULES) == []
    labelled = neighbours_differ(case(0.9, 0.9, 0.9, labels="+-+"), RULES)
    assert [item.score for item in labelled] == [1.0]


def test_a_missing_slice_is_no_neighbour() -> None:
    first, _, third, fourth = case(0.02, 0.5, 0.95, 0.02)
    assert neighbours_differ([first, third, fourth], RULES) == []


def test_the_audit_does_not_depend_on_what_else_is_there() -> None:
    slices = case(*[0.5] * 30)
    order = [item.slice_id for item in random_audit(slices, RULES)]
    fewer = [item.slice_id for item in random_audit(slices[::2], RULES)]
    kept = {state.slice_id for state in slices[::2]}
    assert fewer == [slice_id for slice_id in order if slice_id in kept]
    another = [item.slice_id for item in random_audit(slices, QueueRules(seed=1))]
    assert sorted(another) == sorted(order) != another != order


def test_the_audit_shares_the_queue() -> None:
    slices = case(*[0.3] * 40, *[0.001] * 40)
    found = work_queue(slices, QueueRules(threshold=0.3, audit_share=0.2))
    audits = [item for item in found if item.why is Why.RANDOM_AUDIT]
    assert len(audits) == 10
    assert found[0].why is Why.UNCERTAIN
    assert len(work_queue(slices, RULES, limit=7)) == 7


def test_without_suspects_the_audit_is_the_queue() -> None:
    found = work_queue(case(0.001, 0.001, 0.001), RULES)
    assert {item.why for item in found} == {Why.RANDOM_AUDIT}
    assert len(found) == 3
    assert work_queue([], RULES) == []


@given(states, st.integers(0, 3))
def test_every_slice_at_most_once_and_in_a_stable_order(
    slices: list[SliceState], seed: int
) -> None:
    rules = QueueRules(threshold=0.3, seed=seed)
    found = work_queue(slices, rules)
    assert len({item.slice_id for item in found}) == len(found)
    assert {item.slice_id for item in found} <= {state.slice_id for state in slices}
    assert all(0 <= item.score <= 1 for item in found)
    assert work_queue(slices[::-1], rules) == found


def test_flipped_labels_come_first() -> None:
    chance = random.Random(5)
    slices, flipped = [], set()
    for index in range(200):
        finding = chance.random() < 0.3
        value = min(max(chance.gauss(0.8 if finding else 0.15, 0.12), 0), 1)
        if index % 10 == 0:
            flipped.add(f"s{index}")
            finding = not finding
        slices.append(SliceState("c", f"s{index}", index, value, "x", finding))
    found = [item.slice_id for item in against_label(slices, RULES)][: len(flipped)]
    assert len(flipped & set(found)) >= 0.8 * len(flipped)  # by chance: 0.1
