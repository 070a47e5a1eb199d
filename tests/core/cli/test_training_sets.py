"""`dataset`, `evaluate` and `compare` as people and scripts call them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cli.main import run
from core.imaging import decoding
from tests.core.retraining.making import finished_run, table_of_patients, write_table


@pytest.fixture(scope="module", autouse=True)
def _decoders() -> Iterator[None]:
    decoding.warm_up(4)
    yield
    decoding.shut_down()


def build(table: Path, out: Path, *more: str) -> int:
    words = ["dataset", "build", "--from-csv", str(table), "--file", "file", "--label", "bleed"]
    return run([*words, "--group", "patient", "--out", str(out), *more])


def test_build_check_evaluate_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, _ = table_of_patients(tmp_path / "source", 20)
    data = tmp_path / "set"
    assert build(table, data) == 0
    assert "no_bleed" in capsys.readouterr().out

    assert run(["dataset", "check", str(data), "--verify", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["leaks"] == []
    assert told["manifest"]["counts"]["test"]["groups"] == 4

    one = finished_run(tmp_path / "one", data, 1)
    two = finished_run(tmp_path / "two", data, 2)
    words = ["evaluate", str(one), "--data", str(data), "--out", str(tmp_path / "report")]
    assert run([*words, "--device", "cpu", "--resamples", "100", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["n"] == 16
    assert figures["groups"] == 4
    assert figures == json.loads((tmp_path / "report/metrics.json").read_text())

    words = ["compare", str(one), str(two), "--out", str(tmp_path / "log"), "--device", "cpu"]
    assert run([*words, "--resamples", "100"]) == 0
    assert "AUROC" in capsys.readouterr().out
    assert (tmp_path / "log/comparison.html").is_file()


def test_everything_can_be_put_into_the_test_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, _ = table_of_patients(tmp_path / "source", 4)
    assert build(table, tmp_path / "set", "--split", "test", "--json") == 0
    manifest = json.loads(capsys.readouterr().out)
    assert manifest["counts"]["test"]["slices"] == 16
    assert manifest["counts"]["train"]["slices"] == 0


def test_a_leak_is_exit_code_one_and_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, rows = table_of_patients(tmp_path / "source", 4)
    for number, row in enumerate(rows):
        row["part"] = ("train", "test")[number % 2]
    write_table(table, rows)
    assert build(table, tmp_path / "set", "--split", "part") == 1
    error = capsys.readouterr().err
    assert "leaks" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (["dataset", "check", "nowhere"], 1, "nowhere"),
        (["dataset", "build", "--from-csv", "none.csv", "--out", "x"], 2, "--file"),
        (["dataset", "export", "--out", "x"], 1, "no labels"),
        (["dataset", "merge", "nowhere", "--out", "x"], 1, "nowhere"),
        (["dataset", "suspects", "nothing", "--data", "nowhere"], 1, "nothing"),
        (["evaluate", "nothing", "--data", "nowhere", "--out", "x"], 1, "nothing"),
        (["evaluate", "--split", "moon", "m", "--data", "d", "--out", "x"], 2, "moon"),
        (["compare", "--out", "x"], 2, "runs"),
        (["compare", "nothing", "--out", "x"], 1, "nothing"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    words: list[str], code: int, named: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(words) == code
    error = capsys.readouterr().err
    assert named in error.lower() or named in error
    assert "Traceback" not in error
    assert not (tmp_path / "x").exists()
