"""`sliceloop labels`: what it prints and writes, and its exit codes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from core import places
from core.cli.labels import app
from core.cli.main import guarded
from core.imaging.deidentify import pseudonym, site_key
from core.labels import backups
from core.labels.export import COLUMNS, FORMULA_STARTS, as_csv, as_json_lines, rows, safe_cell
from core.labels.journal import Journal
from core.labels.labelling import Labelling
from core.labels.schema import Attention, ModelOpinion, Region
from tests.core.labels.support import HEMORRHAGE, OPINION, OTHER, SERIES, SUBTYPES, Series

root = typer.Typer()
root.add_typer(app, name="labels")


def run(*words: str) -> int:
    return guarded(root, ["labels", *words])


@pytest.fixture
def labelled() -> Path:
    """A journal of five entries in the profile of this test."""
    with Journal() as journal:
        labelling = Labelling(journal, "kim")
        labelling.label(
            SERIES, 2, "hemorrhage", label_set=HEMORRHAGE, opinion=OPINION, reason="Mr. Canary"
        )
        labelling.label(SERIES, 3, "hemorrhage", label_set=HEMORRHAGE)
        labelling.undo()
        labelling.label(OTHER, 0, "no_hemorrhage", label_set=HEMORRHAGE)
        labelling.mark(SERIES, 2, [Region((1, 2, 3, 4), Attention.LOOK_HERE)], label_set=HEMORRHAGE)
    return places.journal_file()


def test_list(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert (
        "kim  case-1  slice 3  hemorrhage  label  unlabelled → hemorrhage  “Mr. Canary”" in lines[0]
    )
    assert "undo 2" in lines[2]
    assert run("list", "--case", "case-2", "--json") == 0
    (event,) = json.loads(capsys.readouterr().out)
    assert (event["sequence"], event["slice_index"], event["new"]) == (4, 0, "no_hemorrhage")
    assert run("list", "--current", "--json") == 0
    standing = json.loads(capsys.readouterr().out)
    assert [event["sequence"] for event in standing] == [1, 4]
    assert standing[0]["opinion"]["probability"] == 0.83
    assert "patient-1" not in json.dumps(standing)


def test_a_readers_text_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Journal() as journal:
        Labelling(journal, "kim").note(SERIES, 0, "\x1b[2J\nx", label_set=HEMORRHAGE)
    run("list")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 1


def test_before_the_first_label(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("list") == 0
    assert run("list", "--json") == 0
    assert capsys.readouterr().out == "There are no labels yet.\n[]\n"
    assert run("verify") == 1
    assert run("export", "--out", str(tmp_path / "x.csv")) == 1
    assert "There are no labels yet" in capsys.readouterr().err
    assert not places.journal_file().exists()


def test_verify(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify") == 0
    assert "whole: 5 entries" in capsys.readouterr().out
    assert run("verify", "--json") == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    content = bytearray(labelled.read_bytes())
    place = content.index(b'"reader":"kim"')
    content[place + 11] ^= 1
    labelled.write_bytes(bytes(content))
    assert run("verify") == 1
    told = capsys.readouterr().err
    assert "does not match its digest, at entry" in told
    assert told.count("\n") == 1


def test_restore(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Journal().close()
    assert run("verify", "--journal", str(backups.found(labelled)[0])) == 0
    labelled.write_bytes(b"gone")
    assert run("verify") == 1
    assert "labels restore" in capsys.readouterr().err
    assert run("restore") == 0
    assert "whole again: 5 entries" in capsys.readouterr().out
    assert run("verify") == 0


def test_agreement(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("agreement") == 0
    assert "No slice has been labelled by two readers" in capsys.readouterr().out
    with Journal() as journal:
        lee = Labelling(journal, "lee")
        lee.label(SERIES, 2, "no_hemorrhage", label_set=HEMORRHAGE)
        lee.label(OTHER, 0, "no_hemorrhage", label_set=HEMORRHAGE)
    assert run("agreement") == 0
    out = capsys.readouterr().out
    assert "Cohen's kappa: 0.00 (95 % interval" in out
    assert "50% of pairs agree on 2 slices (kim, lee)" in out
    assert "case-1  slice 3  kim: hemorrhage, lee: no_hemorrhage" in out
    assert run("agreement", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cohen"][0]["observed"] == found["fleiss"]["observed"] == 0.5
    assert [item["slice_index"] for item in found["disputes"]] == [2]


def test_another_label_set_is_told_apart(
    labelled: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with Journal() as journal:
        Labelling(journal, "lee").label(SERIES, 2, "no_hemorrhage", label_set=SUBTYPES)
    assert run("list", "--current", "--json") == 0
    everything = json.loads(capsys.readouterr().out)
    assert [event["sequence"] for event in everything] == [1, 4, 6]
    assert run("list", "--set", "subtypes") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "lee  case-1  slice 3  subtypes  label  unlabelled → no_hemorrhage" in line
    assert run("export", "--current", "--set", "subtypes", "--out", str(tmp_path / "x.jsonl")) == 0
    (row,) = (tmp_path / "x.jsonl").read_text().splitlines()
    assert json.loads(row)["label_set"] == "subtypes"
    capsys.readouterr()
    assert run("agreement") == 2
    assert "hemorrhage, subtypes: name one" in capsys.readouterr().err
    for task in ("hemorrhage", "subtypes"):
        assert run("agreement", "--set", task, "--json") == 0
        assert json.loads(capsys.readouterr().out)["disputes"] == []


def test_regions_are_listed_and_exported_by_label_set(
    labelled: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    box = Region((5, 6, 7, 8), Attention.NOT_HERE)
    with Journal() as journal:
        lee = Labelling(journal, "lee")
        lee.mark(SERIES, 2, [box], label_set=SUBTYPES)
        lee.undo()
        lee.redo()
    for task, sequences, left in (("hemorrhage", [1, 2, 3, 4, 5], 2), ("subtypes", [6, 7, 8], 6)):
        assert run("list", "--set", task, "--json") == 0
        events = json.loads(capsys.readouterr().out)
        assert [event["sequence"] for event in events] == sequences
        (told,) = (event["regions"] for event in events if event["regions"])
        out = tmp_path / f"{task}.jsonl"
        assert run("export", "--set", task, "--out", str(out)) == 0
        capsys.readouterr()
        found = [json.loads(line)["regions"] for line in out.read_text().splitlines()]
        (exported,) = filter(None, found)
        assert told[0]["box"][1] == exported[0][3] == left


def test_reading_while_the_window_writes(
    labelled: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with Journal() as journal:
        Labelling(journal, "kim").label(OTHER, 1, "hemorrhage", label_set=HEMORRHAGE)
        assert run("verify") == 0
        assert run("export", "--out", str(tmp_path / "x.jsonl")) == 0
        assert run("restore") == 1
    assert "in use by process" in capsys.readouterr().err
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 6


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_an_export_names_nobody(labelled: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"labels{suffix}"
    assert run("export", "--out", str(out)) == 0
    text = out.read_text("utf-8-sig")
    for secret in ("kim", "Canary", "patient-1", "case-1", "1.2.3.2", "1.2.4.0", "202", ":00Z"):
        assert secret not in text, secret
    table = (
        list(csv.DictReader(io.StringIO(text)))
        if suffix == ".csv"
        else [json.loads(line) for line in text.splitlines()]
    )
    assert [int(row["sequence"]) for row in table] == [1, 2, 3, 4, 5]
    assert tuple(table[0]) == COLUMNS
    key = site_key()
    assert table[0]["patient"] == pseudonym(key, "patient:patient-1") == table[1]["patient"]
    assert table[0]["patient"] != table[3]["patient"]
    assert "look here" in str(table[4]["regions"])


def test_export_of_what_stands_now(labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    assert run("export", "--current", "--out", str(out)) == 0
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["sequence"] for row in found] == [1, 4]


def test_wrong_usage(labelled: Path, tmp_path: Path) -> None:
    assert run("export", "--out", str(tmp_path / "labels.xlsx")) == 2
    assert run("export") == 2


def test_an_export_that_cannot_be_written(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    assert run("export", "--out", str(tmp_path / "file" / "labels.csv")) == 1
    assert "could not be saved" in capsys.readouterr().err


@pytest.mark.parametrize("start", [*FORMULA_STARTS, " =", "  @"])
def test_no_cell_is_a_formula(start: str, tmp_path: Path) -> None:
    evil = f'{start}cmd|" /C calc"!A0'
    series = Series(evil, evil, (evil,)) if "\0" not in evil else SERIES
    with Journal(tmp_path / "labels.db") as journal:
        labelling = Labelling(journal, f"{evil}")
        labelling.label(
            series,
            0,
            "hemorrhage",
            label_set=HEMORRHAGE,
            opinion=ModelOpinion(evil, evil, evil, 0.5),
            reason=evil,
        )
        labelling.mark(
            series, 0, [Region((1, 2, 3, 4), Attention.NOT_HERE, evil)], label_set=HEMORRHAGE
        )
        table = rows(journal.events(), b"k" * 32)
    for row in csv.reader(io.StringIO(as_csv(table).decode("utf-8-sig"))):
        for cell in row:
            assert not cell.lstrip(" ").startswith(FORMULA_STARTS), cell
    assert all(json.loads(line) for line in as_json_lines(table).splitlines())


@given(st.text())
def test_a_safe_cell_loses_nothing(text: str) -> None:
    safe = safe_cell(text)
    assert safe in (text, f"'{text}")
    assert not safe.startswith(FORMULA_STARTS)
