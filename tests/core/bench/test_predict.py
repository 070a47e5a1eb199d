"""The benches of predictions and heat maps run to their end, on networks of no size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.bench import explain, predict
from core.bench.models_made import another, best_of, made, series
from core.cli.main import run
from core.models.loading import NetworkPredictor, load_predictor
from core.models.member import Choice
from tests.core.models.making import make_model


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small model in the place of the shipped one, and few rounds."""
    make_model(tmp_path / "m", context=(1.0, 2.0, 1.0))

    def shipped(runtime: Choice) -> NetworkPredictor:
        return load_predictor(tmp_path / "m", "cpu", runtime=runtime)

    for module in (predict, explain):
        monkeypatch.setattr(module, "shipped", shipped)
        monkeypatch.setattr(module, "ROUNDS", 1)
    monkeypatch.setattr(predict, "shipped_folder", lambda: tmp_path / "m")
    monkeypatch.setattr(
        predict, "_CASES", (("small, 2D", None, 32, 2, 0.0), ("a CNN", "plain-cnn", 32, 2, 0.0))
    )
    monkeypatch.setattr(predict, "_LENGTHS", (3,))
    monkeypatch.setattr(predict, "_READ", 20)
    monkeypatch.setattr(predict, "_FIRST_ROUNDS", 1)
    monkeypatch.setattr(explain, "_SLICES", 3)
    monkeypatch.setattr(explain, "_PAIRS", 3)
    for module in (predict, explain):
        monkeypatch.setattr(
            module, "made", lambda _family, _size, _dimensions, how: made("plain-cnn", 32, 2, how)
        )
    return tmp_path / "m"


@pytest.mark.slow
def test_explaining_is_measured_and_checked(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", "explain", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["explain"]
    assert [figure["goal"] for figure in found["figures"][:2]] == [1.03, 1.03]
    for check in found["checks"]:
        assert check["met"], check


@pytest.mark.slow
def test_predicting_is_measured_through_the_engine_process(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", "predict", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["predict"]
    assert len(found["figures"]) == 7
    assert all(figure["seconds"] > 0 for figure in found["figures"])
    assert all(check["met"] for check in found["checks"])


def test_rounds_end_with_their_budget_but_never_before_three() -> None:
    calls: list[int] = []
    best_of({"work": lambda: calls.append(1)}, 50, budget=0.0)
    assert len(calls) == 4  # one to warm up


def test_another_series_has_other_values() -> None:
    case = series(2, 16)
    assert (another(case).voxels == case.voxels + 1).all()
