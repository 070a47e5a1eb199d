"""Reading ahead: only where the disk is slow, each file once, and never the one in hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.imaging import loading
from core.imaging.loading import LookAhead, outward
from core.imaging.opening import open_path
from tests.core.imaging.dicom.make import write_series

pytestmark = pytest.mark.skipif(
    not hasattr(os, "posix_fadvise"), reason="this system takes no advice on reading"
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(loading, "_ask_for", lambda file, _: found.append(file))
    return found


def test_nothing_is_asked_for_where_reading_is_fast(asked: list[str]) -> None:
    ahead = LookAhead([str(i) for i in range(50)], slow=60.0)
    for place in range(50):
        ahead.begin()
        ahead.done(place)
    assert asked == []


def test_each_file_is_asked_for_once_and_before_it_is_read(asked: list[str]) -> None:
    files = [str(i) for i in range(50)]
    ahead = LookAhead(files, slow=0.0)
    for place in range(50):
        assert not place or files[place] in asked
        ahead.begin()
        ahead.done(place)
    assert asked == files[1:]


def test_frames_of_one_file_ask_for_no_file_twice(asked: list[str]) -> None:
    ahead = LookAhead(["a"] * 20 + ["b"] * 20, slow=0.0)
    for place in range(40):
        ahead.begin()
        ahead.done(place)
    assert asked == ["b"]


def test_a_slow_disk_gives_the_same_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path, [2 * i for i in range(30)])
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    usual = open_path(tmp_path).series[0].load()

    class Slow(LookAhead):
        def __init__(self, files: list[str], size: int = 0, slow: float = 0.0) -> None:
            super().__init__([*files, str(tmp_path / "nowhere")], size, 0.0)

    monkeypatch.setattr("core.imaging.opening.LookAhead", Slow)
    monkeypatch.setattr("core.imaging.dicom.reader.LookAhead", Slow)
    slow = open_path(tmp_path).series[0].load()
    assert (slow.voxels == usual.voxels).all()
    assert slow.summary.slice_ids == usual.summary.slice_ids


def test_outward_gives_each_index_once() -> None:
    assert list(outward(5, None)) == [2, 3, 1, 4, 0]
    assert sorted(outward(7, 100)) == list(range(7))
