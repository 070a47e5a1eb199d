"""Agreement between readers, against reference implementations and published figures."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.labels.agreement import Reading, cohen, disputes, fleiss, pairwise, readings
from core.labels.history import History
from core.labels.journal import Journal
from core.labels.labelling import Labelling
from tests.core.labels.support import HEMORRHAGE, SERIES, SUBTYPES


def rated(*said: dict[str, str], patients: int = 1000) -> list[Reading]:
    return [
        Reading(f"c{i}", f"s{i}", i, f"p{i % patients}", classes) for i, classes in enumerate(said)
    ]


pairs = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2)


@settings(max_examples=12)
@given(pairs)
def test_cohen_equals_the_reference(given_classes: list[tuple[str, str]]) -> None:
    from sklearn.metrics import cohen_kappa_score

    found = cohen(rated(*({"x": a, "y": b} for a, b in given_classes)), "x", "y")
    one, other = zip(*given_classes, strict=True)
    if len({*one, *other}) == 1:
        assert found.kappa is None
        assert found.observed == 1
    else:
        assert found.kappa == pytest.approx(cohen_kappa_score(one, other), abs=1e-9)
        if found.kappa_ci95 is not None:
            assert -1.0001 <= found.kappa_ci95[0] <= found.kappa_ci95[1] <= 1.0001


def test_cohen_of_a_worked_example() -> None:
    # 50 grants, two reviewers: both yes 20, both no 15, differ 5 and 10; kappa 0.4.
    said = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    found = cohen(rated(*({"a": a, "b": b} for a, b in said)), "a", "b")
    assert found.kappa == pytest.approx(0.4)
    assert found.observed == pytest.approx(0.7)
    assert found.by_class == pytest.approx({"y": 40 / 55, "n": 30 / 45})
    assert found.kappa_ci95 is not None
    # The large-sample interval is 0.4 ± 1.96 · 0.1279 (Fleiss, Cohen, Everitt 1969).
    assert found.kappa_ci95 == pytest.approx((0.15, 0.65), abs=0.03)


def test_fleiss_of_a_worked_example() -> None:
    # Ten subjects, 14 raters, five categories: kappa 0.210 (Fleiss 1971's layout).
    table = [
        (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
        (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
    ]  # fmt: skip
    said = []
    for row in table:
        given_classes = [f"k{k}" for k, count in enumerate(row) for _ in range(count)]
        said.append({f"r{number}": class_id for number, class_id in enumerate(given_classes)})
    found = fleiss(rated(*said))
    assert found is not None
    assert found.kappa == pytest.approx(0.2099, abs=1e-4)
    assert found.observed == pytest.approx(0.378, abs=1e-3)


def test_fleiss_takes_items_with_different_numbers_of_readers() -> None:
    said = [{"x": "a", "y": "a"}, {"x": "b", "y": "b", "z": "b"}, {"x": "a"}]
    found = fleiss(rated(*said))
    assert found is not None
    assert (found.slices, found.kappa, found.observed) == (2, 1.0, 1.0)
    assert found.by_class == {"a": 1.0, "b": 1.0}
    assert fleiss(rated({"x": "a"})) is None
    assert fleiss([]) is None


def test_slices_of_one_patient_count_as_dependent() -> None:
    chance = random.Random(3)
    said = []
    for patient in range(10):
        wrong = patient < 3  # on three patients the second reader errs throughout
        for _ in range(20):
            truth = chance.choice("ab")
            other = "ab"["ab".index(truth) ^ wrong]
            said.append({"x": truth, "y": other})
    by_patient = [
        Reading("c", f"s{i}", i, f"p{i // 20}", classes) for i, classes in enumerate(said)
    ]
    clustered = cohen(by_patient, "x", "y").kappa_ci95
    independent = cohen(rated(*said), "x", "y").kappa_ci95
    assert clustered is not None
    assert independent is not None
    assert clustered[1] - clustered[0] > 2 * (independent[1] - independent[0])
    assert cohen(rated(*said, patients=1), "x", "y").kappa_ci95 is None


@pytest.mark.slow
def test_the_interval_covers_the_true_kappa() -> None:
    # Two readers who each keep a patient's slices right with a rate of the patient's own.
    chance = random.Random(1)

    def study(patients: int) -> list[Reading]:
        items = []
        for patient in range(patients):
            skill = chance.choice([0.6, 0.95])
            for index in range(10):
                truth = chance.choice("ab")
                said = {
                    reader: truth if chance.random() < skill else "ab"[truth == "a"]
                    for reader in "xy"
                }
                items.append(Reading("c", f"{patient}-{index}", index, f"p{patient}", said))
        return items

    truth = cohen(study(20_000), "x", "y").kappa
    assert truth is not None
    covered = Counter()
    for _ in range(200):
        bounds = cohen(study(40), "x", "y").kappa_ci95
        assert bounds is not None
        covered[bounds[0] <= truth <= bounds[1]] += 1
    assert covered[True] / 200 >= 0.89


def test_readings_come_from_the_journal_and_disputes_are_settled(tmp_path: Path) -> None:
    with Journal(tmp_path / "labels.db") as journal:
        labelling = Labelling(journal, "kim")
        labelling.label_series(SERIES, "no_hemorrhage", label_set=HEMORRHAGE)
        labelling.sign_in("lee")
        labelling.read_blind(True)
        for index in (0, 1, 2):
            labelling.label(SERIES, index, "hemorrhage", label_set=HEMORRHAGE)
        labelling.undo()
        labelling.clear(SERIES, 1, label_set=HEMORRHAGE)
        found = readings(History(journal.events()), HEMORRHAGE.id)
        assert len(found) == len(SERIES.slice_ids)
        assert found[0].said == {"kim": "no_hemorrhage", "lee": "hemorrhage"}
        assert found[1].said == found[2].said == {"kim": "no_hemorrhage"}
        assert [item.slice_index for item in disputes(found)] == [0]
        (pair,) = pairwise(found)
        assert (pair.readers, pair.slices, pair.observed) == (("kim", "lee"), 1, 0.0)
        labelling.sign_in("chief")
        labelling.adjudicate(SERIES, 0, "hemorrhage", label_set=HEMORRHAGE, reason="seen on MR")
        settled = readings(History(journal.events()), HEMORRHAGE.id)
        assert disputes(settled) == []
        assert settled[0].adjudicated == "hemorrhage"
        assert "chief" not in settled[0].said


def test_readers_are_compared_within_a_label_set(tmp_path: Path) -> None:
    with Journal(tmp_path / "labels.db") as journal:
        labelling = Labelling(journal, "kim")
        labelling.label(SERIES, 0, "hemorrhage", label_set=HEMORRHAGE)
        labelling.label(SERIES, 0, "subdural", label_set=SUBTYPES)
        labelling.adjudicate(SERIES, 0, "subdural", label_set=SUBTYPES, reason="seen on MR")
        labelling.sign_in("lee")
        labelling.label(SERIES, 0, "no_hemorrhage", label_set=HEMORRHAGE)
        labelling.label(SERIES, 0, "no_hemorrhage", label_set=SUBTYPES)
        history = History(journal.events())
    (one,), (other,) = (readings(history, task.id) for task in (HEMORRHAGE, SUBTYPES))
    assert one.said == {"kim": "hemorrhage", "lee": "no_hemorrhage"}
    assert (one.adjudicated, one.is_disputed) == (None, True)
    assert other.said == {"kim": "subdural", "lee": "no_hemorrhage"}
    assert (other.adjudicated, other.is_disputed) == ("subdural", False)
