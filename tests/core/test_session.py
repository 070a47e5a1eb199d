"""The reading session: order, the current series, and memory that is given back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.imaging.intensity import Quantity, Window
from core.labels.schema import LabelSet
from core.labels.sets import load_label_set
from core.session import AnswerState, LoadState, Reading, Session, initial_window, thumbnail
from tests.desktop.series import MemorySeries


@pytest.fixture(scope="module")
def label_set() -> LabelSet:
    return load_label_set("hemorrhage")


def loaded(session: Session, reading: Reading) -> None:
    session.show(reading)
    volume = reading.series.load()
    for index in range(volume.slices):
        reading.case.slice_arrived(volume, index)
    session.mark(reading, load=LoadState.LOADED)


def test_a_series_is_opened_once(label_set: LabelSet) -> None:
    session = Session(label_set)
    first = session.add(MemorySeries("a"))
    assert session.add(MemorySeries("a")) is first
    assert session.add(MemorySeries("b")) is not first
    assert [reading.summary.uid for reading in session] == ["1.2.a", "1.2.b"]


def test_series_of_one_name_are_numbered_and_keep_their_numbers(label_set: LabelSet) -> None:
    def cell(key: str, description: str = "Battery cell", file: str = "") -> MemorySeries:
        series = MemorySeries(key)
        series.summary = replace(series.summary, description=description, path=Path(file))
        return series

    session = Session(label_set)
    first, second = session.add(cell("a")), session.add(cell("b"))
    assert (first.namesake, second.namesake) == (1, 2)
    session.close(first)
    assert (session.add(cell("c")).namesake, second.namesake) == (3, 2)
    files = [session.add(cell(name, "", f"{name}.tif")) for name in ("left", "right")]
    assert [reading.namesake for reading in files] == [1, 1], "their files tell them apart"


def test_closing_the_current_series_shows_a_neighbour(label_set: LabelSet) -> None:
    session = Session(label_set)
    one, two, three = (session.add(MemorySeries(name)) for name in "abc")
    session.show(two)
    session.close(two)
    assert session.current is three
    session.close(three)
    assert session.current is one
    session.close(one)
    assert session.current is None


def test_a_state_is_told_once_and_only_if_it_changed(label_set: LabelSet) -> None:
    session = Session(label_set)
    reading = session.add(MemorySeries("a"))
    told: list[Reading] = []
    session.state_changed.connect(told.append)
    session.mark(reading, answer=AnswerState.RUNNING)
    session.mark(reading, answer=AnswerState.RUNNING)
    session.mark(reading, labelled=3, stale=True)
    assert len(told) == 2


def test_the_series_looked_at_longest_ago_gives_its_memory_back(label_set: LabelSet) -> None:
    session = Session(label_set)
    readings = [session.add(MemorySeries(name)) for name in "abc"]
    for reading in readings:
        loaded(session, reading)
    size = readings[0].bytes_held
    assert session.trim(2 * size) == [readings[0]]
    assert readings[0].load_state is LoadState.HEADERS
    assert not readings[0].case.has(0)
    assert session.trim(0) == [readings[1]]
    assert readings[2].bytes_held == size


def test_another_task_puts_answers_and_labels_away(label_set: LabelSet) -> None:
    session = Session(label_set)
    reading = session.add(MemorySeries("a"))
    reading.case.relabel({"1.2.a.0": "hemorrhage"})
    session.mark(reading, answer=AnswerState.DONE, labelled=1)
    session.use(load_label_set("pneumonia"))
    assert reading.case.labels == {}
    assert (reading.answer_state, reading.labelled) == (AnswerState.NONE, 0)
    assert reading.case.label_set.id == "pneumonia"


def test_a_slice_is_found_by_its_id(label_set: LabelSet) -> None:
    session = Session(label_set)
    reading = session.add(MemorySeries("a"))
    assert session.find_slice("1.2.a.4") == (reading, 4)
    assert session.find_slice("1.2.b.4") is None


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=30))
def test_the_current_series_is_always_an_open_one(steps: list[tuple[str, bool]]) -> None:
    session = Session(load_label_set("hemorrhage"))
    for name, opens in steps:
        known = next((r for r in session if r.summary.uid == f"1.2.{name}"), None)
        if opens:
            session.show(session.add(MemorySeries(name)))
        elif known is not None:
            session.close(known)
        assert session.current is None or session.current in list(session)
        assert (session.current is None) == (len(session) == 0)


def test_the_first_window_is_the_headers_else_what_fits() -> None:
    series = MemorySeries("a")
    assert initial_window(series.summary) == series.summary.windows[0]
    from dataclasses import replace

    bare = replace(series.summary, windows=())
    assert initial_window(bare) is not None
    assert initial_window(replace(bare, quantity=Quantity.SIGNAL)) is None
    grey = initial_window(replace(bare, quantity=Quantity.GREY))
    assert grey is not None and grey.levels() == (0.0, 255.0)


@pytest.mark.parametrize("shape", [(40, 32), (512, 512), (161, 1000), (1, 1), (160, 5)])
def test_a_thumbnail_is_small_and_keeps_the_aspect(shape: tuple[int, int]) -> None:
    from dataclasses import replace

    from core.imaging.geometry import Geometry
    from core.imaging.volume import Volume

    summary = replace(MemorySeries("a").summary, geometry=Geometry.unknown((1, *shape)))
    voxels = np.full((1, *shape), 40, np.int16)
    made = thumbnail(Volume(summary, voxels, np.ones(1), np.zeros(1)), Window(40, 80))
    assert made.dtype == np.uint8
    assert max(made.shape[:2]) <= 160
    assert min(made.shape[:2]) >= 1
    assert made.shape[2] == 3
    assert 120 <= made.mean() <= 135
