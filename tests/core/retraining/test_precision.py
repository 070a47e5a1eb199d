"""A faster number format is used only after it agreed on the model's own cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import DamagedModelError
from core.imaging.intensity import Quantity
from core.models.card import Accepts, read_card
from core.models.catalogue import Catalogue
from core.models.loading import NetworkPredictor, load_predictor
from core.retraining.precision import check_precision
from tests.core.models.making import make_model
from tests.core.retraining.making import small_dataset


def test_the_card_keeps_what_was_found_and_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = Catalogue(tmp_path / "shipped", tmp_path / "user")
    accepts = Accepts(quantities=(Quantity.GREY,))
    make_model(tmp_path / "user" / "mine", "mine", accepts=accepts)
    make_model(tmp_path / "shipped" / "theirs", "theirs", accepts=accepts)
    dataset = small_dataset(tmp_path)
    with pytest.raises(DamagedModelError, match="read-only"):
        check_precision(catalogue.get("theirs"), dataset, split="all")

    found = check_precision(catalogue.get("mine"), dataset, split="all")
    assert found.cases == len(dataset)
    assert found.passes
    assert read_card(tmp_path / "user" / "mine").agreements == (found,)
    load_predictor(tmp_path / "user" / "mine", "cpu", runtime="openvino", precision="bf16")

    # One that moves a probability too far is written down as well, and never used.
    inside = NetworkPredictor.predict_dataset
    calls: list[int] = []

    def moved(self: NetworkPredictor, *args: object) -> np.ndarray:
        calls.append(1)
        return inside(self, *args) + (0.02 if len(calls) == 2 else 0)  # type: ignore[arg-type]

    monkeypatch.setattr(NetworkPredictor, "predict_dataset", moved)
    again = check_precision(catalogue.get("mine"), dataset, split="all")
    assert not again.passes
    with pytest.raises(DamagedModelError, match="bf16"):
        load_predictor(tmp_path / "user" / "mine", "cpu", precision="bf16")
