"""Curves go to MLflow only where somebody asked for it, and never stop a training."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.retraining.tracking import Tracking

EPOCH = {"epoch": 3, "train_loss": 0.5, "validation_auroc": None, "rate": 1.0, "seconds": 2}


def told(monkeypatch: pytest.MonkeyPatch, fails: bool = False) -> list[tuple[str, object]]:
    """A stand-in for the library, and what it was told."""
    calls: list[tuple[str, object]] = []

    def note(name: str) -> object:
        def call(*values: object, **named: object) -> None:
            calls.append((name, (*values, *named.values())))
            if fails:
                raise ConnectionError("no server")

        return call

    names = ("start_run", "end_run", "log_metrics", "log_params")
    monkeypatch.setitem(
        sys.modules, "mlflow", SimpleNamespace(**{name: note(name) for name in names})
    )
    return calls


def test_curves_and_recipe_go_to_a_server_that_somebody_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = told(monkeypatch)
    with Tracking(tmp_path / "run" / "logs") as tracking:
        tracking.epoch("once", EPOCH)
    assert not calls  # nobody named one
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    with Tracking(tmp_path / "run" / "logs") as tracking:
        tracking.settings({"stopping.epochs": 3})
        tracking.epoch("once", EPOCH)
    assert calls == [
        ("start_run", ("run",)),
        ("log_params", ({"stopping.epochs": 3},)),
        ("log_metrics", ({"once/train_loss": 0.5, "once/rate": 1.0, "once/seconds": 2.0}, 3)),
        ("end_run", ()),
    ]


def test_a_server_that_does_not_answer_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = told(monkeypatch, fails=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    with Tracking(tmp_path / "logs") as tracking:
        tracking.epoch("once", EPOCH)
    assert len(calls) == 1


def test_mlflow_that_is_not_installed_is_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with Tracking(tmp_path / "logs") as tracking:
        tracking.epoch("once", EPOCH)
