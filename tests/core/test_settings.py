"""Settings survive a restart, and a damaged file costs no start."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadSettingError
from core.settings import RECENT_LIMIT, Settings, SettingsStore
from core.settings_migrations import STEPS, VERSION, migrated


def test_what_was_chosen_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    store = SettingsStore(file)
    store.values.reader = "Dr. Example"
    store.remember(Path("/images/a"))
    again = SettingsStore(file)
    assert again.values.reader_name == "Dr. Example"
    assert again.values.recent == ["/images/a"]
    again.forget_all()
    assert SettingsStore(file).values.recent == []


def test_a_damaged_file_is_kept_aside_and_told(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    for content in ("{", '{"heat_opacity": 7}', "[]"):
        file.write_text(content)
        store = SettingsStore(file)
        assert store.values == Settings()
        assert store.damaged == "settings.damaged.json"
        assert (tmp_path / "settings.damaged.json").read_text() == content


def test_settings_of_a_newer_version_are_read_as_far_as_they_are_known(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    content = '{"version": 9, "reader": "A", "from_the_future": true}'
    file.write_text(content)
    store = SettingsStore(file)
    assert store.values.reader == "A" and store.values.version == VERSION
    assert store.kept_aside == "settings.v9.json"
    assert (tmp_path / "settings.v9.json").read_text() == content


def test_settings_of_version_1_become_those_of_this_one_and_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    content = json.dumps(
        {"version": 1, "reader": "A", "theme": "light", "keys": {"INVERT": ["Shift+F1"]}}
    )
    file.write_text(content)
    store = SettingsStore(file)
    assert (store.values.reader, store.values.theme) == ("A", "light")
    assert store.values.keys == {"INVERT": ["Shift+F1"], "KEYS": []}, "the person's key stays"
    assert (tmp_path / store.kept_aside).read_text() == content
    assert json.loads(file.read_text())["version"] == VERSION
    assert SettingsStore(file).kept_aside == "", "once"


def test_every_step_of_the_migrations_is_there() -> None:
    assert sorted(STEPS) == list(range(1, VERSION))
    assert migrated({}) == {"version": VERSION}
    for wrong in ("2", True, 0, None):
        with pytest.raises(ValueError, match="version"):
            migrated({"version": wrong})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory_gb", 0),
        ("theme", "pink"),
        ("no_such_setting", 1),
        ("window_presets", [{"name": "Brain", "center": 40, "width": 0}]),
    ],
)
def test_what_cannot_be_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(BadSettingError) as raised:
        Settings().changed({name: value})
    assert raised.value.setting == name


def test_a_change_is_told_once_with_what_differs(tmp_path: Path) -> None:
    store = SettingsStore(tmp_path / "settings.json")
    told: list[object] = []
    store.changed.connect(told.append)
    store.looks_changed.connect(lambda: told.append("looks"))
    store.change(store.values.changed({"memory_gb": 2.0}))
    store.change(store.values.changed({"memory_gb": 2.0}))
    store.change(store.values.changed({"theme": "light"}))
    assert told == [{"memory_gb"}, {"theme"}, "looks"]
    assert SettingsStore(store.file).values.memory_gb == 2.0


def test_a_fresh_beginning_keeps_the_old_file_and_the_name(tmp_path: Path) -> None:
    store = SettingsStore(tmp_path / "settings.json")
    store.change(store.values.changed({"reader": "A", "theme": "light"}))
    names = [store.begin_afresh(), store.begin_afresh()]
    assert names == ["settings.before.json", "settings.before-2.json"]
    assert store.values == Settings(reader="A")
    assert json.loads((tmp_path / names[0]).read_text())["theme"] == "light"


@given(st.lists(st.sampled_from("abcdefghijklmnop"), max_size=40))
def test_the_recent_list_is_short_newest_first_and_without_repeats(opened: list[str]) -> None:
    class Silent(SettingsStore):
        def __init__(self) -> None:
            self.values = Settings()

        def save(self) -> None:
            pass

    store = Silent()
    for name in opened:
        store.remember(Path(name))
    recent = store.values.recent
    assert len(recent) <= RECENT_LIMIT
    assert len(set(recent)) == len(recent)
    expected = list(dict.fromkeys(reversed(opened)))[:RECENT_LIMIT]
    assert recent == expected


# ----------------------------------------------------------------- bytes that flip


def flip_bytes(folder: Path, times: int, seed: int) -> None:
    """Law: after a flipped byte the settings are as they were, or they are said to be damaged."""
    store = SettingsStore(folder / "settings.json")
    store.values.reader = "Kim 김"
    store.values.recent = ["/images/one", "/images/two"]
    store.save()
    whole, expected = store.file.read_bytes(), store.values.model_dump()
    chance, told = random.Random(seed), 0
    for _ in range(times):
        flipped = bytearray(whole)
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        store.file.write_bytes(flipped)
        found = SettingsStore(store.file)
        if found.damaged:
            told += 1
            assert (folder / found.damaged).read_bytes() == bytes(flipped)  # nothing is lost
        else:
            assert found.values.model_dump() == expected
        for file in folder.iterdir():
            file.unlink()
    assert told > times / 2


def test_a_flipped_byte_is_told_or_harmless(tmp_path: Path) -> None:
    flip_bytes(tmp_path, 100, seed=1)


@pytest.mark.slow
def test_a_thousand_flipped_bytes(tmp_path: Path) -> None:
    flip_bytes(tmp_path, 1000, seed=2)


def test_a_file_that_a_person_wrote_is_read(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"reader": "kim", "theme": "light"}')
    store = SettingsStore(file)
    assert (store.values.reader, store.values.theme, store.damaged) == ("kim", "light", "")


def test_a_window_has_them_written_elsewhere_as_they_were_when_they_were_saved(
    tmp_path: Path,
) -> None:
    store = SettingsStore(tmp_path / "settings.json")
    waiting: list[Callable[[], None]] = []
    store.write_by(waiting.append)
    for rate in (5.0, 7.0):
        store.values.cine_rate = rate
        store.save()
    assert not store.file.exists()
    for write, rate in zip(waiting, (5.0, 7.0), strict=True):
        write()
        assert SettingsStore(store.file).values.cine_rate == rate
