"""Label sets: what ships is valid, and a bad file is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import BadLabelSetError
from core.labels.sets import available_label_sets, load_label_set, own_sets_folder, read_label_set
from core.sentences import sentence

GOOD = """
id: weld
names: {en: Weld, ko: 용접}
classes:
  - {id: sound, names: {en: Sound}, positive: false, colour: "#3fb950", key: 1}
  - {id: pore, names: {en: Pore, ko: 기공}, positive: true, colour: "#F85149", key: 2}
"""


def own(text: str, name: str = "weld") -> Path:
    own_sets_folder().mkdir(parents=True, exist_ok=True)
    path = own_sets_folder() / f"{name}.yaml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("set_id", available_label_sets())
def test_shipped_sets_are_valid_and_speak_both_languages(set_id: str) -> None:
    found = load_label_set(set_id)
    assert found.id == set_id
    assert found.positive.positive
    assert not all(item.positive for item in found.classes)
    for item in found.classes:
        assert item.name("en")
        assert item.name("ko") != item.name("en")
        assert item.key


def test_the_sets_of_the_house_are_there() -> None:
    assert {
        "hemorrhage",
        "hemorrhage-subtypes",
        "pneumonia",
        "alzheimer",
        "magnetic-tile",
        "battery",
    } <= set(available_label_sets())
    hemorrhage = load_label_set("hemorrhage")
    assert [item.id for item in hemorrhage.classes] == ["no_hemorrhage", "hemorrhage"]
    assert hemorrhage.positive.id == "hemorrhage"
    assert hemorrhage.find("no_hemorrhage").key == 2


def test_a_persons_own_set_is_found() -> None:
    own(GOOD)
    assert "weld" in available_label_sets()
    found = load_label_set("weld")
    assert found.find("pore").name("ko") == "기공"
    assert found.find("pore").colour == "#f85149"
    assert found.find("sound").name("ko") == "Sound"


def test_an_own_set_does_not_change_what_a_shipped_one_means() -> None:
    own(GOOD.replace("id: weld", "id: hemorrhage"), "hemorrhage")
    assert load_label_set("hemorrhage").find("hemorrhage").positive
    assert available_label_sets().count("hemorrhage") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "valid dictionary"),
        ("- 1\n- 2", "valid dictionary"),
        ("id: [", "not valid YAML in line 1"),
        ("id: weld\nid: other", "“id” stands there twice"),
        ("a: &x [1]\nb: *x", "aliases are not allowed"),
        (GOOD + "extra: 1", "extra"),
        (GOOD.replace("#3fb950", "green"), "colour"),
        (GOOD.replace("key: 2", "key: 1"), "same key"),
        (GOOD.replace("key: 2", "key: 12"), "key"),
        (GOOD.replace("key: 2", "key: '2'"), "key"),
        (GOOD.replace("positive: true", "positive: false"), "positive"),
        (GOOD.replace("{id: sound,", "{id: pore,"), "same id"),
        (GOOD.replace("{id: sound,", "{id: ../x,"), "id"),
        (GOOD.replace("{en: Sound}", "{ko: 양호}"), "no English name"),
        (GOOD.replace("{en: Sound}", "{no: Bra, en: Sound}"), "names"),
        (GOOD.replace("id: weld", "id: other"), "file name"),
        (GOOD.replace("Sound", "!!python/object/apply:os.getcwd []"), "not valid YAML"),
        ("x" * 70_000, "larger"),
        ("[" * 3_000, "Y"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(text: str, says: str) -> None:
    path = own(text)
    with pytest.raises(BadLabelSetError) as caught:
        load_label_set("weld")
    told = str(sentence(caught.value))
    assert says in told or "nested" in told
    assert str(path) in told
    assert "\n" not in told


@pytest.mark.parametrize("name", ["", "nothing", "../hemorrhage", "a/b", ".", "HEMORRHAGE"])
def test_an_unknown_set_names_the_known_ones(name: str) -> None:
    with pytest.raises(BadLabelSetError) as caught:
        load_label_set(name)
    assert "hemorrhage" in str(sentence(caught.value))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(BadLabelSetError):
        read_label_set(path)
    with pytest.raises(BadLabelSetError):
        read_label_set(tmp_path / "absent.yaml")
