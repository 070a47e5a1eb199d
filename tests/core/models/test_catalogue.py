"""The catalogue: one active model a task, nothing overwritten, one step back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import DamagedModelError, NotDurableError, UnknownModelError
from core.models.card import CARD_FILE, WEIGHTS_FILE, read_card
from core.models.catalogue import Catalogue
from tests.core.models.making import make_model


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    make_model(tmp_path / "shipped" / "base", "base")
    now = datetime(2026, 1, 2, tzinfo=UTC)
    return Catalogue(tmp_path / "shipped", tmp_path / "own", now=lambda: now)


def _publish(catalogue: Catalogue, tmp_path: Path, name: str, seed: int) -> str:
    make_model(tmp_path / "runs" / name, name, seed)
    return catalogue.publish(tmp_path / "runs" / name, parent="base").card.id


def test_the_shipped_model_answers_until_another_is_promoted(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    assert catalogue.active("hemorrhage").card.id == "base"
    name = _publish(catalogue, tmp_path, "better", 1)
    assert catalogue.active("hemorrhage").card.id == "base"
    done = catalogue.promote(name, "Dr A", "fewer false alarms")
    assert (done.previous, done.by, done.at) == ("base", "Dr A", "2026-01-02T00:00:00+00:00")
    assert catalogue.active("hemorrhage").card.id == "better"
    catalogue.rollback("hemorrhage", "Dr B", "missed one")
    assert catalogue.active("hemorrhage").card.id == "base"
    assert [p.action for p in catalogue.promotions()] == ["promote", "rollback"]


def test_rolling_back_twice_undoes_the_rollback(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.promote(_publish(catalogue, tmp_path, "better", 1), "A", "x")
    catalogue.rollback("hemorrhage", "A", "y")
    catalogue.rollback("hemorrhage", "A", "z")
    assert catalogue.active("hemorrhage").card.id == "better"


def test_there_is_nothing_to_roll_back_to_at_first(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownModelError):
        catalogue.rollback("hemorrhage", "A", "x")


def test_publishing_never_overwrites(catalogue: Catalogue, tmp_path: Path) -> None:
    first = _publish(catalogue, tmp_path, "twin", 1)
    make_model(tmp_path / "again", "twin", 2)
    second = catalogue.publish(tmp_path / "again").card
    assert (first, second.id) == ("twin", "twin-2")
    assert catalogue.get("twin").card.weights_sha256 != second.weights_sha256
    assert catalogue.get("twin").card.parent == "base"


def test_weights_that_do_not_match_are_neither_published_nor_promoted(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    make_model(tmp_path / "bad", "bad")
    (tmp_path / "bad" / WEIGHTS_FILE).write_bytes(b"other")
    with pytest.raises(DamagedModelError):
        catalogue.publish(tmp_path / "bad")
    name = _publish(catalogue, tmp_path, "good", 1)
    (tmp_path / "own" / name / WEIGHTS_FILE).write_bytes(b"other")
    with pytest.raises(DamagedModelError):
        catalogue.promote(name, "A", "x")
    assert catalogue.active("hemorrhage").card.id == "base"


def test_a_damaged_folder_is_named_and_the_others_stay(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    (tmp_path / "own" / "odd").mkdir(parents=True)
    (tmp_path / "own" / "odd" / CARD_FILE).write_text("{")
    assert [entry.card.id for entry in catalogue.list()] == ["base"]
    assert list(catalogue.damaged()) == [tmp_path / "own" / "odd"]


def test_a_failed_copy_leaves_nothing(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    make_model(tmp_path / "new", "new")
    monkeypatch.setattr("core.durable.os.fsync", full)
    with pytest.raises(NotDurableError):
        catalogue.publish(tmp_path / "new")
    assert [p.name for p in (tmp_path / "own").iterdir()] == []


def test_a_run_folder_counts_as_a_model(catalogue: Catalogue, tmp_path: Path) -> None:
    make_model(tmp_path / "run" / "model", "trained")
    assert catalogue.get(str(tmp_path / "run")).card == read_card(tmp_path / "run" / "model")


def test_an_unknown_name_tells_the_known_ones(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownModelError) as caught:
        catalogue.get("nothing")
    assert caught.value.known == ("base",)
