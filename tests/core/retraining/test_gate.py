"""The gate's rules, one by one; and where a model points."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.cli.main import run
from core.retraining import gate
from core.retraining import statistics as stats
from core.retraining.attention import learnt_rows
from core.retraining.dataset import Dataset
from core.retraining.evaluation import evaluate_rows
from core.retraining.figures import read_evaluation
from core.retraining.gate import Check, Evidence, GateVerdict, judge_by
from core.retraining.pointing import (
    Looks,
    held_out_marks,
    look,
    marked_rows,
    pointing,
    pointing_change,
)
from core.retraining.recipe import Gate
from core.retraining.scoring import find_subject
from tests.core.models.making import make_model
from tests.core.retraining.making import (
    oracle,
    request,
    small_dataset,
    table_of_patients,
    write_table,
)
from tests.core.retraining.test_attention import marked_set


def evidence(dataset: Dataset, old: np.ndarray, new: np.ndarray) -> Evidence:
    rows = dataset.part("all")
    truth, groups = dataset.labels[rows], dataset.groups[rows]
    before, after = (evaluate_rows(dataset, rows, said, 0.5, resamples=100) for said in (old, new))
    difference = stats.bootstrap_auroc_difference(truth == 1, old[:, 1], new[:, 1], groups, 200)
    right = [(said[:, 1] >= 0.5) == (truth == 1) for said in (old, new)]
    return Evidence(
        dataset, rows, old[:, 1], new[:, 1], *right, before, after, difference, resamples=200
    )


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    table, rows = table_of_patients(tmp_path / "source", 20)
    for number, row in enumerate(rows):
        row["site"] = "north" if number // 4 < 10 else "south"
    write_table(table, rows)
    from core.retraining.building import build_from_table

    build_from_table(request(table, tmp_path / "set", subgroups=("site",)))
    return Dataset.open(tmp_path / "set")


def checks(verdict: GateVerdict) -> dict[str, Check]:
    return {check.code: check for check in verdict.checks}


def test_equal_models_pass_every_rule(dataset: Dataset) -> None:
    said = oracle(dataset.labels, 1.5)
    verdict = judge_by(Gate(), evidence(dataset, said, said))
    assert verdict.passed
    assert {c.code for c in verdict.checks} >= {"auroc", "sensitivity", "calibration", "subgroup"}
    assert verdict.reasons == ()


def test_one_patient_proves_nothing() -> None:
    """Drawn again and again, one patient gives an interval of no width: it is not certainty."""
    (alone,), said = gate._discrimination((1.0, (1.0, 1.0)), 0.02, 1)
    assert not alone.passed and "one test patient" in alone.sentence and "better" not in said
    (several,), said = gate._discrimination((1.0, (0.9, 1.0)), 0.02, 2)
    assert several.passed and "better" in said


def test_lost_findings_stop_it_although_the_ranking_holds(dataset: Dataset) -> None:
    old = oracle(dataset.labels, 3.0, noise=0.3)
    new = old.copy()
    new[:, 1] *= 0.4  # the same order, below its threshold
    new[:, 0] = 1 - new[:, 1]
    verdict = judge_by(Gate(calibration_margin=1.0), evidence(dataset, old, new))
    found = checks(verdict)
    assert found["auroc"].passed
    assert not found["sensitivity"].passed
    assert not found["negative-flips"].passed
    assert not verdict.passed
    assert found["sensitivity"].sentence in verdict.reasons


def test_untrue_probabilities_stop_it(dataset: Dataset) -> None:
    old = oracle(dataset.labels, 4.0, noise=0.1)
    new = 0.5 + 0.02 * (old - 0.5)  # the same decisions, and no longer sure of any
    found = checks(judge_by(Gate(calibration_margin=0.0), evidence(dataset, old, new)))
    assert found["auroc"].passed
    assert not found["calibration"].passed


def test_a_subgroup_that_pays_for_the_average_stops_it(dataset: Dataset) -> None:
    old = oracle(dataset.labels, 1.5, noise=0.5)
    new = oracle(dataset.labels, 6.0, noise=0.1)
    south = dataset.subgroups["site"] == "south"
    new[south] = new[south][:, ::-1]
    verdict = judge_by(Gate(margin=1.0, subgroup_patients=2), evidence(dataset, old, new))
    said = [check for check in verdict.checks if check.code == "subgroup"]
    assert {(c.passed, "south" in c.sentence) for c in said} == {(True, False), (False, True)}
    few = judge_by(Gate(margin=1.0, subgroup_patients=50), evidence(dataset, old, new))
    assert "subgroup" not in checks(few)


def test_pointing_better_and_discriminating_worse_is_refused(tmp_path: Path) -> None:
    marked = marked_set(tmp_path)
    rows = marked_rows(marked, marked.part("all"))
    before = Looks(rows, np.zeros(len(rows)), np.full(len(rows), 0.1))
    after = Looks(rows, np.ones(len(rows)), np.full(len(rows), 0.4))
    change = pointing_change(marked, before, after, 100)
    assert change is not None
    assert change.hits.value == 1.0
    said = oracle(marked.labels, 2.0)
    found = replace(evidence(marked, said, said), pointing=change)
    fine = stats.Estimate(-0.005, stats.Interval(-0.015, 0.004))
    worse = stats.Estimate(-0.01, stats.Interval(-0.015, -0.004))
    for difference, passed in ((fine, True), (worse, False)):
        verdict = judge_by(Gate(), replace(found, difference=difference))
        assert checks(verdict)["auroc"].passed  # within the margin
        assert checks(verdict)["explanation"].passed is passed
        assert verdict.passed is passed


def test_where_a_model_points_is_measured(tmp_path: Path) -> None:
    dataset = marked_set(tmp_path)
    rows = marked_rows(dataset, dataset.part("all"))
    assert len(rows) == 4
    make_model(
        tmp_path / "model", "m", 0, task="bleeding", classes=("no_bleed", "bleed"), positive="bleed"
    )
    looks = look(find_subject(str(tmp_path / "model")), dataset, rows)
    assert set(looks.hits) <= {0.0, 1.0}
    assert ((looks.energy >= 0) & (looks.energy <= 1)).all()
    found = pointing(dataset, looks, 100)
    assert found is not None
    assert found.hits.ci95.low <= found.hits.value <= found.hits.ci95.high
    assert pointing(dataset, Looks(rows[:0], np.zeros(0), np.zeros(0))) is None
    assert len(marked_rows(small_dataset(tmp_path / "none"), np.arange(4))) == 0


def test_marks_that_were_learnt_are_not_asked_about(tmp_path: Path) -> None:
    dataset = marked_set(tmp_path)
    train = dataset.part("train")
    card = make_model(
        tmp_path / "model",
        "m",
        0,
        task="bleeding",
        classes=("no_bleed", "bleed"),
        positive="bleed",
        recipe={"explanation": {"weight": 0.5, "share": 0.5}},
        data={"name": "marked", "dataset_id": dataset.manifest.id},
    )
    every = dataset.part("all")
    learnt, rest = learnt_rows(dataset, train, 0.5)
    held = held_out_marks(card, dataset, every)
    assert len(learnt) and set(held) == set(marked_rows(dataset, every)) - set(learnt)
    assert set(rest) & set(marked_rows(dataset, every)) <= set(held)
    other = card.model_copy(update={"data": card.data.model_copy(update={"dataset_id": "0"})})
    assert np.array_equal(held_out_marks(other, dataset, every), marked_rows(dataset, every))


def test_the_report_tells_where_the_model_looks_beside_how_well_it_discriminates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = marked_set(tmp_path)
    make_model(
        tmp_path / "model", "m", 0, task="bleeding", classes=("no_bleed", "bleed"), positive="bleed"
    )
    out = tmp_path / "out"
    words = ["evaluate", str(tmp_path / "model"), "--data", str(dataset.folder), "--out", str(out)]
    assert run([*words, "--split", "all", "--resamples", "100", "--force"]) == 0
    assert "4 marked slices" in capsys.readouterr().out
    facts = json.loads((out / "metrics.json").read_text())
    here = facts["looking"]
    assert here["slices"] == 4
    low, high = here["pointing_game_ci95"]
    assert low <= here["pointing_game"] <= high and facts["auroc_ci95"][0] is not None
    page = (out / "report.html").read_text()
    assert "Pointing game" in page and "Energy in the mark" in page and "AUROC by slice" in page
    assert read_evaluation(out / "metrics.json").looking is not None
