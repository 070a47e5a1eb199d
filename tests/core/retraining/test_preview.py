"""The head fitted anew: what it foretells, how fast, and whether it was right."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import places
from core.bench import refit
from core.cli.main import run
from core.errors import PreviewError
from core.imaging.deidentify import pseudonym, site_key
from core.imaging.opening import open_path
from core.labels.journal import Journal
from core.labels.labelling import Labelling
from core.labels.sets import load_label_set
from core.models.card import read_card
from core.models.catalogue import Catalogue
from core.models.loading import load_predictor
from core.retraining import foretold as book
from core.retraining import preview
from core.retraining.features import features_of, head_of, keep_features
from core.retraining.foretelling import Foreteller
from core.retraining.foretelling_client import ForetellingClient
from core.retraining.foretold import Foretold
from core.retraining.preview import CaseFeatures, Decides, FeatureStore, Head, Previewer
from core.retraining.sources import Sources
from core.retraining.worker import main
from core.sentences import sentence
from tests.core.imaging.dicom.make import write_series
from tests.core.models.making import make_model
from tests.core.retraining.making import small_dataset


def made(seed: int = 0, slices: int = 40, patients: int = 6) -> tuple[list[CaseFeatures], dict]:
    random = np.random.default_rng(seed)
    cases, labels = [], {}
    for patient in range(patients):
        features = random.normal(size=(slices, 24)).astype(np.float32)
        keys = tuple(f"k{patient}-{index}" for index in range(slices))
        labels |= {key: bool(row[0] + row[1] > 0) for key, row in zip(keys, features, strict=True)}
        cases.append(CaseFeatures(f"c{patient}", f"p{patient}", keys, features))
    return cases, labels


def test_labels_move_the_answers_towards_them_and_validation_is_only_measured() -> None:
    cases, labels = made()
    head = Head(np.zeros(24), 0.0)
    parts = {"p4": "validation", "p5": "test"}
    found = Previewer(Decides(0.5), head, cases, parts).preview(labels)
    assert found.learnt == 4 * 40
    assert found.looked_at == 5 * 40
    assert found.validation_slices == 40
    assert found.validation_before == pytest.approx(0.5)
    assert found.validation_after is not None
    assert found.validation_after > 0.95
    assert found.change is not None
    assert found.change.value == pytest.approx(found.validation_after - 0.5)
    assert np.isnan(found.change.ci95).all()  # one patient tells no interval
    parts["p3"] = "validation"
    low, high = Previewer(Decides(0.5), head, cases, parts).preview(labels).change.ci95
    assert 0.3 < low <= high <= 0.5
    assert {flip.case for flip in found.flips} <= {f"c{n}" for n in range(5)}
    wrong = [flip.is_right for flip in found.flips]
    assert wrong == sorted(wrong)  # those that would become wrong first


def test_what_tests_and_what_validates_changes_nothing() -> None:
    cases, labels = made()
    head = Head(np.full(24, 0.1), 0.0)
    parts = {"p4": "validation", "p5": "test"}
    previewer = Previewer(Decides(0.5), head, cases, parts)
    turned = {key: (not shows if key[1] in "45" else shows) for key, shows in labels.items()}
    one, other = previewer.preview(labels), previewer.preview(turned)
    assert {(f.key, f.after) for f in one.flips} == {(f.key, f.after) for f in other.flips}


def test_without_labels_nothing_changes() -> None:
    cases, _ = made()
    found = Previewer(Decides(0.5), Head(np.ones(24), 0.0), cases).preview({})
    assert found.learnt == 0
    assert found.flips == ()
    assert found.validation_after is None
    assert len(Previewer(Decides(0.5), Head(np.ones(24), 0.0), [])) == 0
    assert Previewer(Decides(0.5), Head(np.ones(24), 0.0), []).preview({}).flips == ()


def test_one_label_moves_little_and_many_move_much() -> None:
    cases, labels = made()
    previewer = Previewer(Decides(0.5), Head(np.zeros(24), -3.0), cases)
    first = next(key for key, shows in labels.items() if shows)
    few = previewer.preview({first: True})
    many = previewer.preview(labels)
    assert len(few.flips) < len(many.flips)


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_the_fit_is_the_penalised_logistic_regression(seed: int) -> None:
    """All directions kept, it is scikit-learn's fit with the same prior."""
    from sklearn.linear_model import LogisticRegression

    cases, labels = made(seed, 60, 2)
    features = np.concatenate([case.features for case in cases])
    truth = np.array([labels[key] for case in cases for key in case.keys])
    found = Previewer(Decides(0.5), Head(np.zeros(24), 0.0), cases)
    after = found._moved(np.ones(len(truth), bool), truth.astype(np.int64))
    centred = features - features.mean(axis=0)
    scale = np.square(centred).sum(axis=1).mean()
    stacked = np.concatenate([centred, np.full((len(centred), 1), np.sqrt(scale))], axis=1)
    oracle = LogisticRegression(
        C=preview.PRIOR_LOGITS**2 / scale, fit_intercept=False, tol=1e-8, max_iter=1000
    ).fit(stacked, truth)
    assert np.allclose(after, oracle.decision_function(stacked), atol=0.02)


def test_five_thousand_slices_in_time() -> None:
    previewer, _, labels = refit.made()
    assert len(previewer) == 5000
    before = time.process_time()
    previewer.preview(labels)
    # Processor time: the machine may be busy with others, and a preview takes one thread.
    assert time.process_time() - before < 2 * refit.LIMIT_SECONDS


def test_features_give_the_models_own_logits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_series(tmp_path / "in", [0, 5, 10, 15], shuffle=None)
    made_card = make_model(tmp_path / "model", "m", 0, context=(1.0, 2.0, 1.0))
    (series,) = open_path(tmp_path / "in").series
    case = series.summary.case_id
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps([str(tmp_path / "in"), case]) + "\n"))
    assert main(["features", str(tmp_path / "model")]) == 0
    store = FeatureStore(made_card.weights_sha256)
    (found,) = store.cases()
    assert found.case == pseudonym(site_key(), f"case:{case}")
    head = store.head()
    assert head is not None
    predictor = load_predictor(tmp_path / "model")
    volume = series.load()
    said = [
        p.probabilities[made_card.positive]
        for p in sorted(predictor.predict_volume(volume, explain=False), key=lambda p: p.index)
    ]
    calibration = made_card.calibration
    logits = calibration.slope * head.logits(found.features) + calibration.intercept
    assert np.allclose(1 / (1 + np.exp(-logits)), said, atol=1e-4)
    assert np.allclose(features_of(predictor, volume), found.features)
    assert head_of(predictor).bias == pytest.approx(head.bias)
    assert keep_features(tmp_path / "model", [(tmp_path / "in", case)]) == 0  # there already
    stored = b"".join(p.read_bytes() for p in store.path("x").parent.glob("*.npz"))
    for name in (series.summary.uid, *series.summary.slice_ids, "P1", "Test^One"):
        assert name.encode() not in stored


def test_a_series_that_is_gone_is_one_sentence_and_the_others_are_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_series(tmp_path / "in", [0, 5])
    card = make_model(tmp_path / "model", "m", 0)
    (series,) = open_path(tmp_path / "in").series
    lines = [[str(tmp_path / "in"), "other"], [str(tmp_path / "in"), series.summary.case_id]]
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(json.dumps(e) + "\n" for e in lines)))
    assert main(["features", str(tmp_path / "model")]) == 0
    heard = capsys.readouterr()
    assert "not there any more" in heard.err and "Traceback" not in heard.err
    assert heard.out.split("\n")[-2] == "2 2"
    assert len(FeatureStore(card.weights_sha256).cases()) == 1


def test_a_damaged_cache_is_no_cache(tmp_path: Path) -> None:
    store = FeatureStore("a" * 64, tmp_path)
    cases, _ = made(0, 3, 2)
    for case in cases:
        store.write(case, Head(np.zeros(24), 0.5))
    store.path("c0").write_bytes(b"damaged")
    assert [case.case for case in store.cases()] == ["c1"]
    (tmp_path / ("a" * 24) / "head.npz").write_bytes(b"")
    assert store.head() is None


def test_what_was_foretold_is_compared_with_what_happened() -> None:
    foretold = {"a": (False, True), "b": (False, True), "c": (True, True), "d": (True, False)}
    book.remember("f" * 64, foretold)
    assert book.remembered("f" * 64) == foretold
    assert book.remembered("e" * 64) == {}
    found = book.agreement(foretold, {"a": True, "b": False, "c": False, "d": False, "x": True})
    assert found == Foretold(slices=4, foretold=3, happened=3, both=2)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 3)
    assert book.record() is None
    book.record_agreement(found)
    book.record_agreement(found)
    assert book.record() == Foretold(8, 6, 6, 4)
    assert book.agreement(foretold, {"x": True}) is None


def test_from_labels_to_a_preview_and_its_agreement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classes = ("no_hemorrhage", "hemorrhage")
    made_card = make_model(
        places.user_models() / "m", "m", 0, task="hemorrhage", classes=classes, positive=classes[1]
    )
    Catalogue().promote("m", "kim", "for the test")
    label_set = load_label_set("hemorrhage")
    with Journal() as journal:
        for number in range(3):
            folder = tmp_path / str(number)
            write_series(
                folder, [0, 5, 10], PatientID=f"P{number}", SeriesInstanceUID=f"1.2.3.{number + 7}"
            )
            (series,) = open_path(folder).series
            Sources().remember(series.summary)
            labelling = Labelling(journal, "kim")
            for index in range(3):
                name = classes[index % 2]
                labelling.label(series.summary, index, name, label_set=label_set)
    assert run(["labels", "preview", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["learnt"], told["looked_at"], told["agreement"]) == (9, 9, None)
    foretold = book.remembered(made_card.weights_sha256)
    assert len(foretold) == 9
    found = book.agreement(foretold, {key: pair[1] for key, pair in foretold.items()})
    assert found is not None
    book.record_agreement(found)
    assert run(["labels", "preview"]) == 0
    said = capsys.readouterr().out
    assert "If the model were retrained on the 9 labels" in said
    assert "So far: The preview had foretold" in said


# ----------------------------------------------------------------- the process that is asked


def made_model(folder: Path) -> tuple[Path, dict[str, bool]]:
    """A model whose features of three series are kept, and their labels."""
    card = make_model(folder / "m", "m", 0)
    cases, labels = made(0, 20, 3)
    for case in cases:
        FeatureStore(card.weights_sha256).write(case, Head(np.zeros(24), 0.0))
    return folder / "m", labels


def test_a_process_answers_as_the_fit_here_does_and_remembers(tmp_path: Path) -> None:
    model, labels = made_model(tmp_path)
    card = read_card(model)
    here = Foreteller(card)
    assert here.load() == 60
    expected = here.tell(labels, keep=False)
    assert expected is not None and expected.flips
    client = ForetellingClient()
    try:
        found = client.ask(model, labels)
        first = client.pid
        assert found is not None
        assert replace(found, seconds=0) == replace(expected, seconds=0)
        assert len(book.remembered(card.weights_sha256)) == 60
        again = client.ask(model, {key: not shows for key, shows in labels.items()})
        assert again is not None and again.flips != found.flips
        assert client.pid == first  # features are read once
        FeatureStore(card.weights_sha256).write(made(1, 20, 4)[0][3], Head(np.zeros(24), 0.0))
        assert client.ask(model, labels).looked_at == 60
        client.features_changed()
        assert client.ask(model, labels).looked_at == 80
        # A death is a sentence, and the next question starts another process.
        os.kill(first, signal.SIGKILL)
        psutil.Process(first).wait(30)
        assert client.ask(model, labels).looked_at == 80
        assert client.pid != first
    finally:
        client.close()
    with pytest.raises(PreviewError):
        client.ask(model, labels)


def test_without_features_there_is_no_preview(tmp_path: Path) -> None:
    make_model(tmp_path / "m", "m", 0)
    client = ForetellingClient()
    try:
        assert client.ask(tmp_path / "m", {"k": True}) is None
        (tmp_path / "m" / "card.json").write_text("{")
        client.features_changed()
        with pytest.raises(PreviewError) as told:
            client.ask(tmp_path / "m", {"k": True})
        assert "card" in str(sentence(told.value))
    finally:
        client.close()


# ----------------------------------------------------------------- was it right?


def test_a_run_takes_along_what_was_foretold_when_it_began_and_counts_once(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    keys = dataset.keys()
    told = {key: (False, row % 2 == 0) for row, key in enumerate(keys)}
    run = tmp_path / "run"
    run.mkdir()
    book.take_along(run, "a" * 64)  # nothing was foretold of this model: nothing is taken
    book.remember("a" * 64, told)
    book.take_along(run, "a" * 64)
    book.remember("a" * 64, dict.fromkeys(keys, (False, False)))  # labels that came later
    book.take_along(run, "a" * 64)
    asked: list[np.ndarray] = []

    def decide(rows: np.ndarray) -> np.ndarray:
        asked.append(rows)
        return np.array([row % 4 == 0 for row in rows])

    rows = np.flatnonzero(dataset.splits != "test")
    found = book.measure(run, dataset, decide)
    assert found == Foretold(
        len(rows),
        int((rows % 2 == 0).sum()),
        int((rows % 4 == 0).sum()),
        int((rows % 4 == 0).sum()),
    )
    assert np.array_equal(asked[0], rows)  # slices that test are never asked
    assert book.measure(run, dataset, decide) == found and len(asked) == 1
    assert book.record() == found == book.measured(run)
