"""The queue's reasons between answers: label errors, slices against series, model against model."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from core.labels.queue import (
    QueueRules,
    SliceState,
    Why,
    against_model,
    against_series,
    label_errors,
    work_queue,
)

RULES = QueueRules(threshold=0.3)


def state(index: int, **facts: object) -> SliceState:
    return replace(SliceState("a", f"s{index}", index), **facts)  # type: ignore[arg-type]


def test_a_mistaken_label_is_found_by_a_model_that_had_not_learnt_from_it() -> None:
    right = [state(k, finding=True, label="x", left_out=0.9) for k in range(5)]
    right += [state(k, finding=False, label="y", left_out=0.1) for k in range(5, 10)]
    wrong = state(10, finding=False, label="y", left_out=0.97)
    found = label_errors([*right, wrong], RULES)
    assert [item.slice_id for item in found] == ["s10"]
    assert found[0].why is Why.LABEL_ERROR and found[0].score == 0.97
    assert work_queue([*right, wrong], RULES)[0].why is Why.LABEL_ERROR


def test_a_class_that_the_model_is_never_sure_of_accuses_nobody() -> None:
    """Confident learning: the bar for a class is how sure the model usually is of it."""
    sure = [state(k, finding=True, label="x", left_out=0.99) for k in range(5)]
    unsure = [state(k, finding=False, label="y", left_out=0.6) for k in range(5, 10)]
    assert label_errors([*sure, *unsure], RULES) == []


def test_without_both_kinds_of_labels_nothing_is_suspected() -> None:
    assert label_errors([state(1, finding=True, label="x", left_out=0.01)], RULES) == []
    assert label_errors([], RULES) == []


def test_a_series_that_contradicts_its_slices_is_listed_once() -> None:
    slices = [state(k, probability=p, series=0.9) for k, p in enumerate((0.1, 0.25, 0.2))]
    found = against_series(slices, RULES)
    assert [(item.slice_index, item.why) for item in found] == [(1, Why.SLICE_AGAINST_SERIES)]
    agree = [replace(item, series=0.1) for item in slices]
    assert against_series(agree, RULES) == []
    flagged = [*agree, state(7, probability=0.8, series=0.1)]
    assert [item.slice_index for item in against_series(flagged, RULES)] == [7]
    assert against_series([state(1, probability=0.9)], RULES) == [], "no answer for the series"


def test_two_models_on_different_sides_are_told_apart_from_two_undecided() -> None:
    apart = state(1, probability=0.9, other=-0.5)
    undecided = state(2, probability=0.31, other=-0.05)
    agree = state(3, probability=0.9, other=0.4)
    found = against_model([apart, undecided, agree], RULES)
    assert [item.slice_id for item in found] == ["s1"]


chances = st.none() | st.floats(0, 1)


@given(
    st.lists(
        st.builds(
            SliceState,
            case_id=st.sampled_from("ab"),
            slice_id=st.uuids().map(str),
            slice_index=st.integers(0, 30),
            probability=chances,
            finding=st.none() | st.booleans(),
            other=st.none() | st.floats(-1, 1),
            left_out=chances,
            series=chances,
        ),
        max_size=30,
    )
)
def test_scores_are_comparable_and_no_slice_comes_twice(slices: list[SliceState]) -> None:
    for rule in (label_errors, against_series, against_model):
        assert all(0 <= item.score <= 1 for item in rule(slices, RULES))
    found = work_queue(slices, RULES)
    assert len({(item.case_id, item.slice_id) for item in found}) == len(found)
