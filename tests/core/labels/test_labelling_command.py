"""Labelling from the command line: the same journal, the same undo, one sentence an error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from core.cli.labels import app
from core.cli.main import guarded
from core.imaging.opening import open_path
from core.labels.history import History
from core.labels.journal import Journal
from core.labels.schema import LabelEvent
from core.retraining.sources import Sources

root = typer.Typer()
root.add_typer(app, name="labels")
SLICES = 8


def run(*words: str | Path) -> int:
    return guarded(root, ["labels", *map(str, words)])


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of eight slices."""
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(SLICES):
        pixels = np.random.default_rng(index).integers(0, 255, (24, 24), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"slice_{index:02d}.png")
    return folder


@pytest.fixture
def predictions(images: Path, tmp_path: Path) -> Path:
    """What a model might have said of them: slice 3 alone is a finding."""
    (series,) = open_path(images).series
    chances = [0.02, 0.03, 0.96, 0.02, 0.02, 0.29, 0.01, 0.02]
    content = {
        "model": {"id": "head-ct-hemorrhage", "version": "1", "weights_sha256": "ab" * 32},
        "positive": "hemorrhage",
        "threshold": 0.3,
        "series": [
            {
                "uid": series.summary.uid,
                "case_id": series.summary.case_id,
                "slices": [
                    {
                        "index": index,
                        "slice_id": series.summary.slice_ids[index],
                        "probabilities": {"no_hemorrhage": 1 - chance, "hemorrhage": chance},
                    }
                    for index, chance in enumerate(chances)
                ],
            }
        ],
    }
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps(content))
    return path


def events() -> tuple[LabelEvent, ...]:
    with Journal(read_only=True) as journal:
        return journal.events()


def labels() -> dict[int, str | None]:
    return {e.draft.slice_index + 1: e.draft.new for e in History(events()).standing()}


def test_give_clear_undo_redo(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("give", images, "--class", "hemorrhage", "--slices", "2,4-5") == 0
    assert "3 slices labelled hemorrhage; entry 3 is on the disk" in capsys.readouterr().out
    assert labels() == {2: "hemorrhage", 4: "hemorrhage", 5: "hemorrhage"}
    assert run("give", images, "--class", "hemorrhage", "--slices", "4") == 0
    assert "Nothing changed" in capsys.readouterr().out
    assert run("clear", images, "--slices", "4") == 0
    assert labels() == {2: "hemorrhage", 5: "hemorrhage"}
    assert run("undo", images) == 0
    assert run("undo", images) == 0
    assert labels() == {}
    assert run("redo", images) == 0
    assert len(labels()) == 3
    assert run("verify") == 0


def test_a_labelled_study_is_found_again_for_training(images: Path) -> None:
    run("give", images, "--class", "hemorrhage", "--slices", "all")
    assert len(labels()) == SLICES
    (series,) = open_path(images).series
    assert Sources().find(series.summary.case_id) is not None


def test_what_the_model_had_said_is_stated(images: Path, predictions: Path) -> None:
    run(
        "give", images, "--class", "no_hemorrhage", "--set", "hemorrhage", "--slices", "3",
        "--predictions", predictions, "--reader", "kim", "--reason", "calcified", "--blind",
    )  # fmt: skip
    (event,) = events()
    assert event.reader == "kim"
    assert event.draft.blind
    assert event.draft.opinion is not None
    assert (event.draft.opinion.class_id, event.draft.opinion.probability) == ("hemorrhage", 0.96)


def test_two_readers_and_an_adjudication(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    give = ["give", images, "--slices", "1", "--set", "hemorrhage"]
    run(*give, "--class", "hemorrhage", "--reader", "kim")
    run(*give, "--class", "no_hemorrhage", "--reader", "lee")
    settle = ["adjudicate", images, "--slices", "1", "--class", "hemorrhage", "--reader", "chief"]
    assert run(*settle, "--reason", " ") == 2
    assert run(*settle, "--reason", "seen on MR") == 0
    assert labels() == {1: "hemorrhage"}
    assert run("undo", images, "--reader", "lee") == 0
    assert labels() == {1: "hemorrhage"}
    capsys.readouterr()
    assert run("agreement", "--json") == 0
    assert json.loads(capsys.readouterr().out)["disputes"] == []


def test_two_label_sets_side_by_side(
    images: Path, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("give", images, "--slices", "7", "--class", "hemorrhage")
    run("give", images, "--slices", "7", "--class", "subdural")
    standing = History(events()).standing()
    assert [event.draft.new for event in standing] == ["hemorrhage", "subdural"]
    capsys.readouterr()
    assert run("clear", images, "--slices", "7") == 2
    assert "hemorrhage, hemorrhage-subtypes: name one" in capsys.readouterr().err
    assert run("queue", predictions, "--limit", "1") == 0
    assert "slice 7  model-against-label" in capsys.readouterr().out
    assert run("undo", images) == 0
    assert "1 slice undone in hemorrhage-subtypes; entry 3" in capsys.readouterr().out
    assert run("clear", images, "--slices", "7") == 0
    assert run("undo", images, "--set", "hemorrhage-subtypes") == 0
    assert "nothing to undo" in capsys.readouterr().out
    assert labels() == {}
    assert run("redo", images, "--set", "hemorrhage-subtypes") == 0
    assert labels() == {7: "subdural"}


def test_the_queue(images: Path, predictions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("queue", predictions, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(item["slice"], item["why"]) for item in found[:2]] == [
        (3, "neighbours-differ"),
        (6, "uncertain"),
    ]
    give = ["give", images, "--slices", "7", "--class", "hemorrhage"]
    assert run(*give) == 0
    capsys.readouterr()
    assert run("queue", predictions, "--limit", "1") == 0
    out = capsys.readouterr().out
    assert "slice 7  model-against-label 0.99" in out
    assert len(out.splitlines()) == 1


@pytest.mark.parametrize("slices", ["0", "9", "3-2", "x", "", "1,,2", "-1", "1-99"])
def test_slices_that_are_none(images: Path, slices: str) -> None:
    assert run("give", images, "--class", "hemorrhage", f"--slices={slices}") == 2


@pytest.mark.parametrize(
    "words",
    [
        ["--class", "nothing"],
        ["--class", "no_hemorrhage"],  # in two label sets
        ["--class", "hemorrhage", "--series", "no-such-uid"],
    ],
)
def test_wrong_usage(images: Path, words: list[str]) -> None:
    assert run("give", images, "--slices", "1", *words) == 2
    assert not events_exist()


def events_exist() -> bool:
    from core import places

    return places.journal_file().exists()


def test_bad_input_is_one_sentence(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"series": 3}')
    for words in (
        ["queue", bad],
        ["queue", tmp_path / "absent.json"],
        ["give", tmp_path / "absent", "--class", "hemorrhage", "--slices", "1"],
        ["give", images, "--class", "hemorrhage", "--slices", "1", "--set", "nothing"],
        ["give", images, "--class", "hemorrhage", "--slices", "1", "--predictions", bad],
    ):
        assert run(*words) == 1
        assert capsys.readouterr().err.count("\n") == 1


def test_the_window_keeps_its_journal(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Journal():
        assert run("give", images, "--class", "hemorrhage", "--slices", "1") == 1
    assert "in use by process" in capsys.readouterr().err
