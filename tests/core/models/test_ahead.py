"""What goes ahead of a series: which slices, and memory that is written again and again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.models.ahead import Slot, SlotReader, near_slices
from core.models.card import Preprocessing
from core.models.messages import PredictRequest, SlicesAhead
from tests.core.models.making import head_like, volume


def test_what_goes_ahead_of_a_series() -> None:
    spec, long = Preprocessing(reach=1), volume(head_like(160, size=128))
    assert near_slices(spec, 0, volume(head_like(6))) is None, "as quickly there as a whole"
    assert near_slices(spec, 0, long) == slice(0, 2)
    assert near_slices(spec, 40, long) == slice(39, 42)
    assert near_slices(spec, 159, long) == slice(158, 160)
    assert near_slices(Preprocessing(dimensions=3, size=32, crop="whole"), 40, long) is None
    huge = volume(np.broadcast_to(np.int16(0), (3, 3000, 3000)))
    assert near_slices(spec, 1, huge) is None, "too large for the memory that waits for it"


def test_the_engine_sees_what_was_put_and_knows_when_it_was_written_over() -> None:
    slot, reader, case = Slot(), SlotReader(), volume(head_like(160, size=128))
    case.slope[:], case.intercept[:] = np.arange(160), -np.arange(160)

    def sent(number: int, near: slice) -> SlicesAhead:
        request = PredictRequest(number, Path("m"), near.start)
        return SlicesAhead(request, slot.put(request, case, near), near.start)

    try:
        first = sent(7, slice(20, 23))
        seen = reader.volume(first)
        np.testing.assert_array_equal(seen.voxels, case.voxels[20:23])
        assert seen.slope.tolist() == [20, 21, 22] and seen.intercept.tolist() == [-20, -21, -22]
        assert seen.summary is case.summary
        assert reader.holds(first)

        second = sent(8, slice(90, 92))
        assert second.voxels.name == first.voxels.name, "the same memory"
        assert not reader.holds(first)
        np.testing.assert_array_equal(reader.volume(second).voxels, case.voxels[90:92])
        assert reader.holds(second)
    finally:
        reader.close()
        slot.close()
    with pytest.raises(FileNotFoundError):
        SlotReader().volume(second)
