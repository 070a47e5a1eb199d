"""From a slow disk: asked for ahead, read by several threads, and the same series as ever."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest

from core.bench.series_maker import make_series
from core.errors import CancelledError
from core.imaging import loading
from core.imaging.loading import LookAhead, outward, read_each
from core.imaging.opening import open_path
from tests.core.imaging.dicom.make import write_series


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(loading, "_ask_for", lambda file, _: found.append(file))
    return found


def test_nothing_is_asked_for_where_reading_is_fast(asked: list[str]) -> None:
    ahead = LookAhead([str(i) for i in range(50)], 100, slow=60.0)
    for place in range(50):
        ahead.begin()
        ahead.done(place)
    assert asked == []


def test_each_file_is_asked_for_once_and_before_it_is_read(asked: list[str]) -> None:
    files = [str(i) for i in range(200)]
    ahead = LookAhead(files, 100, slow=0.0)
    for place in range(200):
        assert not place or files[place] in asked
        ahead.begin()
        ahead.done(place)
    assert asked == files[1:]


def test_a_slow_disk_gives_the_same_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path, [2 * i for i in range(30)])
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    usual = open_path(tmp_path).series[0].load()

    class Slow(LookAhead):
        def __init__(self, files: list[str], size: int) -> None:
            super().__init__([*files, str(tmp_path / "nowhere")], size, 0.0)

    monkeypatch.setattr("core.imaging.opening.LookAhead", Slow)
    monkeypatch.setattr("core.imaging.dicom.reader.SLOW_READ", -1.0)
    shown: list[int] = []
    slow = open_path(tmp_path).series[0].load(on_slice=lambda _, index: shown.append(index))
    assert (slow.voxels == usual.voxels).all()
    assert slow.summary.slice_ids == usual.summary.slice_ids
    assert shown[:2] == [15, 16]
    assert sorted(shown) == list(range(30))


def test_reads_that_come_from_the_cache_stay_on_one_thread() -> None:
    threads: set[int] = set()
    done: list[int] = []
    read_each(range(40), lambda _: threads.add(threading.get_ident()), done.append, slow=60.0)
    assert threads == {threading.get_ident()}
    assert done == list(range(40))


@pytest.mark.parametrize("slow", [60.0, -1.0])
def test_what_somebody_goes_on_to_look_at_is_read_next(slow: float) -> None:
    asked, done = itertools.count(), list[int]()

    def looks() -> int:
        return 70 if next(asked) > 10 else 20

    order = list(outward(100, 20))
    read_each(order, lambda _: None, done.append, slow=slow, looks=looks)
    assert sorted(done) == list(range(100))
    first = done[:8] if slow > 0 else done[:2]
    assert first == order[: len(first)]
    assert {69, 70, 71} <= set(done[:20]), "and from there outwards"
    assert done.index(70) < done.index(60) < done.index(45)


def test_what_somebody_goes_on_to_look_at_is_decoded_next(tmp_path: Path) -> None:
    make_series(tmp_path, 80, "jpeg-ls", side=64)
    (series,) = open_path(tmp_path).series
    asked, seen = itertools.count(), list[int]()

    def looks() -> int:
        return 75 if next(asked) > 10 else 40

    made = series.load(on_slice=lambda _, index: seen.append(index), looks=looks)
    assert sorted(seen) == list(range(80))
    assert seen.index(75) < 25
    assert (made.voxels == series.load().voxels).all()


def test_what_a_reading_thread_raises_ends_the_others_and_arrives() -> None:
    def read(index: int) -> None:
        if index == 20:
            raise OSError("gone")

    done: list[int] = []
    with pytest.raises(OSError, match="gone"):
        read_each(range(5000), read, done.append, slow=-1.0)
    assert len(done) < 4900


def test_slow_reads_can_be_cancelled() -> None:
    done: list[int] = []
    with pytest.raises(CancelledError):
        read_each(range(5000), lambda _: None, done.append, lambda: len(done) >= 7, slow=-1.0)
    assert len(done) == 7


def test_outward_gives_each_index_once() -> None:
    assert list(outward(5, None)) == [2, 3, 1, 4, 0]
    assert sorted(outward(7, 100)) == list(range(7))
