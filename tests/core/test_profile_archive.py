"""A profile travels without its patients, and nothing hostile comes in with one."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from core import places
from core.cli.main import run
from core.errors import BadProfileError
from core.labels.sets import own_sets_folder
from core.models.card import read_card
from core.models.catalogue import Catalogue
from core.profile_archive import Choice, cards_folder, export_profile, read_manifest, take_over
from core.settings import OF_THIS_COMPUTER, OpenSeries, Settings, SettingsStore
from tests.core.imaging.canaries import encoded
from tests.core.imaging.dicom.make import write_series
from tests.core.models.making import make_model

PLANTED = ("Müller^Zoë", "/images/Zoë Müller CT", "1.2.826.4711.1", "PAT-4711-0815")

OWN_SET = """id: {id}
names: {{en: Cats and dogs, ko: 고양이와 개}}
classes:
  - {{id: dog, names: {{en: Dog}}, positive: false, colour: "#00ff00"}}
  - {{id: cat, names: {{en: Cat}}, positive: true, colour: "#ff0000"}}
"""


def planted_in(content: bytes) -> list[str]:
    return [name for name in PLANTED if any(form in content for form in encoded(name))]


def personal() -> Settings:
    """Settings that name a reader, a folder and a patient's series."""
    return Settings(
        reader=PLANTED[0],
        recent=[PLANTED[1]],
        session=[OpenSeries(path=PLANTED[1], key=PLANTED[2])],
        export_folder=PLANTED[1],
        theme="light",
        keys={"INVERT": ["F3"]},
        memory_gb=1.5,
    )


def own_set(name: str = "cats") -> Path:
    file = own_sets_folder() / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(OWN_SET.format(id=name), encoding="utf-8")
    return file


def unpacked(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return b"\n".join(item.filename.encode() + archive.read(item) for item in archive.filelist)


def test_what_is_of_this_computer_or_names_somebody_stays(tmp_path: Path) -> None:
    out = tmp_path / "profile.zip"
    manifest = export_profile(out, personal(), Choice())
    assert not manifest.holds_patients
    assert planted_in(unpacked(out)) == [] and planted_in(out.read_bytes()) == []
    with zipfile.ZipFile(out) as archive:
        content = json.loads(archive.read("settings.json"))
    assert content["theme"] == "light" and content["keys"] == {"INVERT": ["F3"]}
    assert not (OF_THIS_COMPUTER - {"version"}) & set(content)


def test_a_profile_is_the_same_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_set()
    make_model(places.user_models() / "m", "m", 0)
    make_model(places.user_models() / "n", "n", 1)
    out = tmp_path / "profile.zip"
    export_profile(out, personal(), Choice(models=("m",), weights=True))
    cards_only = tmp_path / "cards.zip"
    export_profile(cards_only, personal(), Choice(settings=False, models=("n",)))

    monkeypatch.setenv("SLICELOOP_HOME", str(tmp_path / "elsewhere"))
    store = SettingsStore()
    store.values.reader = "Dr. Here"
    taken = take_over(out, store.values, store.change)
    assert (taken.settings, taken.label_sets, taken.models) == (True, ["cats"], ["m"])
    again = SettingsStore().values
    assert again.theme == "light" and again.keys == {"INVERT": ["F3"]} and again.memory_gb == 1.5
    assert again.reader == "Dr. Here" and again.recent == []
    assert "m" in {entry.card.id for entry in Catalogue().list()}
    assert take_over(cards_only, store.values, store.change).cards == ["n"]
    assert read_card(cards_folder() / "n").id == "n"
    twice = take_over(out, store.values, store.change)
    assert twice.models == [] and "m" in twice.left[0]


def test_another_label_set_of_that_name_stays_as_it_is(tmp_path: Path) -> None:
    file = own_set()
    out = tmp_path / "profile.zip"
    export_profile(out, Settings(), Choice())
    changed = file.read_text("utf-8").replace("Cat,", "Tiger,").replace("{en: Cat}", "{en: Tiger}")
    file.write_text(changed, encoding="utf-8")
    taken = take_over(out, Settings(), lambda _values: None)
    assert taken.label_sets == [] and "cats" in taken.left[0]
    assert file.read_text("utf-8") == changed


def rewritten(path: Path, out: Path, **files: str | bytes) -> Path:
    """A copy of a profile with some files replaced or added."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w") as target:
        for item in source.filelist:
            if item.filename not in files:
                target.writestr(item.filename, source.read(item))
        for name, content in files.items():
            target.writestr(name, content)
    return out


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("../outside.txt", "x", "no profile has"),
        ("/absolute.txt", "x", "no profile has"),
        ("labels/../../up.yaml", "x", "no profile has"),
        ("models/m/run.py", "x", "no profile has"),
        ("models/m/model.pkl", "x", "no profile has"),
        ("C:\\x.yaml", "x", "no profile has"),
        ("labels/broken.yaml", "id: [", "label set broken"),
        ("labels/other.yaml", OWN_SET.format(id="cats"), "another id"),
        ("models/m/card.json", "{}", "card of m"),
        ("settings.json", '{"memory_gb": -1}', "memory_gb"),
        ("settings.json", "[]", "settings cannot be read"),
        ("manifest.json", '{"kind": "something else"}', "says of itself"),
        ("manifest.json", '{"format": 99}', "newer version"),
    ],
)
def test_what_no_profile_holds_is_refused_before_anything_changes(
    name: str, content: str, told: str, tmp_path: Path
) -> None:
    good = tmp_path / "good.zip"
    export_profile(good, Settings(theme="light"), Choice())
    bad = rewritten(good, tmp_path / "bad.zip", **{name: content})
    before = sorted(path for path in tmp_path.rglob("*"))
    kept: list[Settings] = []
    with pytest.raises(BadProfileError) as raised:
        take_over(bad, Settings(), kept.append)
    assert told in raised.value.reason
    assert kept == []
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_no_zip_and_a_gone_file_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK no")
    assert run(["profile", "import", str(broken)]) == 1
    assert run(["profile", "import", str(tmp_path / "gone.zip")]) == 1
    err = capsys.readouterr().err
    assert err.count("no profile that can be taken over") == 2 and "Traceback" not in err


def test_labels_go_only_if_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "study"
    write_series(study, [0, 5], PatientID=PLANTED[3], SeriesInstanceUID=PLANTED[2])
    words = ["labels", "give", str(study), "--slices", "1", "--class", "hemorrhage"]
    assert run([*words, "--set", "hemorrhage"]) == 0
    without, along = tmp_path / "without.zip", tmp_path / "along.zip"
    assert run(["profile", "export", str(without)]) == 0
    assert planted_in(unpacked(without)) == []
    assert run(["profile", "export", str(along), "--labels"]) == 0
    assert "names patients" in capsys.readouterr().err
    assert read_manifest(along).holds_patients

    monkeypatch.setenv("SLICELOOP_HOME", str(tmp_path / "elsewhere"))
    assert run(["profile", "import", str(along)]) == 0
    assert not places.journal_file().exists(), "not without being asked"
    assert run(["profile", "import", str(along), "--labels"]) == 0
    assert run(["labels", "verify"]) == 0
    assert run(["profile", "import", str(along), "--labels"]) == 0
    assert "label journal of its own" in capsys.readouterr().err


def test_the_folders_of_a_profile_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profile", "show"]) == 0
    told = capsys.readouterr().out
    for folder in (places.settings_folder(), places.data_folder(), places.state_folder()):
        assert str(folder) in told
