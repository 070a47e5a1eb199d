"""The catalogue: one active model a task, nothing overwritten, one step back."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import DamagedModelError, NotDurableError, UnknownModelError
from core.models.card import CARD_FILE, WEIGHTS_FILE, read_card
from core.models.catalogue import Catalogue
from core.sentences import sentence
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


# ----------------------------------------------------------------- the list of promotions


def flip_bytes(catalogue: Catalogue, tmp_path: Path, times: int, seed: int) -> None:
    """Law: after a flipped byte the list is what it was, or a sentence says that it is not."""
    for number, name in enumerate(("one", "two"), start=1):
        reason = f"fewer false alarms {number}"
        catalogue.promote(_publish(catalogue, tmp_path, name, number), "Kim 김", reason)
    catalogue.rollback("hemorrhage", "Lee", "missed one")
    file = tmp_path / "own" / "promotions.json"
    whole, expected = file.read_bytes(), catalogue.promotions()
    chance, told = random.Random(seed), 0
    for _ in range(times):
        flipped = bytearray(whole)
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        file.write_bytes(flipped)
        try:
            assert catalogue.promotions() == expected
        except DamagedModelError as error:
            told += 1
            assert "list of promotions" in str(sentence(error))
    assert told > times / 2


def test_a_flipped_byte_is_told_or_harmless(catalogue: Catalogue, tmp_path: Path) -> None:
    flip_bytes(catalogue, tmp_path, 60, seed=1)


@pytest.mark.slow
def test_a_thousand_flipped_bytes(catalogue: Catalogue, tmp_path: Path) -> None:
    flip_bytes(catalogue, tmp_path, 1000, seed=2)


def test_an_entry_that_was_changed_or_taken_out_is_found(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    for number, name in enumerate(("one", "two", "three")):
        catalogue.promote(_publish(catalogue, tmp_path, name, number), "kim", "better")
    file = tmp_path / "own" / "promotions.json"
    entries = json.loads(file.read_bytes())
    for damaged in (entries[:1] + entries[2:], entries[1:], [entries[0] | {"by": "lee"}]):
        file.write_text(json.dumps(damaged))
        with pytest.raises(DamagedModelError):
            catalogue.promotions()
    # Entries from before there were digests are read, and chained from the next one on.
    old = [{key: value for key, value in item.items() if key != "digest"} for item in entries]
    file.write_text(json.dumps(old))
    assert len(catalogue.promotions()) == 3
    catalogue.rollback("hemorrhage", "kim", "worse")
    content = json.loads(file.read_bytes())
    file.write_text(json.dumps([*content[:2], content[2] | {"by": "lee"}, content[3]]))
    with pytest.raises(DamagedModelError):
        catalogue.promotions()


@pytest.mark.parametrize("years", [-1 / 365, 10])
def test_a_clock_that_jumps_changes_nothing_but_the_time_stated(
    tmp_path: Path, years: float
) -> None:
    make_model(tmp_path / "shipped" / "base", "base")
    at = [datetime(2026, 1, 2, tzinfo=UTC)]
    catalogue = Catalogue(tmp_path / "shipped", tmp_path / "own", now=lambda: at[0])
    catalogue.promote(_publish(catalogue, tmp_path, "one", 1), "kim", "x")
    at[0] += timedelta(days=365 * years)
    catalogue.promote(_publish(catalogue, tmp_path, "two", 2), "kim", "y")
    assert catalogue.active("hemorrhage").card.id == "two"
    assert catalogue.rollback("hemorrhage", "kim", "z").model == "one"
    assert [p.model for p in catalogue.promotions()] == ["one", "two", "one"]
