"""Every command in a document can be typed as it stands; the fast ones run here."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli.main import run
from core.imaging import decoding
from desktop import launch
from tests.conftest import ROOT
from tests.core.imaging.dicom.make import write_series
from tests.documents.commands import Block, Stated, blocks, documents, in_lines, problem

PATIENTS = 5
BLOCKS = blocks()
RUNNABLE = list(
    {
        tuple(item.text for item in block.commands): block for block in BLOCKS if block.how == "run"
    }.values()
)
"""Blocks of which two languages have the same commands run once."""
SLOW = [block for block in BLOCKS if block.how == "slow"]


def test_documents_hold_commands_and_each_is_tested_somehow() -> None:
    commands = [item for block in BLOCKS for item in block.commands]
    assert len(documents()) > 40 and len(commands) > 50 and len(in_lines()) > 40
    assert {item.how for item in commands} == {"run", "slow", "arguments only"}
    assert len(RUNNABLE) + len(SLOW) >= 10


def test_each_command_could_be_typed_as_it_stands() -> None:
    stated = [item for block in BLOCKS for item in block.commands] + in_lines()
    wrong = [f"{item.place}: {item.text}: {problem(item)}" for item in stated if problem(item)]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sliceloop inform FOLDER", "no command inform"),
        ("sliceloop info", "needs path"),
        ("sliceloop info FOLDER --jsn", "no option --jsn"),
        ("sliceloop train RECIPE --data SET", "needs --out"),
        ("sliceloop deidentify FOLDER --as words --out away", "cannot be words"),
        ("sliceloop labels", "none of them"),
        ("python -m core.nothing", "no module"),
        ("uv run pytest tests/nowhere", "no tests/nowhere"),
        ("frobnicate", "unknown"),
    ],
)
def test_a_command_that_is_wrong_is_found(text: str, told: str) -> None:
    assert told in problem(Stated(ROOT / "README.md", 1, text, "run"))


# ----------------------------------------------------------------- running them


def prepare(folder: Path, block: Block) -> None:
    """What a block's commands speak of: FOLDER, slices.csv, labels, a set."""
    words = {word for item in block.commands for word in item.words}
    text = " ".join(item.text for item in block.commands)
    makes_set = "dataset export" in text or "dataset build" in text
    needs_labels = "dataset export" in text or "labels verify" in text
    if "FOLDER" in words or needs_labels or ("set" in words and not makes_set):
        for number in range(PATIENTS):
            write_series(
                folder / "FOLDER" / str(number),
                [0, 5, 10],
                PatientID=f"P{number}",
                SeriesInstanceUID=f"1.2.3.{number}",
                StudyInstanceUID=f"1.2.4.{number}",
            )
    if needs_labels or ("set" in words and not makes_set):
        for number in range(PATIENTS):
            where = ["labels", "give", f"FOLDER/{number}", "--set", "hemorrhage"]
            assert run([*where, "--slices", "1-2", "--class", "hemorrhage"]) == 0
            assert run([*where, "--slices", "3", "--class", "no_hemorrhage"]) == 0
    if "set" in words and not makes_set:
        assert run(["dataset", "export", "--out", "set"]) == 0
    if "slices.csv" in words:
        random = np.random.default_rng(0)
        with (folder / "slices.csv").open("w", newline="", encoding="utf-8") as stream:
            rows = csv.writer(stream)
            rows.writerow(["file", "hemorrhage", "patient"])
            for number in range(8 * 3):
                name = f"{number}.png"
                Image.fromarray(random.integers(0, 255, (32, 32), np.uint8)).save(folder / name)
                rows.writerow([name, number % 2, f"p{number // 3}"])


@pytest.mark.parametrize("block", RUNNABLE, ids=lambda block: block.place)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_fast_commands_run(
    block: Block,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    prepare(folder, block)
    capsys.readouterr()
    decoding.shut_down()  # decoders stay in the folder in which they were started
    for item in block.commands:
        words = item.words
        if words[0] != "sliceloop":
            assert problem(item) == ""  # tools of the developer, which run this very test
            continue
        code = launch.run(words[1:])
        told = capsys.readouterr()
        assert code == 0, f"{item.place}: {item.text}\n{told.err}"
        assert "Traceback" not in told.err
    decoding.shut_down()


@pytest.mark.slow
@pytest.mark.parametrize("block", SLOW, ids=lambda block: block.place)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_slow_commands_run(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    prepare(folder, block)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    environment["PYTHONPATH"] = str(ROOT)
    for item in block.commands:
        if item.words[0] != "sliceloop":
            assert problem(item) == ""
            continue
        done = subprocess.run(
            [sys.executable, "-m", "desktop.launch", *item.words[1:]],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, f"{item.place}: {item.text}\n{done.stderr}"
