"""Figures of a model on a set: right, with intervals, on the same cases or not at all."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import CoreError, NotComparableError, RunError, UnusableDatasetError
from core.models.card import Card, Preprocessing, read_card
from core.models.catalogue import Catalogue
from core.retraining import plots
from core.retraining.building import build_from_table
from core.retraining.changed_pictures import MOST, changed_pictures, draw_changed
from core.retraining.comparison import ChangedCase, compare, figures_in_words
from core.retraining.dataset import Dataset
from core.retraining.evaluation import align, evaluate, evaluate_rows
from core.retraining.experiments import flip_pictures, run_experiments, write_experiments
from core.retraining.figures import Evaluation, read_evaluation
from core.retraining.promotion import comparison_facts, judge, promote
from core.retraining.report import spreadsheet_safe, write_evaluation
from core.retraining.scoring import Scores, Subject, cross_validated, find_subject, score
from tests.core.models.making import make_model
from tests.core.retraining.making import (
    finished_run,
    oracle,
    request,
    small_dataset,
    table_of_patients,
    write_table,
)

CLASSES = ("no_bleed", "bleed")


def figures(labels: np.ndarray, chances: np.ndarray, **changes: object) -> Evaluation:
    facts: dict[str, object] = {
        "classes": CLASSES,
        "positive": "bleed",
        "threshold": 0.5,
        "resamples": 200,
    }
    return evaluate(chances, labels, np.arange(len(labels)) // 4, **(facts | changes))


def test_figures_agree_with_scikit_learn() -> None:
    from sklearn import metrics

    labels = np.random.default_rng(0).integers(0, 2, 200)
    chances = oracle(labels, 0.7)
    found = figures(labels, chances, threshold=0.4)
    calls = chances[:, 1] >= 0.4
    assert found.auroc == pytest.approx(metrics.roc_auc_score(labels, chances[:, 1]))
    assert np.array(found.confusion).tolist() == metrics.confusion_matrix(labels, calls).tolist()
    told = metrics.classification_report(labels, calls, target_names=CLASSES, output_dict=True)
    for name in CLASSES:
        assert found.per_class[name].precision == pytest.approx(told[name]["precision"])
        assert found.per_class[name].recall == pytest.approx(told[name]["recall"])
        assert found.per_class[name].f1 == pytest.approx(told[name]["f1-score"])
    assert found.log_loss == pytest.approx(metrics.log_loss(labels, chances))
    low, high = found.auroc_ci95
    assert low < found.auroc < high
    assert found.groups == 50


def test_the_contract_of_evaluate_json_holds() -> None:
    labels = np.array([0, 1] * 10)
    facts = json.loads(figures(labels, oracle(labels, 1)).model_dump_json())
    for name in (
        "n", "groups", "auroc", "auroc_ci95", "accuracy", "sensitivity", "specificity",
        "threshold", "confusion", "ece", "brier", "per_class",
    ):  # fmt: skip
        assert name in facts
    assert len(facts["auroc_ci95"]) == 2
    assert Evaluation.model_validate(facts).n == 20


def test_one_class_alone_is_told_as_unknown_and_stays_json() -> None:
    found = figures(np.zeros(8, int), oracle(np.zeros(8, int), 1))
    assert found.auroc is None
    assert found.sensitivity is None
    assert found.auroc_ci95 == (None, None)
    assert "NaN" not in found.model_dump_json()
    assert found.specificity_ci95[0] is not None


def test_a_perfect_rate_has_an_interval_that_is_not_a_point() -> None:
    labels = np.array([0, 1] * 20)
    chances = np.stack([1 - labels, labels], axis=1) * 0.9 + 0.05
    found = figures(labels, chances)
    assert found.sensitivity == 1.0
    assert found.sensitivity_ci95[0] < 0.9


def test_many_classes_without_a_finding() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 90)
    logits = rng.normal(0, 1, (90, 3)) + 2 * np.eye(3)[labels]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = figures(labels, chances, classes=("a", "b", "c"), positive=None)
    from sklearn.metrics import roc_auc_score

    assert found.auroc == pytest.approx(roc_auc_score(labels, chances, multi_class="ovr"))
    assert found.threshold is None
    assert found.accuracy == pytest.approx(np.mean(chances.argmax(1) == labels))


def test_subgroups_are_told_apart() -> None:
    labels = np.array([0, 1] * 40)
    sites = ["A", "B"] * 20 + ["A"] * 40
    chances = oracle(labels, 0.5)
    found = figures(labels, chances, subgroups={"site": sites})
    part = np.array(sites) == "A"
    assert found.subgroups["site"]["A"].n == part.sum()
    assert set(found.subgroups["site"]) == {"A", "B"}


def test_the_worst_cases_are_wrong_and_sorted() -> None:
    labels = np.random.default_rng(4).integers(0, 2, 60)
    chances = oracle(labels, 0.3)
    found = figures(labels, chances, worst=5)
    assert len(found.worst) == 5
    assert all(case.label != case.predicted for case in found.worst)
    right = [c.probability if c.label == "bleed" else 1 - c.probability for c in found.worst]
    assert right == sorted(right)


def test_a_model_with_other_class_names_is_matched_by_its_finding(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    raw = np.array([[0.9, 0.1], [0.3, 0.7]])
    same, notes = align(raw, ("bleed", "no_bleed"), "bleed", dataset)
    assert same.tolist() == [[0.1, 0.9], [0.7, 0.3]]
    assert notes == ()
    other, notes = align(raw, ("sound", "crack"), "crack", dataset)
    assert other.tolist() == [[pytest.approx(0.9), 0.1], [pytest.approx(0.3), 0.7]]
    assert "crack" in notes[0]
    with pytest.raises(NotComparableError):
        align(np.ones((1, 3)) / 3, ("x", "y", "z"), "x", dataset)


# ----------------------------------------------------------------- champion and challenger


def scores(dataset: Dataset, skill: float, seed: int = 0, threshold: float = 0.5) -> Scores:
    rows = dataset.part("all")
    card = Card.model_construct(
        id=f"model-{skill}", version="1", title="A model", threshold=threshold,
        weights_sha256="", preprocessing=Preprocessing(), operating_point=None,
        classes=dataset.manifest.classes, positive=dataset.manifest.positive or "",
    )  # fmt: skip
    subject = Subject(card.id, Path(), card)
    return Scores(subject, rows, oracle(dataset.labels[rows], skill, seed), "all")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    table, _ = table_of_patients(tmp_path / "source", 30, 4)
    build_from_table(request(table, tmp_path / "set"))
    return Dataset.open(tmp_path / "set")


def test_a_better_model_passes_the_gate_and_a_worse_one_does_not(dataset: Dataset) -> None:
    weak, strong = scores(dataset, 0.2, 1), scores(dataset, 3.0, 2)
    up = compare(dataset, weak, strong, resamples=300)
    assert up.gate.passed
    assert up.difference.ci95.low > 0
    down = compare(dataset, strong, weak, resamples=300)
    assert not down.gate.passed
    assert down.gate.reasons
    assert down.difference.value == pytest.approx(-up.difference.value)
    assert up.better == down.worse


def test_changed_cases_are_exactly_those_whose_call_changed(dataset: Dataset) -> None:
    one, two = scores(dataset, 0.8, 1), scores(dataset, 0.8, 2)
    found = compare(dataset, one, two, resamples=100)
    before, after = one.probabilities[:, 1] >= 0.5, two.probabilities[:, 1] >= 0.5
    assert sorted(case.row for case in found.changed) == list(np.flatnonzero(before != after))
    for case in found.changed:
        assert case.is_worse == (before[case.row] == (dataset.labels[case.row] == 1))
    order = [(not case.is_worse, -case.swing) for case in found.changed]
    assert order == sorted(order)
    tn_fp, fn_tp = found.challenger.outcomes
    assert sum(tn_fp) + sum(fn_tp) == found.slices == 120
    assert fn_tp[1] == int((after & (dataset.labels == 1)).sum())


def test_a_model_against_itself_changes_nothing(dataset: Dataset) -> None:
    one = scores(dataset, 0.8)
    found = compare(dataset, one, one, resamples=100)
    assert found.changed == ()
    assert found.difference == (0.0, (0.0, 0.0))
    assert found.gate.passed
    assert json.dumps(comparison_facts(found))
    assert "AUROC by patient" in figures_in_words(found.champion.figures)


def test_several_classes_are_compared_by_their_mean(tmp_path: Path) -> None:
    table, rows = table_of_patients(tmp_path / "source", 20, 3)
    for number, row in enumerate(rows):
        row["kind"] = ("free", "crack", "hole")[number % 3]
    write_table(table, rows)
    build_from_table(request(table, tmp_path / "set", label="kind"))
    dataset = Dataset.open(tmp_path / "set")
    rng = np.random.default_rng(0)

    def some(skill: float) -> Scores:
        logits = rng.normal(0, 1, (60, 3)) + skill * np.eye(3)[dataset.labels]
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return Scores(scores(dataset, 1).subject, dataset.part("all"), chances, "all")

    weak, strong = some(0.1), some(4.0)
    found = compare(dataset, weak, strong, resamples=200)
    assert found.gate.passed
    assert found.difference.value == pytest.approx(
        found.challenger.figures.auroc - found.champion.figures.auroc
    )
    (tn, fp), (fn, tp) = found.challenger.outcomes
    assert tn + fp == 20
    assert fn + tp == 40
    assert found.better > found.worse


def test_different_cases_are_not_compared(dataset: Dataset) -> None:
    one = scores(dataset, 0.8)
    fewer = Scores(one.subject, one.rows[:-1], one.probabilities[:-1], "all")
    with pytest.raises(NotComparableError):
        compare(dataset, one, fewer)


def test_one_class_in_the_test_part_is_said_not_guessed(dataset: Dataset) -> None:
    rows = np.flatnonzero(dataset.labels == 0)
    some = Scores(scores(dataset, 1).subject, rows, oracle(dataset.labels[rows], 1), "test")
    found = compare(dataset, some, some, resamples=100)
    assert found.difference is None
    assert not found.gate.passed


# ----------------------------------------------------------------- with models on disk


def test_a_report_stands_alone_and_names_nobody(tmp_path: Path, dataset: Dataset) -> None:
    rows = dataset.part("test")
    chances = oracle(dataset.labels[rows], 0.2)
    found = evaluate_rows(dataset, rows, chances, 0.5, split="test", resamples=100)
    out = tmp_path / "report"
    write_evaluation(
        out, found, dataset, rows, chances, title="<b>Title</b>", limits=("Only for tests.",),
        cases={found.worst[0].key: plots.png(plots.confusion(found))},
    )  # fmt: skip
    assert {path.name for path in out.iterdir()} == {
        "metrics.json", "predictions.csv", "predictions.parquet", "report.html", "roc.png",
        "confusion.png", "calibration.png", "precision_recall.png", "report.pdf",
    }  # fmt: skip
    printed = (out / "report.pdf").read_bytes()
    assert printed.startswith(b"%PDF")
    assert b"CreationDate" not in printed
    page = (out / "report.html").read_text()
    assert "&lt;b&gt;" in page
    assert "<b>Title" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert read_evaluation(out / "metrics.json") == found
    table = (out / "predictions.csv").read_text().splitlines()
    assert len(table) == len(rows) + 1
    assert table[0] == "key,group,split,source,label,predicted,p_no_bleed,p_bleed"
    assert "p1_s" not in page + "".join(table)
    with pytest.raises(NotComparableError):
        read_evaluation(out / "roc.png")


def test_cells_cannot_become_formulas() -> None:
    for text in ("=1+1", "+1", "-1", "@x", "\tx"):
        assert spreadsheet_safe(text).startswith("'")
    assert spreadsheet_safe("ABC") == "ABC"


def test_a_run_is_found_scored_and_compared(tmp_path: Path, dataset: Dataset) -> None:
    one = finished_run(tmp_path / "one", dataset.folder, 1)
    two = finished_run(
        tmp_path / "two", dataset.folder, 2,
        recipe={"title": "Quick", "stopping": {"epochs": 5}},
    )  # fmt: skip
    dataset, found = run_experiments([str(one), str(two)], device="cpu", resamples=100)
    assert found[0].changed == ()
    assert found[1].changed == ("stopping.epochs: 5",)
    assert found[1].comparison is not None
    flips = flip_pictures(found, dataset, "cpu")
    write_experiments(tmp_path / "log", found, flips)
    assert len(flips) == min(8, found[1].comparison.worse)
    names = {path.name for path in (tmp_path / "log").iterdir()}
    assert {"comparison.csv", "comparison.html", "comparison.json", "roc.png", "learning.png"} <= (
        names
    )
    assert len((tmp_path / "log/comparison.csv").read_text().splitlines()) == 3


def test_a_run_on_other_test_patients_is_not_compared(tmp_path: Path, dataset: Dataset) -> None:
    one = finished_run(tmp_path / "one", dataset.folder)
    table, _ = table_of_patients(tmp_path / "others", 12)
    build_from_table(request(table, tmp_path / "other", split="test"))
    two = finished_run(tmp_path / "two", tmp_path / "other", 2)
    with pytest.raises(NotComparableError):
        run_experiments([str(one), str(two)])


def test_what_cannot_be_scored_is_one_sentence(tmp_path: Path, dataset: Dataset) -> None:
    run = finished_run(tmp_path / "run", dataset.folder)
    with pytest.raises(RunError, match="cross-validated"):
        score(find_subject(str(run)), dataset, "cv")
    table, _ = table_of_patients(tmp_path / "more", 6)
    build_from_table(request(table, tmp_path / "tested", split="test"))
    with pytest.raises(UnusableDatasetError, match="train part is empty"):
        score(find_subject(str(run)), Dataset.open(tmp_path / "tested"), "train")
    with pytest.raises(CoreError):
        find_subject(str(tmp_path / "nothing"))


def test_out_of_fold_scores_are_taken_from_the_run(tmp_path: Path, dataset: Dataset) -> None:
    run = finished_run(tmp_path / "run", dataset.folder)
    rows = np.flatnonzero(dataset.splits != "test")
    keys = dataset.keys()
    lines = [{"key": keys[r], "fold": 0, "probabilities": [0.25, 0.75]} for r in rows]
    (run / "out_of_fold.json").write_text(json.dumps(lines))
    found = score(find_subject(str(run)), dataset, "cv")
    assert found.rows.tolist() == rows.tolist()
    assert found.probabilities[:, 1].tolist() == [0.75] * len(rows)
    beside = cross_validated(find_subject(str(run)), dataset, 100)
    assert beside is not None
    assert beside.n == len(rows)
    assert beside.auroc == 0.5


def test_from_run_to_active_model_and_back(tmp_path: Path, dataset: Dataset) -> None:
    catalogue = Catalogue(tmp_path / "shipped", tmp_path / "own")
    run = finished_run(tmp_path / "challenger", dataset.folder, 5)
    first = judge(run, catalogue, device="cpu", resamples=100)
    assert first.comparison is None
    with pytest.raises(RunError):
        promote(first, "", "It is the first.", catalogue)
    promote(first, "Dr A", "It is the first.", catalogue)
    assert catalogue.active("bleeding").card.id == "challenger"

    second = finished_run(tmp_path / "second", dataset.folder, 6)
    judged = judge(second, catalogue, device="cpu", resamples=100)
    assert judged.comparison.champion.id == "challenger"
    assert judged.part == "test"
    again = judge(second, catalogue, device="cpu", resamples=100)
    assert again.comparison == judged.comparison
    decided = promote(judged, "Dr B", "Better on the ward.", catalogue)
    assert (decided.by, decided.reason) == ("Dr B", "Better on the ward.")
    assert catalogue.active("bleeding").card.id == "second"
    assert json.loads((second / "comparison.json").read_text())["comparison"]["slices"] > 0
    catalogue.rollback("bleeding", "Dr A", "Not so.")
    assert catalogue.active("bleeding").card.id == "challenger"


def test_what_both_models_looked_at_is_drawn_of_changed_slices(
    tmp_path: Path, dataset: Dataset
) -> None:
    catalogue = Catalogue(tmp_path / "shipped", tmp_path / "own")
    first = judge(finished_run(tmp_path / "one", dataset.folder, 5), catalogue, resamples=100)
    promote(first, "Dr A", "It is the first.", catalogue)
    run = finished_run(tmp_path / "two", dataset.folder, 6)
    judged = judge(run, catalogue, device="cpu", resamples=100)
    rows = dataset.part("test")[: MOST + 1].tolist()
    changed = tuple(
        ChangedCase(dataset.keys()[row], "p", "s", 0, row, "free", 0.1, 0.9, True) for row in rows
    )
    judged = replace(judged, comparison=replace(judged.comparison, changed=changed))
    assert changed_pictures(judged) == {}
    assert draw_changed(judged, device="cpu") == min(len(changed), MOST)
    pictures = changed_pictures(judged)
    assert list(pictures) == [case.key for case in changed[:MOST]]
    with Image.open(pictures[changed[0].key]) as drawn:
        assert drawn.width > 2.9 * drawn.height, "the slice, and what either model looked at"
    assert draw_changed(judged, device="cpu") == 0, "they are there"


def test_a_run_that_has_not_finished_is_not_judged(tmp_path: Path, dataset: Dataset) -> None:
    run = finished_run(tmp_path / "run", dataset.folder)
    (run / "result.json").unlink()
    with pytest.raises(RunError):
        judge(run, Catalogue(tmp_path / "a", tmp_path / "b"))


def test_a_published_model_is_found_by_folder(tmp_path: Path) -> None:
    make_model(tmp_path / "model")
    subject = find_subject(str(tmp_path / "model"))
    assert subject.card == read_card(tmp_path / "model")
    assert subject.run is None
