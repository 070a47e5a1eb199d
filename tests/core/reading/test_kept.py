"""Measurements on disk: what was made comes back, on its own slice, and nothing is lost."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DamagedMeasurementsError
from core.imaging.geometry import Plane
from core.reading.book import MeasurementBook
from core.reading.kept import Kept, KeptMeasurements
from core.reading.measurements import Kind, Measurement
from core.sentences import sentence

IDS = tuple(f"1.2.{number}" for number in range(6))
KEY = "1.2/1.2.0"
number = st.floats(-1e6, 1e6)


@st.composite
def measurements(draw: st.DrawFn) -> Measurement:
    kind = draw(st.sampled_from(Kind))
    points = draw(st.tuples(*[st.tuples(number, number, number)] * kind.points))
    return Measurement(kind, draw(st.sampled_from(Plane)), draw(st.integers(0, 5)), points)


@given(st.lists(measurements(), max_size=8), st.sets(st.sampled_from(IDS)))
def test_what_was_measured_comes_back_also_by_way_of_a_study_that_is_not_whole(
    made: list[Measurement], missing: set[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        KeptMeasurements(Path(folder)).write(KEY, IDS, made)
        kept = KeptMeasurements(Path(folder))
        assert kept.might_have(KEY) is bool(made)
        assert not kept.might_have("another")
        assert kept.read(KEY, IDS) == Kept(tuple(made))

        part = tuple(one for one in IDS if one not in missing)
        found = kept.read(KEY, part)
        assert len(found.placed) + len(found.elsewhere) == len(made)
        for one in found.placed:
            if one.plane is Plane.SLICE:
                whole = IDS.index(part[one.index])
                assert any(k.points == one.points and k.index == whole for k in made)
        kept.write(KEY, part, found.placed, found.elsewhere)
        again = kept.read(KEY, IDS)
        assert not again.elsewhere
        assert sorted(again.placed, key=repr) == sorted(made, key=repr)


def test_a_damaged_file_is_put_aside_and_told(tmp_path: Path) -> None:
    kept = KeptMeasurements(tmp_path)
    length = Measurement(Kind.LENGTH, Plane.SLICE, 0, ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0)))
    kept.write(KEY, IDS, [length])
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    wrong = (whole[:-9], b"", b"\xff", whole.replace(b"length", b"angle"))
    for content in wrong:
        file.write_bytes(content)
        with pytest.raises(DamagedMeasurementsError) as caught:
            kept.read(KEY, IDS)
        assert caught.value.path.read_bytes() == content
        assert str(caught.value.path) in str(sentence(caught.value))
        assert kept.read(KEY, IDS) == Kept()
    kept.write(KEY, IDS, [])
    assert not file.exists()
    assert sorted(aside.read_bytes() for aside in tmp_path.iterdir()) == sorted(wrong)


def test_what_is_kept_is_no_step_of_this_session() -> None:
    book, told = MeasurementBook(), []
    book.stepped.connect(lambda: told.append("step"))
    length = Measurement(Kind.LENGTH, Plane.SLICE, 0, ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0)))
    mine = book.add(length)
    book.fill([length.moved((0, 0, 1)), length.moved((0, 0, 2))])
    assert told == ["step"]
    assert [one.points[0][2] for one in book] == [1, 2, 0]
    assert len({one.number for one in book}) == 3
    assert book.undo() and [one.points[0][2] for one in book] == [1, 2]
    assert not book.can_undo
    assert book.redo() and book.find(mine.number) == mine
