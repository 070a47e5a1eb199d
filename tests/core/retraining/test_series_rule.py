"""The rule for series is chosen where it is better, and written into the card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.cli.main import run
from core.errors import DamagedModelError, UnusableDatasetError
from core.imaging.intensity import Quantity
from core.models.aggregation import aggregate
from core.models.card import Accepts, SeriesRule, read_card
from core.models.catalogue import Catalogue
from core.retraining import series_rule
from core.retraining.cards import accepted
from core.retraining.series_rule import choose_rule, fit_series_rule
from tests.core.models.making import make_model
from tests.core.retraining.making import small_dataset


def _series(
    *, false_alarms: bool, patients: int = 60, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores, truth, series, groups of slices; every second patient has a finding."""
    random = np.random.default_rng(seed)
    scores, truth, series = [], [], []
    for number in range(patients):
        shares = random.uniform(0.01, 0.3, 20)
        shows = np.zeros(20, bool)
        if false_alarms:
            shares[random.integers(20)] = random.uniform(0.5, 0.99)
        if number % 2:
            shows[8:12] = True
            shares[8:12] = random.uniform(0.5, 0.9, 4)
        scores.append(shares)
        truth.append(shows)
        series.append(np.full(20, number))
    numbers = np.concatenate(series)
    return np.concatenate(scores), np.concatenate(truth), numbers, numbers


def test_where_single_slices_mislead_another_rule_is_chosen() -> None:
    found = choose_rule(*_series(false_alarms=True), "made-up patients")
    assert found is not None
    assert found.rule.how in ("top-k", "learned")
    assert found.auroc > found.auroc_of_highest + 0.1
    assert "60 series of 60 patients" in found.rule.fitted_on
    # On patients that it has not seen it holds.
    scores, truth, numbers, _ = _series(false_alarms=True, seed=9)
    each = [numbers == k for k in range(60)]
    said = np.array([aggregate(scores[rows], found.rule) for rows in each])
    ill = np.array([truth[rows].any() for rows in each])
    assert said[ill].mean() > said[~ill].mean() + 0.1


def test_where_the_highest_slice_does_nothing_is_fitted() -> None:
    found = choose_rule(*_series(false_alarms=False), "made-up patients")
    assert found is not None
    assert found.rule == SeriesRule()
    assert found.auroc == found.auroc_of_highest


def test_the_learned_rule_has_a_threshold_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_rule, "_TOP", ())  # the learned rule alone is left to choose
    found = choose_rule(*_series(false_alarms=True), "made-up patients")
    assert found is not None
    assert found.rule.how == "learned"
    assert found.rule.threshold is not None
    assert 0 < found.rule.threshold < 1


def test_too_few_patients_or_single_pictures_choose_nothing() -> None:
    assert choose_rule(*_series(false_alarms=True, patients=10), "few") is None
    scores, truth, numbers, _ = _series(false_alarms=True)
    assert choose_rule(scores, truth, np.arange(len(numbers)), numbers, "pictures") is None


def test_the_command_writes_it_into_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    catalogue = Catalogue(tmp_path / "shipped", tmp_path / "user")
    accepts = Accepts(quantities=(Quantity.GREY,))
    for place, name in (("user", "mine"), ("shipped", "theirs"), ("user", "other")):
        classes = ("no_hemorrhage", "hemorrhage") if name == "other" else ("no_bleed", "bleed")
        make_model(tmp_path / place / name, name, accepts=accepts, classes=classes,
                   positive=classes[1])  # fmt: skip
    dataset = small_dataset(tmp_path)
    with pytest.raises(UnusableDatasetError, match="no class hemorrhage"):
        fit_series_rule(catalogue.get("other"), dataset, "all")
    with pytest.raises(DamagedModelError, match="read-only"):
        fit_series_rule(catalogue.get("theirs"), dataset, "all")
    with pytest.raises(UnusableDatasetError, match="patients with a finding"):
        fit_series_rule(catalogue.get("mine"), dataset, "all")
    monkeypatch.setattr(series_rule, "FEWEST", 1)
    monkeypatch.setattr(series_rule, "_FOLDS", 2)
    words = ["models", "series-rule", str(tmp_path / "user" / "mine")]
    assert run([*words, "--data", str(dataset.folder), "--split", "all"]) == 0
    assert "of the highest slice" in capsys.readouterr().out
    assert read_card(tmp_path / "user" / "mine").series_rule.how in ("max", "top-k", "learned")


def test_a_card_tells_the_distances_and_lengths_of_its_training_set(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    dataset.spacing[:] = (5.0, 0.5, 0.6)
    dataset.spacing[0] = (2.5, 0.4, 0.4)
    found = accepted(dataset)
    assert found.plane_distance_mm == pytest.approx((2.25, 5.5))
    assert found.pixel_spacing_mm == pytest.approx((0.36, 0.66))
    dataset.spacing[:] = np.nan
    assert accepted(dataset).plane_distance_mm is None
    assert accepted(dataset).pixel_spacing_mm is None
