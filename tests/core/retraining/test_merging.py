"""Merging keeps every patient's side and every slice once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import LeakError, NotComparableError
from core.retraining.building import build_from_table
from core.retraining.dataset import Dataset
from core.retraining.merging import merge
from tests.core.retraining.making import request, table_of_patients, write_table


def parts(dataset: Dataset) -> dict[str, str]:
    return {
        dataset.group_codes[g]: str(s) for g, s in zip(dataset.groups, dataset.splits, strict=True)
    }


def test_old_and_new_together(tmp_path: Path) -> None:
    table, rows = table_of_patients(tmp_path / "source", 16)
    old, new = rows[:32], rows[24:]
    write_table(table, old)
    build_from_table(request(table, tmp_path / "one"))
    write_table(table, [{**row, "site": "B"} for row in new])
    build_from_table(
        request(table, tmp_path / "two", extends=tmp_path / "one", subgroups=("site",))
    )
    merged_manifest = merge([tmp_path / "one", tmp_path / "two"], tmp_path / "both")
    one, two = Dataset.open(tmp_path / "one"), Dataset.open(tmp_path / "two")
    both = Dataset.open(tmp_path / "both")
    both.verify()
    assert set(both.keys()) == set(one.keys()) | set(two.keys())
    assert len(both) == 64
    assert parts(both) == parts(two) | parts(one)
    assert merged_manifest.auxiliary == ("deep",)
    row = both.keys().index(two.keys()[-1])
    np.testing.assert_array_equal(both.plane(row), two.plane(len(two) - 1))
    assert set(both.subgroups["site"]) == {"", "B"}


def test_other_classes_and_torn_patients_are_refused(tmp_path: Path) -> None:
    table, rows = table_of_patients(tmp_path / "source", 4)
    for row in rows:
        row["one"], row["two"] = "train", "validation"
    write_table(table, rows)
    build_from_table(request(table, tmp_path / "a", split="one"))
    build_from_table(request(table, tmp_path / "b", split="two"))
    build_from_table(request(table, tmp_path / "c", label="deep"))
    with pytest.raises(LeakError):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    with pytest.raises(NotComparableError):
        merge([tmp_path / "a", tmp_path / "c"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tested_anywhere_is_tested(tmp_path: Path) -> None:
    table, _ = table_of_patients(tmp_path / "source", 6)
    build_from_table(request(table, tmp_path / "a"))
    build_from_table(request(table, tmp_path / "b", split="test"))
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert set(Dataset.open(tmp_path / "out").splits) == {"test"}
