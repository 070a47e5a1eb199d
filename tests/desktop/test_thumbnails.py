"""The small pictures of the list: behind the slices that are waited for, and all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event, Lock

import pytest
from pytestqt.qtbot import QtBot

from core.errors import NotEnoughMemoryError
from core.imaging.volume import Volume
from core.labels.sets import load_label_set
from core.session import LoadState, Reading, Session
from core.settings import SettingsStore
from desktop.jobs import Jobs
from desktop.operations.opening import Opening
from desktop.operations.thumbnails import Thumbnails
from tests.desktop.series import MemorySeries


class Counted(MemorySeries):
    """Tells how many single slices are read at the same moment; its slices come when they may."""

    may_load = Event()
    lock = Lock()
    at_once = most = 0

    def load(self, **how: object) -> Volume:
        assert self.may_load.wait(20)
        return super().load(**how)  # type: ignore[arg-type]

    def read_slice(self, index: int) -> Volume:
        with self.lock:
            Counted.at_once += 1
            Counted.most = max(Counted.most, Counted.at_once)
        try:
            if self.failure is not None:
                raise self.failure
            return super().read_slice(index)
        finally:
            with self.lock:
                Counted.at_once -= 1


@pytest.fixture
def jobs(qtbot: QtBot) -> Iterator[Jobs]:
    Counted.may_load = Event()
    Counted.at_once = Counted.most = 0
    runner = Jobs()
    yield runner
    Counted.may_load.set()
    runner.close()


def readings(session: Session, *series: MemorySeries) -> list[Reading]:
    return [session.add(one) for one in series]


def test_every_series_gets_its_picture_one_after_the_other(qtbot: QtBot, jobs: Jobs) -> None:
    session, made = Session(load_label_set("hemorrhage")), list[str]()
    thumbnails = Thumbnails(session, jobs)
    thumbnails.made.connect(lambda key, _picture: made.append(key))
    failing = Counted("b", failure=NotEnoughMemoryError("b"))
    every = readings(session, Counted("a"), failing, *(Counted(f"c{k}") for k in range(6)))
    session.close(every[3])
    thumbnails.want(every)
    qtbot.waitUntil(lambda: jobs.is_idle)
    assert made == [one.key for one in every if one not in (every[1], every[3])]
    assert Counted.most == 1


def test_pictures_wait_for_the_first_slice_that_somebody_waits_for(
    qtbot: QtBot, jobs: Jobs, profile: object
) -> None:
    session, made = Session(load_label_set("hemorrhage")), list[str]()
    opening = Opening(session, jobs, SettingsStore(), lambda _notice: None)
    opening.thumbnails.made.connect(lambda key, _picture: made.append(key))
    first, second = readings(session, Counted("first"), Counted("second"))
    opening.show(first)
    opening.thumbnails.want([first, second])
    assert first.load_state is LoadState.LOADING
    assert not jobs.has_wanted("thumbnail:")
    Counted.may_load.set()
    qtbot.waitUntil(lambda: jobs.is_idle)
    assert made == [first.key, second.key]


@pytest.mark.parametrize("how", ["closed", "failed"])
def test_a_series_that_never_comes_does_not_hold_them_up(
    qtbot: QtBot, jobs: Jobs, profile: object, how: str
) -> None:
    session, made = Session(load_label_set("hemorrhage")), list[str]()
    opening = Opening(session, jobs, SettingsStore(), lambda _notice: None)
    opening.thumbnails.made.connect(lambda key, _picture: made.append(key))
    bad = Counted("bad", failure=NotEnoughMemoryError("bad"))
    bad.read_slice = MemorySeries.read_slice.__get__(bad)  # type: ignore[method-assign]
    gone, stays = readings(session, bad, Counted("stays"))
    opening.show(gone)
    opening.thumbnails.want([stays])
    endings: dict[str, Callable[[], None]] = {
        "closed": lambda: opening.close_series(gone),
        "failed": lambda: None,
    }
    endings[how]()
    Counted.may_load.set()
    qtbot.waitUntil(lambda: jobs.is_idle)
    assert made == [stays.key]
