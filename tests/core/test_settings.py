"""Settings survive a restart, and a damaged file costs no start."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from core.settings import RECENT_LIMIT, Settings, SettingsStore


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


def test_unknown_fields_of_a_newer_version_are_no_error(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"version": 9, "reader": "A", "from_the_future": true}')
    assert SettingsStore(file).values.reader == "A"


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
