"""Laws of the order in which a series is computed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.models.context import around
from core.models.turns import Turns, outwards


@st.composite
def readings(draw: st.DrawFn) -> tuple[int, int, set[int], list[int], list[float]]:
    """Slices, reach, known ones, where the reader looks turn by turn, how long turns take."""
    slices = draw(st.integers(1, 40))
    known = draw(st.sets(st.integers(0, slices - 1)))
    looks = draw(st.lists(st.integers(0, slices - 1), min_size=1, max_size=60))
    seconds = draw(st.lists(st.floats(0, 3), min_size=1, max_size=20))
    return slices, draw(st.integers(0, 3)), known, looks, seconds


@given(readings())
def test_each_slice_is_answered_once_its_context_before_it_and_the_one_looked_at_first(
    reading: tuple[int, int, set[int], list[int], list[float]],
) -> None:
    slices, reach, known, looks, seconds = reading
    at, turn = looks[0], 0
    turns = Turns(slices, reach, known, 16, looks[0], lambda: at)
    computed: list[int] = []
    answered: list[int] = []
    while turns:
        at = looks[turn % len(looks)]
        batch = turns.next()
        assert 1 <= len(batch) <= max(16, 2 * reach + 1)
        missing = set(around(at, slices, reach)) - set(computed)
        if at not in known and at not in answered:
            assert batch == ([at] if at in missing else outwards(missing, at))
            needs_more = bool(set(around(at, slices, reach)) - {at} - set(computed))
            assert turns.is_first(batch) == (batch == [at] and needs_more)
        else:
            assert not turns.is_first(batch)
        computed += batch
        ready = turns.took(batch, seconds[turn % len(seconds)])
        for index in ready:
            assert set(around(index, slices, reach)) <= set(computed)
        assert ready == outwards(ready, at)
        answered += ready
        turn += 1
    assert len(computed) == len(set(computed))
    assert sorted(answered) == sorted(set(range(slices)) - known)
    if not known:
        assert sorted(computed) == list(range(slices))


def test_a_turn_is_as_long_as_a_tenth_of_a_second_allows() -> None:
    turns = Turns(100, 0, (), 16, 50, lambda: 50)
    assert turns.next() == [50]
    assert turns.took([50], 0.02) == [50]
    assert turns.next() == [49, 51, 48, 52, 47]
    turns.took([49, 51, 48, 52, 47], 2.0)
    assert turns.next() == [53], "however slow the network, something is computed"
    turns.took([53], 0.001)
    assert len(turns.next()) == 16


def test_where_nobody_looks_on_turns_do_not_depend_on_time() -> None:
    for seconds in (0.0, 9.0):
        turns, sizes = Turns(40, 1, (), 16, 20), []
        while turns:
            batch = turns.next()
            sizes.append(len(batch))
            turns.took(batch, seconds)
        assert sizes == [1, 2, 16, 16, 5]
