"""The figures are computed right, and the series that they are measured on are right, too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.bench.series_maker import SYNTAXES, make_series
from core.bench.timing import Figure, side_by_side
from core.imaging.opening import open_path


def test_ratios_and_goals() -> None:
    faster = Figure("a", 2.0, "b", 10.0, 4.0, True)
    assert faster.ratio == 5 and faster.is_met
    within = Figure("a", 3.0, "b", 2.0, 1.2, False)
    assert within.ratio == 1.5 and not within.is_met
    assert within.as_dict()["met"] is False


def test_works_are_timed_in_turn_after_a_round_to_warm_up() -> None:
    calls: list[str] = []
    taken = side_by_side({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert calls == ["a", "b"] * 4
    assert taken.keys() == {"a", "b"}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_made_series_is_in_order_whatever_its_file_names(tmp_path: Path, syntax: str) -> None:
    written = make_series(tmp_path, 5, syntax, side=64)
    assert written == sum(path.stat().st_size for path in tmp_path.iterdir())
    (series,) = open_path(tmp_path).series
    volume = series.load()
    assert volume.voxels.shape == (5, 64, 64)
    assert not volume.summary.warnings
    for i in range(1, 5):
        assert (volume.voxels[i] == np.roll(volume.voxels[0], i, axis=0)).all()


@pytest.mark.slow
def test_the_bench_of_the_first_slice_runs() -> None:
    from core.bench.load import measure_first_only

    figures = measure_first_only((8,), 1)["figures"]
    assert {figure["baseline"] for figure in figures} == {"read all bytes", "pydicom", "SimpleITK"}
